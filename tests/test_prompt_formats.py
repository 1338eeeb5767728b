"""Texts as a prompt-tuned model reads them, against a version that goes token by token."""

import random
import subprocess
import sys

import numpy as np
import pytest
from transformers import AutoTokenizer

from mvp_skill.backbones import SHIPPED
from mvp_skill.errors import BadInput
from mvp_skill.prompt_formats import PromptFormat
from mvp_skill.task_types import MINI_TASKS, PAPER_TASKS, type_of
from mvp_skill.tasks import TASKS

KINDS = ("masked_lm", "seq2seq")
BOTH_KINDS = pytest.mark.parametrize("kind", KINDS)
LONG = "the food was cold , and nobody came . " * 30


@pytest.fixture(scope="module")
def tokenizers():
    return {
        "masked_lm": AutoTokenizer.from_pretrained(SHIPPED["mini-roberta"]),
        "seq2seq": AutoTokenizer.from_pretrained(SHIPPED["mini-t5"]),
    }


@pytest.fixture(scope="module")
def like_t5s():
    """A tokenizer that, as T5's, begins every text with its mark for a space."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import T5TokenizerFast

    pieces = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz.,!:[]<>_0123456789SEP"]
    pieces += ["▁the", "▁film", "▁hypothesis", "▁premise", "▁sentence", "é", "N"]
    inner = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=2))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Metaspace()
    return T5TokenizerFast(tokenizer_object=inner, extra_ids=3)


def some_texts(n, longest, seed=0):
    generator = random.Random(seed)
    words = "the film is not bad , but never great zebra quux café ! Nobody came".split()
    return [" ".join(generator.choices(words, k=generator.randint(0, longest))) for _ in range(n)]


def some_examples(task, n, longest, seed=0):
    texts = some_texts(2 * n, longest, seed)
    if len(TASKS[task].columns) == 1:
        return texts[:n]
    return list(zip(texts[:n], texts[n:], strict=True))


def plain(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)


def slow_masked(tokenizer, texts, max_text):
    """The table of section 1.3, for RoBERTa: start, text, end."""
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    if len(texts) == 1:
        return [start] + plain(tokenizer, texts[0])[:max_text] + [end]
    row = [start] + plain(tokenizer, texts[0]) + [end] + plain(tokenizer, texts[1]) + [end]
    room = max_text + 3
    return row if len(row) <= room else row[: room - 1] + [end]


def slow_t5(tokenizer, texts, max_text, task, columns):
    """The table of section 1.3, for T5; a space before what does not open the row."""
    end, room = tokenizer.eos_token_id, max_text + 2
    is_byte_level = tokenizer.convert_ids_to_tokens(plain(tokenizer, "a"))[0] == "a"
    space = " " if is_byte_level else ""
    first = plain(tokenizer, texts[0])
    kind = type_of(task)
    if kind == "sentiment":
        return (first[: max_text - 1] if len(first) >= max_text else first) + [end]
    second = plain(tokenizer, texts[1] and space + texts[1]) if len(texts) == 2 else []
    if kind == "ethics":
        return (first + second)[:room]
    if kind == "paraphrase":
        row = first + [tokenizer.convert_tokens_to_ids("<extra_id_0>")] + second + [end]
        return row if len(row) <= room else row[: room - 1] + [end]
    prefixes = ["hypothesis:", "premise:"]
    if columns[0] == "premise":
        prefixes.reverse()
    row = plain(tokenizer, prefixes[0]) + plain(tokenizer, texts[0] and space + texts[0])
    row += plain(tokenizer, space + "[SEP] sentence:") + plain(tokenizer, space + prefixes[1])
    return (row + second)[:room]


def slow(tokenizer, kind, task, example, max_text):
    texts = [example.strip()] if isinstance(example, str) else [text.strip() for text in example]
    if kind == "masked_lm":
        return slow_masked(tokenizer, texts, max_text)
    return slow_t5(tokenizer, texts, max_text, task, TASKS[task].columns)


# --- rows --------------------------------------------------------------------------------------


@BOTH_KINDS
@pytest.mark.parametrize("task", [*MINI_TASKS, *PAPER_TASKS, "mnli_binary", "rte"])
@pytest.mark.parametrize(("max_text", "longest"), [(128, 9), (11, 9), (9, 30)])
def test_rows_equal_the_slow_version(tokenizers, kind, task, max_text, longest):
    examples = some_examples(task, 17, longest)
    records = PromptFormat(tokenizers[kind], kind, task, max_text).encode(examples)
    assert len(records) == 17
    for record, example in zip(records, examples, strict=True):
        expected = slow(tokenizers[kind], kind, task, example, max_text)
        assert record.ids.tolist() == expected and record.length == len(expected)
        assert record.ids.dtype == np.int64 and isinstance(record.ids, np.ndarray)


@pytest.mark.parametrize("task", [*MINI_TASKS, *PAPER_TASKS])
@pytest.mark.parametrize(("max_text", "longest"), [(128, 9), (128, 60), (9, 9)])
def test_rows_of_a_tokenizer_like_t5s_equal_the_slow_version(like_t5s, task, max_text, longest):
    examples = some_examples(task, 7, longest)
    records = PromptFormat(like_t5s, "seq2seq", task, max_text).encode(examples)
    for record, example in zip(records, examples, strict=True):
        assert record.ids.tolist() == slow(like_t5s, "seq2seq", task, example, max_text)


def test_every_part_begins_a_word_once_for_a_tokenizer_like_t5s(like_t5s):
    for task, expected in (
        ("sst2", "▁a▁film.</s>"),
        ("ethics_deontology", "▁a▁film.▁the▁end."),
        ("mrpc", "▁a▁film.<extra_id_0>▁the▁end.</s>"),
        ("qnli", "▁hypothesis:▁a▁film.▁[SEP]▁sentence:▁premise:▁the▁end."),
        ("mnli_binary", "▁hypothesis:▁a▁film.▁[SEP]▁sentence:▁premise:▁the▁end."),
        ("mini_nli_binary", "▁premise:▁a▁film.▁[SEP]▁sentence:▁hypothesis:▁the▁end."),
    ):
        texts = ("a film.", "the end.") if len(TASKS[task].columns) == 2 else "a film."
        (record,) = PromptFormat(like_t5s, "seq2seq", task).encode([texts])
        assert "".join(like_t5s.convert_ids_to_tokens(record.ids)) == expected


@BOTH_KINDS
@pytest.mark.parametrize("task", MINI_TASKS)
def test_p10_long_texts_are_cut_and_the_last_token_stays(tokenizers, kind, task):
    """Just at the edge: one token more or less of text around every length of the table."""
    tokenizer, pair = tokenizers[kind], len(TASKS[task].columns) == 2
    lengths = {
        ("masked_lm", False): 130,
        ("masked_lm", True): 131,
        ("seq2seq", False): 128 if type_of(task) == "sentiment" else 130,
        ("seq2seq", True): 130,
    }
    formatted = PromptFormat(tokenizer, kind, task)
    ends = kind == "masked_lm" or type_of(task) in ("sentiment", "paraphrase")
    end = tokenizer.sep_token_id if kind == "masked_lm" else tokenizer.eos_token_id
    for n in range(100, 140):
        text = "the" + " film" * (n - 1)
        example = (text, "it was good") if pair else text
        (record,) = formatted.encode([example])
        assert record.ids.tolist() == slow(tokenizer, kind, task, example, 128)
        assert record.length <= lengths[kind, pair]
        assert (int(record.ids[-1]) == end) is ends
    assert record.length == lengths[kind, pair]


def test_padded_lengths_are_those_of_the_released_prompts(tokenizers):
    found = {kind: PromptFormat(tokenizers[kind], kind, "mini_films") for kind in KINDS}
    assert {kind: found[kind].padded_length(100) for kind in KINDS} == {
        "masked_lm": 231,
        "seq2seq": 230,
    }
    for kind in KINDS:
        for task in MINI_TASKS:
            example = LONG if len(TASKS[task].columns) == 1 else (LONG, LONG)
            (record,) = PromptFormat(tokenizers[kind], kind, task).encode([example])
            assert 100 + record.length <= found[kind].padded_length(100)
    assert PromptFormat(tokenizers["seq2seq"], "seq2seq", "mini_films", 20).padded_length(7) == 29


@BOTH_KINDS
def test_special_tokens_in_texts_become_ordinary_pieces(tokenizers, kind):
    tokenizer = tokenizers[kind]
    special = set(tokenizer.all_special_ids)
    text = "a <mask> </s> <s> <extra_id_0> <pad> film"
    for task in ("mini_films", "mini_duplicates", "mini_answers", "mini_acts"):
        pair = len(TASKS[task].columns) == 2
        formatted = PromptFormat(tokenizer, kind, task)
        plain_ids = formatted.encode([("x", "y") if pair else "x"])[0].ids
        ids = formatted.encode([(text, text) if pair else text])[0].ids
        assert [i for i in ids if i in special] == [i for i in plain_ids if i in special]
        assert "<mask>" in tokenizer.decode(ids) and "<extra_id_0>" in tokenizer.decode(ids)


@BOTH_KINDS
def test_white_space_around_a_text_does_not_count(tokenizers, kind):
    formatted = PromptFormat(tokenizers[kind], kind, "mini_answers")
    same, other = formatted.encode([("who came?", "a friend"), (" who came?\n", "\ta friend ")])
    assert same.ids.tolist() == other.ids.tolist()


def test_no_words_run_into_each_other_in_the_mini_t5(tokenizers):
    tokenizer = tokenizers["seq2seq"]
    texts = ("you have to sing.", "i lost my voice.")
    for task, expected in (
        ("mini_excuses", "you have to sing. i lost my voice."),
        ("mini_duplicates", "you have to sing.<extra_id_0> i lost my voice.</s>"),
        (
            "mini_answers",
            "hypothesis: you have to sing. [SEP] sentence: premise: i lost my voice.",
        ),
        (
            "mini_nli_binary",
            "premise: you have to sing. [SEP] sentence: hypothesis: i lost my voice.",
        ),
    ):
        (record,) = PromptFormat(tokenizer, "seq2seq", task).encode([texts])
        assert tokenizer.decode(record.ids) == expected


def test_the_mini_roberta_reads_every_text_as_if_it_opened_a_row(tokenizers):
    tokenizer = tokenizers["masked_lm"]
    (record,) = PromptFormat(tokenizer, "masked_lm", "mini_excuses").encode([("go on", "no more")])
    assert tokenizer.decode(record.ids) == "<s>go on</s>no more</s>"


def test_an_adversarial_set_is_read_as_its_clean_task(tokenizers):
    for kind in KINDS:
        clean, other = (
            PromptFormat(tokenizers[kind], kind, task).encode([("it was.", "it was not.")])
            for task in ("mini_nli_binary", "mini_adv_nli")
        )
        assert clean[0].ids.tolist() == other[0].ids.tolist()


@BOTH_KINDS
def test_empty_texts_and_empty_lists(tokenizers, kind):
    tokenizer = tokenizers[kind]
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert PromptFormat(tokenizer, kind, "mini_films").encode([]) == []
    (empty,) = PromptFormat(tokenizer, kind, "mini_acts").encode([" "])
    assert empty.ids.tolist() == ([start, end] if kind == "masked_lm" else [])
    (pair,) = PromptFormat(tokenizer, kind, "mini_duplicates").encode([("", "")])
    sentinel = tokenizer.convert_tokens_to_ids("<extra_id_0>")
    last = tokenizer.eos_token_id
    assert pair.ids.tolist() == ([start, end, end] if kind == "masked_lm" else [sentinel, last])


# --- golden rows of the real vocabularies ------------------------------------------------------


def test_rows_of_roberta_base(roberta_base_tokenizer):
    """Ids seen in the vocabulary: Hello 31414, " world" 232; no space before a text."""
    single = PromptFormat(roberta_base_tokenizer, "masked_lm", "sst2").encode(["Hello world"])
    assert single[0].ids.tolist() == [0, 31414, 232, 2]
    pair = PromptFormat(roberta_base_tokenizer, "masked_lm", "qnli").encode(
        [("Hello world", "Hello")]
    )
    assert pair[0].ids.tolist() == [0, 31414, 232, 2, 31414, 2]
    (long,) = PromptFormat(roberta_base_tokenizer, "masked_lm", "qnli").encode(
        [("Hello" + " world" * 200, "x")]
    )
    assert long.ids.tolist() == [0, 31414, *[232] * 128, 2]
    for task in PAPER_TASKS:
        for example in some_examples(task, 5, 90, seed=3):
            (record,) = PromptFormat(roberta_base_tokenizer, "masked_lm", task).encode([example])
            assert record.ids.tolist() == slow(
                roberta_base_tokenizer, "masked_lm", task, example, 128
            )


def test_rows_of_t5_base(t5_base_tokenizer):
    for task in (*PAPER_TASKS, "mnli_binary"):
        for example in some_examples(task, 5, 90, seed=3):
            (record,) = PromptFormat(t5_base_tokenizer, "seq2seq", task).encode([example])
            assert record.ids.tolist() == slow(t5_base_tokenizer, "seq2seq", task, example, 128)
    (record,) = PromptFormat(t5_base_tokenizer, "seq2seq", "mnli_binary").encode(
        [("It is.", "It was.")]
    )
    tokens = t5_base_tokenizer.convert_ids_to_tokens(record.ids)
    assert "".join(tokens) == "▁hypothesis:▁It▁is.▁[SEP]▁sentence:▁premise:▁It▁was."
    (record,) = PromptFormat(t5_base_tokenizer, "seq2seq", "qqp").encode([("It is.", "It was.")])
    assert [i for i in record.ids if i in t5_base_tokenizer.all_special_ids] == [32099, 1]


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "texts"),
    [
        ("mini_films", "a film"),
        ("mini_films", [("a", "b")]),
        ("mini_answers", ["a"]),
        ("mini_answers", [("a", "b", "c")]),
        ("mini_films", [None]),
    ],
)
def test_texts_of_another_kind_are_refused(tokenizers, task, texts):
    with pytest.raises(BadInput, match="text"):
        PromptFormat(tokenizers["masked_lm"], "masked_lm", task).encode(texts)


def test_other_kinds_tokenizers_and_lengths_are_refused(tokenizers):
    class Slow:
        is_fast = False

    for arguments, said in (
        ((tokenizers["masked_lm"], "causal_lm", "mini_films"), "Unknown kind .*use masked_lm, seq"),
        ((Slow(), "masked_lm", "mini_films"), "Slow cannot escape special tokens"),
        ((tokenizers["masked_lm"], "masked_lm", "films"), "Unknown task 'films'"),
        ((tokenizers["masked_lm"], "masked_lm", "mini_films", 3), "max_text must be a whole numb"),
    ):
        with pytest.raises(BadInput, match=said):
            PromptFormat(*arguments)


LIGHT = """
import sys
import mvp_skill.prompt_formats, mvp_skill.soft_verbalizers, mvp_skill.task_types
assert not {"torch", "datasets", "transformers"} & set(sys.modules)
"""


@pytest.mark.slow
def test_formats_and_label_words_do_not_need_torch(repository):
    command = [sys.executable, "-c", LIGHT]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
