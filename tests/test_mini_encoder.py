"""The calibrated sentence encoder of the mini world's attack."""

import math

import pytest
import torch

from mvp_skill.attack_resources import resources_for
from mvp_skill.mini import encoder, lexicon, oracle, tasks
from mvp_skill.mini.dice import Dice


@pytest.fixture(scope="module")
def mini():
    return encoder.load("cpu")


def accepted(mini, pairs):
    """Share of the pairs that the attack's threshold lets pass."""
    before, after = (mini.encode(list(side)) for side in zip(*pairs, strict=True))
    return (encoder.angular_similarity(before, after) >= mini.least_similarity).float().mean()


def test_angular_similarity_of_known_angles():
    first = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    second = torch.tensor([[2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])
    assert encoder.angular_similarity(first, second).tolist() == pytest.approx([1.0, 0.5, 0.0])
    turned = torch.tensor([[math.cos(0.5), math.sin(0.5)]])
    # the paper's threshold is an angle of one half
    expected = 1 - 0.5 / math.pi
    assert encoder.angular_similarity(first[:1], turned).item() == pytest.approx(expected)


def test_an_exchange_changes_one_word_for_a_synonym():
    words = "it was late and the plot was superb from start to finish, they said to us all.".split()
    for i in range(20):
        before, after = encoder.exchanged(words, Dice(f"window {i}"))
        pairs = [
            (a.strip(".,"), b.strip(".,"))
            for a, b in zip(before.split(), after.split(), strict=True)
            if a != b
        ]
        assert len(pairs) == 1
        assert pairs[0][1] in lexicon.load().synonyms(pairs[0][0])
        assert before in " ".join(words)
        assert len(before.split()) <= 2 * encoder.HALF_WINDOW + 1
    assert encoder.exchanged(["of", "the"], Dice("nothing")) is None


def test_the_threshold_accepts_the_share_it_was_calibrated_for(mini):
    share = accepted(mini, encoder.exchanges())
    assert share == pytest.approx(encoder.ACCEPTED_SHARE, abs=0.01)


def test_most_exchanges_of_praise_for_blame_are_rejected(mini):
    """What the constraint is for; with the paper's threshold and no centre, all of them pass."""
    known, pairs = lexicon.load(), []
    for row in tasks.split_examples("mini_films", "test", 150, 0):
        words = row["texts"][0].split()
        for i, word in enumerate(words):
            plain = word.strip(".,;")
            if oracle.polarity(plain) and known.antonyms(plain):
                other = sorted(known.antonyms(plain))[0]
                near = slice(max(0, i - encoder.HALF_WINDOW), i + encoder.HALF_WINDOW + 1)
                new = [*words[:i], word.replace(plain, other), *words[i + 1 :]]
                pairs.append((" ".join(words[near]), " ".join(new[near])))
    assert len(pairs) > 100
    assert accepted(mini, pairs) < 0.5 < accepted(mini, encoder.exchanges())


def test_the_attack_gets_the_calibrated_encoder(mini):
    found = resources_for("mini").encoder
    assert found.least_similarity == mini.least_similarity
    assert found.fingerprint == mini.fingerprint
