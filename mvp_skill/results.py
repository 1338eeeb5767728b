"""How a notebook leaves its results in a run folder, and how other notebooks find them.

One finished run is one folder `results/<notebook>/<run-id>/` with `run.json` in it, and what else
the notebook wrote. One rule, the same in Jupyter and in the batch:

    A run is made in `<run-id>.partial/`. `save_run` writes its `run.json` there, as the last file,
    and the folder is then renamed to `<run-id>/`. So a folder without that suffix is complete, an
    earlier result stays in place until the new one is ready, and nothing half done can be taken
    for finished.

In Jupyter `save_run` does the renaming. In the batch it leaves that to the driver, which first lets
papermill put `executed.ipynb` into the folder. In the notebook:

    run = begin_run("12_attack_victims", globals())     # after the parameters cell
    ...                                                 # writes files into run.folder
    save_run(run, {"clean_acc": 0.9, "n_test": 1000})   # last cell, tagged `record`

A partial folder of the same run key is continued, not emptied: checkpoints and logs in it serve
again.
"""

import math
import os
import shutil
import time
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvp_skill.environment import environment
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.run_folders import finish, finished_record, now, prepare, run_folders
from mvp_skill.run_ids import (
    LOCATION,
    notebook_parameters,
    run_id,
    run_key,
    scale_settings,
    variant,
    without_location,
)
from mvp_skill.scales import closest

if TYPE_CHECKING:
    import pandas

IN_BATCH = "MVP_SKILL_IN_BATCH"  # set by the driver: it renames, after papermill's last save
KEY_COLUMNS = ("task", "backbone", "method", "attack", "seed")
COLUMNS = ("notebook", "run_id", "scale", "variant", *KEY_COLUMNS, "metric", "value")
VERDICTS = {True: "holds", False: "does not hold", None: "left open"}
RATES = ("_acc", "_rate", "_fraction", "_share")


@dataclass
class OpenRun:
    """A run under way: it writes into `folder`, and will lie in `finished` when it is done."""

    notebook: str
    run_id: str
    key: str
    parameters: dict[str, Any]
    folder: Path
    finished: Path
    started: str
    clock: float


def begin_run(notebook: str, variables: dict[str, Any]) -> OpenRun:
    """Open the run folder of the notebook that calls this.

    notebook    its name without ".ipynb"; the file lies in the working directory
    variables   `globals()`: the values of the names in its parameters cell are taken from there
    raises      BadInput if the file is missing or a parameter has no value
    """
    source = Path(f"{notebook}.ipynb")
    names = notebook_parameters(source)
    missing = [name for name in (*names, LOCATION) if name not in names or name not in variables]
    if missing:
        raise BadInput(f"{source} lacks {', '.join(missing)}: run its parameters cell first.")
    parameters = {name: variables[name] for name in names}
    key = run_key(source, parameters)
    finished = Path(parameters[LOCATION]).resolve() / notebook / run_id(parameters)
    folder = prepare(finished, key)
    started, clock = now(), time.monotonic()
    return OpenRun(notebook, finished.name, key, parameters, folder, finished, started, clock)


def reuse(run: OpenRun, name: str) -> bool:
    """Copy a file or folder from the finished run with the same key; False if there is none.

    For Jupyter, where going through a notebook again should not train again. The batch redoes a
    finished run only when it has to, and then from the start.
    """
    stored = run.finished / name
    if IN_BATCH in os.environ or not finished_record(run.finished, run.key) or not stored.exists():
        return False
    if stored.is_dir():
        shutil.copytree(stored, run.folder / name, dirs_exist_ok=True)
    else:
        shutil.copy2(stored, run.folder / name)
    return True


def save_run(
    run: OpenRun,
    metrics: dict[str, Any] | list[dict[str, Any]],
    claims: list[dict[str, Any]] | None = None,
    settings: Any = None,
) -> Path:
    """Record a run and close it: `run.json` last, then the folder gets its final name.

    metrics    name to number; or a list of such dicts, each with those of KEY_COLUMNS in which it
               differs from the parameters: {"method": "mvp", "clean_acc": 0.9, "n_test": 1000}
    claims     made by `claim`
    settings   resolved settings worth keeping beside the parameters (a dict or a dataclass)
    returns    the folder of the run
    raises     BadInput for a number that is not finite, a rate outside [0, 1] or without its n
    """
    for row in [metrics] if isinstance(metrics, dict) else metrics:
        _check_metrics(row)
    record = {
        "notebook": run.notebook,
        "run_id": run.run_id,
        "key": run.key,
        "parameters": without_location(run.parameters),
        "scale": scale_settings(run.parameters),
        "settings": asdict(settings) if is_dataclass(settings) else settings or {},
        "metrics": metrics,
        "claims": claims or [],
        "environment": environment(),
        "started": run.started,
        "finished": now(),
        "seconds": round(time.monotonic() - run.clock, 3),
    }
    write_json(run.folder / "run.json", record, default=_plain)
    if IN_BATCH not in os.environ:
        run.folder = finish(run.folder)
    return run.folder


def claim(text: str, criterion: str, holds: bool | None) -> dict[str, Any]:
    """A claim of a paper with its verdict: holds, does not hold, or None for left open."""
    if holds not in VERDICTS:
        raise BadInput(f"The verdict on {text!r} must be True, False or None, not {holds!r}.")
    return {"claim": text, "criterion": criterion, "holds": None if holds is None else bool(holds)}


def find_run(
    root: str | Path,
    notebook: str,
    parameters: dict[str, Any],
    notebooks: str | Path = ".",
    **given: Any,
) -> Path:
    """The folder of the finished run of another notebook, with exactly the parameters asked for.

        find_run(OUT, "11_train_victims", run.parameters, METHOD="mvp")

    parameters   those of the calling notebook; names that the other one lacks are passed over
    given        parameters of the other one, over those; what neither names has its default there
    raises       BadInput if there is no such run, or the stored one was made with other settings
    """
    defaults = notebook_parameters(Path(notebooks) / f"{notebook}.ipynb")
    for name in given:
        if name not in defaults:
            near, have = closest(name, list(defaults)), ", ".join(defaults)
            raise BadInput(f"{notebook} has no parameter {name}{near}; it has {have}.")
    wanted = {name: (parameters | given).get(name, default) for name, default in defaults.items()}
    folder = Path(root) / notebook / run_id(wanted)
    if not (folder / "run.json").exists():
        command = f"python run_all.py --only {notebook}/{folder.name}"
        raise BadInput(f"No finished run {notebook}/{folder.name}: start `{command}` first.")
    stored = read_json(folder / "run.json")
    other = _differences(stored["parameters"], without_location(wanted))
    other += _differences(stored["scale"] or {}, scale_settings(wanted) or {})
    if other:
        raise BadInput(f"{folder} was made with another {', '.join(other)}: run {notebook} again.")
    return folder


def load_runs(root: str | Path) -> "pandas.DataFrame":
    """Every metric of every finished run, one per row, with the columns COLUMNS.

    `variant` names the parameters set by hand ("n_train=50"); it is "" for a run as its scale says.
    """
    import pandas

    rows = [row for record in _records(root) for row in _metric_rows(record)]
    return pandas.DataFrame(rows, columns=list(COLUMNS))


def load_claims(root: str | Path) -> "pandas.DataFrame":
    """Every recorded claim: notebook, run_id, claim, criterion, verdict (a word of VERDICTS)."""
    import pandas

    columns = ["notebook", "run_id", "claim", "criterion", "verdict"]
    rows = [
        {**record, **found, "verdict": VERDICTS[found["holds"]]}
        for record in _records(root)
        for found in record["claims"]
    ]
    return pandas.DataFrame(rows, columns=columns)


def _differences(made: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return [name for name in made | wanted if made.get(name) != wanted.get(name)]


def _records(root: str | Path) -> list[dict[str, Any]]:
    return [read_json(folder / "run.json") for folder in run_folders(root)]


def _metric_rows(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one run; a key is the metric's own, else the parameter, else the scale's."""
    parameters, scale = record["parameters"], record["scale"] or {}
    keys = {column: parameters.get(column.upper()) for column in KEY_COLUMNS}
    keys["backbone"] = keys["backbone"] or scale.get("backbone")
    common = {
        "notebook": record["notebook"],
        "run_id": record["run_id"],
        "scale": parameters.get("SCALE"),
        "variant": variant(parameters),
    }
    metrics = record["metrics"]
    return [
        {**common, **{column: row.get(column, keys[column]) for column in KEY_COLUMNS}}
        | {"metric": name, "value": value}
        for row in ([metrics] if isinstance(metrics, dict) else metrics)
        for name, value in row.items()
        if name not in KEY_COLUMNS
    ]


def _check_metrics(row: dict[str, Any]) -> None:
    numbers = {name: value for name, value in row.items() if name not in KEY_COLUMNS}
    for name, value in numbers.items():
        if value is not None and not (hasattr(value, "__float__") and math.isfinite(value)):
            raise BadInput(f"The metric {name} must be a finite number or None, not {value!r}.")
    rates = [name for name in numbers if name.endswith(RATES)]
    for name in rates:
        if numbers[name] is not None and not 0 <= numbers[name] <= 1:
            raise BadInput(f"The metric {name} must lie in [0, 1], not {numbers[name]!r}.")
    if rates and not any(name == "n" or name.startswith("n_") for name in numbers):
        raise BadInput(f"The metric {rates[0]} needs its count beside it, such as n_test.")


def _plain(value: Any) -> Any:
    """Numbers of numpy and torch as Python's, paths as text."""
    return value.item() if hasattr(value, "item") else str(value)
