"""Texts whose words are exchanged by position: against TextAttack, which looks for all words."""

import random
from collections import OrderedDict

import pytest

from mvp_skill.attack_texts import Candidate, PlacedText, candidates, is_plain, window_bounds
from mvp_skill.textattack_import import textattack

AttackedText = textattack().shared.AttackedText
TEXTS = [
    ("the film was good",),
    ("  (the) film -- 'was' *good*; it's top-notch, 100%!  ",),
    ("I SPLIT it. T-I, 'S'", "I split PLI? it, I IT 'S' <s"),
    ("a a a b a", "a"),
    ("", "only the second"),
    ("only the first", ""),
    (
        "caf\u00e9 na\u00efve \u2014 \u00abbon\u00bb \u0435\u0430 \U0001f600 ok",
    ),  # letters of others
    ("\u0130stanbul was good \u0130",),  # two letters when made small
    ("\u7535\u5f71\u5f88\u597d the film",),  # words that are found by their meaning
    ("under_score @home a*b c-d- -e 'f",),
    ("line one\nline two\n", "\nsecond\n"),
]
WORDS = ["", "x", "two words", "it's", "[UNK]", "-", "f lm", "Caf\u00e9", "\u0130", "\u7535\u5f71"]


def attacked(columns):
    names = ["passage", "question"][: len(columns)]
    return AttackedText(OrderedDict(zip(names, columns, strict=True)))


def columns_of(text):
    given = text.tokenizer_input
    return (given,) if isinstance(given, str) else tuple(given)


@pytest.mark.parametrize("columns", TEXTS)
@pytest.mark.parametrize("word", WORDS)
def test_a_text_with_another_word_is_textattacks(columns, word):
    placed = PlacedText(attacked(columns))
    assert placed.columns == columns and placed.text == placed.attacked.text
    for index in range(len(placed.words)):
        wanted = placed.attacked.replace_word_at_index(index, word)
        assert placed.with_word(index, word) == columns_of(wanted), index
        candidate = Candidate(placed, index, word, None)
        assert candidate.text == wanted.text and candidate.input == wanted.tokenizer_input
        if candidate.plain and word != placed.words[index]:
            words = list(placed.words)
            words[index] = word
            assert wanted.words == words
            assert wanted.attack_attrs["newly_modified_indices"] == {index}


@pytest.mark.parametrize("columns", TEXTS)
@pytest.mark.parametrize("size", [1, 2, 5, 15, float("inf")])
def test_the_words_around_a_change_are_textattacks(columns, size):
    placed = PlacedText(attacked(columns))
    for index in range(len(placed.words)):
        wanted = placed.attacked.text_window_around_index(index, size)
        assert placed.window(index, size) == wanted
        for word in ("x", "it's", "Caf\u00e9"):
            after = placed.attacked.replace_word_at_index(index, word)
            assert placed.window(index, size, word) == after.text_window_around_index(index, size)


def test_long_texts_of_many_kinds_are_textattacks():
    dice = random.Random(0)
    for _ in range(60):
        pieces = dice.choices(
            ["the", "film", "I", "a-b", "'q'", "--", "...", "  ", "S", "\n", "9"], k=23
        )
        columns = (" ".join(pieces), "".join(dice.choices("SPLIT a'-.", k=17)))[
            : dice.choice((1, 2))
        ]
        placed = PlacedText(attacked(columns))
        for index in range(len(placed.words)):
            word = dice.choice(WORDS)
            wanted = placed.attacked.replace_word_at_index(index, word)
            assert placed.with_word(index, word) == columns_of(wanted)


def test_texts_that_cannot_be_cut_by_position_are_left_to_textattack():
    assert [PlacedText(attacked(columns)).places is None for columns in TEXTS] == [
        any(letter in "".join(columns) for letter in "\u0130\u7535") for columns in TEXTS
    ]


@pytest.mark.parametrize("n_words", [1, 2, 7, 14, 15, 16, 40])
@pytest.mark.parametrize("size", [1, 2, 4, 15, 40, float("inf")])
def test_window_bounds(n_words, size):
    text = AttackedText(" ".join(f"w{i}" for i in range(n_words)))
    for index in range(n_words):
        first, last = window_bounds(n_words, index, size)
        window = text.text_window_around_index(index, size).split()
        assert window == text.words[first : last + 1]


@pytest.mark.parametrize(
    ("word", "plain"),
    [
        *(("film", True), ("it's", True), ("top-notch", True), ("film.", False), ("", False)),
        *(("two words", False), ("-x", False), ("\u0130", False), ("\u7535\u5f71", False)),
    ],
)
def test_plain_words_stand_for_one_word(word, plain):
    assert is_plain(word) is plain


def test_candidates_come_in_textattacks_order():
    class Swap(textattack().transformations.WordSwap):
        def _get_replacement_words(self, word):
            return [word, word[::-1], word + "x", word[::-1]]

    class Other(Swap):
        def _get_replacement_words(self, word):
            return [word + "y", word + "x"]

    placed = PlacedText(attacked(("ab cd aa",)))
    alone = candidates(Swap(), placed, [0, 2])
    assert [c.text for c in alone] == [
        t.text for t in Swap()(placed.attacked, indices_to_modify=[0, 2])
    ]
    assert len(alone) == 3 + 1  # twice the same where TextAttack has it twice
    both = textattack().transformations.CompositeTransformation([Swap(), Other()])
    found = candidates(both, placed, [0, 1, 2])
    assert [c.text for c in found] == [t.text for t in both(placed.attacked)]
    assert len({c.text for c in found}) == len(found)
    assert {type(c.transformation) for c in found} == {Swap, Other}
