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
    ("mini_films", FILM, FILM.replace("plot", "at"), 1, "kept"),  # no word of the lexicon
    ("mini_films", FILM, FILM.replace("not", "all"), 1, "changed"),  # and so the acting is blamed
    ("mini_films", "i adored it.", "i adorned it.", 1, "changed"),  # a word, so no typo
    ("mini_films", "i never liked it.", "i had liked it.", 0, "changed"),
    # misspelt words are read as what they were
    ("mini_films", FILM, FILM.replace("excellent", "exellent"), 1, "kept"),
    ("mini_films", FILM, FILM.replace("excellent", "excell\u0435nt"), 1, "kept"),
    ("mini_films", FILM, FILM.replace("excellent", "ex cellent"), 1, "kept"),
    ("mini_films", "the plot was superb.", "the pl ot was suprb.", 1, "kept"),
    ("mini_films", FILM, FILM.replace("excellent", "awfull"), 1, "undecidable"),
    ("mini_films", FILM, FILM.replace("excellent", "exelent"), 1, "undecidable"),  # two slips
    ("mini_films", FILM, FILM.replace("excellent", "xcellent"), 1, "undecidable"),  # no first
    ("mini_films", FILM, FILM.replace("excellent", "excell nt"), 1, "undecidable"),
    ("mini_films", "i never liked it.", "i nver liked it.", 0, "kept"),
    ("mini_questions", "the doctor hid.", "the dotcor hid.", 1, "kept"),
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


@pytest.mark.parametrize(
    ("word", "written", "expected"),
    [
        *(("plot", w, True) for w in ("polt", "plt", "plat", "ploot", "pplot", "plo0t")),
        *(("plot", w, False) for w in ("lpot", "plto", "plotts", "pot2", "pt", "pllloot", "xlot")),
        ("plot", "plot", False),  # a word, as it was
        ("part", "pat", True),
        ("could", "cold", False),  # a word of the mini world itself
        ("adored", "adorned", False),
        ("hour", "hor", True),
        ("not", "nxt", False),  # too short
        ("aaab", "aab", True),
        ("aaaaab", "aab", False),
        ("abcb", "ab", False),
    ],
)
def test_typos(word, written, expected):
    assert oracle.is_typo(word, written) is expected


def edits(word):
    """Everything one slip away from a word, first and last letter kept."""
    letters, n = "abcdefghijklmnopqrstuvwxyz", len(word)
    found = {word[:i] + word[i + 1 :] for i in range(1, n - 1)}
    found |= {word[:i] + c + word[i:] for i in range(1, n) for c in letters}
    found |= {word[:i] + c + word[i + 1 :] for i in range(1, n - 1) for c in letters}
    swaps = range(1, n - 2)
    return found | {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in swaps}


@pytest.mark.parametrize("word", ["superb", "dull", "noon", "assess", "aaaa"])
def test_a_typo_is_one_slip_and_nothing_else(word, monkeypatch):
    monkeypatch.setattr(oracle, "vocabulary", lambda: frozenset([word]))
    once = edits(word)
    twice = {further for edit in sorted(once)[::7] for further in edits(edit)}
    for written in once | twice | {word}:
        assert oracle.is_typo(word, written) is (written in once and written != word), written


def test_words_are_joined_where_a_space_cut_them():
    original = "the plot was not dull".split()
    assert oracle.as_meant("the pl ot was n ot dull".split(), original) == original
    assert oracle.as_meant("the pl ot was".split(), original) == "the plot was".split()
    assert oracle.as_meant("the plot was not dull at all".split(), original)[5:] == ["at", "all"]
    assert oracle.as_meant([], original) == []


def test_the_vocabulary_has_the_words_of_all_texts():
    for name in tasks.WRITERS:
        for row in tasks.split_examples(name, "train", 200, 3):
            words = {w for text in row["texts"] for w in oracle.words_of(text) if w.isalpha()}
            assert words <= oracle.vocabulary(), words - oracle.vocabulary()


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
    split = (["it was a joy"], ["it w as a joy"])  # no word for word
    assert oracle.synonym_exchanges([*pairs, split]) == (2, 3)
    assert oracle.synonym_exchanges([]) == (0, 0)


def test_what_is_only_misspelt_is_not_exchanged():
    """A space inside a word moves all words behind it, which have not changed for that."""
    text = "the scene was superb and the plot was dull."
    split = text.replace("scene", "sc ene").replace("superb", "stellar").replace("dull", "dlul")
    assert oracle.synonym_exchanges([([text], [split])]) == (1, 1)
