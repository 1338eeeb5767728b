"""Two passes over the data, against one example at a time."""

import numpy as np
import pytest
import torch
from neuron_cases import (
    Record,
    SmallModel,
    activations_of,
    planted_model,
    planted_split,
    some_split,
)
from torch.testing import assert_close

from mvp_skill import activations, neuron_counts
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.memory import Memory
from mvp_skill.neuron_counts import baseline_activation, count_firings
from mvp_skill.neuron_null import null_predictivity
from mvp_skill.neurons import neuron_accuracy, predictivity


@pytest.fixture(autouse=True)
def several_small_batches(monkeypatch):
    monkeypatch.setitem(activations.EVALUATION_TOKENS, "cpu", 70)


def permuted(split, seed=3):
    order = np.random.default_rng(seed).permutation(len(split.labels))
    return Split([split.records[i] for i in order], split.labels[torch.from_numpy(order)])


def by_hand(model, split, thresholds, labels, n_classes):
    """Counts per class as the formula says: sample by sample, strictly above."""
    shape = n_classes, *thresholds.shape
    counts = torch.zeros(shape, dtype=torch.int32)
    for record, label in zip(split.records, labels.tolist(), strict=True):
        counts[label] += activations_of(model, record)[:, : thresholds.shape[1]] > thresholds
    return counts


def test_the_baseline_activation_is_the_mean_of_each_neuron_at_each_prompt_position():
    model, split = SmallModel(), some_split()
    found = baseline_activation(model, split.records)
    every = torch.stack([activations_of(model, record)[:, :5] for record in split.records])
    assert found.mean.shape == (3, 5, 11) and found.mean.dtype == torch.float32
    assert_close(found.mean, every.mean(dim=0), atol=1e-6, rtol=1e-5)
    assert (found.n, found.source, found.positions) == (37, "clean-train", "prompt")


def test_b7_the_baseline_activation_is_of_every_record_it_is_given_and_of_no_other():
    """Of one after the other, the first and the last included: leaving any out changes the mean."""
    model, records = SmallModel(), some_split(23, seed=4).records
    whole = baseline_activation(model, records)
    each = [activations_of(model, record)[:, :5] for record in records]
    for left_out in range(23):
        kept = [number for number in range(23) if number != left_out]
        fewer = baseline_activation(model, [records[number] for number in kept])
        assert fewer.n == 22 and whole.n == 23
        difference = 23 * whole.mean.double() - 22 * fewer.mean.double()
        assert_close(difference.float(), each[left_out], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_streaming_counts_equal_the_naive_loop_exactly(n_classes):
    model = SmallModel(n_classes=n_classes)
    split = some_split(38, n_classes)
    usual = baseline_activation(model, some_split(29, seed=5).records)
    counts = count_firings(model, split, usual, n_permutations=0)
    assert counts.fired.dtype == torch.int32
    assert counts.fired.equal(by_hand(model, split, usual.mean, split.labels, n_classes))
    assert counts.n.tolist() == torch.bincount(split.labels).tolist()
    assert counts.null_fired.shape == (0, *counts.fired.shape)


def test_accuracy_from_counts_equals_the_naive_loop():
    model, split = SmallModel(), some_split()
    usual = baseline_activation(model, some_split(29, seed=5).records)
    right = torch.zeros(3, 5, 11, dtype=torch.int64)
    for record, label in zip(split.records, split.labels.tolist(), strict=True):
        right += (activations_of(model, record)[:, :5] > usual.mean) == bool(label)
    found = neuron_accuracy(count_firings(model, split, usual, n_permutations=0))
    assert found.equal(right.double() / 37)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_permuted_labels_are_counted_in_the_same_pass(n_classes, monkeypatch):
    model, split = SmallModel(n_classes=n_classes), some_split(38, n_classes)
    usual = baseline_activation(model, split.records)
    made, seen = neuron_counts._with_permutations, []
    see = lambda *given: seen.append(made(*given)) or seen[-1]  # noqa: E731
    monkeypatch.setattr(neuron_counts, "_with_permutations", see)
    counts = count_firings(model, split, usual, n_permutations=4, seed=9)
    (vectors,) = seen
    assert vectors[0].equal(split.labels) and counts.null_fired.shape[0] == 4
    for number in range(4):
        labels = vectors[1 + number]
        assert not labels.equal(split.labels)
        assert labels.sort().values.equal(split.labels.sort().values)
        expected = by_hand(model, split, usual.mean, labels, n_classes)
        assert counts.null_fired[number].equal(expected)
        assert counts.nulls[number].fired.equal(expected)
    other = count_firings(model, split, usual, n_permutations=4, seed=8)
    assert not other.null_fired.equal(counts.null_fired) and other.fired.equal(counts.fired)


def test_b2_row_permutation_changes_nothing_not_even_the_null():
    model, split = SmallModel(), some_split()
    usual = baseline_activation(model, split.records)
    again = baseline_activation(model, permuted(split).records)
    assert again.mean.equal(usual.mean)
    counts = count_firings(model, split, usual, n_permutations=3)
    for seed in (3, 4):
        others = count_firings(model, permuted(split, seed), again, n_permutations=3)
        assert others.fired.equal(counts.fired) and others.null_fired.equal(counts.null_fired)


def test_b2_labels_are_one_number_per_example():
    """A matrix of target pieces, flattened, once gave every neuron about three quarters."""
    model, split = SmallModel(), some_split()
    usual = baseline_activation(model, split.records)
    pieces = torch.stack([split.labels, torch.full_like(split.labels, -100)], dim=1)
    for labels in (pieces, pieces.flatten(), split.labels.float(), split.labels[:-1]):
        with pytest.raises(BadInput, match="one class number each"):
            count_firings(model, Split(split.records, labels), usual)
    for wrong in (2, -1):
        labels = split.labels.clone()
        labels[0] = wrong
        with pytest.raises(BadInput, match="0 to 1"):
            count_firings(model, Split(split.records, labels), usual)
    with pytest.raises(BadInput, match="every class"):
        count_firings(model, Split(split.records, torch.zeros_like(split.labels)), usual)


def test_b2_shuffled_labels_lie_within_the_null():
    """Planted: the true labels are far above every permutation, shuffled ones are not."""
    model, split = planted_model(), planted_split()
    usual = baseline_activation(model, split.records)
    counts = count_firings(model, split, usual, n_permutations=99)
    null = null_predictivity(counts)[:, 1, 4]  # [permutation]
    assert predictivity(neuron_accuracy(counts))[1, :, 4].max() > null.max() + 0.1
    order = torch.randperm(41, generator=torch.Generator().manual_seed(1))
    shuffled = count_firings(model, Split(split.records, split.labels[order]), usual)
    assert predictivity(neuron_accuracy(shuffled))[1, :, 4].max() <= null.max()


def test_b4_labels_and_thresholds_are_left_as_they_were():
    model, split = SmallModel(), some_split()
    usual = baseline_activation(model, split.records)
    labels, mean = split.labels.clone(), usual.mean.clone()
    count_firings(model, split, usual)
    assert split.labels.equal(labels) and usual.mean.equal(mean)


def test_b5_the_result_says_whose_thresholds_it_has():
    model, clean, adversarial = SmallModel(), some_split(), some_split(13, seed=7)
    usual = baseline_activation(model, clean.records)
    own = baseline_activation(model, adversarial.records, source="own")
    by_source = {
        found.threshold_source: found
        for found in (count_firings(model, adversarial, given) for given in (usual, own))
    }
    assert {name: found.n_threshold for name, found in by_source.items()} == {
        "clean-train": 37,
        "own": 13,
    }
    assert not by_source["own"].fired.equal(by_source["clean-train"].fired)
    with pytest.raises(BadInput, match="own"):
        count_firings(model, clean, own)
    with pytest.raises(BadInput, match="clean-train, own"):
        baseline_activation(model, clean.records, source="dev")


def test_a_neuron_at_its_threshold_does_not_fire():
    model, split = SmallModel(), some_split()
    with torch.no_grad():
        model.into[1].weight[3] = 0  # gelu(0) = 0 for every text
        model.into[1].bias[3] = 0
    usual = baseline_activation(model, split.records)
    counts = count_firings(model, split, usual, n_permutations=0)
    assert usual.mean[1, :, 3].eq(0).all() and counts.fired[:, 1, :, 3].eq(0).all()
    assert counts.fired[:, 1, :, 2].sum() > 0


def test_p5_without_the_mask_position_the_first_is_left_out():
    model, split = SmallModel(), some_split()
    counts = count_firings(model, split, baseline_activation(model, split.records))
    others = counts.without_mask_position()
    assert others.fired.equal(counts.fired[:, :, 1:])
    assert others.null_fired.equal(counts.null_fired[:, :, :, 1:]) and others.n.equal(counts.n)
    pooled = baseline_activation(model, split.records, positions="text_mean")
    with pytest.raises(BadInput, match="text_mean"):
        count_firings(model, split, pooled).without_mask_position()


def test_thresholds_of_another_model_are_refused():
    split = some_split()
    usual = baseline_activation(SmallModel(n_layers=2), split.records)
    with pytest.raises(BadInput, match="2 layers"):
        count_firings(SmallModel(), split, usual)


def test_memory_does_not_grow_with_the_number_of_examples():
    model = SmallModel(n_neurons=101)

    def peak(n):
        split = some_split(n)
        usual = baseline_activation(model, split.records)
        with Memory() as memory:
            count_firings(model, split, usual, n_permutations=3)
        return memory.peak_bytes

    peak(40)
    activations = 400 * 3 * 5 * 101 * 4
    assert peak(440) - peak(40) < activations / 10


@pytest.mark.parametrize(("longest_train", "longest_test"), [(4, 8), (8, 3)])
def test_all_positions_are_compared_place_by_place_and_none_fires_behind_a_text(
    longest_train, longest_test
):
    model, (train, test) = SmallModel(), (some_split(29, seed=5), some_split())
    train, test = (
        Split([Record(r.ids[:longest]) for r in split.records], split.labels)
        for split, longest in ((train, longest_train), (test, longest_test))
    )
    usual = baseline_activation(model, train.records, positions="all")
    rows = [activations_of(model, record) for record in train.records]
    assert usual.mean.shape == (3, 5 + longest_train, 11)
    for place in range(5 + longest_train):
        there = torch.stack([row[:, place] for row in rows if row.shape[1] > place])
        assert_close(usual.mean[:, place], there.mean(dim=0), atol=1e-6, rtol=1e-5)
    counts = count_firings(model, test, usual, n_permutations=2)
    expected = torch.zeros_like(counts.fired)
    for record, label in zip(test.records, test.labels.tolist(), strict=True):
        row = activations_of(model, record)
        for place in range(min(row.shape[1], 5 + longest_train)):
            expected[label, :, place] += row[:, place] > usual.mean[:, place]
    assert counts.fired.equal(expected) and counts.n.sum() == 37
    assert counts.positions == "all" and counts.null_fired.sum() == 2 * expected.sum()
    prompt = baseline_activation(model, train.records)
    assert_close(usual.mean[:, :5], prompt.mean, atol=1e-6, rtol=1e-5)


def test_a_nan_of_a_broken_model_stays_one():
    """Once it was taken for padding, and the neuron's mean was over the other texts."""
    model, split = SmallModel(), some_split()
    with torch.no_grad():
        model.into[2].bias[6] = torch.nan  # of the last layer, so that no other neuron sees it
    for positions in ("prompt", "text_mean", "all"):
        mean = baseline_activation(model, split.records, positions=positions).mean
        assert mean[2, :, 6].isnan().all()
        mean[2, :, 6] = 0
        assert mean.isfinite().all()


def test_activations_are_not_copied_where_no_position_is_missing():
    activation = torch.rand(4, 9, 11)
    for n_positions in (9, 5):
        found = neuron_counts._of_length(activation, n_positions)
        assert found.equal(activation[:, :n_positions])
        assert found.data_ptr() == activation.data_ptr()
    longer = neuron_counts._of_length(activation, 12)
    assert longer[:, :9].equal(activation) and longer[:, 9:].isnan().all()
    assert longer.shape == (4, 12, 11)
