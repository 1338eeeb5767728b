"""What the README says of the package itself, as Markdown: scales, mini world, mini models."""

from pathlib import Path
from typing import Any

from mvp_skill.files import read_json
from mvp_skill.scales import SCALES, STUDIES


def scales() -> str:
    """What the three scales mean."""

    def count(number: int | None) -> str:
        return "all" if number is None else f"{number:,}"

    rows = [
        [
            f"`{scale.name}`",
            f"`{scale.backbone}`",
            ", ".join(f"`{task}`" for task in scale.tasks),
            count(scale.n_train),
            count(scale.n_attacked),
            ", ".join(map(str, scale.seeds)),
            ", ".join(f"`{task}`" for task in study.tasks),
            f"{count(study.n_train)}, {count(study.n_attacked)}",
            ", ".join(map(str, study.seeds)),
        ]
        for scale, study in zip(SCALES.values(), STUDIES.values(), strict=True)
    ]
    head = ["scale", "backbone", "tasks", "training examples", "attacked examples", "seeds"]
    head += ["tasks of experiments", "their training and attacked examples", "their seeds"]
    return markdown(head, rows)


def mini_world() -> str:
    """How large the mini world is."""
    from mvp_skill.mini import lexicon, tasks
    from mvp_skill.mini.grammar import patterns

    sets = lexicon.load().sets.values()
    words = {word for entry in sets for word in entry.words}
    return (
        f"{len(sets)} synonym sets with {len(words):,} different words, "
        f"{_leaves(patterns()):,} sentence patterns, {len(tasks.WRITERS)} tasks."
    )


def mini_models() -> str:
    """Size of the shipped models, and the quality stored with them, if it is."""
    from mvp_skill.backbones import SHIPPED

    folders = {name: folder for name, folder in SHIPPED.items() if folder.is_dir()}
    sizes = [
        f"`{name}` has {_parameters(folder) / 1e6:.1f} M parameters"
        for name, folder in folders.items()
    ]
    rows = []
    for name, folder in folders.items():
        if (folder / "quality.json").exists():
            quality = read_json(folder / "quality.json")
            rows += [
                [
                    f"`{name}`",
                    measure.replace("_", " "),
                    f"{quality['measured'][measure]:.3f}",
                    f"{least}",
                ]
                for measure, least in quality["bars"].items()
            ]
    text = f"{', '.join(sizes[:-1])} and {sizes[-1]}."
    text += _near_chance(folders)
    head = ["model", "measure, before any tuning", "value", "at least"]
    return f"{text}\n\n{markdown(head, rows)}" if rows else text


def _near_chance(folders: dict[str, Path]) -> str:
    """The range of the label readings of the tasks about two texts."""
    from mvp_skill.tasks import TASKS

    pairs = [
        task.name for task in TASKS.values() if task.published is None and len(task.columns) > 1
    ]
    stored = [folder / "quality.json" for folder in folders.values()]
    found = [read_json(path)["measured"] for path in stored if path.exists()]
    values = [measured[name] for measured in found for name in pairs if name in measured]
    if not values:
        return ""
    return (
        f" Before any tuning they read tasks about two texts at {min(values):.2f} to "
        f"{max(values):.2f} (chance is a third on inference, a half on the others)."
    )


def markdown(head: list[str], rows: list[list[Any]]) -> str:
    """A table in Markdown; bars inside cells are escaped."""

    def line(cells: list[Any]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), line(["---"] * len(head)), *map(line, rows)])


def duration(seconds: float | None) -> str:
    """Seconds as people say them: "50 s", "7 min", "3.5 h"; a dash for None."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(bytes_: float | None) -> str:
    """Bytes as people say them: "45 MB", "2.1 GB"; a dash for None."""
    if bytes_ is None:
        return "–"
    return f"{bytes_ / 1e6:.0f} MB" if bytes_ < 1e9 else f"{bytes_ / 1e9:.1f} GB"


def _leaves(value: Any) -> int:
    if isinstance(value, str):
        return 1
    return sum(map(_leaves, value.values() if isinstance(value, dict) else value))


def _parameters(folder: Path) -> int:
    from math import prod

    from safetensors import safe_open

    with safe_open(str(folder / "model.safetensors"), framework="numpy") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
