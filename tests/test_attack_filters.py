"""Constraints decided by words: against TextAttack's own, candidate by candidate."""

import random

import numpy as np
import pytest
import torch
from attack_cases import FILLER, GROUPS, TAGS, CountingEncoder, neighbours, random_table

from mvp_skill.attack_constraints import EncoderSimilarity
from mvp_skill.attack_filters import Ask, checks_of, kept
from mvp_skill.attack_texts import Candidate, PlacedText
from mvp_skill.taggers import LexiconTagger
from mvp_skill.textattack_import import textattack

ta = textattack()
SWAP = ta.transformations.WordSwapEmbedding(embedding=neighbours().embedding())
KNOWN = [word for group in GROUPS.values() for word in group]


class Sums:
    """A vector per sentence, from the letters of its words."""

    def encode(self, sentences):
        return torch.stack([self.vector(sentence) for sentence in sentences])

    def vector(self, sentence):
        numbers = torch.zeros(5)
        for place, letter in enumerate(sentence):
            numbers[ord(letter) % 5] += 1 + place % 3
        return numbers + 0.1


def texts(*columns):
    original = PlacedText(ta.shared.AttackedText(columns[0]))
    current = original
    for index, word in columns[1:]:
        current = PlacedText(current.attacked.replace_word_at_index(index, word))
    return original, current


def all_candidates(current, words):
    return [
        Candidate(current, index, word, SWAP)
        for index in range(len(current.words))
        for word in words
        if word != current.words[index]
    ]


def answered(steps, encoder):
    """What a generator returns when its questions are answered at once."""
    answer = None
    try:
        while True:
            ask = steps.send(answer)
            assert ask == Ask("encoder", list(dict.fromkeys(ask.items)))
            answer = encoder.encode(ask.items)
    except StopIteration as end:
        return end.value


def by_textattack(constraints, candidates, current, original):
    found = [candidate.attacked for candidate in candidates]
    for constraint in constraints:
        reference = original if constraint.compare_against_original else current
        found = constraint.call_many(found, reference.attacked)
    return sorted(found, key=lambda text: text.text)


def assert_the_same(constraints, candidates, current, original, encoder=None):
    """At least one candidate must be kept and one rejected."""
    wanted = by_textattack(constraints, candidates, current, original)
    found = answered(kept(checks_of(constraints), candidates, current, original), encoder)
    assert [c.text for c in found] == [t.text for t in wanted]
    assert 0 < len(found) < len(candidates)
    return found, wanted


@pytest.mark.parametrize(
    "limit", [{"max_percent": 0.3}, {"max_num_words": 2}, {"max_percent": 0.1}]
)
def test_the_limit_on_words_is_textattacks(limit):
    original, current = texts("a good film with a plot and a cast", (1, "bad"), (5, "tale"))
    constraint = ta.constraints.overlap.MaxWordsPerturbed(**limit)
    candidates = all_candidates(current, ["good", "x", "plot", "two words", ""])
    if limit == {"max_percent": 0.1}:  # already over it: only a way back is left
        original, current = texts("a good film with a plot and a cast", (1, "bad"), (5, "tale"))
        candidates = all_candidates(current, ["good", "plot", "x"])
        wanted = by_textattack([constraint], candidates, current, original)
        found = answered(kept(checks_of([constraint]), candidates, current, original), None)
        assert {c.text for c in found} == {t.text for t in wanted}
    else:
        assert_the_same([constraint], candidates, current, original)


def test_a_limit_of_words_and_of_a_share_hold_together():
    original, current = texts("a good film with a plot and a cast", (1, "bad"))
    constraint = ta.constraints.overlap.MaxWordsPerturbed(max_num_words=1, max_percent=0.9)
    assert_the_same([constraint], all_candidates(current, ["x", "y"]), current, original)


@pytest.mark.parametrize("include_unknown_words", [True, False])
@pytest.mark.parametrize("cased", [True, False])
def test_cosines_are_textattacks(include_unknown_words, cased):
    table = random_table(n_words=40, d=5, k=12).embedding()
    constraint = ta.constraints.semantics.WordEmbeddingDistance(
        embedding=table,
        min_cos_sim=0.3,
        include_unknown_words=include_unknown_words,
        cased=cased,
    )
    original, current = texts("word3 Word7 unknown word31 the word0", (3, "word30"))
    words = [f"word{i}" for i in range(40)] + ["Word5", "strange", "two words", "word1 word2"]
    assert_the_same([constraint], all_candidates(current, words), current, original)


def test_a_cosine_at_the_threshold_is_decided_to_the_last_bit():
    table = random_table(n_words=30, d=7, k=29).embedding()
    original, current = texts("word3 word7")
    candidates = all_candidates(current, [f"word{i}" for i in range(30)])
    some = [(3, 11), (3, 25), (7, 2), (7, 19)]
    for old, new in some:
        exact = table.get_cos_sim(old, new)
        for threshold in (exact, float(np.nextafter(exact, 2))):
            if threshold > 0:
                constraint = ta.constraints.semantics.WordEmbeddingDistance(
                    embedding=table, min_cos_sim=threshold
                )
                assert_the_same([constraint], candidates, current, original)


def test_tags_of_the_lexicon_are_textattacks():
    constraint = LexiconTagger(TAGS).constraint()
    original, current = texts("the Good film was deep", (1, "Poor"))
    candidates = all_candidates(current, [*KNOWN, "FILM", "unknown", "top-notch"])
    assert_the_same([constraint], candidates, current, original)


@pytest.mark.parametrize("size", [5, None])
@pytest.mark.parametrize("against_original", [True, False])
@pytest.mark.parametrize("short_pass", [True, False])
def test_similarities_are_textattacks(size, against_original, short_pass):
    made = {"metric": "angular", "window_size": size, "compare_against_original": against_original}
    made |= {"skip_text_shorter_than_window": short_pass and size is not None}
    original, current = texts(f"good film {FILLER}, really", (1, "picture"))
    candidates = all_candidates(current, ["x", "zzz", "decent", "two words", "it's", "e-x"])
    lenient = EncoderSimilarity(Sums(), threshold=0.0, **made)
    everything = by_textattack([lenient], candidates, current, original)
    scores = sorted(text.attack_attrs["similarity_score"] for text in everything)
    constraint = EncoderSimilarity(Sums(), threshold=scores[len(scores) // 2], **made)
    found, wanted = assert_the_same([constraint], candidates, current, original, Sums())
    scores = [text.attack_attrs["similarity_score"] for text in wanted]
    assert [candidate.similarity for candidate in found] == scores


def test_short_texts_pass_without_a_question():
    constraint = EncoderSimilarity(
        CountingEncoder(), threshold=0.9, window_size=15, skip_text_shorter_than_window=True
    )
    original, current = texts("a good film")
    candidates = all_candidates(current, ["x", "y z"])
    steps = kept(checks_of([constraint]), candidates, current, original)
    with pytest.raises(StopIteration) as end:
        next(steps)
    assert len(end.value.value) == len(candidates)
    assert {candidate.similarity for candidate in candidates} == {1.0}


def test_a_candidate_that_a_cheap_constraint_rejects_is_never_written(monkeypatch):
    written = []
    whole = PlacedText.with_word
    monkeypatch.setattr(
        PlacedText, "with_word", lambda *given: written.append(given[2]) or whole(*given)
    )
    constraints = [
        ta.constraints.overlap.MaxWordsPerturbed(max_num_words=1),
        LexiconTagger(TAGS).constraint(),
    ]
    original, current = texts("the good film")
    candidates = all_candidates(current, ["decent", "movie", "giggle", "unknown"])
    found = answered(kept(checks_of(constraints), candidates, current, original), None)
    assert sorted(c.word for c in found) == sorted(written)
    assert 0 < len(written) < len(candidates)


def test_settings_that_a_check_is_not_written_for_are_left_to_textattack():
    far = ta.constraints.semantics.WordEmbeddingDistance(
        embedding=neighbours().embedding(), max_mse_dist=0.1
    )
    ((_, check),) = checks_of([far])
    assert check is None
    original, current = texts("the good film")
    assert_the_same([far], all_candidates(current, KNOWN), current, original)
    german = ta.constraints.grammaticality.PartOfSpeech(tagger_type="nltk", tagset="brown")
    assert checks_of([german])[0][1] is None


def test_a_constraint_without_a_check_of_ours_is_asked_itself():
    class NoX(ta.constraints.Constraint):
        def _check_constraint(self, transformed_text, reference_text):
            return "x" not in transformed_text.text

    original, current = texts("the good film")
    candidates = all_candidates(current, ["x", "y", "axb", "y z"])
    assert_the_same([NoX(True), NoX(False)], candidates, current, original)


def test_all_constraints_together_on_many_texts():
    dice = random.Random(1)
    constraints = [
        ta.constraints.overlap.MaxWordsPerturbed(max_percent=0.3),
        ta.constraints.semantics.WordEmbeddingDistance(
            embedding=neighbours().embedding(), min_cos_sim=0.5
        ),
        LexiconTagger(TAGS).constraint(),
        EncoderSimilarity(Sums(), threshold=0.9, window_size=7, compare_against_original=False),
    ]
    checks, n_kept = checks_of(constraints), 0
    for _ in range(30):
        words = dice.choices([*KNOWN, *FILLER.split()], k=dice.randint(3, 20))
        original, current = texts(" ".join(words), (dice.randrange(3), dice.choice(KNOWN)))
        candidates = all_candidates(current, dice.sample(KNOWN, 6))
        wanted = by_textattack(constraints, candidates, current, original)
        found = answered(kept(checks, candidates, current, original), Sums())
        assert [c.text for c in found] == [t.text for t in wanted]
        n_kept += len(found)
    assert n_kept > 30
