"""The tag of one word, against NLTK's tagger on all of them."""

import random

import pytest
from nltk.tag.perceptron import PerceptronTagger

from mvp_skill.tagging import tag_at, tag_of

SENTENCES = [
    [("the", "DT"), ("old", "JJ"), ("man", "NN"), ("saw", "VBD"), ("2", "CD"), ("films", "NNS")],
    [("a", "DT"), ("saw", "NN"), ("cuts", "VBZ"), ("the", "DT"), ("wood", "NN")],
    [("cuts", "NNS"), ("are", "VBP"), ("top-notch", "JJ"), ("in", "IN"), ("1999", "CD")],
    [("man", "VB"), ("the", "DT"), ("old", "JJ"), ("boats", "NNS"), ("well", "RB")],
]
WORDS = sorted({word for sentence in SENTENCES for word, _ in sentence} | {"unseen", "Films", "-x"})


@pytest.fixture(scope="module")
def tagger():
    made = PerceptronTagger(load=False)
    random.seed(0)  # training shuffles the sentences it is given
    made.train([list(sentence) for sentence in SENTENCES], nr_iter=8)
    return made


def test_stopping_at_a_word_gives_it_the_same_tag(tagger):
    dice, tags = random.Random(0), set()
    for n_words in (1, 2, 3, 8, 8, 8, 8, 8, 8):
        words = dice.choices(WORDS, k=n_words)
        wanted = tagger.tag(words)
        assert [(word, tag_at(tagger, words, i)) for i, word in enumerate(words)] == wanted
        tags |= {tag for _, tag in wanted}
    assert len(tags) > 4


def test_tags_are_the_constraints_own(tagger, monkeypatch):
    """Also of a word that stands there twice, of which TextAttack takes the first."""
    from mvp_skill.textattack_import import textattack

    monkeypatch.setattr("nltk.tag._get_tagger", lambda lang=None: tagger)
    monkeypatch.setattr("nltk.tag.map_tag", lambda source, target, tag: f"{target} {tag}")
    constraint = textattack().constraints.grammaticality.PartOfSpeech(tagger_type="nltk")
    dice = random.Random(1)
    tag_of.cache_clear()
    for _ in range(40):
        words = dice.choices(WORDS, k=8)
        found = tag_of(tuple(words[:4]), words[4], tuple(words[5:]))
        assert found == constraint._get_pos(words[:4], words[4], words[5:])
    tag_of.cache_clear()
