"""Which examples each step reads: over epochs, over interruptions, and when the data grow."""

import numpy as np
import pytest
import torch

from mvp_skill.batching import training_batches
from mvp_skill.epochs import TrainingData, places
from mvp_skill.evaluation import Split
from mvp_skill.insertion import EMPTY, Record
from mvp_skill.train_config import TrainConfig

CONFIG = TrainConfig(batch_size=4, epochs=3, seed=2)


def split_of(n):
    records = [Record(np.arange(1 + index % 5), EMPTY, EMPTY) for index in range(n)]
    return Split(records, torch.arange(n) % 2)


def as_tuples(steps):
    return [(len(p.split.records), tuple(p.batch), p.done, p.last) for p in steps]


def slow_places(sizes):
    """All steps, epoch by epoch."""
    steps = []
    for epoch, n in enumerate(sizes):
        lengths = [record.length for record in split_of(n).records]
        batches = training_batches(lengths, 4, seed=2, epoch=epoch)
        for index, batch in enumerate(batches):
            done = (epoch + index / len(batches)) / len(sizes)
            last = epoch == len(sizes) - 1 and index == len(batches) - 1
            steps.append((n, tuple(batch), pytest.approx(done), last))
    return steps


@pytest.mark.parametrize("sizes", [(11, 11, 11), (11, 15, 16), (8, 8, 3)])
def test_steps_from_every_start(sizes):
    expected = slow_places(sizes)
    for start in range(len(expected) + 1):
        found = places(lambda epoch: split_of(sizes[epoch]), CONFIG, start)
        assert as_tuples(found) == expected[start:]


def test_of_data_that_stay_the_share_done_is_exactly_that_of_the_steps():
    """The learning rate of clean training depends on these bits."""
    steps = list(places(lambda epoch: split_of(11), CONFIG, 0))
    assert [step.done for step in steps] == [index / 9 for index in range(9)]


def test_an_epoch_is_asked_for_when_it_begins():
    asked = []
    steps = places(lambda epoch: (asked.append(epoch), split_of(9))[1], CONFIG, 0)
    for index in range(9):
        next(steps)
        assert asked == list(range(index // 3 + 1))
    assert next(steps, None) is None


class Reader:
    """Encodes a text as its length."""

    def encode(self, texts):
        return [Record(np.arange(len(text[0])), EMPTY, EMPTY) for text in texts]


def test_what_was_added_stays_and_is_not_made_again():
    calls = []

    def attacker(victim, examples, seed):
        calls.append(seed)
        return [{"texts": ["x" * len(calls)], "label": 1}] * len(calls)

    config = TrainConfig(objective="amda")
    examples = [{"texts": ["a"], "label": 0}] * 3
    data = TrainingData(Reader(), split_of(3), examples, config, attacker)
    added = []
    assert data.of_epoch(0, added) is data.split and added == []
    sizes = [len(data.of_epoch(epoch, added).records) for epoch in (1, 2, 1, 2)]
    assert sizes == [4, 6, 4, 6] and len(calls) == len(set(calls)) == 2
    grown = data.of_epoch(2, added)
    assert [record.length for record in grown.records[3:]] == [1, 2, 2]
    assert grown.labels.tolist() == [0, 1, 0, 1, 1, 1] and grown.labels.dtype == torch.int64
    assert len(data.of_epoch(1, [[]]).records) == 3  # an attack that found nothing


def test_without_an_attacker_nothing_grows():
    data = TrainingData(Reader(), split_of(3), [], TrainConfig(), None)
    assert all(data.of_epoch(epoch, []) is data.split for epoch in range(3))
