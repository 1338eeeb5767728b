"""The permutation test of pairs: planted gaps are found, and chance is not."""

import itertools
import math

import numpy as np
import pandas
import pytest
import torch
from prompt_cases import soft_prompt

from mvp_skill.prompt_similarity import similarities
from mvp_skill.task_permutations import pair_gap
from mvp_skill.task_types import type_of

TASKS = ("sst2", "imdb", "qqp", "mrpc", "qnli", "mnli")


def prompts(of_task: float, of_seed: float = 0.0, seeds: tuple = (33, 34), noise: int = 0):
    """Random tables that share a part of their task and a part of their seed."""

    def draw(*key):
        generator = torch.Generator().manual_seed(noise + sum(str(key).encode()) * 31 + len(key))
        return torch.randn(6, 20, generator=generator)

    return [
        soft_prompt(
            task, seed, "t5", table=draw(task, seed) + of_task * draw(task) + of_seed * draw(seed)
        )
        for task in TASKS
        for seed in seeds
    ]


def test_the_gap_is_that_of_a_loop():
    frame = similarities(prompts(0.5))
    gap = pair_gap(frame, "cosine", "same task", "other type", n_draws=5)
    kinds = {"same task": [], "same type": [], "other type": []}
    for row in frame.itertuples():
        kinds[row.pair].append(row.cosine)
    means = {kind: sum(values) / len(values) for kind, values in kinds.items()}
    assert gap.mean == pytest.approx(means["same task"] - means["other type"])
    assert (gap.n_pairs, gap.n_prompts) == (6, 12)
    types = pair_gap(frame, "cosine", "same type", "other type", n_draws=5)
    assert types.mean == pytest.approx(means["same type"] - means["other type"])


def test_p_is_near_that_of_all_deals():
    """With one seed the deals can be listed: 720 of six tasks."""
    chosen = prompts(0.0, seeds=(33,))
    frame = similarities(chosen)
    gap = pair_gap(frame, "cosine", "same type", "other type", n_draws=4000)
    value = {
        frozenset(p): v for *p, v in frame[["first", "second", "cosine"]].itertuples(index=False)
    }
    names = [prompt.facts.name for prompt in chosen]
    as_large = []
    for dealt in itertools.permutations(TASKS):
        same, other = [], []
        for (a, s), (b, t) in itertools.combinations(zip(names, dealt, strict=True), 2):
            (same if type_of(s) == type_of(t) else other).append(value[frozenset((a, b))])
        as_large.append(sum(same) / len(same) - sum(other) / len(other) >= gap.mean - 1e-12)
    assert gap.p == pytest.approx(sum(as_large) / 720, abs=0.03)


def test_a_planted_likeness_of_tasks_is_found_and_the_smallest_p_is_not_0():
    gap = pair_gap(similarities(prompts(1.0)), "cosine", "same task", "other type", n_draws=500)
    assert gap.mean > 0.3 and gap.p == pytest.approx(1 / 501, abs=0.005)


def test_p8_a_likeness_of_seeds_alone_is_not_taken_for_one_of_tasks():
    """Prompts of a seed are alike here, and no task is: p is small as often as it says."""
    found = []
    for noise in range(60):
        frame = similarities(prompts(0.0, of_seed=2.0, noise=1000 * noise))
        found.append(pair_gap(frame, "cosine", "same task", "other type", n_draws=99).p)
    assert sum(p <= 0.1 for p in found) <= 14  # 6 expected; 15 or more has p < 0.001
    assert np.mean(found) > 0.3


def test_kinds_without_pairs_have_no_gap():
    frame = similarities([soft_prompt("sst2", 33), soft_prompt("qqp", 33), soft_prompt("qnli", 33)])
    gap = pair_gap(frame, "cosine", "same task", "other type")
    assert math.isnan(gap.mean) and math.isnan(gap.p) and gap.n_pairs == 0


def test_the_same_seed_gives_the_same_p():
    frame = similarities(prompts(0.1))
    ps = {pair_gap(frame, "cosine", "same task", "other type", n_draws=50).p for _ in range(2)}
    assert len(ps) == 1 and isinstance(frame, pandas.DataFrame)
