"""Where at the prompt neurons predict: against plain counting, with planted positions."""

import pytest
import torch
from neuron_cases import counted, random_fired
from prompt_study_cases import tiny_study

from mvp_skill.activations import POSITIONS, observe
from mvp_skill.errors import BadInput
from mvp_skill.neuron_scores import neuron_scores
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.prompt_positions import (
    best_by_position,
    lines_by_position,
    mean_by_position,
    rows_by_positions,
    rows_without_first,
    share_by_position,
)

LABELS = torch.arange(53) % 2


def test_shares_are_counted_among_the_selected():
    prompt = torch.tensor([[0, 3, 3], [1, 3, 0]])
    selected = torch.tensor([[True, True, True], [False, True, False]])
    found = share_by_position(prompt, selected, n_prompt=5)
    assert found.tolist() == [0.25, 0, 0, 0.75, 0]


def test_p5_a_planted_position_stands_out_and_can_be_left_out():
    labels = torch.arange(53) % 2
    fired = random_fired()
    fired[:, 1, 0, 3] = labels.bool()  # layer 1, position 0 (the mask), neuron 3: always right
    fired[:, 2, 4, 6] = ~labels.bool()  # layer 2, position 4, neuron 6: always wrong
    counts = counted(fired, labels)
    best = best_by_position(counts)
    assert best[1, 0] == 1 and best[2, 4] == 1
    others = best.clone()
    others[1, 0] = others[2, 4] = 0
    assert others.max() < 0.85
    without = best_by_position(counts.without_mask_position())
    assert without.shape == (3, 4) and torch.equal(without, best[:, 1:])


def test_means_over_selected_neurons_equal_a_loop():
    labels = torch.arange(53) % 2
    fired = random_fired(seed=2)
    selected = torch.zeros(3, 7, dtype=torch.bool)
    selected[0, 2] = selected[2, 5] = True
    found = mean_by_position(counted(fired, labels), selected)
    for position in range(5):
        values = []
        for layer, neuron in ((0, 2), (2, 5)):
            says = fired[:, layer, position, neuron]
            recalls = (says[labels == 1].double().mean(), 1 - says[labels == 0].double().mean())
            values.append(max(sum(recalls) / 2, 1 - sum(recalls) / 2).item())
        assert found[position].item() == pytest.approx(sum(values) / 2)


def scores_with(seed, mask_neuron, other_neuron):
    """One neuron that is right at the mask alone, and one at another position but for one text."""
    fired = random_fired(seed=seed)
    fired[:, 1, 0, mask_neuron] = LABELS.bool()
    fired[:, 0, 2, other_neuron] = LABELS.bool()
    fired[0, 0, 2, other_neuron] = ~LABELS.bool()[0]
    return neuron_scores(counted(fired, LABELS, n_permutations=3))


def test_p5_what_is_told_at_the_mask_only_is_gone_without_it():
    key = ("roberta", "mini_films")
    ranked = {key: [scores_with(0, 3, 1), scores_with(1, 3, 1)]}
    measured = {key: [scores_with(2, 3, 1), scores_with(3, 3, 1)]}
    (row,) = rows_without_first(ranked, measured, fraction=0.1).to_dict("records")
    assert (row["kind"], row["task"], row["with_first"]) == (*key, 1.0)
    # One of 27 texts of class 0 is wrong, none of class 1.
    assert row["without_first"] == pytest.approx(53 / 54) and row["p"] == 0.25
    assert row["in_both"] == 0.5
    nulls = torch.stack([s.null_after_first for s in measured[key]]).mean(dim=0)
    assert row["null_max"] == pytest.approx(nulls.max().item())


def test_p5_the_neuron_without_the_mask_is_judged_on_the_other_half():
    key = ("t5", "mini_acts")
    ranked, measured = {key: [scores_with(0, 3, 1)]}, {key: [scores_with(2, 5, 6)]}
    (row,) = rows_without_first(ranked, measured, fraction=0.1).to_dict("records")
    assert row["with_first"] == measured[key][0].balanced[1, 3].item() < 0.9
    assert row["without_first"] == measured[key][0].after_first[0, 1].item() < 0.9
    one = [neuron_scores(counted(random_fired(n_prompt=1), LABELS, n_permutations=1))]
    with pytest.raises(BadInput, match="mini_acts are of one position"):
        rows_without_first({key: one}, {key: one}, fraction=0.1)


def test_b8_a_dead_neuron_is_not_the_best_where_one_class_is_the_commoner():
    """By accuracy it would be: it has 40 of 53 texts right, the neuron that was planted 36."""
    labels = (torch.arange(53) >= 40).long()
    wrong = torch.tensor([*range(15), 40, 41])
    planted = labels.clone()
    planted[wrong] = 1 - planted[wrong]

    def scores(seed):
        fired = torch.rand(53, 3, 5, 7, generator=torch.Generator().manual_seed(seed)) > 0.5
        fired[:, 0, :, 2] = False
        fired[:, 1, :, 3] = planted.bool()[:, None]
        return neuron_scores(counted(fired, labels, n_permutations=2))

    key = ("roberta", "mini_films")
    ranked, measured = {key: [scores(0)]}, {key: [scores(1)]}
    assert ranked[key][0].predictivity[0, 2] > ranked[key][0].predictivity[1, 3]
    (row,) = rows_without_first(ranked, measured, fraction=0.1).to_dict("records")
    expected = pytest.approx((25 / 40 + 11 / 13) / 2)
    assert row["with_first"] == expected and row["without_first"] == expected


def test_positions_are_read_one_after_the_other(tiny_backbone, tmp_path):
    neurons = NeuronStudy(tiny_study(tmp_path, tiny_backbone, TASKS="mini_films", SEEDS="0"))
    rows = rows_by_positions(neurons, "roberta", "mini_films", 0, tuple(POSITIONS))
    assert list(rows["positions"]) == ["prompt", "text_mean", "text_max", "all"]
    for row in rows.itertuples():
        ranking, measuring = (
            neurons.scores("roberta", "mini_films", 0, part=part, positions=row.positions)
            for part in ("ranking", "measuring")
        )
        assert ranking.positions == row.positions
        assert ranking.balanced[row.layer, row.neuron].item() == row.ranked
        assert row.ranked == ranking.balanced.max().item()
        assert row.measured == measuring.balanced[row.layer, row.neuron].item()
        assert row.null_max == measuring.null_balanced.max().item()


def by_position(neurons, model, usual, selected, part):
    """Best of all neurons and mean of the selected ones at each position, one by one."""
    half = neurons.part(model, "mini_films", part)
    fires = torch.zeros(len(half.records), *usual.mean.shape, dtype=torch.bool)

    def see(layer, activation, batch):
        fires[batch, layer] = activation > usual.mean[layer]

    observe(model, half.records, see)
    best, mean = [], []
    for position in range(5):
        found = {}
        for layer in range(fires.shape[1]):
            for neuron in range(fires.shape[3]):
                says = fires[:, layer, position, neuron].long()
                right = [(says[half.labels == k] == k).double().mean().item() for k in (0, 1)]
                found[layer, neuron] = max(sum(right) / 2, 1 - sum(right) / 2)
        best.append(max(found.values()))
        values = [found[layer, neuron] for layer, neuron in selected.nonzero().tolist()]
        mean.append(sum(values) / len(values))
    return best, mean


def test_lines_are_of_the_best_neuron_and_the_selected_ones_on_the_measuring_half(
    loud_backbone, tmp_path
):
    study = tiny_study(tmp_path, loud_backbone, TASKS="mini_films", SEEDS="0")
    neurons, key = NeuronStudy(study), ("roberta", "mini_films", 0)
    model, usual = study.prompted(*key), neurons.thresholds(*key)
    selected = torch.zeros(usual.mean[:, 0].shape, dtype=torch.bool)
    selected[0, 3] = selected[1, 5] = selected[1, 11] = True
    lines = lines_by_position(neurons, *key, selected)
    assert list(lines["series"].unique()) == ["RoBERTa, best neuron", "RoBERTa, mean of the top"]
    best, mean = (rows for _, rows in lines.groupby("series", sort=False))
    assert best["position"].tolist() == mean["position"].tolist() == [0, 1, 2, 3, 4]
    found = best["predictivity"].tolist(), mean["predictivity"].tolist()
    expected, others = (
        by_position(neurons, model, usual, selected, part) for part in ("measuring", "ranking")
    )
    for line, of_half, of_other in zip(found, expected, others, strict=True):
        assert line == pytest.approx(of_half) and line != pytest.approx(of_other)
