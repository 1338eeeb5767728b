"""The tasks of the mini world: balance, splits without leaks, no shortcuts, the same everywhere."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from mvp_skill.baselines import bag_of_words, word_overlap
from mvp_skill.errors import BadInput
from mvp_skill.mini import corpus, lexicon, oracle, tasks
from mvp_skill.mini.author import split_of
from mvp_skill.mini.grammar import patterns, with_articles
from mvp_skill.tasks import load_task

PAIRS = [
    "mini_questions",
    "mini_nli",
    "mini_nli_binary",
    "mini_answers",
    "mini_paraphrases",
    "mini_duplicates",
    "mini_excuses",
]
SINGLE = [name for name in tasks.WRITERS if name not in PAIRS]


def sentences(text: str) -> list[str]:
    """Sentences with their end marks."""
    lines = text.replace("?", "?\n").replace(".", ".\n").split("\n")
    return [line.strip() for line in lines if line.strip()]


@pytest.mark.parametrize("name", list(tasks.WRITERS))
def test_labels_are_balanced_and_texts_differ(name):
    data = tasks.generate(name, n_train=61, n_validation=30, n_test=40)
    n_classes = tasks.WRITERS[name][0]
    for rows in data.values():
        counts = Counter(row["label"] for row in rows)
        assert set(counts) == set(range(n_classes))
        assert max(counts.values()) - min(counts.values()) <= 1
        assert len({tuple(row["texts"]) for row in rows}) == len(rows)
        assert {len(row["texts"]) for row in rows} == {2 if name in PAIRS else 1}


@pytest.mark.parametrize("name", list(tasks.WRITERS))
def test_every_sentence_belongs_to_its_split(name):
    for split, rows in tasks.generate(name, n_train=40, n_validation=20, n_test=20).items():
        for row in rows:
            for text in row["texts"]:
                found = {split_of(sentence) for sentence in sentences(text)}
                assert found == {tasks.SPLITS[split]}, text


def test_no_evaluated_sentence_is_in_the_corpus():
    read = {s for text in corpus.documents(3000) for s in sentences(text.replace("\t", " "))}
    for name in tasks.WRITERS:
        data = tasks.generate(name, n_train=0, n_validation=100, n_test=200)
        for split in ("validation", "test"):
            kept = {s for row in data[split] for text in row["texts"] for s in sentences(text)}
            assert not kept & read, name


def stock_sentences() -> set[str]:
    """The sentences that close or open a document, with every label word."""
    words = {w for classes in corpus.LABEL_WORDS.values() for label in classes for w in label}
    roles = [role for role in patterns() if role.startswith(("closing.", "opening."))]
    said = {p.format(label=w) for role in roles for p in patterns()[role] for w in words}
    return {s for text in said for s in sentences(f"{with_articles(text)}.")}


def test_held_out_documents_are_written_from_validation_sentences():
    read = {s for text in corpus.documents(3000) for s in sentences(text.replace("\t", " "))}
    texts = corpus.held_out(300)
    written = [s for text in texts for s in sentences(text.replace("\t", " "))]
    stock = stock_sentences()
    own = {s for s in written if split_of(s) == "validation"} - stock
    assert len(own) > 300
    assert not own & read
    others = set(written) - own - stock  # restatements of words
    assert len(others) < 0.05 * len(set(written))


def test_fine_tuning_draws_frequent_words_only_and_the_corpus_all():
    words = lexicon.load()
    rare = set(words.rare_forms())
    used = {
        word
        for name in tasks.WRITERS
        for rows in tasks.generate(name, n_train=150, n_validation=50, n_test=50).values()
        for row in rows
        for text in row["texts"]
        for word in oracle.words_of(text)
    }
    assert not used & rare
    read = {word for text in corpus.documents(20_000) for word in oracle.words_of(text)}
    bases = {word for entry in words.sets.values() for word in entry.words}
    unread = {
        word
        for entry in words.sets.values()
        for word in entry.words
        if not read & set(entry.forms(word).values())
    }
    assert len(unread) < 0.01 * len(bases), sorted(unread)


def test_a_larger_split_has_the_rows_of_the_smaller_one():
    small = tasks.generate("mini_acts", n_train=20, n_validation=0, n_test=0)["train"]
    large = tasks.generate("mini_acts", n_train=50, n_validation=0, n_test=0)["train"]
    assert {row["texts"][0] for row in small} < {row["texts"][0] for row in large}


def test_seeds_give_different_data():
    first, second = (
        tasks.generate("mini_films", n_train=30, n_validation=0, n_test=0, seed=seed)["train"]
        for seed in (0, 1)
    )
    assert {r["texts"][0] for r in first} != {r["texts"][0] for r in second}


def digest_of_data() -> str:
    data = {n: tasks.generate(n, n_train=12, n_validation=4, n_test=4) for n in tasks.WRITERS}
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def test_same_data_on_every_machine_and_python():
    """Changes with any edit of lexicon, patterns or writers; the models are then outdated."""
    assert digest_of_data()[:16] == "665c4433357b3280"


def test_same_data_in_other_processes(repository):
    code = "from test_mini_tasks import digest_of_data; print(digest_of_data())"
    for salt in ("3", "4"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": str(repository)},
            cwd=repository / "tests",
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == digest_of_data()


def test_unknown_task_and_negative_size():
    with pytest.raises(BadInput, match="mini_film'.*mini_films"):
        tasks.generate("mini_film")
    with pytest.raises(BadInput, match="test split.*-1"):
        tasks.generate("mini_films", n_test=-1)


@pytest.mark.parametrize("name", [name for name in SINGLE if name != "mini_news"])
def test_single_texts_have_no_bag_of_words_shortcut(name):
    assert bag_of_words(load_task(name)) <= 0.90


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_have_no_bag_of_words_shortcut(name):
    assert bag_of_words(load_task(name)) <= 0.65


@pytest.mark.parametrize("name", PAIRS)
def test_word_overlap_alone_does_not_give_the_label(name):
    assert word_overlap(load_task(name)) <= 0.65


@pytest.mark.parametrize("name", ["mini_films", "mini_restaurants"])
def test_reviews_mix_praise_and_blame_and_negate(name):
    rows = tasks.split_examples(name, "train", 600, 0)
    texts = [oracle.words_of(row["texts"][0]) for row in rows]
    signs = [{oracle.polarity(w) for w in words} - {0} for words in texts]
    assert sum(len(found) == 2 for found in signs) > 0.3 * len(rows)
    assert sum(bool(oracle.NEGATIONS & set(words)) for words in texts) > 0.2 * len(rows)
