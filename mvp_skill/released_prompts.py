"""The soft prompts that Ackermann & Ohmer 2023 released, as files of this package.

    table = convert_folder("continuous_prompts", "prompts")
    prompts = load_soft_prompts("prompts")      # of soft_prompts

The released folder has `seed_{33,34,35,36,su}/{task}Prompt{model}/`, in each a `task_prompt` and,
for the four seeds of theirs, a checkpoint `{epoch}_task_prompt.pkl` with the same table; those in
`seed_su` are Su et al.'s. What neither file says (label tokens, batch sizes, and epochs where only
the table is there) stands in released_prompts.csv: label tokens as the released code has them;
epochs and steps as read from the checkpoints, which hold the optimiser's counts.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically
from mvp_skill.released_archives import Archive, read_archive
from mvp_skill.soft_prompts import (
    SUFFIX,
    PromptFacts,
    SoftPrompt,
    save_soft_prompt,
)

if TYPE_CHECKING:
    from pandas import DataFrame

KNOWN = Path(__file__).parent / "released_prompts.csv"
GEOMETRY = Path(__file__).parent / "released_geometry.csv"
MODELS = {
    "Roberta": ("roberta", "FacebookAI/roberta-base", 768),
    "RobertaLarge": ("roberta", "FacebookAI/roberta-large", 1024),
    "T5": ("t5", "google-t5/t5-base", 768),
    "T5Small": ("t5", "google-t5/t5-small", 512),
}
"""Model in a folder's name to kind, backbone and d_model."""
BASE = ("Roberta", "T5")
SEEDS = (33, 34, 35, 36)
FOLDER = re.compile(r"(?P<task>[A-Za-z0-9]+)Prompt(?P<model>[A-Z][A-Za-z0-9]*)")
TABLE_FILE, CHECKPOINT = "task_prompt", re.compile(r"(\d+)_task_prompt\.pkl")
CONVERTED = "converted"
# Nothing in SST-2's training set of 67,349 has this size; its evaluation split has.
SST2_EVALUATION = 872
LISTING = "prompts.csv"


class Known(NamedTuple):
    """A row of released_prompts.csv."""

    label_words: tuple[str, ...]
    label_ids: tuple[int, ...]
    class_scheme: str
    batch_size: int | None
    steps_per_epoch: int | None
    epochs: tuple[int, ...]
    """Of SEEDS."""
    note: str
    task: str


def convert_folder(source: str | Path, target: str | Path) -> "DataFrame":
    """Read every released soft prompt under a folder, and write it to `target` as safetensors.

    returns   a row per folder of a prompt: `file` it was read from, task, kind, backbone, seed,
              source, class_scheme, epoch, steps, n_train, contamination, note, origin_sha256, and
              `status`: "converted", or in a sentence why it was left out. Also in `target`, as
              prompts.csv
    raises    BadInput if the folder is missing or has no released prompt in it
    """
    import pandas

    source, target = Path(source).expanduser(), Path(target)
    folders = released_folders(source)
    rows = [_converted(folder, source, target) for folder in folders]
    table = pandas.DataFrame(rows).sort_values(["kind", "task", "seed"], na_position="last")
    table = table.reset_index(drop=True)
    write_atomically(target / LISTING, table.to_csv(index=False))
    return table


def released_folders(source: Path) -> list[Path]:
    """Folders under `source` that are named as released ones; BadInput if there are none."""
    found = [path for path in source.rglob("*Prompt*") if path.parent.name.startswith("seed_")]
    folders = sorted(path for path in found if path.is_dir())
    if not folders:
        raise BadInput(
            f"{source} has no released soft prompts; give the folder that holds "
            "seed_33/SST2PromptRoberta/task_prompt and the others."
        )
    return folders


def read_released(folder: str | Path) -> SoftPrompt:
    """The soft prompt in one released folder, such as seed_33/SST2PromptRoberta.

    If there is a checkpoint beside the table, epoch and steps are its own, and both must hold the
    same table.

    raises   BadInput for a folder of another name, an unknown task or model, or damaged files
    """
    folder = Path(folder)
    task, model, seed, source = _named(folder)
    kind, backbone, d_model = MODELS[model]
    known = known_facts(task, kind, source)
    archive, epoch, steps = _read(folder, d_model)
    if epoch is None and model in BASE and seed in SEEDS and known.epochs:
        epoch = known.epochs[SEEDS.index(seed)]
        steps = epoch * known.steps_per_epoch
    n_train = _training_size(epoch, steps, known.batch_size)
    facts = PromptFacts(
        task=known.task,
        backbone=backbone,
        kind=kind,
        n_prompt=len(archive.table),
        seed=seed,
        source=source,
        epoch=epoch,
        steps=steps,
        n_train=n_train,
        label_words=known.label_words,
        label_ids=known.label_ids,
        class_scheme=known.class_scheme,
        contamination=_contamination(known.task, n_train),
        note=known.note,
        origin_sha256=archive.sha256,
    )
    return SoftPrompt(archive.table, facts)


def asked_as(folder: Path) -> tuple[str, int, str, int | str]:
    """What the name of a released folder says: kind, d_model, task, and seed or source.

    raises   BadInput for a folder of another name, an unknown task or model
    """
    task, model, seed, source = _named(folder)
    kind, _, d_model = MODELS[model]
    return kind, d_model, known_facts(task, kind, source).task, source if seed is None else seed


def known_facts(folder_task: str, kind: str, source: str) -> Known:
    """What released_prompts.csv says of a task; BadInput with the known ones if nothing."""
    import pandas

    rows = pandas.read_csv(KNOWN, dtype=str, keep_default_na=False)
    rows = rows[(rows["kind"] == kind) & rows["source"].isin(["", source])]
    found = rows[rows["folder"] == folder_task]
    if found.empty:
        raise BadInput(
            f"Nothing is known of a released soft prompt for {folder_task!r}; use "
            f"{', '.join(rows['folder'])}."
        )
    row = found.iloc[0]
    return Known(
        label_words=tuple(row["label_words"].split("/")),
        label_ids=tuple(map(int, row["label_ids"].split("/"))),
        class_scheme=row["class_scheme"],
        batch_size=int(row["batch_size"] or 0) or None,
        steps_per_epoch=int(row["steps_per_epoch"] or 0) or None,
        epochs=tuple(map(int, filter(None, row["epochs"].split("/")))),
        note=row["note"],
        task=row["task"],
    )


def _converted(folder: Path, source: Path, target: Path) -> dict[str, Any]:
    row = {"file": folder.relative_to(source).as_posix(), "kind": "", "task": "", "seed": None}
    try:
        prompt = read_released(folder)
    except BadInput as refusal:
        return row | {"status": f"left out: {refusal}"}
    facts = prompt.facts
    backbone = facts.backbone.split("/")[-1]
    seed = facts.source if facts.seed is None else f"s{facts.seed}"
    save_soft_prompt(target / f"{facts.task}-{backbone}-{seed}{SUFFIX}", prompt)
    shown = ("task", "kind", "backbone", "seed", "source", "class_scheme", "epoch", "steps")
    shown += ("n_train", "contamination", "note", "origin_sha256")
    return row | {name: getattr(facts, name) for name in shown} | {"status": CONVERTED}


def _named(folder: Path) -> tuple[str, str, int | None, str]:
    """Task, model, seed and source, from the names of a folder and the one above it."""
    match = FOLDER.fullmatch(folder.name)
    seed = folder.parent.name.removeprefix("seed_")
    if not match or match["model"] not in MODELS or not (seed == "su" or seed.isdecimal()):
        raise BadInput(
            f"{folder.parent.name}/{folder.name} is not of the form seed_NUMBER/TASKPromptMODEL "
            f"with a model out of {', '.join(MODELS)}; others, and derived tables, are not read."
        )
    known = (None, "su") if seed == "su" else (int(seed), "ackermann")
    return match["task"], match["model"], *known


def _read(folder: Path, d_model: int) -> tuple[Archive, int | None, int | None]:
    """The table of a folder, and epoch and steps if a checkpoint says them."""
    table = folder / TABLE_FILE
    paths = [path for path in sorted(folder.glob("*.pkl")) if CHECKPOINT.fullmatch(path.name)]
    if not paths:
        return read_archive(table, d_model), None, None
    checkpoint = read_archive(paths[-1], d_model)
    epoch = _epoch(paths[-1], checkpoint)
    archive = read_archive(table, d_model) if table.is_file() else checkpoint
    if not torch.equal(archive.table, checkpoint.table):
        raise BadInput(f"{table} and {paths[-1].name} hold different tables; download both again.")
    return archive, epoch, checkpoint.steps


def _epoch(path: Path, checkpoint: Archive) -> int:
    """Epochs that were trained, as the file's name counts them; the entry may count from 0."""
    named = int(CHECKPOINT.fullmatch(path.name)[1])
    if checkpoint.epoch not in (named, named - 1):
        raise BadInput(
            f"{path} says that it is of epoch {checkpoint.epoch}, not {named}; download it again."
        )
    return named


def _training_size(
    epoch: int | None, steps: int | None, batch_size: int | None
) -> tuple[int, int] | None:
    """Least and most training examples: an epoch leaves out its last, incomplete batch."""
    if not epoch or not steps or not batch_size or steps % epoch:
        return None
    least = steps // epoch * batch_size
    return least, least + batch_size - 1


def _contamination(task: str, n_train: tuple[int, int] | None) -> str:
    """Why a prompt was apparently tuned on SST-2's evaluation split; empty if it was not."""
    if task != "sst2" or n_train is None or not n_train[0] <= SST2_EVALUATION <= n_train[1]:
        return ""
    return (
        f"{n_train[0]} to {n_train[1]} training examples, inferred from its steps: this fits the "
        f"{SST2_EVALUATION} sentences of the evaluation split, and not the training set"
    )


def released_geometry() -> "DataFrame":
    """Mean cosines of all released soft prompts, from released_geometry.csv: kind, rows, pair,
    cosine, and `origin`, which says that we computed them and the paper has none."""
    import pandas

    return pandas.read_csv(GEOMETRY)
