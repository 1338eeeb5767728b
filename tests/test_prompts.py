"""Templates, label words and pooling; the facts about the paper's prompts are typed here again."""

import math
import shutil

import pytest
import torch
import yaml
from transformers import AutoTokenizer

from mvp_skill.backbones import SHIPPED
from mvp_skill.errors import BadInput
from mvp_skill.prompts import (
    MASK,
    PROMPTS_FILE,
    Template,
    Verbalizer,
    pool_templates,
    pool_words,
    prompts_for,
)
from mvp_skill.tasks import TASKS

FILE = yaml.safe_load(PROMPTS_FILE.read_text(encoding="utf-8"))

# The first paper has no results on them; they are for prompt tuning (soft_verbalizers.yaml).
WITHOUT_TEMPLATES = {"qqp", "qnli", "mnli_binary", "rte", "ethics_deontology", "ethics_justice"}
PUBLISHED_TASKS = [
    name for name, task in TASKS.items() if task.published and name not in WITHOUT_TEMPLATES
]

# Place (front or back) and body, spaces included, as in the configuration of the authors' code.
PUBLISHED = {
    ("ag_news", "default"): [
        ("F", "A [MASK] news : "),
        ("B", "This topic is about [MASK]"),
        ("F", "Category : [MASK] : "),
        ("B", "The category of this news is [MASK]"),
    ],
    ("ag_news", "empty"): [("F", " [MASK] "), ("B", "[MASK] ")],
    ("ag_news", "gpt2"): [
        ("B", "This topic is about [MASK]"),
        ("B", "The category of this text was : [MASK]"),
        ("B", "Category : [MASK]"),
        ("B", "This is a news from [MASK]"),
    ],
    ("boolq", "default"): [
        ("F", "Answer to the question is [MASK]"),
        ("B", "[MASK]"),
        ("F", "I think [MASK]"),
        ("B", "The answer is [MASK]"),
    ],
    ("boolq", "random"): [
        ("F", "Ruby [MASK] emarald : "),
        ("B", "Red list take kick [MASK]"),
        ("F", "Foul : [MASK] : "),
        ("B", "East west jack ann ruby [MASK]"),
    ],
    ("boolq", "gpt2"): [
        ("B", "Answer to the question is [MASK]"),
        ("B", "[MASK]"),
        ("B", "I think [MASK]"),
        ("B", "The answer is [MASK]"),
    ],
    ("sst2", "default"): [
        ("F", "Sentiment of the statement is [MASK] . "),
        ("B", "[MASK] "),
        ("F", "This is a [MASK] statement "),
        ("B", "The statement is [MASK] "),
    ],
}
SUBSETS = {
    ("ag_news", "two"): [0, 1],
    ("ag_news", "three"): [0, 1, 2],
    ("boolq", "two"): [2, 3],
    ("boolq", "three"): [0, 2, 3],
}
PUBLISHED |= {
    (task, variant): [PUBLISHED[task, "default"][number] for number in numbers]
    for (task, variant), numbers in SUBSETS.items()
}
PUBLISHED_WORDS = {
    ("ag_news", "default"): "politics; sports; business; technology",
    ("ag_news", "several"): "politics world government; sports competition games tournament; "
    "business corporation enterprise; "
    "technology science electronics computer robotics automation",
    ("ag_news", "random"): "jack; john; ann; ruby",
    ("boolq", "default"): "false; true",
    ("boolq", "several"): "false wrong incorrect invalid; true correct valid accurate",
    ("boolq", "random"): "jack; john",
    ("sst2", "default"): "negative; positive",
}


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


# --- prompts.yaml ------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "variant"), PUBLISHED)
def test_templates_are_the_published_ones(task, variant):
    templates, _ = prompts_for(task, variant)
    found = [("F" if template.front else "B", template.body) for template in templates]
    assert found == PUBLISHED[task, variant]


@pytest.mark.parametrize(("task", "words"), PUBLISHED_WORDS)
def test_label_words_are_the_published_ones(task, words):
    expected = tuple(tuple(part.split()) for part in PUBLISHED_WORDS[task, words].split("; "))
    assert prompts_for(task, label_words=words)[1].label_words == expected


def test_published_tasks_have_no_other_prompts():
    ours = {("sst2", "gpt2"), *((task, "one") for task in ("sst2", "ag_news", "boolq"))}
    for task in ("sst2", "ag_news", "boolq"):
        assert {(task, variant) for variant in FILE[task]["templates"]} - ours <= set(PUBLISHED)
        assert {(task, words) for words in FILE[task]["label_words"]} <= set(PUBLISHED_WORDS)


@pytest.mark.parametrize("task", PUBLISHED_TASKS)
def test_the_one_template_of_a_published_task_is_the_authors_first(task):
    assert FILE[task]["templates"]["one"] == FILE[task]["templates"]["default"][:1]


def test_templates_of_mrpc_and_dbpedia():
    """After a fork, with a space before the text; and AG News' with "text" for "news"."""
    found = [(t.front, t.body) for t in prompts_for("mrpc")[0]]
    assert found == [
        (True, "The two sentences are [MASK] "),
        (False, "First sentence is [MASK] to second sentence"),
        (True, "Two [MASK] sentences "),
        (False, "The two sentences have [MASK] meanings"),
    ]
    assert prompts_for("mrpc")[1].words == ["different", "equivalent"]
    news = [template.pattern.replace("news", "text") for template in prompts_for("ag_news")[0]]
    assert [template.pattern for template in prompts_for("dbpedia")[0]] == news
    words = (
        "company school artist athlete politics transportation building river village animal "
        "plant album film book"
    )
    assert prompts_for("dbpedia")[1].words == words.split()


@pytest.mark.parametrize("task", ["imdb", "rotten_tomatoes", "amazon_polarity", "movie_rationales"])
def test_sentiment_sets_share_the_prompts_of_sst2(task):
    assert FILE[task] == FILE["sst2"]


def test_prompts_for_left_to_right_models_end_with_the_mask():
    with_variant = {task for task in FILE if "gpt2" in FILE[task]["templates"]}
    assert with_variant >= set(PUBLISHED_TASKS) | {"mini_films", "mini_news", "mini_questions"}
    for task in with_variant:
        for template in prompts_for(task, "gpt2")[0]:
            assert not template.front and template.body.endswith("[MASK]")


@pytest.mark.parametrize("task", ["mini_films", "mini_restaurants", "mini_news", "mini_questions"])
def test_ablations_of_the_mini_world_say_nothing_about_the_task(task):
    said = {word for p in FILE[task]["templates"]["default"] for word in p.lower().split()}
    said |= {w for words in FILE[task]["label_words"]["default"].values() for w in words}
    for variant in ("random", "empty"):
        for template in prompts_for(task, variant)[0]:
            words = template.body.replace(MASK, "").strip(" .:").lower().split()
            assert not said & set(words) and bool(words) is (variant == "random")
    random_words = prompts_for(task, label_words="random")[1].words
    assert not said & set(random_words)
    assert len(random_words) == len(TASKS[task].label_names)


@pytest.mark.parametrize("task", ["mini_films", "mini_restaurants", "mini_news"])
def test_smaller_variants_are_parts_of_the_larger_ones(task):
    templates = FILE[task]["templates"]
    assert templates["two"] == templates["default"][:2]
    assert templates["three"] == templates["default"][:3]
    assert len(templates["one"]) == 1 and set(templates["one"]) <= set(templates["two"])
    for label, words in FILE[task]["label_words"]["default"].items():
        assert FILE[task]["label_words"]["several"][label][:1] == words


def test_pitfall_22_every_task_has_prompts_for_its_classes():
    assert set(FILE) == set(TASKS) - WITHOUT_TEMPLATES
    for task, prompts in FILE.items():
        for variant in prompts["templates"]:
            assert prompts_for(task, variant)[0]
        for words, classes in prompts["label_words"].items():
            assert tuple(classes) == TASKS[task].label_names, (task, words)
            assert len(prompts_for(task, label_words=words)[1].label_words) == len(classes)


@pytest.mark.parametrize("task", PUBLISHED_TASKS)
def test_published_words_are_single_tokens_of_roberta_base(roberta_base_tokenizer, task):
    for words in FILE[task]["label_words"]:
        ids = prompts_for(task, label_words=words)[1].token_ids(roberta_base_tokenizer)
        assert all(roberta_base_tokenizer.decode([i]).startswith(" ") for i in ids)


def test_mini_prompts_fit_the_shipped_model():
    """Every label word is one token, and every space of a template belongs to a word."""
    if not (SHIPPED["mini-roberta"] / "tokenizer.json").is_file():
        pytest.skip("mini-roberta is not in this checkout; notebook 01 makes it")
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED["mini-roberta"])
    for task in (name for name in FILE if name.startswith("mini_")):
        for words in FILE[task]["label_words"]:
            assert prompts_for(task, label_words=words)[1].token_ids(tokenizer)
        for variant in FILE[task]["templates"]:
            for template in prompts_for(task, variant)[0]:
                tokens = tokenizer.convert_ids_to_tokens(template.token_ids(tokenizer))
                assert tokens.count("<mask>") == 1
                assert "Ġ" not in (tokens[:-1] if template.front else tokens)


def test_unknown_names_are_refused_with_the_allowed_ones():
    with pytest.raises(BadInput, match=r"'sst3'.*sst2, ag_news|'sst3'.*ag_news.*sst2"):
        prompts_for("sst3")
    with pytest.raises(BadInput, match="'four'.*default, one, two, three"):
        prompts_for("boolq", "four")
    with pytest.raises(BadInput, match="'many'.*default, several, random"):
        prompts_for("boolq", label_words="many")


# --- pooling -----------------------------------------------------------------------------------

SEEDED = torch.Generator().manual_seed(0)
POOL = {"max": max, "mean": lambda values: math.fsum(values) / len(values)}


@pytest.mark.parametrize("how", ["max", "mean"])
def test_pitfall_20_pool_words_against_a_loop(how):
    word_class = [2, 0, 3, 1, 0, 2, 2]
    scores = torch.randn(3, 5, 7, dtype=torch.float64, generator=SEEDED)  # [batch, template, word]
    expected = torch.empty(3, 5, 4, dtype=torch.float64)  # [batch, template, class]
    for b in range(3):
        for t in range(5):
            for c in range(4):
                votes = [scores[b, t, w].item() for w in range(7) if word_class[w] == c]
                expected[b, t, c] = POOL[how](votes)
    torch.testing.assert_close(pool_words(scores, word_class, how), expected)
    torch.testing.assert_close(pool_words(scores, torch.tensor(word_class), how), expected)


@pytest.mark.parametrize("how", ["max", "mean"])
def test_pool_templates_against_a_loop(how):
    scores = torch.randn(3, 5, 4, dtype=torch.float64, generator=SEEDED)  # [batch, template, class]
    expected = torch.empty(3, 4, dtype=torch.float64)  # [batch, class]
    for b in range(3):
        for c in range(4):
            expected[b, c] = POOL[how]([scores[b, t, c].item() for t in range(5)])
    torch.testing.assert_close(pool_templates(scores, how), expected)


def test_pooling_with_planted_answers():
    """Classes first, then templates: the other order gives 6 for class 0, not 5.5."""
    scores = torch.tensor([[[9.0, 1.0, 4.0], [2.0, 2.0, 0.0]]])  # [batch, template, word]
    by_class = pool_words(scores, [0, 0, 1])  # max is the default
    assert by_class.tolist() == [[[9.0, 4.0], [2.0, 0.0]]]
    assert pool_templates(by_class).tolist() == [[5.5, 2.0]]  # mean is the default
    assert pool_templates(by_class, "max").tolist() == [[9.0, 4.0]]
    assert pool_words(scores, [0, 0, 1], "mean").tolist() == [[[5.0, 4.0], [2.0, 0.0]]]


def test_gradients_reach_only_the_words_that_won():
    scores = torch.tensor([[[1.0, 3.0, 2.0]]], requires_grad=True)
    pool_templates(pool_words(scores, [0, 0, 1]))[0, 0].backward()
    assert scores.grad.tolist() == [[[0.0, 1.0, 0.0]]]


def test_bad_pooling_is_refused():
    scores = torch.zeros(1, 1, 3)
    with pytest.raises(BadInput, match="'max' or 'mean'"):
        pool_words(scores, [0, 0, 1], "median")
    with pytest.raises(BadInput, match="'max' or 'mean'"):
        pool_templates(scores, "sum")
    with pytest.raises(BadInput, match=r"\[2, 0, 1\]"):
        pool_words(scores, [0, 0, 2])
    with pytest.raises(BadInput, match="3 word scores, but 2 words"):
        pool_words(scores, [0, 1])
