"""Taggers: which words may replace which, and what is said where files are missing."""

import pytest
from attack_cases import neighbours

from mvp_skill.errors import BadInput
from mvp_skill.taggers import LexiconTagger, NltkTagger
from mvp_skill.textattack_import import textattack


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("runs", "walks", True),  # verb, verb
        ("runs", "trip", True),  # verb, noun
        ("red", "trip", False),  # adjective, noun
        ("fast", "red", True),  # adjective or adverb, adjective
        ("fast", "trip", False),
        ("Red", "FAST", True),
        ("red", "unknown", False),
        ("unknown", "unheard", False),
    ],
)
def test_lexicon_tagger(old, new, fits):
    tags = {
        **{"runs": {"VERB"}, "walks": {"VERB"}, "trip": {"NOUN"}},
        **{"red": {"ADJ"}, "fast": {"ADJ", "ADV"}},
    }
    constraint = LexiconTagger(tags).constraint()
    before = textattack().shared.AttackedText(f"a {old} b")
    after = before.replace_word_at_index(1, new)
    after.attack_attrs["last_transformation"] = textattack().transformations.WordSwapEmbedding(
        embedding=neighbours().embedding()
    )
    assert constraint(after, before) is fits
    assert constraint.compare_against_original


def test_lexicon_tagger_without_words():
    with pytest.raises(BadInput, match="at least one word"):
        LexiconTagger({})


def test_nltk_tagger_says_how_to_install_its_files(monkeypatch, tmp_path):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    command = "python -m nltk.downloader averaged_perceptron_tagger_eng universal_tagset"
    with pytest.raises(BadInput, match=command):
        NltkTagger()
    for name in NltkTagger.FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text("{}")
    tagger = NltkTagger()
    constraint = tagger.constraint()
    assert type(constraint) is textattack().constraints.grammaticality.PartOfSpeech
    assert constraint.tagger_type == "nltk" and constraint.tagset == "universal"
    assert constraint.allow_verb_noun_swap and constraint.compare_against_original
    (tmp_path / NltkTagger.FILES[0]).write_text('{"more": 1}')
    assert NltkTagger().fingerprint != tagger.fingerprint


def test_the_fingerprint_of_a_lexicon_follows_its_tags():
    tags = {"a": {"NOUN", "VERB"}, "b": {"ADJ"}}
    same = LexiconTagger({"b": ["ADJ"], "a": ["VERB", "NOUN"]}).fingerprint
    assert LexiconTagger(tags).fingerprint == same
    assert LexiconTagger({**tags, "b": {"ADV"}}).fingerprint != same
