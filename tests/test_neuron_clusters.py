"""The tree of tasks: against joining groups by hand, and one that is planted."""

from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest

from mvp_skill.errors import BadInput
from mvp_skill.neuron_clusters import specificity_map, task_tree
from mvp_skill.type_legends import TYPE_COLOURS

matplotlib.use("Agg")
TASKS = ["mini_films", "mini_acts", "mini_adv_films", "mini_excuses", "mini_duplicates"]


def pairs_with(rho, names=TASKS):
    return pd.DataFrame(
        [{"first": a, "second": b, "rho": rho(a, b)} for a, b in combinations(names, 2)]
    )


def planted(a, b):
    """Films and their adversarial set, then the ethics tasks, then both; duplicates are alone."""
    group = {"mini_films": 0, "mini_adv_films": 0, "mini_acts": 1, "mini_excuses": 1}
    first, second = group.get(a), group.get(b)
    if None in (first, second):
        return 0.1
    return (0.9, 0.8)[first] if first == second else 0.4


def by_hand(frame):
    """Join the two groups with the smallest mean distance: [(group, distance)]."""
    far = {frozenset((r.first, r.second)): 1 - r.rho for r in frame.itertuples()}
    groups, steps = [{name} for name in dict.fromkeys([*frame["first"], *frame["second"]])], []
    while len(groups) > 1:
        a, b = min(
            combinations(groups, 2),
            key=lambda two: np.mean([far[frozenset((x, y))] for x in two[0] for y in two[1]]),
        )
        distance = np.mean([far[frozenset((x, y))] for x in a for y in b])
        groups = [group for group in groups if group not in (a, b)] + [a | b]
        steps.append((a | b, distance))
    return steps


def joined(tree):
    """What SciPy's steps join: [(group, distance)]."""
    groups = [{name} for name in tree.names]
    for a, b, distance, size in tree.steps:
        groups.append(groups[int(a)] | groups[int(b)])
        assert len(groups[-1]) == size
        yield groups[-1], distance


def test_a_planted_tree_is_found():
    found = list(joined(task_tree(pairs_with(planted))))
    expected = [({"mini_films", "mini_adv_films"}, 0.1), ({"mini_acts", "mini_excuses"}, 0.2)]
    expected += [(set(TASKS) - {"mini_duplicates"}, 0.6), (set(TASKS), 0.9)]
    assert [group for group, _ in found] == [group for group, _ in expected]
    assert np.allclose([d for _, d in found], [d for _, d in expected])


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_joined_as_by_hand(seed):
    generator = np.random.default_rng(seed)
    frame = pairs_with(lambda a, b: generator.uniform(-0.3, 1), [f"task {i}" for i in range(7)])
    found, expected = list(joined(task_tree(frame))), by_hand(frame)
    assert [group for group, _ in found] == [group for group, _ in expected]
    assert np.allclose([d for _, d in found], [d for _, d in expected])


def test_leaves_of_a_group_stand_together_whatever_the_order_of_the_pairs():
    leaves = task_tree(pairs_with(planted)).leaves
    assert sorted(leaves) == sorted(TASKS)
    for group in (("mini_films", "mini_adv_films"), ("mini_acts", "mini_excuses")):
        places = [leaves.index(name) for name in group]
        assert abs(places[0] - places[1]) == 1
    turned = pairs_with(planted).rename(columns={"first": "second", "second": "first"})
    assert [g for g, _ in joined(task_tree(turned))] == [
        g for g, _ in joined(task_tree(pairs_with(planted)))
    ]


def test_the_map_has_the_order_the_colours_and_the_numbers_of_the_tree():
    figure = specificity_map(pairs_with(planted), ["mini_adv_films"])
    above, ax = figure.axes
    leaves = task_tree(pairs_with(planted)).leaves
    labels = ax.get_xticklabels()
    assert [label.get_text() for label in labels] == leaves
    assert [label.get_text() for label in ax.get_yticklabels()] == leaves
    by_name = {label.get_text(): label for label in labels}
    assert by_name["mini_adv_films"].get_color() == TYPE_COLOURS["sentiment"]
    assert by_name["mini_adv_films"].get_fontstyle() == "italic"
    assert by_name["mini_films"].get_fontstyle() == "normal"
    told = sorted(text.get_text() for text in ax.texts)
    assert told == sorted(f"{planted(a, b):.2f}" for a in leaves for b in leaves if a != b)
    place = leaves.index("mini_adv_films")
    assert {line.get_xdata()[0] for line in ax.lines} >= {place, place + 1}
    assert len(above.collections) == 1  # the branches


def test_pairs_that_make_no_tree_are_refused():
    with pytest.raises(BadInput, match="lacks rows"):
        task_tree(pairs_with(planted).iloc[:0])
    with pytest.raises(BadInput, match="every two of at least two tasks; .* 1 are missing"):
        task_tree(pairs_with(planted).iloc[1:])
    unknown = pairs_with(planted)
    unknown.loc[[2, 5], "rho"] = float("nan")
    with pytest.raises(BadInput, match="0 are missing and 2 are NaN"):
        task_tree(unknown)
    with pytest.raises(BadInput, match="1 are missing and 2 are NaN"):
        specificity_map(unknown.iloc[1:])
