"""TextBugger, BERT-Attack and misspelling on a hand-made world: what they change, ask and try."""

import math

import pytest
from attack_cases import FILLER, GROUPS, BagOfWords, CountingEncoder, changed, one, sentences_asked

from mvp_skill.look_alikes import LOOK_ALIKES
from mvp_skill.textattack_import import textattack

# --- TextBugger ---------------------------------------------------------------------------------


def test_textbugger_takes_five_neighbours_without_a_limit_on_their_cosine():
    near = dict.fromkeys(("good", "decent", "okay", "poor", "awful"), 1.0)
    victim = BagOfWords({**near, "bad": -1.0})
    record = one(victim, "the film was good", 1, recipe="textbugger")
    assert changed(record) == [("good", "bad")]
    assert record["n_queries"] == 1 + 2 + 5  # film and good left out; five neighbours of good
    assert one(victim, "the film was good", 1)["outcome"] == "failed"  # TextFooler


def test_textbugger_changes_any_number_of_words_of_any_part_of_speech():
    words = ["good", "film", "plot", "cast", "laugh", "deep"]
    record = one(BagOfWords(dict.fromkeys(words, 0.5)), " ".join(words), 1, recipe="textbugger")
    assert len(changed(record)) == 6 and record["perturbed_fraction"] == 1


def test_textbugger_asks_the_encoder_about_15_words_and_not_about_shorter_texts():
    encoder = CountingEncoder(far=("decent", "okay", "bad", "poor", "awful"))
    short, long = (" ".join(["good", *FILLER.split()][:n]) for n in (14, 15))
    record = one(BagOfWords(), short, 1, encoder=encoder, recipe="textbugger")
    assert record["outcome"] == "succeeded" and encoder.asked == []
    record = one(BagOfWords(), long, 1, encoder=encoder, recipe="textbugger")
    assert record["outcome"] == "failed" and len(encoder.asked) > 1


def test_stock_textbugger_tries_its_five_bugs():
    asked = sentences_asked("textbugger_stock", "the film ran")
    assert {text.strip() for text in asked[:2]} == {"the ran", "the film"}  # the ranking
    bugs = set(asked[2:])
    film = {text.removesuffix(" ran") for text in bugs if text.endswith(" ran")}
    assert len(film & {"the f ilm", "the fi lm"}) == 1
    assert len(film & {"the flm", "the fim"}) == 1
    assert "the flim" in film and f"the f{LOOK_ALIKES['i']}lm" in film
    assert {"the movie", "the picture"} <= film and len(film) == 4 + 5
    ran = {text.removeprefix("the film ") for text in bugs if text.startswith("the film ")}
    assert ran == {"r an", "rn", f"r{LOOK_ALIKES['a']}n"}  # out of vocabulary: no neighbours


def test_a_word_cut_in_two_counts_as_one_changed_word():
    victim = BagOfWords({"film": 1.0, "lm": -1.0, "ilm": -1.0})
    record = one(victim, "we saw the film with joy and more", 1, recipe="textbugger_stock")
    assert record["outcome"] == "succeeded"
    assert record["attacked_texts"][0] in (f"we saw the {w} with joy and more" for w in SPLIT)
    assert record["n_words"] == 8 and record["perturbed_fraction"] == 1 / 8


SPLIT = ("f ilm", "fi lm")


@pytest.mark.parametrize(("last_first", "n_cut"), [(True, 3), (False, 1)])
def test_several_words_cut_in_two_are_counted_one_by_one(last_first, n_cut):
    words = ["film", "plot", "cast"] if last_first else ["cast", "plot", "film"]
    weights = {word: 0.3 + 0.03 * i for i, word in enumerate(words)}
    # Two halves are better than any other bug; and the stop word is too much to be turned.
    halves = ("f", "fi", "p", "pl", "c", "ca")
    victim = BagOfWords({**weights, **dict.fromkeys(halves, -0.15), "it": 1.0})
    record = one(victim, "film and plot and cast it is", 1, recipe="textbugger_stock")
    # From the front, TextAttack's numbers of the words are wrong after the first cut: it then looks
    # at "and", which is a stop word, in place of "plot", and again in place of "cast".
    assert len(record["attacked_texts"][0].split()) == 7 + n_cut
    assert record["perturbed_fraction"] == n_cut / 7


def test_look_alikes_are_letters_of_another_alphabet():
    import unicodedata

    for letter, other in LOOK_ALIKES.items():
        assert letter.isascii() and letter.islower() and len(other) == 1
        assert unicodedata.name(other).startswith("CYRILLIC SMALL LETTER ")
        assert textattack().shared.utils.words_from_text(f"a{other}b") == [f"a{other}b"]
    assert len(set(LOOK_ALIKES.values())) == len(LOOK_ALIKES)


def test_stock_textbugger_compares_whole_texts_with_the_original():
    encoder = CountingEncoder()
    text = f"film {FILLER}"
    one(BagOfWords({"film": 1.0}), text, 1, encoder=encoder, recipe="textbugger_stock")
    assert encoder.asked[0] == text and encoder.asked.count(text) == 1
    assert len(encoder.asked) > 3
    assert all(asked.endswith(FILLER) for asked in encoder.asked)


# --- BERT-Attack --------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_words", "limit"), [(6, 3), (10, 4), (11, 5)])
def test_bert_attack_changes_at_most_40_percent_rounded_up(n_words, limit):
    words = ["good", "film", "plot", "cast", "laugh"]
    text = " ".join([*words, *["a"] * 6][:n_words])
    record = one(BagOfWords(dict.fromkeys(words, 0.5)), text, 1, recipe="bert_attack")
    assert len(changed(record)) == limit
    options = {"recipe": "bert_attack", "recipe_options": {"max_perturbed_fraction": 0.1}}
    record = one(BagOfWords(dict.fromkeys(words, 0.5)), text, 1, **options)
    assert len(changed(record)) == math.ceil(0.1 * n_words)


def test_bert_attack_ranks_with_unk_and_swaps_for_the_candidates_of_the_model():
    asked = sentences_asked("bert_attack", "a bad film")
    assert asked == [
        *("a [UNK] film", "a bad [UNK]"),  # the ranking, in the order of the text
        *("a awful film", "a poor film", "a bad movie", "a bad picture"),
    ]
    options = {"recipe_options": {"max_candidates": 2}}  # the word itself is one of them
    assert sentences_asked("bert_attack", "a bad film", **options)[2:] == [
        *("a poor film", "a bad movie")
    ]


def test_bert_attack_compares_the_whole_text_with_the_original():
    weights = {word: -0.1 for group in GROUPS.values() for word in group[1:]}
    encoder = CountingEncoder()
    text = "a good film with a plot and some more words than the fifteen of another attack has"
    victim = BagOfWords({**weights, "with": 1.0})
    record = one(victim, text, 1, encoder=encoder, recipe="bert_attack")
    assert len(changed(record)) > 1
    assert encoder.asked[0] == text and len(encoder.asked) > 2
    assert {len(asked.split()) for asked in encoder.asked} == {len(text.split())}


# --- misspelling --------------------------------------------------------------------------------

TYPOS_OF_FILM = {
    *("flim", "flm", "fim"),  # swapped, lost
    *("fulm", "fjlm", "fklm", "fllm", "folm", "fiim", "fiom", "fipm", "fikm"),  # keys beside
}


def test_misspelling_tries_every_typo_and_keeps_the_ends():
    asked = sentences_asked("misspelling", "the film was so odd")
    typos = {text.split()[1] for text in asked}
    assert asked and all(text == f"the {text.split()[1]} was so odd" for text in asked)
    inserted = typos - TYPOS_OF_FILM
    assert typos >= TYPOS_OF_FILM and len(inserted) == 2
    for typo in inserted:
        assert len(typo) == 5 and typo[0] == "f" and typo[-1] == "m"
        assert "film" in {typo[:i] + typo[i + 1 :] for i in range(1, 4)}
        assert typo.isascii() and typo.islower()  # the texts are in lower case


def test_misspelling_succeeds_with_the_queries_counted_by_hand():
    record = one(BagOfWords(), "the film was good", 1, recipe="misspelling")
    assert record["outcome"] == "succeeded" and changed(record)[0][0] == "good"
    # Swapped, lost, inserted, keys beside: film 1 + 2 + 2 + 9, good 0 + 1 + 2 + 8.
    assert record["n_queries"] == 1 + 14 + 11
    assert record["perturbed_fraction"] == 1 / 4


def test_misspelling_changes_at_most_as_many_words_as_allowed():
    victim = BagOfWords({"good": 1.0, "great": 1.0, "best": 1.0})
    text = "good great best"
    assert len(changed(one(victim, text, 1, recipe="misspelling"))) == 1
    record = one(victim, text, 1, recipe="misspelling", recipe_options={"max_words": 2})
    assert record["outcome"] == "failed" and len(changed(record)) == 2
    record = one(victim, text, 1, recipe="misspelling", recipe_options={"max_words": 3})
    assert record["outcome"] == "succeeded" and len(changed(record)) == 3
