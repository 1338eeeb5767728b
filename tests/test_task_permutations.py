"""The permutation tests of pairs: planted gaps are found, and chance is not."""

import itertools
import math

import numpy as np
import pytest
import torch
from prompt_cases import soft_prompt

from mvp_skill.prompt_similarity import similarities
from mvp_skill.task_permutations import task_gap, type_gap
from mvp_skill.type_legends import type_of

TASKS = ("sst2", "imdb", "qqp", "mrpc", "qnli", "mnli")
MORE = (*TASKS, "ethics_justice", "ethics_deontology", "movie_rationales")


def prompts(of_task=0.0, of_seed=0.0, of_type=0.0, seeds=(33, 34), tasks=TASKS, noise=0):
    """Random tables that share a part of their task, of their seed and of their type."""

    def draw(*key):
        generator = torch.Generator().manual_seed(noise + sum(str(key).encode()) * 31 + len(key))
        return torch.randn(6, 20, generator=generator)

    tables = {
        (task, seed): draw(task, seed)
        + of_task * draw(task)
        + of_seed * draw(seed)
        + of_type * draw("type", "of", type_of(task))
        for task in tasks
        for seed in seeds
    }
    return [soft_prompt(task, seed, "t5", table=table) for (task, seed), table in tables.items()]


def test_the_gaps_are_those_of_a_loop():
    frame = similarities(prompts(0.5))
    kinds = {"same task": [], "same type": [], "other type": []}
    for row in frame.itertuples():
        kinds[row.pair].append(row.cosine)
    means = {kind: sum(values) / len(values) for kind, values in kinds.items()}
    tasks, types = task_gap(frame, "cosine", 5), type_gap(frame, "cosine", 5)
    assert tasks.mean == pytest.approx(means["same task"] - means["other type"])
    assert types.mean == pytest.approx(means["same type"] - means["other type"])
    assert (tasks.n_pairs, tasks.n) == (6, 12) and (types.n_pairs, types.n) == (12, 6)


def test_p_of_types_is_near_that_of_all_deals():
    """720 ways to deal six types to six tasks, of which 48 each are the same."""
    frame = similarities(prompts(0.7))
    gap = type_gap(frame, "cosine", 4000)
    gaps = []
    for dealt in itertools.permutations(map(type_of, TASKS)):
        of = dict(zip(TASKS, dealt, strict=True))
        same, other = [], []
        for row in frame[~frame["same_task"]].itertuples():
            (same if of[row.first_task] == of[row.second_task] else other).append(row.cosine)
        gaps.append(sum(same) / len(same) - sum(other) / len(other))
    assert gap.p == pytest.approx(sum(g >= gap.mean - 1e-12 for g in gaps) / 720, abs=0.03)
    assert gap.least_p == pytest.approx(1 / 15, abs=0.015)


def test_p_of_tasks_is_near_that_of_all_deals():
    """Two seeds of four tasks: 24 × 24 ways."""
    chosen = prompts(0.15, tasks=TASKS[1:5])
    frame = similarities(chosen)
    value = {
        frozenset(pair): v
        for *pair, v in frame[["first", "second", "cosine"]].itertuples(index=False)
    }
    gap = task_gap(frame, "cosine", 4000)
    names = {s: [p.facts.name for p in chosen if p.facts.seed == s] for s in (33, 34)}
    gaps = []
    for deals in itertools.product(itertools.permutations(TASKS[1:5]), repeat=2):
        dealt = [
            pair
            for n, d in zip(names.values(), deals, strict=True)
            for pair in zip(n, d, strict=True)
        ]
        same, other = [], []
        for (a, s), (b, t) in itertools.combinations(dealt, 2):
            if s == t:
                same.append(value[frozenset((a, b))])
            elif type_of(s) != type_of(t):
                other.append(value[frozenset((a, b))])
        gaps.append(sum(same) / len(same) - sum(other) / len(other))
    assert gap.p == pytest.approx(sum(g >= gap.mean - 1e-12 for g in gaps) / 576, abs=0.03)


def test_planted_likenesses_are_found_and_the_smallest_p_is_not_0():
    tasks = task_gap(similarities(prompts(1.0)), "cosine", 500)
    assert tasks.mean > 0.3 and 1 / 501 <= tasks.p < 0.01
    types = type_gap(similarities(prompts(of_type=1.0, tasks=MORE)), "cosine", 500)
    assert types.mean > 0.3 and 1 / 501 <= types.p < 0.02


def test_a_likeness_of_tasks_is_not_taken_for_one_of_types():
    found = [
        type_gap(similarities(prompts(1.0, tasks=MORE, noise=997 * k)), "cosine", 99).p
        for k in range(40)
    ]
    assert sum(p <= 0.1 for p in found) <= 10 and np.mean(found) > 0.3


def test_p8_a_likeness_of_seeds_alone_is_not_taken_for_one_of_tasks():
    """Prompts of a seed are alike here, and no task is: p is small as often as it says."""
    found = [
        task_gap(similarities(prompts(of_seed=2.0, noise=1000 * k)), "cosine", 99).p
        for k in range(60)
    ]
    assert sum(p <= 0.1 for p in found) <= 14  # 6 expected; 15 or more has p < 0.001
    assert np.mean(found) > 0.3


def test_with_few_tasks_no_p_can_be_small_and_least_p_says_so():
    gap = type_gap(similarities(prompts(of_type=3.0, tasks=TASKS[:4])), "cosine", 2000)
    assert gap.mean > 0.5 and gap.p == gap.least_p == pytest.approx(1 / 3, abs=0.05)


def test_kinds_without_pairs_have_no_gap():
    frame = similarities([soft_prompt("sst2", 33), soft_prompt("qqp", 33), soft_prompt("qnli", 33)])
    for gap in (task_gap(frame, "cosine"), type_gap(frame, "cosine")):
        assert math.isnan(gap.mean) and math.isnan(gap.p) and gap.n_pairs == 0
    same = similarities([soft_prompt("sst2", 33), soft_prompt("sst2", 34)])
    assert math.isnan(type_gap(same, "cosine").p)


def test_the_same_seed_gives_the_same_p():
    frame = similarities(prompts(0.1))
    for test in (task_gap, type_gap):
        assert len({test(frame, "cosine", 50) for _ in range(2)}) == 1
