"""Templates and label words, and the tokens that they become in a model's vocabulary."""

import shutil

import pytest
from transformers import AutoTokenizer

from mvp_skill.errors import BadInput
from mvp_skill.prompts import Template, Verbalizer, prompts_for


@pytest.fixture(scope="module")
def tiny_tokenizer(tiny_backbone):
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def spacing_tokenizer(tiny_backbone):
    """Byte-level BPE that puts a space before every text, as the mini models' tokenizer does."""
    from transformers import RobertaTokenizerFast

    return RobertaTokenizerFast.from_pretrained(tiny_backbone, add_prefix_space=True)


@pytest.fixture(scope="module")
def wordpiece_tokenizer(tmp_path_factory):
    from transformers import BertTokenizerFast

    words = "a category : news overall it was . great bad fine ##ly the statement is"
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words.split()]
    folder = tmp_path_factory.mktemp("wordpiece")
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    return BertTokenizerFast.from_pretrained(folder, do_lower_case=True)


# --- templates ---------------------------------------------------------------------------------


def test_front_and_back():
    front, back = Template("A [MASK] news : {text}"), Template("{text}The answer is [MASK]")
    assert (front.front, front.body) == (True, "A [MASK] news : ")
    assert (back.front, back.body) == (False, "The answer is [MASK]")
    assert front.fill("rain") == "A [MASK] news : rain"
    assert back.fill("rain. ") == "rain. The answer is [MASK]"


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("It was great {text}", "[MASK] 0 times"),
        ("[MASK] or [MASK] {text}", "[MASK] 2 times"),
        ("It was [MASK]", "{text} 0 times"),
        ("{text} was [MASK] {text}", "{text} 2 times"),
        ("I think {text} was [MASK]", "in the middle"),
        ("", "[MASK] 0 times"),
    ],
)
def test_bad_templates_are_refused(pattern, named):
    with pytest.raises(BadInput) as error:
        Template(pattern)
    assert named in str(error.value)
    assert repr(pattern) in str(error.value)


def as_text(tokenizer, ids):
    """Decoded ids; RoBERTa's decoder leaves out the space that belongs before its mask."""
    assert ids.count(tokenizer.mask_token_id) == 1
    text = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return text.replace(tokenizer.mask_token, "[MASK]")


@pytest.mark.parametrize("task", ["sst2", "ag_news", "boolq", "mrpc", "dbpedia"])
def test_published_templates_round_trip(roberta_base_tokenizer, task):
    """The template letter for letter; a lone space before it if it stands after the text."""
    for template in prompts_for(task)[0]:
        ids = template.token_ids(roberta_base_tokenizer)
        space = "" if template.front else " "
        expected = space + template.body.replace(" [MASK]", "[MASK]")
        assert as_text(roberta_base_tokenizer, ids) == expected
        assert (roberta_base_tokenizer.convert_ids_to_tokens(ids[0]) == "Ġ") is not template.front


def test_token_ids_of_roberta_base(roberta_base_tokenizer):
    def tokens(template):
        ids = template.token_ids(roberta_base_tokenizer)
        return roberta_base_tokenizer.convert_ids_to_tokens(ids)

    back = Template("{text}This topic is about [MASK]")
    assert tokens(back) == ["Ġ", "This", "Ġtopic", "Ġis", "Ġabout", "<mask>"]
    assert tokens(Template("A [MASK] news : {text}")) == ["A", "<mask>", "Ġnews", "Ġ:", "Ġ"]
    empty = [tokens(template) for template in prompts_for("ag_news", "empty")[0]]
    assert empty == [["<mask>", "Ġ"], ["Ġ", "<mask>", "Ġ"]]


def test_a_template_with_its_own_space_gets_no_lone_space(tiny_tokenizer):
    ids = Template("{text} overall it was [MASK].").token_ids(tiny_tokenizer)
    tokens = tiny_tokenizer.convert_ids_to_tokens(ids)
    assert tokens == ["Ġoverall", "Ġit", "Ġwas", "<mask>", "."]
    assert as_text(tiny_tokenizer, ids) == " overall it was[MASK]."


def test_tokenizer_that_adds_spaces_gets_none_from_us(spacing_tokenizer):
    """Neither "Ġ" alone nor a spaced full stop: pretraining has seen neither."""
    tokens = spacing_tokenizer.convert_ids_to_tokens
    back = Template("{text} overall it was [MASK].").token_ids(spacing_tokenizer)
    assert tokens(back) == ["Ġoverall", "Ġit", "Ġwas", "<mask>", "."]
    front = Template("this was a [MASK] news: {text}").token_ids(spacing_tokenizer)
    assert tokens(front) == ["Ġthis", "Ġwas", "Ġa", "<mask>", "Ġnews", ":"]
    first = Template("{text} [MASK], not the news").token_ids(spacing_tokenizer)
    assert tokens(first) == ["<mask>", ",", "Ġnot", "Ġthe", "Ġnews"]


def test_a_letter_may_touch_the_mask(tiny_tokenizer, spacing_tokenizer):
    for tokenizer in (tiny_tokenizer, spacing_tokenizer):
        ids = Template("{text} two [MASK]the").token_ids(tokenizer)
        assert as_text(tokenizer, ids) == " two[MASK]the"


def test_wordpiece_has_no_lone_space(wordpiece_tokenizer):
    ids = Template("A [MASK] news : {text}").token_ids(wordpiece_tokenizer)
    tokens = wordpiece_tokenizer.convert_ids_to_tokens(ids)
    assert tokens == ["a", "[MASK]", "news", ":"]


def test_special_tokens_in_a_template_are_refused(tiny_tokenizer, wordpiece_tokenizer):
    for pattern in ("a <mask> is a [MASK] {text}", "{text}</s> it was [MASK]"):
        with pytest.raises(BadInput, match="special token"):
            Template(pattern).token_ids(tiny_tokenizer)
    with pytest.raises(BadInput, match="unknown to BertTokenizer"):
        Template("{text} zzz was [MASK]").token_ids(wordpiece_tokenizer)


def test_a_tokenizer_without_a_mask_is_refused(tiny_backbone, tmp_path):
    from transformers import GPT2TokenizerFast

    for name in ("vocab.json", "merges.txt"):
        shutil.copy(tiny_backbone / name, tmp_path)
    gpt2 = GPT2TokenizerFast.from_pretrained(tmp_path)
    with pytest.raises(BadInput, match="no mask token"):
        Template("{text} it was [MASK]").token_ids(gpt2)


# --- label words -------------------------------------------------------------------------------


def test_pitfall_09_a_word_gets_one_space_however_it_is_written(tiny_tokenizer):
    verbalizer = Verbalizer((("terrible", " bad"), ("great ",), ("okay", "fine", "maybe")))
    assert verbalizer.words == ["terrible", "bad", "great", "okay", "fine", "maybe"]
    assert verbalizer.word_class == [0, 0, 1, 2, 2, 2]
    tokens = tiny_tokenizer.convert_ids_to_tokens(verbalizer.token_ids(tiny_tokenizer))
    assert tokens == ["Ġ" + word for word in verbalizer.words]


def test_words_are_the_same_for_a_tokenizer_that_adds_spaces(tiny_tokenizer, spacing_tokenizer):
    verbalizer = Verbalizer((("negative",), ("positive",)))
    assert verbalizer.token_ids(spacing_tokenizer) == verbalizer.token_ids(tiny_tokenizer)


def test_pitfall_09_words_of_several_tokens_are_refused_not_dropped(tiny_tokenizer):
    with pytest.raises(BadInput) as error:
        Verbalizer((("great", "zorblax"), ("bad",), ("not good",))).token_ids(tiny_tokenizer)
    assert "'zorblax'" in str(error.value) and "'not good'" in str(error.value)
    assert "'great'" not in str(error.value) and "'bad'" not in str(error.value)


def test_unknown_and_merged_words_are_refused(wordpiece_tokenizer):
    """[UNK] is one token, and "Great" and "great" are one for an uncased tokenizer."""
    with pytest.raises(BadInput, match="zorblax"):
        Verbalizer((("great",), ("zorblax",))).token_ids(wordpiece_tokenizer)
    with pytest.raises(BadInput, match="one and the same token"):
        Verbalizer((("great",), ("Great",))).token_ids(wordpiece_tokenizer)


@pytest.mark.parametrize(
    "label_words", [(), (("great",), ()), (("great",), ("",)), (("great",), (" ",))]
)
def test_pitfall_10_a_class_without_words_is_refused(label_words):
    with pytest.raises(BadInput, match="at least one label word"):
        Verbalizer(label_words)


def test_repeated_words_and_bare_strings_are_refused():
    with pytest.raises(BadInput, match="twice"):
        Verbalizer((("great", "good"), ("bad", " great")))
    with pytest.raises(BadInput, match="one tuple of words per class"):
        Verbalizer(("bad", "great"))
