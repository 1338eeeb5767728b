"""Soft prompts: the table that prompt tuning learns, what is known of it, its file, its start.

    prompt = load_soft_prompt("prompts/sst2-roberta-base-s33.safetensors", d_model=768)
    prompt.table                 # [prompt, d_model]
    prompt.facts.contamination   # "" or why accuracies with this prompt mean little

One soft prompt is one safetensors file: the table in float32, and in the header what is known of
it, as JSON. Files are checked before they are used, as a soft prompt of another size or with
infinite numbers would give wrong logits without an error.
"""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mvp_skill import __version__
from mvp_skill.backbones import check_safetensors
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json
from mvp_skill.run_folders import run_folders
from mvp_skill.weights import read_tensors, write_tensors

if TYPE_CHECKING:
    from pandas import DataFrame

MOST_BYTES = 8_000_000  # 100 rows of the widest released prompt (T5-XXL) have 1.6 million
UNREAD_ROWS = {"roberta": 1, "t5": 0}
"""Rows at the start that the model never reads: RoBERTa has the embedding of its mask there."""
TABLE, FACTS = "soft_prompt", "facts"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class PromptFacts:
    """What is known of a soft prompt; stored with its table."""

    task: str
    backbone: str
    """Hub id, folder or shipped name of the frozen model that it was tuned for."""
    kind: str
    """A key of UNREAD_ROWS."""
    n_prompt: int
    """Rows of the table, the one that is never read among them."""
    seed: int | None = None
    """None if nobody says."""
    source: str = "mvp_skill"
    """Who tuned it: "mvp_skill", or of the released ones "ackermann" or "su"."""
    init: str = ""
    """How the table began; empty if nobody says, as the next ones."""
    epoch: int | None = None
    steps: int | None = None
    n_train: tuple[int, int] | None = None
    """Least and most training examples; a range where it is inferred from steps and batches."""
    label_words: tuple[str, ...] = ()
    label_ids: tuple[int, ...] = ()
    """Token whose logit is that of class 0, 1, …"""
    class_scheme: str = ""
    """Such as "2 classes", or "3 classes" where neutral is one."""
    contamination: str = ""
    """Not empty if it may have been tuned on what it is evaluated on: why."""
    note: str = ""
    origin_sha256: str = ""
    """Of the file that the table was taken from, if it was."""
    version: str = __version__
    """Of mvp_skill, which wrote this."""

    @property
    def name(self) -> str:
        """Task and seed, such as "sst2-s33"; "sst2-su" where only the source is known."""
        return f"{self.task}-{self.source if self.seed is None else f's{self.seed}'}"


@dataclass(frozen=True, eq=False)
class SoftPrompt:
    """A table [prompt, d_model], and what is known of it."""

    table: Tensor
    facts: PromptFacts


def used_rows(prompt: SoftPrompt) -> Tensor:
    """The rows that the model reads, [prompt, d_model].

    RoBERTa's row 0 is none of them, but it still gets a gradient in the released code: it is the
    longest row of most released tables, and means nothing.
    """
    return prompt.table[UNREAD_ROWS[prompt.facts.kind] :]


def save_soft_prompt(path: str | Path, prompt: SoftPrompt) -> Path:
    """Write a soft prompt as one safetensors file, atomically, in float32; returns the path.

    raises   BadInput for a table that `load_soft_prompt` would refuse
    """
    path = Path(path)
    table = prompt.table.detach().float()
    _check(table, prompt.facts, f"The soft prompt for {path.name}", None)
    write_tensors(path, {TABLE: table}, {FACTS: json.dumps(asdict(prompt.facts))})
    return path


def load_soft_prompt(path: str | Path, d_model: int | None = None) -> SoftPrompt:
    """The soft prompt that `save_soft_prompt` wrote, on the CPU.

    d_model   width of the model that is to read it; None for any
    raises    BadInput for a file that is missing, damaged, too large or something else, and for a
              table of another type or size or with numbers that are not finite
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise BadInput(f"{path} has more than {MOST_BYTES:,} bytes; no soft prompt is so large.")
    check_safetensors(path)
    tensors, header = read_tensors(path)
    if set(tensors) != {TABLE} or FACTS not in header:
        raise BadInput(
            f"{path} is no soft prompt of mvp_skill; give a file that save_soft_prompt or "
            "convert_folder wrote."
        )
    facts = _facts(header[FACTS], path)
    _check(tensors[TABLE], facts, str(path), d_model)
    return SoftPrompt(tensors[TABLE], facts)


def load_soft_prompts(folder: str | Path) -> list[SoftPrompt]:
    """All soft prompts right in a folder, in the order of their file names; BadInput as for one."""
    return [load_soft_prompt(path) for path in sorted(Path(folder).glob(f"*{SUFFIX}"))]


def soft_prompts_of_runs(root: str | Path) -> list[SoftPrompt]:
    """Those that finished runs stored, as files soft_prompt*.safetensors; BadInput as for one.

    Of several with one name and backbone, the one whose run ended last.
    """
    folders = sorted(run_folders(root), key=lambda f: read_json(f / "run.json")["finished"])
    paths = [path for folder in folders for path in sorted(folder.rglob(f"{TABLE}*{SUFFIX}"))]
    found = map(load_soft_prompt, paths)
    return list({(one.facts.backbone, one.facts.name): one for one in found}.values())


def listing(prompts: list[SoftPrompt]) -> "DataFrame":
    """A row per soft prompt with its name, d_model and all facts."""
    import pandas

    rows = [
        {"name": prompt.facts.name, "d_model": prompt.table.shape[1]} | asdict(prompt.facts)
        for prompt in prompts
    ]
    columns = ["name", "d_model", *(field.name for field in fields(PromptFacts))]
    return pandas.DataFrame(rows, columns=columns)


def _facts(text: str, path: Path) -> PromptFacts:
    try:
        stored = json.loads(text)
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored.items()
        }
        return PromptFacts(**given)
    except (ValueError, TypeError, AttributeError) as error:
        raise BadInput(
            f"{path} was not written by this version of mvp_skill ({error}); convert or tune the "
            "soft prompt again."
        ) from error


def _check(table: Tensor, facts: PromptFacts, what: str, d_model: int | None) -> None:
    if facts.kind not in UNREAD_ROWS:
        raise BadInput(f"{what} is of kind {facts.kind!r}; use {', '.join(UNREAD_ROWS)}.")
    shape = list(table.shape)
    wanted = [facts.n_prompt, shape[-1] if d_model is None and shape else d_model]
    if table.dtype != torch.float32 or shape != wanted:
        kind = str(table.dtype).removeprefix("torch.")
        raise BadInput(
            f"{what} has a table {shape} of {kind}, not {wanted} of float32 [prompt, d_model]; "
            "take one that was tuned for this backbone."
        )
    if not torch.isfinite(table).all():
        raise BadInput(f"{what} has numbers that are not finite; tune or copy it again.")
