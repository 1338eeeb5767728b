"""What a run is: a notebook and all its parameters; its readable id and the key for reuse.

* The **run id** names the run's folder, for people: `mini_films-mvp-s0`. It is made from the
  parameters alone, so the same run gets the same id from Jupyter and from the batch.
* The **run key** decides whether a stored run may stand for a new one: a hash of the notebook's
  name and code, every parameter, the settings of its scale, the data files it reads and the
  package version.
"""

import ast
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from mvp_skill import __version__
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json
from mvp_skill.prompt_scales import PROMPT_SCALES
from mvp_skill.scales import SCALES, STUDIES

LOCATION = "OUT"  # where results go; the one parameter that changes no result
IN_THE_NAME = ("TASK", "TASKS", "METHOD", "KINDS", "BACKBONE", "ATTACK")
# Lists in a study.
COMPARED = ("TASKS", "VICTIMS", "ATTACKS", "SEEDS", "SIZES", "DOMAINS", "VARIATIONS")
COMPARED += ("UNTRAINED_TASKS", "UNTRAINED_EPOCHS", "UNTRAINED_LEARNING_RATE")
COMPARED += ("UNTRAINED_BATCH_SIZE", "KINDS", "RATES")
DEFAULT_SCALE = "mini"
# Parameters that may be paths.
PATHS = ("DATA_DIR", "BACKBONE", "NEIGHBOURS", "ENCODER", "MASKED_LM", "FILLED_SHEETS")
PATHS += ("PROMPTS", "ROBERTA", "T5")
PACKAGE = Path(__file__).parent
# In mini/: lexicon, patterns, weights, adversarial sets.
MINI_DATA = {".txt", ".yaml", ".safetensors", ".json", ".jsonl"}


def notebook_cells(notebook: str | Path) -> list[dict[str, Any]]:
    """The cells of an .ipynb file, each with `cell_type`, `source` as one string, and `tags`.

    raises   BadInput if the file is missing or is no notebook
    """
    content = read_json(notebook)
    try:
        return [
            {
                "cell_type": cell["cell_type"],
                "source": "".join(cell["source"]),
                "tags": cell.get("metadata", {}).get("tags", []),
            }
            for cell in content["cells"]
        ]
    except (KeyError, TypeError) as error:
        raise BadInput(f"{notebook} is not a Jupyter notebook of format 4.") from error


def notebook_parameters(notebook: str | Path) -> dict[str, Any]:
    """Name to default of the notebook's parameters: the literals in its cell tagged `parameters`.

    raises   BadInput if there is not exactly one such cell, or a value in it is not a literal
    """
    cells = [cell for cell in notebook_cells(notebook) if "parameters" in cell["tags"]]
    if len(cells) != 1:
        raise BadInput(f"{notebook} needs exactly one cell tagged parameters, not {len(cells)}.")
    return {
        name: default
        for statement in _statements(notebook, cells[0]["source"])
        for name, default in _assignment(notebook, statement)
    }


def code_hash(notebook: str | Path) -> str:
    """Hash of the notebook's code cells, except the one with the parameters.

    Text, outputs, tags and execution counts do not enter: mending a sentence must not redo a night
    of training. The values of the parameters enter the run key by themselves.
    """
    sources = [
        cell["source"].strip()
        for cell in notebook_cells(notebook)
        if cell["cell_type"] == "code" and "parameters" not in cell["tags"]
    ]
    return _hash(sources)[:16]


def run_id(parameters: dict[str, Any]) -> str:
    """A readable name for a run, unique for its parameters: `mini_films-mvp-s0`.

    Scale (unless mini), task, method, backbone, attack and seed are spelled out. Other parameters
    that are not None are spelled out too while that stays short, else they enter as a hash of six
    digits.
    """
    parts = [parameters[name] for name in IN_THE_NAME if parameters.get(name) is not None]
    if parameters.get("SCALE", DEFAULT_SCALE) != DEFAULT_SCALE or not parts:
        parts.insert(0, parameters.get("SCALE", "run"))
    if parameters.get("SEED") is not None:
        parts.append(f"s{parameters['SEED']}")
    names = [_file_name(Path(str(part)).name) for part in parts]
    lossless = names == [str(part) for part in parts]
    return "-".join([*names, *_rest(parameters, lossless)])


def variant(parameters: dict[str, Any]) -> str:
    """The settings by hand that are not None, as text: `epochs=1 n_train=50`.

    What a study compares (its victims, attacks, …) is no setting: its rows name it. Nor is where
    the published data and the attacks' word vectors lie.
    """
    others = (*COMPARED, "DATA_DIR", "NEIGHBOURS")
    return _spelled_out({k: v for k, v in parameters.items() if k not in others})


def _spelled_out(parameters: dict[str, Any]) -> str:
    named = {"SCALE", "SEED", LOCATION, *IN_THE_NAME}
    return " ".join(
        f"{name.lower()}={value}"
        for name, value in sorted(parameters.items())
        if name not in named and value is not None
    )


def run_key(notebook: str | Path, parameters: dict[str, Any]) -> str:
    """The hash that two runs share only if one may stand for the other."""
    return _hash(
        {
            "notebook": Path(notebook).stem,
            "parameters": without_location(parameters),
            "scale": scale_settings(parameters),
            "code": code_hash(notebook),
            "files": [_words(parameters), *_data_files(parameters)],
            "version": __version__,
        }
    )


def scale_settings(parameters: dict[str, Any]) -> dict[str, Any] | None:
    """All settings of the run's scale, as JSON stores them; None for a notebook without SCALE.

    SEEDS marks a study, which has sizes of its own, and KINDS one of soft prompts.
    """
    studies = PROMPT_SCALES if "KINDS" in parameters else STUDIES
    scale = (studies if "SEEDS" in parameters else SCALES).get(parameters.get("SCALE"))
    return json.loads(json.dumps(asdict(scale))) if scale else None


def _words(parameters: dict[str, Any]) -> Any:
    """Templates and label words of the task; of all tasks if there is none."""
    from mvp_skill.prompts import all_prompts
    from mvp_skill.soft_verbalizers import all_soft_verbalizers

    task = parameters.get("TASK")
    found = all_soft_verbalizers() if "KINDS" in parameters else all_prompts()
    return found.get(task) if task else found


def _data_files(parameters: dict[str, Any]) -> Iterator[Any]:
    """What tells whether the data files of a run are still the same.

    The package's own by content; the user's, which may be large, by name, size and time of change.
    """
    if parameters.get("SCALE", DEFAULT_SCALE) == DEFAULT_SCALE:
        yield _mini_digest()
    for name in PATHS:
        root = Path(str(parameters.get(name) or "").removeprefix("use:"))
        if parameters.get(name) and root.exists():
            found = sorted(root.rglob("*")) if root.is_dir() else [root]
            stats = [(str(path.relative_to(root)), path.stat()) for path in found if path.is_file()]
            yield [(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats]


@cache
def _mini_digest() -> str:
    """Hash of the data files of the mini world, its models included."""
    digest = hashlib.sha256()
    for path in sorted((PACKAGE / "mini").rglob("*")):
        if path.suffix in MINI_DATA:
            digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def without_location(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters that can change a result, as JSON stores them (tuples are lists there)."""
    kept = {name: value for name, value in parameters.items() if name != LOCATION}
    return json.loads(json.dumps(kept))


def _rest(parameters: dict[str, Any], lossless: bool) -> list[str]:
    rest = _spelled_out(parameters)
    short = rest.replace("=", "").replace(" ", "-")
    if lossless and (not rest or (len(short) <= 32 and _file_name(short) == short)):
        return [short] if rest else []
    return [_hash(without_location(parameters))[:6]]


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._") or "_"


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _statements(notebook: str | Path, source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError as error:
        raise BadInput(f"The parameters cell of {notebook} is no valid Python: {error}.") from error


def _assignment(notebook: str | Path, statement: ast.stmt) -> list[tuple[str, Any]]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            pass
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            pass
        case _:
            line = ast.unparse(statement)
            raise BadInput(f"In {notebook}, the parameters cell may only assign, not {line!r}.")
    try:
        return [(name, ast.literal_eval(value))]
    except ValueError as error:
        raise BadInput(
            f"{name} in the parameters cell of {notebook} must be a literal; "
            "derive values in the next cell."
        ) from error
