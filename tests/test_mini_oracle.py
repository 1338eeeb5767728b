"""The oracle: planted cases, and agreement with the generator on thousands of texts."""

import pytest

from mvp_skill.mini import oracle, tasks
from mvp_skill.mini.oracle import verdict


@pytest.mark.parametrize("name", list(oracle.READERS))
@pytest.mark.parametrize("split", ["train", "test"])
def test_reads_the_label_of_every_generated_text(name, split):
    for row in tasks.split_examples(name, split, 1500, 5):
        assert oracle.READERS[name](oracle.words_of(row["texts"][0])) == row["label"], row


FILM = "the plot was excellent, but the acting was not clumsy. the music was dull."
CASES = [
    # (task, text, changed text, label, verdict)
    ("mini_films", FILM, FILM, 1, "kept"),
    ("mini_films", FILM, FILM.replace("excellent", "stellar"), 1, "kept"),  # a synonym
    ("mini_films", FILM, FILM.replace("excellent", "wonderful"), 1, "kept"),  # same polarity
    ("mini_films", FILM, FILM.replace("excellent", "awful"), 1, "changed"),
    ("mini_films", FILM, FILM.replace("clumsy", "brilliant"), 1, "changed"),  # under "not"
    ("mini_films", FILM, FILM.replace("not", "very"), 1, "undecidable"),  # unknown word
    ("mini_films", FILM, FILM.replace("plot", "storyline"), 1, "kept"),
    ("mini_films", FILM, FILM.replace("plot", "soup"), 1, "kept"),  # silly, the label stands
    ("mini_films", FILM, FILM.replace("excellent", "exellent"), 1, "undecidable"),
    ("mini_films", FILM, FILM.replace(" dull", ""), 1, "undecidable"),  # a word is gone
    # as much praise as blame: the label is lost
    ("mini_films", "the plot was superb. i loved it.", "the plot was superb. i hated it.", 1,
     "changed"),
    ("mini_restaurants", "the soup was never bland.", "the soup was never tasty.", 1, "changed"),
    ("mini_restaurants", "the soup was never bland.", "the soup was never insipid.", 1, "kept"),
    ("mini_news", "the senator signed the treaty.", "the legislator signed the accord.", 0, "kept"),
    ("mini_news", "the senator approved the treaty.", "the striker celebrated the medal.", 0,
     "changed"),
    ("mini_news", "the senator approved the treaty.", "the voter opposed the law.", 0, "kept"),
    ("mini_acts", "i helped my friend. the man robbed the nurse.",
     "i hindered my friend. the man robbed the nurse.", 1, "changed"),
    ("mini_acts", "i helped my friend. the man robbed the nurse.",
     "i helped my friend. the man thanked the nurse.", 1, "kept"),
    ("mini_acts", "i refused to steal the old car of the man.",
     "i refused to filch the old car of the man.", 1, "kept"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "text", "changed", "label", "expected"), CASES)
def test_planted_cases(task, text, changed, label, expected):
    assert verdict(task, [text], [changed], label) == expected


def test_pairs_are_decided_by_synonyms_alone():
    texts = ["the doctor hid the big car.", "did the doctor hide the big car?"]
    same = ["the doctor hid the large car.", "did the physician hide the big car?"]
    other = ["the doctor found the big car.", "did the doctor hide the big car?"]
    assert verdict("mini_questions", texts, same, 1) == "kept"
    assert verdict("mini_questions", texts, other, 1) == "undecidable"


def test_another_form_of_a_synonym_is_not_the_same_word():
    text, changed = "most critics praised the plot.", "most critics laud the plot."
    assert verdict("mini_questions", [text, "?"], [changed, "?"], 1) == "undecidable"


def test_the_wrong_sense_of_a_word_does_not_keep_the_label():
    told = "the story was moving. the plot was dull. the scene was superb."
    assert (
        oracle.verdict("mini_films", [told], [told.replace("moving", "shifting")], 1) == "changed"
    )
    assert oracle.verdict("mini_films", [told], [told.replace("moving", "poignant")], 1) == "kept"
    pair = ["a cook was moving the chair.", "the chair was moved."]
    shifted = [pair[0].replace("moving", "shifting"), pair[1]]
    assert oracle.verdict("mini_paraphrases", pair, shifted, 1) == "undecidable"


def test_exchanges_for_synonyms_are_counted_in_the_same_form():
    pairs = [
        (["the plot was superb."], ["the plot was stellar."]),
        (["it was a joy, and i loved it."], ["it was a bewitch, and i adored it."]),
        (["nothing changed"], ["nothing changed"]),
    ]
    assert oracle.synonym_exchanges(pairs) == (2, 3)
    assert oracle.synonym_exchanges([]) == (0, 0)
