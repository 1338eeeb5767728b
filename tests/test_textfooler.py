"""TextFooler on a hand-made world: what it may change, asks, and accepts."""

import hashlib
import math

import numpy as np
import pytest
from attack_cases import (
    FILLER,
    ONE,
    TWO,
    BagOfWords,
    CountingEncoder,
    changed,
    one,
    resources,
    tie,
)

from mvp_skill.attack_recipes import textfooler
from mvp_skill.attack_resources import Resources
from mvp_skill.errors import BadInput
from mvp_skill.neighbours import Neighbours
from mvp_skill.stop_words import textfooler_stop_words
from mvp_skill.tasks import Task
from mvp_skill.textattack_import import textattack

# --- the recipe ---------------------------------------------------------------------------------


def test_the_bill_of_materials_in_its_order():
    made = textfooler(BagOfWords(), TWO, resources())
    assert [type(c).__name__ for c in made.pre_transformation_constraints] == [
        *("RepeatModification", "StopwordModification", "InputColumnModification")
    ]
    assert [type(c).__name__ for c in made.constraints] == [
        *("MaxWordsPerturbed", "WordEmbeddingDistance", "LexiconPartOfSpeech", "EncoderSimilarity")
    ]
    words, distance, _, encoder = made.constraints
    assert words.max_percent == TWO.max_perturbed_fraction and distance.min_cos_sim == 0.5
    assert encoder.threshold == pytest.approx(1 - 0.5 / math.pi, abs=1e-9)
    assert encoder.metric == "angular" and encoder.window_size == 15
    assert encoder.skip_text_shorter_than_window and not encoder.compare_against_original
    assert made.transformation.embedding is distance.embedding
    assert made.search_method.wir_method == "delete"
    assert type(made.goal_function).__name__ == "UntargetedClassification"
    assert made.goal_function.query_budget == float("inf")


def test_fifty_neighbours_are_candidates():
    assert textfooler(BagOfWords(), ONE, resources()).transformation.max_candidates == 23 - 1
    words = [f"w{i}" for i in range(70)]
    many = Neighbours(words, np.random.default_rng(0).normal(size=(70, 5)))
    made = textfooler(BagOfWords(), ONE, Resources(many, resources().tagger, CountingEncoder()))
    assert made.transformation.max_candidates == 50
    assert len(made.transformation(textattack().shared.AttackedText("w3"))) == 50


def test_cheap_constraints_come_before_the_encoder():
    encoder = CountingEncoder()
    text = f"a bad film and a deep plot {FILLER}"
    one(BagOfWords({"bad": -1.0, "deep": -0.5}), text, 0, encoder=encoder)
    asked = " ".join(encoder.asked).split()
    assert "poor" in asked  # passed cosine and tags
    assert "depth" not in asked  # the tagger refused it
    assert "good" not in asked and "cast" not in asked  # neighbours, but their cosine is too low


def test_stop_words_are_textfoolers_266():
    words = textfooler_stop_words()
    assert len(words) == 266
    digest = hashlib.sha256("\n".join(sorted(words)).encode()).hexdigest()
    assert digest == "a46d891cb1dc9c06e36543991d10cff0eda7a8263d9d09f842cb658b7aaccc52"
    assert not words & {"be", "have", "had", "do", "does", "did", "will", "very", "so", "some"}
    # Looking them up leaves no trace for other users of TextAttack's shared objects.
    name = "textattack_counterfitted_GLOVE_embedding"
    assert name not in textattack().shared.utils.GLOBAL_OBJECTS


def test_other_stop_words_are_refused(monkeypatch):
    textfooler_stop_words.cache_clear()
    monkeypatch.setattr("mvp_skill.stop_words.STOP_WORDS_SHA256", "0" * 64)
    with pytest.raises(BadInput, match="266 words; install the version of textattack"):
        textfooler_stop_words()


def test_stop_words_are_never_changed():
    victim = BagOfWords({"the": 2.0, "that": -2.0, "those": -2.0})
    record = one(victim, "the film was there", 1)
    assert record["outcome"] == "failed" and ("the", "that") not in changed(record)
    assert not any("that" in text.split() or "those" in text.split() for text in victim.asked)


def test_nouns_and_verbs_may_replace_each_other_but_no_other_parts():
    assert changed(one(BagOfWords({"laugh": 1.0, "laughter": -1.0}), "we laugh", 1)) == [
        ("laugh", "laughter")
    ]
    assert one(BagOfWords({"deep": 1.0, "depth": -1.0}), "so deep", 1)["outcome"] == "failed"


# --- pairs --------------------------------------------------------------------------------------


def test_the_frozen_question_never_changes_and_the_victim_sees_tuples_in_column_order():
    victim = BagOfWords({"good": 1.0, "decent": -9.0, "okay": -9.0})
    passage, question = "a good film with a cast", "is the good film bad?"
    record = one(victim, [passage, question], 1, task=TWO)
    assert record["outcome"] == "succeeded" and record["attacked_texts"][1] == question
    assert all(isinstance(text, tuple) and len(text) == 2 for text in victim.asked)
    assert {text[1] for text in victim.asked} == {question}  # nor is a word of it deleted
    assert victim.asked[0] == (passage, question)
    assert record["n_words"] == 6 + 5  # both columns count


def test_without_frozen_columns_both_texts_change():
    both = Task("duplicates", ("different", "same"), ("first", "second"))
    victim = BagOfWords({"good": 1.0, "decent": -9.0, "bad": 1.0})
    record = one(victim, ["a film", "it was good"], 1, task=both)
    assert record["attacked_texts"] == ["a film", "it was decent"]


def test_pitfall_25_the_cap_counts_the_words_of_the_frozen_question():
    weights = {"good": 1.0, "decent": -0.1, "okay": -0.1, "film": 1.0, "movie": -0.1}
    passage, question = "good film", "was it so or was it not then?"  # 2 and 8 words
    record = one(BagOfWords(weights), [passage, question], 1, task=TWO)
    assert record["n_words"] == 10 and len(changed(record)) == 1  # ceil(0.1 * 10)
    record = one(BagOfWords(weights), [passage, question + " yes"], 1, task=TWO)
    assert record["n_words"] == 11 and len(changed(record)) == 2  # ceil(0.1 * 11), of 2 words


# --- limits -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_words", "limit"), [(6, 2), (7, 3), (10, 3), (11, 4)])
def test_the_cap_is_rounded_up_and_holds_for_every_query(n_words, limit):
    words = ["good", "film", "plot", "cast", "laugh"]
    text = " ".join([*words, "a", "a", "a", "a", "a", "a"][:n_words])
    victim = BagOfWords(dict.fromkeys(words, 0.5))  # each change helps
    record = one(victim, text, 1)
    assert math.ceil(0.3 * n_words) == limit == len(changed(record))
    same_length = [t.split() for t in victim.asked if len(t.split()) == n_words]
    assert (
        max(sum(a != b for a, b in zip(t, text.split(), strict=True)) for t in same_length) == limit
    )


def test_pitfall_26_the_encoder_is_skipped_below_15_words():
    encoder = CountingEncoder(far=("decent", "okay"))
    record = one(BagOfWords(), tie(14), 1, encoder=encoder)
    assert record["outcome"] == "succeeded"
    assert encoder.asked == []  # not even asked

    record = one(BagOfWords(), tie(15), 1, encoder=encoder)
    assert record["outcome"] == "failed" and len(encoder.asked) > 1


def test_the_encoder_compares_with_the_current_text_not_the_original():
    victim = BagOfWords(
        {"good": 2.0, "okay": 1.5, "decent": 1.9, "film": 1.0, "movie": 0.5, "x": 0}
    )
    encoder = CountingEncoder()
    one(victim, f"good film {FILLER}", 1, encoder=encoder)
    windows = [window.split()[:2] for window in encoder.asked[-2:]]  # of the last word visited
    assert windows == [["okay", "movie"], ["okay", "picture"]]
    compared = [window.split()[:2] for window in encoder.asked[:-2]]
    assert ["okay", "film"] in compared  # the current text, known since it was a candidate
