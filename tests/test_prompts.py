"""The prompts of every task; the facts about the paper's prompts are typed here again."""

import pytest
import yaml
from transformers import AutoTokenizer

from mvp_skill.backbones import SHIPPED
from mvp_skill.errors import BadInput
from mvp_skill.prompts import MASK, PROMPTS_FILE, prompts_for
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
