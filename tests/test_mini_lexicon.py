"""The lexicon of the mini world: its size, its checks, its inflections."""

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.mini import lexicon
from mvp_skill.mini.inflection import article, forms, plural, verb_forms

GOOD = "a | mood | glad happy merry cheerful | sad\na | mood | sad unhappy gloomy blue | glad\n"


def test_size_of_the_lexicon():
    words = lexicon.load()
    assert len(words.sets) >= 260
    assert len({word for entry in words.sets.values() for word in entry.words}) >= 1300
    assert all(len(entry.words) >= 4 for entry in words.sets.values())


@pytest.mark.parametrize("sign", ["praise", "blame"])
def test_sentiment_has_sets_in_every_part_of_speech(sign):
    sets = [s for s in lexicon.load().sets.values() if s.meaning.startswith(f"{sign}.")]
    assert len(sets) >= 24
    assert {entry.pos for entry in sets} == {"a", "r", "v", "n"}


@pytest.mark.parametrize("topic", ["politics", "sports", "business", "science"])
def test_every_topic_has_twenty_sets(topic):
    sets = [s for s in lexicon.load().sets.values() if s.meaning.startswith(f"{topic}.")]
    assert len(sets) >= 20


def test_no_word_both_praises_and_blames():
    words = lexicon.load()
    for surface in words.readings:
        signs = {m.split(".")[0] for m in words.meanings(surface)} & {"praise", "blame"}
        assert len(signs) <= 1, surface


def test_frequent_and_rare_halves_part_the_set():
    for entry in lexicon.load().sets.values():
        assert entry.frequent + entry.rare == entry.words
        assert len(entry.frequent) - len(entry.rare) in (0, 1)


def test_comments_and_blank_lines_are_skipped_and_lines_counted():
    parsed = lexicon.parse("# words\n\n" + GOOD)
    assert parsed.sets["sad.a"].line == 4
    assert parsed.antonyms("merry") == {"sad", "unhappy", "gloomy", "blue"}
    assert parsed.synonyms("merry") == {"glad", "happy", "cheerful"}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a | mood | one two three", "line 3.*fields"),
        ("x | mood | one two three four |", "line 3.*part of speech 'x'"),
        ("a | mood | one two three |", "line 3.*at least 4"),
        ("a | mood | one two merry four |", "line 3.*'merry'.*line 1"),
        ("a | mood | one two three two |", "line 3.*'two'"),
        ("a | mood | one two three four | glad", "line 3.*line 1.*antonym"),
        ("a | mood | one two three four | nowhere", "line 3.*'nowhere.a'"),
        ("m | stuff | water tea milk juice |\nn | stuff | tea cup mug pot |", "line 4.*'tea'"),
    ],
)
def test_mistakes_name_their_line(line, says):
    with pytest.raises(BadInput, match=says):
        lexicon.parse(GOOD + line)


def test_a_word_may_be_noun_and_verb():
    parsed = lexicon.parse("n | x | hit blow punch slap |\nv | y | hit strike beat smack |\n")
    assert {entry.pos for entry, _, _ in parsed.readings["hit"]} == {"n", "v"}
    assert parsed.tags()["hit"] == {"NOUN", "VERB"}


def test_synonyms_keep_the_form():
    words = lexicon.load()
    assert "lauded" in words.synonyms("praised")
    assert "laud" not in words.synonyms("praised")
    assert "loathed" in words.antonyms("loved")


def test_a_synonym_in_one_sense_is_none_in_every_sense():
    words = lexicon.load()
    assert "shifting" in words.synonyms("moving")
    assert not words.same_in_every_sense("moving", "shifting")
    assert not words.same_in_every_sense("moving", "poignant")
    assert words.same_in_every_sense("superb", "stellar")
    assert not words.same_in_every_sense("superb", "awful")
    assert not words.same_in_every_sense("qwerty", "superb")


def test_opposites_are_what_a_thesaurus_lists_not_the_antonym_sets_alone():
    words = lexicon.load()
    assert words.antonyms("superb") < words.opposites("superb")
    assert {"awful", "ghastly", "lousy"} <= words.opposites("superb")
    assert "loathed" in words.opposites("adored")
    assert "loathe" not in words.opposites("adored")  # another form
    assert "bland" not in words.opposites("superb")  # food alone is bland
    assert words.opposites("table") == set()
    for word in ("superb", "adored", "rescued", "returned"):
        assert all(word in words.opposites(other) for other in words.opposites(word))


def test_rare_forms_share_no_surface_with_frequent_words():
    words = lexicon.load()
    rare = words.rare_forms()
    assert "stellar" in rare
    assert "excellent" not in rare
    assert "superb" in rare["stellar"]


@pytest.mark.parametrize(
    ("word", "pos", "form", "expected"),
    [
        ("city", "n", "plural", "cities"),
        ("boss", "n", "plural", "bosses"),
        ("child", "n", "plural", "children"),
        ("boy", "n", "plural", "boys"),
        ("hurry", "v", "past", "hurried"),
        ("enjoy", "v", "past", "enjoyed"),
        ("win", "v", "past", "won"),
        ("chop", "v", "ing", "chopping"),
        ("praise", "v", "ing", "praising"),
        ("free", "v", "ing", "freeing"),
        ("catch", "v", "third", "catches"),
        ("write", "v", "participle", "written"),
        ("red", "a", "base", "red"),
    ],
)
def test_inflection(word, pos, form, expected):
    assert forms(word, pos)[form] == expected


def test_irregular_words_are_not_made_by_rule():
    assert verb_forms("steal")["past"] == "stole"
    assert plural("policeman") == "policemen"


@pytest.mark.parametrize(
    ("word", "expected"),
    [("apple", "an"), ("film", "a"), ("usual", "a"), ("unusual", "an"), ("hour", "an"),
     ("ukulele", "a"), ("unicorn", "a"), ("honest", "an"), ("house", "a"), ("umpire", "an")],
)  # fmt: skip
def test_article_follows_the_sound(word, expected):
    assert article(word) == expected
