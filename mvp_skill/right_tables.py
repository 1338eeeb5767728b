"""Tables of which examples a model has right: a row per run, its examples as a text of 0 and 1.

    rows = stored_rows(path, make)                          # made once, read ever after
    seed_shares(rows[rows["which"] == "skill"])             # [seed, example], for paired gains
    over_seeds(rows, ["kind", "data", "which", "rate"])     # mean and SEM, for curves
    gain_over(random, skill)                                # what the one has more, with interval

Accuracies alone would do for curves, but to compare two runs example by example one needs both.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from mvp_skill.checks import check_table
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_atomically, write_json
from mvp_skill.gains import Gain, paired_gain

if TYPE_CHECKING:
    from pandas import DataFrame


def as_text(right: Tensor) -> str:
    """Right or not, bool [batch], as a text: "0110"."""
    return "".join("01"[one] for one in right.tolist())


def as_array(texts: Iterable[str]) -> np.ndarray:
    """Such texts, all of one length, as numbers 0 and 1, [run, example]."""
    return np.array([[one == "1" for one in text] for text in texts], dtype=float)


def stored_right(path: Path, n: int, make: Callable[[], Tensor]) -> Tensor:
    """Right or not, bool [batch], from a file; if there is none it is made and written.

    n        examples
    make     gives bool [batch]
    raises   BadInput for a file that holds something else
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # another notebook may want the same
        if not path.exists():
            write_json(path, {"right": as_text(make())})
    right = read_json(path).get("right", "")
    if len(right) != n or set(right) - {"0", "1"}:
        raise BadInput(f"{path} does not say of {n} examples which are right; delete it.")
    return torch.tensor([one == "1" for one in right], dtype=torch.bool)


def stored_rows(path: Path, make: Callable[[], list[dict[str, Any]]]) -> "DataFrame":
    """The table in a file; if there is none it is made and written, whole or not at all.

    make      gives rows with a column `right`, of texts
    returns   the rows with the columns `acc`, in [0, 1], and `n`, examples
    """
    import pandas

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # another notebook may want the same
        if not path.exists():
            write_atomically(path, pandas.DataFrame(make()).to_csv(index=False))
    rows = pandas.read_csv(path, dtype={"right": str})
    rows["n"] = rows["right"].map(len)
    rows["acc"] = [text.count("1") / len(text) for text in rows["right"]]
    return rows


def seed_shares(rows: "DataFrame") -> np.ndarray:
    """How often each example is right under each seed, over draws, [seed, example].

    rows     of one model on the same examples: seed and right
    raises   BadInput for no rows, or rows of different examples
    """
    check_table(rows, "seed", "right")
    if rows["right"].map(len).nunique() != 1:
        raise BadInput("Shares need rows of the same examples; choose one kind and data set.")
    return np.stack(
        [as_array(of_seed).mean(axis=0) for _, of_seed in rows.groupby("seed")["right"]]
    )


def over_seeds(rows: "DataFrame", by: Sequence[str]) -> "DataFrame":
    """Accuracy: mean over the draws of each seed, then mean and SEM over seeds.

    by        columns that tell curves and their points apart
    returns   these, and mean, sem (sample standard deviation over the root of the number of seeds;
              NaN for one), n_seeds, n_draws (of a seed) and n (examples)
    """
    check_table(rows, *by, "seed", "acc", "n")
    of_seed = rows.groupby([*by, "seed"], sort=False).agg(
        acc=("acc", "mean"), n=("n", "min"), n_draws=("acc", "size")
    )
    found = of_seed.groupby(list(by), sort=False).agg(
        mean=("acc", "mean"),
        sem=("acc", "sem"),
        n_seeds=("acc", "size"),
        n_draws=("n_draws", "min"),
        n=("n", "min"),
    )
    return found.reset_index()


def gain_over(
    first: "DataFrame", second: "DataFrame", by: Sequence[str] = ("data",)
) -> Gain | None:
    """How much more often the first rows are right than the second, on the same examples.

    first, second   rows of one kind of backbone; draws and seeds need not be as many
    by              columns whose values are settings, each of which counts alike
    returns         `paired_gain` over the settings that both have; None if there is none
    """
    ours, theirs = (dict(tuple(rows.groupby(list(by), sort=False))) for rows in (first, second))
    pairs = [
        (seed_shares(ours[name]), seed_shares(theirs[name])) for name in ours if name in theirs
    ]
    return paired_gain(pairs) if pairs else None
