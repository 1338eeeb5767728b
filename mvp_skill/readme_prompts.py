"""What stands in the README's blocks on the second paper: accuracies, transfer, the scales."""

import functools
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.files import read_json
from mvp_skill.prompt_scales import PROMPT_SCALES
from mvp_skill.readme_facts import markdown
from mvp_skill.run_folders import run_folders

if TYPE_CHECKING:
    from pandas import DataFrame

# Notebook, table that it saved, what is said before it.
TABLES = (
    ("20_prompt_tuning", "table_accuracy", "Accuracy of tuned soft prompts on clean test texts"),
    ("23_adversarial_data", "table_adversarial", "The same prompts on adversarial texts, per cent"),
    (
        "22_prompt_transfer",
        "table_types",
        "Accuracy of each target's own prompt, of others of its type, and of other types",
    ),
    (
        "24_skill_neurons",
        "table_existence",
        "The most predictive single neurons, beside the model and beside permuted labels, per cent",
    ),
    (
        "25_suppression",
        "table_suppression",
        "Accuracy without suppression (*none*), and with the highest rate of random or of skill "
        "neurons of each layer suppressed, per cent",
    ),
)
NAMELESS = "Unnamed: "  # so pandas calls columns without a name: those of an index
NOT_YET = "*No run is recorded yet.*"


def soft_prompts(record: Path) -> str:
    """The main tables of the recorded runs at the mini scale, as the notebooks saved them."""
    parts = []
    for notebook, name, lead in TABLES:
        paths = [
            folder / f"{name}.csv"
            for folder in run_folders(record)
            if folder.parent.name == notebook and _is_mini(folder)
        ]
        if tables := [_table(path) for path in paths if path.exists()]:
            parts.append(f"{lead}:\n\n{_as_markdown(_beside(tables))}")
    return "\n\n".join(parts) or NOT_YET


def prompt_scales() -> str:
    """What the three scales mean for soft prompts."""

    def count(number: int | None) -> str:
        return "all" if number is None else f"{number:,}"

    rows = [
        [
            f"`{scale.name}`",
            ", ".join(f"`{backbone}`" for backbone in scale.backbones.values()),
            ", ".join(f"`{task}`" for task in scale.tasks),
            ", ".join(count(n) for n in (scale.n_train, scale.n_validation, scale.n_test)),
            str(scale.n_prompt),
            f"{scale.epochs} of {scale.batch_size}",
            ", ".join(map(str, scale.seeds)),
        ]
        for scale in PROMPT_SCALES.values()
    ]
    head = ["scale", "backbones", "tasks", "training, validation, test examples"]
    head += ["prompt positions", "epochs at most, batches", "seeds"]
    return markdown(head, rows)


def _is_mini(folder: Path) -> bool:
    return read_json(folder / "run.json")["parameters"].get("SCALE", "mini") == "mini"


def _table(path: Path) -> "DataFrame":
    import pandas

    return pandas.read_csv(path, dtype=str, keep_default_na=False)


def _beside(tables: "list[DataFrame]") -> "DataFrame":
    """Tables of runs that share the names of the rows and some columns, as one.

    Each run's own columns stand together, between what is shared before them and after them.
    """
    import pandas

    first, *others = tables
    merged = functools.reduce(lambda left, right: pandas.merge(left, right, sort=False), tables)
    own = [name for name in first if any(name not in other for other in others)]
    before = list(itertools.takewhile(lambda name: name not in own, first))
    after = [name for name in first if name not in [*before, *own]]
    return merged[[name for name in merged if name not in after] + after]


def _as_markdown(table: "DataFrame") -> str:
    first = table.columns[0]
    if first.startswith(NAMELESS) and list(table[first]) == [str(i) for i in range(len(table))]:
        table = table.drop(columns=first)
    heads = ["" if name.startswith(NAMELESS) else name.replace("_", " ") for name in table]
    return markdown(heads, table.to_numpy().tolist())
