import numpy as np
import pytest

from mvp_skill.batching import CHUNK, evaluation_batches, training_batches
from mvp_skill.errors import BadInput
from mvp_skill.seeding import derived_seed


def lengths_of(n, seed=0):
    return np.random.default_rng(seed).integers(1, 90, size=n)


def padded_tokens(lengths, batches):
    return sum(len(batch) * max(lengths[batch]) for batch in batches)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 8), (7, 8), (8, 8), (1303, 8), (1303, 13)])
def test_training_batches_hold_every_example_once(n, batch_size):
    batches = training_batches(lengths_of(n), batch_size, seed=3, epoch=2)
    assert sorted(np.concatenate(batches)) == list(range(n))
    sizes = sorted(len(batch) for batch in batches)
    assert sizes[1:] == [batch_size] * (len(sizes) - 1)
    assert len(batches) == -(-n // batch_size)


def test_training_batches_save_padding_and_stay_random():
    lengths = lengths_of(8 * CHUNK * 3)
    batches = training_batches(lengths, 8, seed=0, epoch=0)
    unsorted = np.split(np.random.default_rng(1).permutation(len(lengths)), len(batches))
    waste = padded_tokens(lengths, batches) / lengths.sum()
    assert waste < 1.1 < 1.5 < padded_tokens(lengths, unsorted) / lengths.sum()
    # Batches come in random order of length, so that no part of an epoch has only short texts.
    first, second = np.split(np.array([lengths[batch].mean() for batch in batches]), 2)
    assert abs(first.mean() - second.mean()) < 15  # sorted batches would differ by 45


def test_training_batches_follow_seed_and_epoch():
    lengths = lengths_of(211)

    def order(seed, epoch):
        return np.concatenate(training_batches(lengths, 8, seed=seed, epoch=epoch)).tolist()

    assert order(5, 1) == order(5, 1)
    assert order(5, 1) != order(5, 2)
    assert order(5, 1) != order(6, 1)


def test_evaluation_batches_hold_every_example_once_within_the_budget():
    lengths = lengths_of(97)
    batches = evaluation_batches(lengths, 256)
    assert sorted(np.concatenate(batches)) == list(range(97))
    assert all(len(batch) * max(lengths[batch]) <= 256 for batch in batches)
    assert max(lengths) == lengths[batches[0][0]]  # the longest first
    # Full: no batch could have taken the next example.
    for batch in batches[:-1]:
        assert (len(batch) + 1) * max(lengths[batch]) > 256


def test_an_example_over_the_budget_is_a_batch_of_its_own():
    batches = evaluation_batches([3, 400, 2], 10)
    assert [batch.tolist() for batch in batches] == [[1], [0, 2]]


@pytest.mark.parametrize(
    "batches", [lambda: evaluation_batches([], 8), lambda: training_batches([], 8, seed=0, epoch=0)]
)
def test_no_examples_are_refused(batches):
    with pytest.raises(BadInput, match="no examples"):
        batches()


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(BadInput, match="batch_size .* at least 1, not 0"):
        training_batches([3, 4], 0, seed=0, epoch=0)


def test_derived_seeds_differ_by_purpose_and_never_change():
    # The number is written down: another one would make every stored training a different one.
    assert derived_seed(0, "order", 0) == 3955691223199900983
    assert len({derived_seed(s, p, k) for s in (0, 1) for p in ("a", "b") for k in range(5)}) == 20
