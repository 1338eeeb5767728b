"""Are soft prompts of like tasks more alike than chance makes them? Two permutation tests.

gap = task_gap(frame, "cosine")     # same task against other types
gap.mean, gap.p
type_gap(frame, "cosine")           # same type against other types

Pairs share prompts, so a test that takes them for independent finds too much. Here names are dealt
out anew: for the first question the tasks among the prompts of each seed, so that what a seed does
to all of its prompts stays; for the second the types among the tasks, so that pairs of one task
stay pairs of one task, and count for nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvp_skill.prompt_similarity import PAIRS
from mvp_skill.type_legends import type_of

if TYPE_CHECKING:
    from pandas import DataFrame

N_DRAWS = 2000
SAME_TASK, SAME_TYPE, OTHER_TYPE = PAIRS


class PairGap(NamedTuple):
    """Mean similarity of the pairs of one kind minus that of pairs of other types."""

    mean: float
    """NaN if a kind has no pairs."""
    p: float
    """One-sided: share of deals with a gap that large or larger, the real one among them."""
    least_p: float
    """Share of deals that have the largest gap of all: with few tasks, many deals are the same one,
    and no similarity, however large, could give a smaller p."""
    n_pairs: int
    """Of the kind asked for."""
    n: int
    """Prompts, or tasks, that names were dealt to."""


def task_gap(frame: "DataFrame", measure: str, n_draws: int = N_DRAWS, seed: int = 0) -> PairGap:
    """Pairs of the same task against pairs of other types, with tasks dealt out within seeds.

    frame     `similarities(...)`
    measure   a column of it
    """
    names, tasks, groups = _prompts(frame)
    i, j = (frame[side].map(names).to_numpy() for side in ("first", "second"))  # [pair]
    types = np.array([type_of(task) for task in tasks])  # [prompt]

    def kinds(order: np.ndarray) -> np.ndarray:
        a, b = order[i], order[j]
        return np.where(tasks[a] == tasks[b], 0, np.where(types[a] == types[b], 1, 2))  # [pair]

    return _tested(frame[measure].to_numpy(float), kinds, groups, SAME_TASK, n_draws, seed)


def type_gap(frame: "DataFrame", measure: str, n_draws: int = N_DRAWS, seed: int = 0) -> PairGap:
    """Pairs of the same type but another task against other types, with types dealt to tasks.

    frame     `similarities(...)`
    measure   a column of it
    """
    frame = frame[~frame["same_task"]]
    names = sorted({*frame["first_task"], *frame["second_task"]})
    places = {task: place for place, task in enumerate(names)}
    i, j = (frame[side].map(places).to_numpy(int) for side in ("first_task", "second_task"))
    types = np.array([type_of(task) for task in names])  # [task]

    def kinds(order: np.ndarray) -> np.ndarray:
        return np.where(types[order[i]] == types[order[j]], 1, 2)  # [pair]

    groups = [np.arange(len(names))]
    return _tested(frame[measure].to_numpy(float), kinds, groups, SAME_TYPE, n_draws, seed)


def _tested(
    values: np.ndarray,
    kinds: Callable[[np.ndarray], np.ndarray],
    groups: list[np.ndarray],
    alike: str,
    n_draws: int,
    seed: int,
) -> PairGap:
    """The gap, and its place among the gaps of deals; `kinds` gives PAIRS as numbers for a deal."""
    n = sum(map(len, groups))
    dealt = np.arange(n)
    real = kinds(dealt)  # [pair]
    gaps = [_gap(values, real, alike)]
    n_pairs = int((real == PAIRS.index(alike)).sum())
    if gaps[0] != gaps[0]:
        return PairGap(*(3 * [float("nan")]), n_pairs, n)
    generator = np.random.default_rng(seed)
    for _ in range(n_draws):
        for group in groups:
            dealt[group] = generator.permutation(group)
        gaps.append(_gap(values, kinds(dealt), alike))
    gaps = np.array(gaps) + 1e-12  # [deal]; equal gaps of other sums differ in the last digit
    p, least = ((gaps >= bar - 2e-12).mean() for bar in (gaps[0], np.nanmax(gaps)))
    return PairGap(float(gaps[0] - 1e-12), float(p), float(least), n_pairs, n)


def _prompts(frame: "DataFrame") -> tuple[dict[str, int], np.ndarray, list[np.ndarray]]:
    """Name to place, the task of each prompt, and the places of the prompts of each seed."""
    tasks, seeds = {}, {}
    for side in ("first", "second"):
        tasks |= dict(zip(frame[side], frame[f"{side}_task"], strict=True))
    for place, (name, task) in enumerate(tasks.items()):
        seeds.setdefault(name.removeprefix(task), []).append(place)
    places = {name: place for place, name in enumerate(tasks)}
    return places, np.array(list(tasks.values())), [np.array(group) for group in seeds.values()]


def _gap(values: np.ndarray, kinds: np.ndarray, alike: str) -> float:
    chosen = [values[kinds == PAIRS.index(kind)] for kind in (alike, OTHER_TYPE)]
    return float(chosen[0].mean() - chosen[1].mean()) if all(map(len, chosen)) else float("nan")
