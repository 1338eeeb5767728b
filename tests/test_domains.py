"""Domains of sentiment: one schema, the same prompts, and no test text that was trained on."""

import json

import pytest
from datasets import Dataset

from mvp_skill.domains import (
    MINI_DOMAINS,
    REAL_DOMAINS,
    TEMPLATE_VARIANTS,
    load_domains,
    unseen,
)
from mvp_skill.errors import BadInput
from mvp_skill.prompts import prompts_for
from mvp_skill.tasks import TASKS, load_task
from mvp_skill.victims import build_victim


def texts_of(*texts):
    return Dataset.from_dict({"texts": [[text] for text in texts], "label": [0] * len(texts)})


@pytest.mark.parametrize("group", [MINI_DOMAINS, REAL_DOMAINS])
def test_domains_share_classes_templates_and_words(group):
    prompts = {prompts_for(name, TEMPLATE_VARIANTS[name]) for name in group}
    assert len(prompts) == 1
    assert {TASKS[name].label_names for name in group} == {("negative", "positive")}
    assert {len(TASKS[name].columns) for name in group} == {1}


def test_mini_domains_are_loaded_with_a_thousand_training_examples():
    data = load_domains(MINI_DOMAINS, n_validation=3, n_test=5, seed=2)
    assert tuple(data) == MINI_DOMAINS
    for name in MINI_DOMAINS:
        assert data[name].num_rows == {"train": 1000, "validation": 3, "test": 5}
        expected = load_task(name, n_train=1000, n_validation=3, n_test=5, seed=2)
        assert data[name]["train"].to_list() == expected["train"].to_list()
    films, restaurants = data.values()
    assert films["train"].features == restaurants["train"].features


def test_real_domains_are_loaded_from_sub_folders(tmp_path):
    rows = [json.dumps({"label": i % 2, "text": f"Review {i}"}) for i in range(40)]
    for name in ("imdb", "sst2"):
        (tmp_path / name).mkdir()
    for name in ("imdb/train.jsonl", "imdb/test.jsonl"):
        (tmp_path / name).write_text("\n".join(rows))
    for name in ("sst2/train.tsv", "sst2/dev.tsv"):
        (tmp_path / name).write_text("\n".join(f"film {i}\t{i % 2}" for i in range(40)))
    data = load_domains(("imdb", "sst2"), data_dir=str(tmp_path), n_train=11, n_test=6)
    assert {name: data[name].num_rows for name in data} == {
        "imdb": {"train": 11, "validation": 2, "test": 6},
        "sst2": {"train": 11, "validation": 2, "test": 6},
    }
    with pytest.raises(BadInput, match="rotten_tomatoes does not exist; give a folder"):
        load_domains(("sst2", "rotten_tomatoes"), data_dir=tmp_path)


@pytest.mark.parametrize(
    "domains", [(), ("mini_news",), ("mini_films", "sst2"), "mini_films", ("imdb", "ag_news")]
)
def test_other_domains_are_refused(domains):
    with pytest.raises(BadInput, match="must be of mini_films, mini_restaurants, or of sst2, imdb"):
        load_domains(domains)


def test_pitfall_22_a_victim_of_one_domain_reads_the_other(tiny_backbone):
    victim = build_victim(
        "mvp", tiny_backbone, "mini_films", template_variant=TEMPLATE_VARIANTS["mini_films"]
    )
    other = load_domains(("mini_restaurants",), n_train=1, n_validation=1, n_test=3)
    texts = [texts[0] for texts in other["mini_restaurants"]["test"]["texts"]]
    assert victim(texts).shape == (3, 2)


def test_texts_that_were_trained_on_are_left_out():
    """A sentence, its punctuation apart; a phrase of it; a sentence that holds a phrase."""
    train = texts_of(
        "It 's a gorgeous , witty , seductive movie .",
        "the rock is destined to be the 21st century 's new conan",
        "a good film",
    )
    test = texts_of(
        "it's a gorgeous, witty, seductive movie",
        "destined to be the 21st century",
        "we hear that the rock is destined to be the 21st century's new conan and more",
        "a good film",  # too short to tell anything
        "what a good film this is , all in all",
        "it 's a gorgeous movie",
        "xdestined to be the 21st century",  # no whole words
    )
    assert unseen(test, train)["texts"] == [*test["texts"]][3:]


def test_every_pair_of_texts_is_compared():
    """Against the definition, word by word."""

    def part_of(part, whole):
        n = len(part)
        return n >= 5 and any(whole[i : i + n] == part for i in range(len(whole) - n + 1))

    words = "a b c".split()
    known = [[words[(i * k) % 3] for i in range(k + 3)] for k in range(1, 6)]
    found = [[words[(i * k + k) % 3] for i in range(n)] for k in range(4) for n in (3, 5, 8)]
    expected = [
        text for text in found if not any(part_of(text, x) or part_of(x, text) for x in known)
    ]
    test, train = (texts_of(*map(" ".join, texts)) for texts in (found, known))
    assert [texts[0].split() for texts in unseen(test, train)["texts"]] == expected
    assert 0 < len(expected) < len(found)
