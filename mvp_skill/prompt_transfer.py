"""Transfer of soft prompts: the prompt of one task reads another task's texts.

    found = accuracies(frame, adversarial={"adv_sst2": "sst2"})
    means_of(found), means_of(relative(found)), means_of(chance_corrected(found, guesses))
    same_type_gain(found).low > 0

Only the table is exchanged: texts, label words and seed are the target's. Not to be confused with
`transfer`, where whole victims read other domains. Source: Ackermann & Ohmer 2023, transfer heat
maps; Su et al. 2022, which similarity predicts transfer.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvp_skill.errors import BadInput
from mvp_skill.gains import Gain, paired_gain
from mvp_skill.rank_correlation import spearman
from mvp_skill.type_legends import type_of

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ("source", "target", "seed", "acc", "n")
LEAST_SOURCES = 3
"""For a rank correlation."""


class Transfer(NamedTuple):
    """What prompts of source tasks reach on target tasks."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    seeds: tuple[int | str, ...]
    values: np.ndarray
    """[seed, source, target]; NaN where nothing was measured, or a ratio has no meaning."""
    n: np.ndarray
    """Examples of each target, the fewest of all cells, [target]."""
    own: tuple[str, ...]
    """The source whose prompt is each target's own: the task itself, or, of an adversarial set,
    the task it was made from."""


def accuracies(frame: "DataFrame", adversarial: Mapping[str, str] | None = None) -> Transfer:
    """Accuracies as matrices, in the order in which tasks occur.

    frame         a row per source, target and seed: `acc` in [0, 1] on `n` examples
    adversarial   adversarial set to the task whose prompts read it; such a set is a target only
    raises        BadInput for a missing column, a cell that is there twice, an accuracy outside
                  [0, 1], or an adversarial set among the sources
    """
    adversarial = adversarial or {}
    _check(frame, adversarial)
    sources, targets, seeds = (tuple(frame[name].unique()) for name in COLUMNS[:3])
    targets = tuple(sorted(targets, key=lambda task: task in adversarial))  # those come last
    values = np.full((len(seeds), len(sources), len(targets)), np.nan)
    for row in frame.itertuples():
        place = seeds.index(row.seed), sources.index(row.source), targets.index(row.target)
        values[place] = row.acc
    n = frame.groupby("target")["n"].min().reindex(list(targets)).to_numpy()
    own = tuple(adversarial.get(target, target) for target in targets)
    return Transfer(sources, targets, seeds, values, n, own)


def own_accuracies(found: Transfer) -> np.ndarray:
    """What the target's own prompt of the same seed reaches, [seed, target]; NaN if not there."""
    own = np.full((len(found.seeds), len(found.targets)), np.nan)
    for place, source in enumerate(found.own):
        if source in found.sources:
            own[:, place] = found.values[:, found.sources.index(source), place]
    return own


def relative(found: Transfer) -> Transfer:
    """Accuracy over that of the target's own prompt, seed by seed; NaN where that is 0."""
    own = own_accuracies(found)[:, None]  # [seed, 1, target]
    return found._replace(values=found.values / np.where(own > 0, own, np.nan))


def chance_corrected(found: Transfer, guesses: Mapping[str, float]) -> Transfer:
    """(accuracy - guess) / (own accuracy - guess), seed by seed.

    1 is as good as the target's own prompt, 0 as good as guessing; a ratio of plain accuracies
    calls a guess on a hard task half a success. NaN where the own prompt is not above the guess.

        guesses   accuracy of the constant guess on each target
        raises    BadInput if a target has none
    """
    if missing := [target for target in found.targets if target not in guesses]:
        raise BadInput(f"No constant guess is given for {', '.join(missing)}; give one per target.")
    guess = np.array([guesses[target] for target in found.targets])  # [target]
    above = own_accuracies(found)[:, None] - guess  # [seed, 1, target]
    return found._replace(values=(found.values - guess) / np.where(above > 0, above, np.nan))


def means_of(found: Transfer) -> "DataFrame":
    """Over seeds: source, target, own, mean, std (ddof 1), n_seeds, n; a row per cell.

    `own` says that it is the target's own prompt. A seed without a value is left out; without any,
    mean is NaN. `std` is NaN for one seed.
    """
    import pandas

    rows = []
    for i, source in enumerate(found.sources):
        for j, target in enumerate(found.targets):
            values = found.values[:, i, j]
            values = values[~np.isnan(values)]  # [seed]
            mean = values.mean() if len(values) else np.nan
            std = values.std(ddof=1) if len(values) > 1 else np.nan
            own = source == found.own[j]
            rows.append((source, target, own, mean, std, len(values), int(found.n[j])))
    columns = ["source", "target", "own", "mean", "std", "n_seeds", "n"]
    return pandas.DataFrame(rows, columns=columns)


def same_type_gain(found: Transfer, types: Mapping[str, str] | None = None) -> Gain | None:
    """How much better prompts of the target's type are than prompts of other types.

    Per target and seed: the mean over sources of the same type (without the target's own prompt)
    minus the mean over sources of other types; then over targets. The interval draws targets anew,
    each with all seeds: with a handful of tasks it is wide, and says nothing about other types.

        types     task to type; None for `type_legends`
        returns   a gain whose `n` counts targets; None if no target has both kinds of sources
    """
    same, other = _means_by_type(found, types)
    whole = ~np.isnan(same - other).any(axis=0)  # [target]
    return paired_gain([(same[:, whole], other[:, whole])]) if whole.any() else None


def by_type(found: Transfer, types: Mapping[str, str] | None = None) -> "DataFrame":
    """What `same_type_gain` compares, over seeds: target, type, own, same_type, other_type."""
    import pandas

    columns = {"own": own_accuracies(found)}
    columns["same_type"], columns["other_type"] = _means_by_type(found, types)
    means = {name: [_mean(v[:, j]) for j in range(v.shape[1])] for name, v in columns.items()}
    kinds = [_type(target, types) for target in found.targets]
    return pandas.DataFrame({"target": found.targets, "type": kinds} | means)


def predicts_transfer(found: Transfer, similarity: "DataFrame", measure: str) -> "DataFrame":
    """Spearman's rank correlation of a similarity with transfer, for each target and seed.

    Over the sources but the target's own prompt, which is most similar to itself and mostly best:
    with it, every measure would look good.

        similarity   a row per pair of prompts of one seed: first_task, second_task, seed, `measure`
        returns      target, seed, rho, n (sources); rho is NaN for fewer than LEAST_SOURCES or
                     where all are equal. Its mean over targets is the measure's score
    """
    import pandas

    pairs = similarity[similarity["seed"].isin(found.seeds)]
    alike = {}
    for first, second, seed, value in pairs[
        ["first_task", "second_task", "seed", measure]
    ].itertuples(index=False):
        alike[first, second, seed] = alike[second, first, seed] = value
    rows = []
    for j, (target, own) in enumerate(zip(found.targets, found.own, strict=True)):
        for s, seed in enumerate(found.seeds):
            points = [
                (alike[source, own, seed], found.values[s, i, j])
                for i, source in enumerate(found.sources)
                if source != own and (source, own, seed) in alike
            ]
            points = [point for point in points if not np.isnan(point).any()]
            rho = spearman(*zip(*points, strict=True)) if len(points) >= LEAST_SOURCES else np.nan
            rows.append((target, seed, rho, len(points)))
    return pandas.DataFrame(rows, columns=["target", "seed", "rho", "n"])


def _means_by_type(
    found: Transfer, types: Mapping[str, str] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over sources of the same and of other types, each [seed, target]; NaN without any."""
    kinds = [_type(source, types) for source in found.sources]
    same = np.full((len(found.seeds), len(found.targets)), np.nan)
    other = same.copy()
    for j, (target, own) in enumerate(zip(found.targets, found.own, strict=True)):
        kind = _type(target, types)
        alike = [i for i, k in enumerate(kinds) if k == kind and found.sources[i] != own]
        unlike = [i for i, k in enumerate(kinds) if k != kind]
        for means, chosen in ((same, alike), (other, unlike)):
            for s in range(len(found.seeds)):
                means[s, j] = _mean(found.values[s, chosen, j])
    return same, other


def _type(task: str, types: Mapping[str, str] | None) -> str:
    return type_of(task) if types is None else types[task]


def _mean(values: np.ndarray) -> float:
    """Without NaN; NaN of nothing, and no warning."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def _check(frame: "DataFrame", adversarial: Mapping[str, str]) -> None:
    missing = [name for name in COLUMNS if name not in frame]
    if missing or frame.empty:
        lacks = f"columns {', '.join(missing)}" if missing else "rows"
        raise BadInput(f"The table of transfer lacks {lacks}; it needs {', '.join(COLUMNS)}.")
    if twice := frame[frame.duplicated(list(COLUMNS[:3]))].to_dict("records"):
        cell = ", ".join(str(twice[0][name]) for name in COLUMNS[:3])
        raise BadInput(f"The table of transfer has the cell {cell} twice; keep one.")
    if not frame["acc"].between(0, 1).all():
        raise BadInput("Accuracies in the table of transfer must lie in [0, 1].")
    if sources := sorted(set(frame["source"]) & set(adversarial)):
        raise BadInput(
            f"{', '.join(sources)} has no prompt of its own: an adversarial set is a target only."
        )
