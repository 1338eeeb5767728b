"""Are soft prompts of like tasks more alike than chance makes them? A permutation test.

gap = pair_gap(frame, "cosine", "same task", "other type")
gap.mean, gap.p

Pairs share prompts, so a test that takes them for independent finds too much. Here the tasks are
dealt out anew to the prompts of each seed: what a seed does to all of its prompts stays.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvp_skill.prompt_similarity import PAIRS
from mvp_skill.task_types import type_of

if TYPE_CHECKING:
    from pandas import DataFrame

N_DRAWS = 2000


class PairGap(NamedTuple):
    """Mean similarity of the pairs of one kind minus that of another."""

    mean: float
    """NaN if a kind has no pairs."""
    p: float
    """One-sided: share of deals with a gap that large or larger, the real one among them."""
    n_pairs: int
    """Of the first kind."""
    n_prompts: int


def pair_gap(
    frame: "DataFrame", measure: str, alike: str, unlike: str, n_draws: int = N_DRAWS, seed: int = 0
) -> PairGap:
    """How much more alike pairs of the kind `alike` are, and how often chance gives as much.

    frame           `similarities(...)`
    alike, unlike   two of PAIRS
    """
    tasks, groups = _prompts(frame)
    places = {name: place for place, name in enumerate(tasks)}
    i, j = (frame[side].map(places).to_numpy() for side in ("first", "second"))  # [pair]
    values = frame[measure].to_numpy(float)  # [pair]
    dealt = np.array(list(tasks.values()))  # [prompt]
    own = _gap(values, _kinds(dealt, i, j), alike, unlike)
    generator = np.random.default_rng(seed)
    as_large = 1
    for _ in range(n_draws):
        for group in groups:
            dealt[group] = generator.permutation(dealt[group])
        as_large += not _gap(values, _kinds(dealt, i, j), alike, unlike) < own - 1e-12
    n_pairs = int((frame["pair"] == alike).sum())
    p = as_large / (n_draws + 1) if own == own else float("nan")
    return PairGap(own, p, n_pairs, len(tasks))


def _prompts(frame: "DataFrame") -> tuple[dict[str, str], list[np.ndarray]]:
    """Name to task, and the places of the prompts of each seed."""
    tasks, seeds = {}, {}
    for side in ("first", "second"):
        tasks |= dict(zip(frame[side], frame[f"{side}_task"], strict=True))
    for name, task in tasks.items():
        seeds.setdefault(name.removeprefix(task), []).append(list(tasks).index(name))
    return tasks, [np.array(group) for group in seeds.values()]


def _kinds(tasks: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Kind of each pair as its place in PAIRS, [pair]."""
    types = np.array([type_of(task) for task in tasks])  # [prompt]
    return np.where(tasks[i] == tasks[j], 0, np.where(types[i] == types[j], 1, 2))


def _gap(values: np.ndarray, kinds: np.ndarray, alike: str, unlike: str) -> float:
    chosen = [values[kinds == PAIRS.index(kind)] for kind in (alike, unlike)]
    return float(chosen[0].mean() - chosen[1].mean()) if all(map(len, chosen)) else float("nan")
