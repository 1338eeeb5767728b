"""What the attacks are made of, and what holds for all of them, on a hand-made world."""

import math

import pytest
from attack_cases import (
    MIXED,
    ONE,
    TWO,
    WEIGHTS,
    BagOfWords,
    examples,
    one,
    resources,
    run,
    without_seconds,
)

from mvp_skill.attack_recipes import NEEDS, RECIPES, recipe_named, word_limits
from mvp_skill.errors import BadInput
from mvp_skill.stop_words import nltk_stop_words
from mvp_skill.tasks import TASKS
from mvp_skill.textattack_import import textattack

DRAWING = ("textbugger_stock", "misspelling")
ANGULAR = 1 - 0.5 / math.pi


def made(name, task=TWO, **options):
    return recipe_named(name)(BagOfWords(), task, resources(), **options)


def words_of(constraint):
    return constraint.max_percent, constraint.max_num_words


def asked_of(constraint):
    window = constraint.window_size, constraint.skip_text_shorter_than_window
    return (
        round(constraint.threshold, 9),
        constraint.metric,
        *window,
        constraint.compare_against_original,
    )


# --- the bills of materials ---------------------------------------------------------------------

NAMES = {
    "textfooler": (
        ["MaxWordsPerturbed", "WordEmbeddingDistance", "LexiconPartOfSpeech", "EncoderSimilarity"]
    ),
    "textbugger": ["EncoderSimilarity"],
    "textbugger_stock": ["EncoderSimilarity"],
    "bert_attack": ["MaxWordsPerturbed", "EncoderSimilarity"],
    "misspelling": ["MaxWordsPerturbed"],
}


@pytest.mark.parametrize("name", list(RECIPES))
def test_constraints_and_their_order(name):
    found = made(name)
    assert [type(c).__name__ for c in found.constraints] == NAMES[name]
    before = [type(c).__name__ for c in found.pre_transformation_constraints]
    every = ["RepeatModification", "StopwordModification", "InputColumnModification"]
    first = ["MinWordLength"] if name == "misspelling" else []
    assert before == [*first, *every]
    assert type(found.goal_function).__name__ == "UntargetedClassification"
    assert found.goal_function.query_budget == float("inf")
    assert set(NAMES) == set(RECIPES) == set(NEEDS)


def test_numbers_of_the_constraints():
    inf = float("inf")
    (encoder,) = made("textbugger").constraints
    assert asked_of(encoder) == (round(ANGULAR, 9), "angular", 15, True, False)
    (encoder,) = made("textbugger_stock").constraints
    assert asked_of(encoder) == (0.8, "angular", inf, False, True)
    words, encoder = made("bert_attack").constraints
    assert words_of(words) == (0.4, None)
    assert asked_of(encoder) == (0.2, "cosine", inf, False, True)
    (words,) = made("misspelling").constraints
    assert words_of(words) == (None, 1)
    assert made("misspelling").pre_transformation_constraints[0].min_length == 4


def test_searches_and_transformations():
    assert made("textbugger").search_method.wir_method == "delete"
    assert made("textbugger").transformation.max_candidates == 5
    assert made("textbugger_stock").search_method.wir_method == "delete"
    assert [type(t).__name__ for t in made("textbugger_stock").transformation.transformations] == [
        "WordSwapRandomCharacterInsertion",
        "WordSwapRandomCharacterDeletion",
        "WordSwapNeighboringCharacterSwap",
        "LookAlikeSwap",
        "WordSwapEmbedding",
    ]
    assert made("bert_attack").search_method.wir_method == "unk"
    assert made("bert_attack").transformation.max_candidates == 8
    assert type(made("misspelling").search_method).__name__ == "GreedySearch"
    assert [type(t).__name__ for t in made("misspelling").transformation.transformations] == [
        "WordSwapNeighboringCharacterSwap",
        "WordSwapRandomCharacterDeletion",
        "WordSwapRandomCharacterInsertion",
        "WordSwapQWERTY",
    ]


def test_word_limits_per_data_set():
    low = {"sst2", "boolq", "mini_films", "mini_restaurants", "mini_questions"}
    for name in (*low, "ag_news", "mini_news"):
        limits = word_limits(TASKS[name])
        assert list(limits) == list(RECIPES)
        assert list(limits.values()) == [0.1 if name in low else 0.3, None, None, 0.4, 1]
        for attack, limit in limits.items():
            caps = [c for c in made(attack, TASKS[name]).constraints if hasattr(c, "max_percent")]
            assert [c.max_percent or c.max_num_words for c in caps] == ([limit] if limit else [])


# --- what holds for every attack ----------------------------------------------------------------


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_frozen_question_is_never_changed_nor_a_word_of_it_left_out(name):
    victim = BagOfWords({"good": 1.0, "decent": -9.0})
    passage, question = "a good film with a cast", "is the film bad?"
    record = one(victim, [passage, question], 1, task=TWO, recipe=name)
    assert record["outcome"] == "succeeded"
    assert record["attacked_texts"][0] != passage and record["attacked_texts"][1] == question
    assert {asked[1] for asked in victim.asked} == {question}
    assert len({asked[0] for asked in victim.asked}) > 3


@pytest.mark.parametrize("name", list(RECIPES))
def test_the_other_examples_and_their_order_change_nothing(name):
    def by_text(records):
        return {str(r["texts"]) + str(r["label"]): {**r, "index": 0} for r in records}

    options = {"recipe": name}
    victim = BagOfWords(WEIGHTS | {"splendid": 1.0})  # a word without neighbours
    rows = MIXED + examples(("a splendid film", 1), ("the cast and the plot are splendid", 1))
    whole = without_seconds(run(victim, rows, **options).records)
    turned = without_seconds(run(victim, rows[::-1], **options).records)
    part = without_seconds(run(victim, rows[5:8], **options).records)
    assert by_text(turned) == by_text(whole)
    assert by_text(part).items() <= by_text(whole).items() and len(part) == 3
    # Only the seed draws anew, and only where something is drawn.
    other = [r["attacked_texts"] for r in run(victim, rows, seed=1, **options).records]
    assert (other != [r["attacked_texts"] for r in whole]) == (name in DRAWING)


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"textfooler"}))
def test_nltk_stop_words_are_never_changed(name, monkeypatch):
    record = one(BagOfWords({"with": 1.0}), "the same with those there about", 1, recipe=name)
    assert record["outcome"] == "failed" and record["n_queries"] == 1
    import nltk

    monkeypatch.setattr(nltk.corpus.stopwords, "words", lambda language: ["film", "with"])
    assert nltk_stop_words() == {"film", "with"}  # the user's list, whatever it holds
    before = made(name).pre_transformation_constraints
    (stop_words,) = [c.stopwords for c in before if hasattr(c, "stopwords")]
    assert "film" in stop_words


def other_parts():
    ta = textattack()
    some = ta.search_methods.GreedyWordSwapWIR
    yield {"search_method": ta.search_methods.BeamSearch()}
    yield {"search_method": some(wir_method="random")}
    yield {"search_method": some(wir_method="delete", truncate_words_to=3)}
    yield {"transformation": ta.transformations.WordSwapChangeNumber()}
    goal = made("textbugger").goal_function
    goal.target_max_score = 0.2
    yield {"goal_function": goal}


def test_what_the_engine_does_not_know_is_refused_before_the_first_attack(monkeypatch):
    for parts in other_parts():
        victim = BagOfWords()

        def recipe(*given, parts=parts, **options):
            found = RECIPES["textbugger"](*given, **options)
            vars(found).update(parts)
            return found

        monkeypatch.setitem(RECIPES, "other", recipe)
        monkeypatch.setitem(NEEDS, "other", NEEDS["textbugger"])
        with pytest.raises(BadInput, match="run this one with TextAttack's own Attacker"):
            run(victim, MIXED, recipe="other")
        assert len(victim.asked) == 2 * 2  # the check of the victim only
        monkeypatch.undo()


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("misspelling", {"max_words": 0}, "max_words must be a whole number of at least 1, not 0"),
        ("misspelling", {"max_words": True}, "max_words must be a whole number"),
        ("misspelling", {"query_budget": 1}, "needs a query budget of at least 2"),
        ("bert_attack", {"max_candidates": 1.5}, "max_candidates must be a whole number"),
        ("bert_attack", {"max_perturbed_fraction": 1.1}, "above 0 and at most 1, not 1.1"),
        ("bert_attack", {"max_perturbed_fraction": 0}, "above 0 and at most 1, not 0"),
    ],
)
def test_bad_options_are_one_sentence(name, options, said):
    with pytest.raises(BadInput, match=said):
        made(name, ONE, **options)
    own = {k: v for k, v in options.items() if k != "query_budget"}
    if own:
        with pytest.raises(BadInput, match=said):
            run(BagOfWords(), MIXED, recipe=name, recipe_options=own)
