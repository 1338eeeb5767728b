"""Baselines that only count words: they find a planted shortcut, and only where there is one."""

import random

import pytest
from datasets import Dataset, DatasetDict

from mvp_skill.baselines import bag_of_words, constant_guess, word_overlap

SIZES = {"train": 120, "validation": 50, "test": 70}
FILLERS = "river table lamp cloud stone paper".split()


def data_of(example) -> DatasetDict:
    """Splits of examples made by `example(random generator, label) -> texts`, labels balanced."""
    dice = random.Random(7)
    splits = {}
    for split, n in SIZES.items():
        labels = [i % 2 for i in range(n)]
        texts = [example(dice, label) for label in labels]
        splits[split] = Dataset.from_dict({"texts": texts, "label": labels})
    return DatasetDict(splits)


def fillers(dice: random.Random, n: int = 3) -> str:
    return " ".join(dice.sample(FILLERS, n))


def test_the_constant_guess_is_the_share_of_the_most_frequent_label():
    assert constant_guess([2, 0, 2, 1, 2]) == 0.6


def test_a_bag_of_words_finds_a_word_that_gives_the_label_away():
    data = data_of(lambda dice, y: [f"{fillers(dice)}, {'good' if y else 'bad'}!"])
    assert bag_of_words(data) == 1.0


def test_a_bag_of_words_cannot_combine_two_words():
    """Label = (word a in the first half) xor (word b): each word alone says nothing."""

    def example(dice, y):
        a = dice.randint(0, 1)
        return [f"{'red' if a else 'blue'} {fillers(dice)} {'cat' if a != y else 'dog'}"]

    assert abs(bag_of_words(data_of(example)) - 0.5) < 0.2  # a leak of the label gives 1


def test_the_columns_of_a_pair_are_counted_apart():
    """The same two words, in either order: only their columns tell the classes apart."""
    data = data_of(lambda dice, y: ["sun", "moon"] if y else ["moon", "sun"])
    assert bag_of_words(data) == 1.0


def test_word_overlap_sees_shared_words_and_nothing_else():
    def same_if(label):
        def example(dice, y):
            first = fillers(dice)
            return [first, first if y == label else "quite other words"]

        return example

    assert word_overlap(data_of(same_if(1))) == 1.0
    never = data_of(lambda dice, y: ["one two three", "yes four five" if y else "no four five"])
    assert word_overlap(never) == pytest.approx(0.5)
    assert bag_of_words(never) == 1.0
