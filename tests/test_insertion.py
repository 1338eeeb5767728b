import random

import numpy as np
import pytest
from transformers import AutoTokenizer, BertTokenizerFast

from mvp_skill.errors import BadInput
from mvp_skill.insertion import Insertion
from mvp_skill.prompts import Template, prompts_for
from mvp_skill.shortening import shortened

TEMPLATES = [
    Template(pattern)
    for pattern in (
        " this film was [MASK] : {text}",
        "{text} overall it was [MASK] .",
        "{text}[MASK]",
        "[MASK] news : {text}",
        "question about just [MASK]{text}",
    )
]


@pytest.fixture(scope="module")
def tokenizer(tiny_backbone):
    return AutoTokenizer.from_pretrained(tiny_backbone)


@pytest.fixture(scope="module")
def wordpieces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wordpieces")
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] the film was it overall story , . : ? [ ] mask < > / s"
    (folder / "vocab.txt").write_text("\n".join(words.split()) + "\n", encoding="utf-8")
    return BertTokenizerFast.from_pretrained(folder, do_lower_case=True)


def some_texts(n, seed=0):
    generator = random.Random(seed)
    words = "the film is not bad , but never great market zebra quux !".split()
    return [" ".join(generator.choices(words, k=generator.randint(1, 9))) for _ in range(n)]


def every_template(insertion, n):
    return np.tile(np.arange(len(insertion.templates)), (n, 1))


def slow_row(tokenizer, template, texts, max_length, frozen):
    """One row, token by token, with lists: the obvious version of what `rows` does at once."""
    plain = {"add_special_tokens": False, "split_special_tokens": True}
    body = template.token_ids(tokenizer)
    first = texts[0]
    if template.front:
        tokens = tokenizer.convert_ids_to_tokens(body)
        body = [token_id for token_id, token in zip(body, tokens, strict=True) if token != "Ġ"]
    if template.front and template.body.endswith(" "):
        first = " " + first
    members = [tokenizer(text, **plain)["input_ids"] for text in (first, *texts[1:])]
    n_special = 2 * len(members)  # <s> a </s>, or <s> a </s></s> b </s>
    while sum(map(len, members)) + len(body) + n_special > max_length:
        editable = [i for i in range(len(members)) if i not in frozen and members[i]]
        if not editable:
            editable = [i for i in range(len(members)) if members[i]]
        # The longer one; of two alike the second, so that the first keeps the odd token.
        longest = max(editable, key=lambda i: (len(members[i]), i))
        members[longest].pop()
    start, end = [tokenizer.bos_token_id], [tokenizer.eos_token_id]
    row = list(members[0])
    for member in members[1:]:
        row += end + end + member
    row = body + row if template.front else row + body
    return start + row + end


@pytest.mark.parametrize("n_columns", [1, 2])
@pytest.mark.parametrize("frozen", [(), (0,), (1,)])
@pytest.mark.parametrize("max_length", [13, 18, 128])
def test_pitfall_23_rows_equal_the_slow_version_padding_included(
    tokenizer, n_columns, frozen, max_length
):
    texts = list(zip(*(some_texts(7, seed) for seed in range(n_columns)), strict=True))
    insertion = Insertion(
        tokenizer, TEMPLATES, max_length=max_length, n_columns=n_columns, frozen=frozen
    )
    rows = insertion.rows(insertion.encode(texts), every_template(insertion, 7))
    assert rows.mask_position.shape == (7, 5)
    assert rows.token_type_ids is None
    position = rows.mask_position.flatten().tolist()
    for row, (example, template) in enumerate((e, t) for e in texts for t in TEMPLATES):
        expected = slow_row(tokenizer, template, example, max_length, frozen)
        n = len(expected)
        assert rows.input_ids[row, :n].tolist() == expected
        assert rows.input_ids[row, n:].eq(tokenizer.pad_token_id).all()
        assert rows.attention_mask[row].tolist() == [1] * n + [0] * (len(rows.input_ids[row]) - n)
        assert expected.index(tokenizer.mask_token_id) == position[row]


def test_rows_may_take_one_chosen_template_each(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES, max_length=64)
    records = insertion.encode(some_texts(3))
    all_rows = insertion.rows(records, every_template(insertion, 3))
    one_each = insertion.rows(records, np.array([[4], [0], [2]]))
    assert one_each.mask_position.shape == (3, 1)
    for row, of_all in enumerate([4, 5, 12]):
        width = one_each.input_ids.shape[1]
        assert one_each.input_ids[row].tolist() == all_rows.input_ids[of_all, :width].tolist()


@pytest.mark.parametrize("task", ["mini_films", "mini_news", "ag_news"])
def test_a_front_row_is_the_tokenised_prompted_string(tokenizer, task):
    templates = [template for template in prompts_for(task)[0] if template.front]
    insertion = Insertion(tokenizer, templates, max_length=64)
    text = "the film is never bad"
    rows = insertion.rows(insertion.encode([text]), every_template(insertion, 1))
    for ids, mask, template in zip(rows.input_ids, rows.attention_mask, templates, strict=True):
        prompted = template.fill(text).replace("[MASK]", tokenizer.mask_token)
        assert ids[mask.bool()].tolist() == tokenizer(prompted)["input_ids"]


def test_no_template_gives_the_librarys_tokens(tokenizer):
    texts, pairs = some_texts(5), list(zip(some_texts(5, 1), some_texts(5, 2), strict=True))
    for given, columns in ((texts, [texts]), (pairs, list(zip(*pairs, strict=True)))):
        insertion = Insertion(tokenizer, max_length=64, n_columns=len(columns))
        rows = insertion.rows(insertion.encode(given), every_template(insertion, 5))
        expected = tokenizer(*map(list, columns), padding=True, return_tensors="pt")
        assert rows.input_ids.equal(expected["input_ids"])
        assert rows.attention_mask.equal(expected["attention_mask"])
        assert rows.mask_position.flatten().tolist() == [-1] * 5


def test_pitfall_18_template_ids_are_computed_once(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES, max_length=64)
    records = insertion.encode(some_texts(3))

    class NoTokenizer:
        pad_token_id = tokenizer.pad_token_id
        model_input_names = tokenizer.model_input_names

    insertion.tokenizer = NoTokenizer()  # an attempt to tokenise would fail
    assert len(insertion.rows(records, every_template(insertion, 3)).input_ids) == 15


def test_pitfall_23_template_survives_truncation(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES, max_length=17)
    rows = insertion.rows(
        insertion.encode(["the film was bad " * 40]), every_template(insertion, 1)
    )
    assert rows.attention_mask.sum(1).tolist() == [17] * 5
    assert rows.input_ids.eq(tokenizer.mask_token_id).sum(1).tolist() == [1] * 5
    for ids, template in zip(rows.input_ids, TEMPLATES, strict=True):
        words = tokenizer.decode(ids, skip_special_tokens=True).split()
        body = template.body.replace("[MASK]", " ").split()
        if template.front:
            assert words[: len(body) - 1] == body[:-1]
        else:
            assert words[len(words) - len(body) :] == body


def test_pitfall_24_special_tokens_escaped(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES, max_length=64)
    text = "<mask> the </s> film<mask> <s><pad> was <unk>"
    rows = insertion.rows(insertion.encode([text]), every_template(insertion, 1))
    assert rows.input_ids.eq(tokenizer.mask_token_id).sum(1).tolist() == [1] * 5
    assert rows.input_ids.eq(tokenizer.eos_token_id).sum(1).tolist() == [1] * 5
    n_pads = rows.attention_mask.eq(0).sum(1)
    assert rows.input_ids.eq(tokenizer.pad_token_id).sum(1).equal(n_pads)
    # And nothing of the text is lost.
    assert tokenizer.decode(insertion.encode([text])[0].opening) == text


def test_pitfall_11_the_frozen_question_survives_in_every_row(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES, max_length=30, n_columns=2, frozen=(1,))
    pair = ("the story was very bad " * 30, "who is that player ?")
    rows = insertion.rows(insertion.encode([pair]), every_template(insertion, 1))
    question = tokenizer(pair[1], add_special_tokens=False)["input_ids"]
    separator = [tokenizer.eos_token_id] * 2
    for ids in rows.input_ids.tolist():
        start = ids.index(tokenizer.eos_token_id)
        assert len(ids) == 30
        assert ids[start : start + 2 + len(question)] == separator + question


def test_white_space_around_a_text_does_not_count(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES, max_length=64)
    first, second = insertion.encode(["the film", "  the film \n"])
    assert [ids.tolist() for ids in first] == [ids.tolist() for ids in second]


def test_an_empty_text_is_a_row_with_the_template_only(tokenizer):
    insertion = Insertion(tokenizer, TEMPLATES[:1], max_length=64)
    rows = insertion.rows(insertion.encode([""]), np.array([[0]]))
    assert tokenizer.decode(rows.input_ids[0]) == "<s> this film was<mask> :</s>"


def test_wordpieces_have_token_types_and_their_own_separators(wordpieces):
    templates = [Template("the film was [MASK] . {text}"), Template("{text} it was [MASK] .")]
    insertion = Insertion(wordpieces, templates, max_length=32, n_columns=2, frozen=(1,))
    pair = ("the film [MASK] [SEP]", "overall ?")
    rows = insertion.rows(insertion.encode([pair, pair]), every_template(insertion, 2))
    first = "[CLS] the film was [MASK] . the film [ mask ] [ [UNK] ] [SEP] overall ? [SEP]".split()
    second = "[CLS] the film [ mask ] [ [UNK] ] [SEP] overall ? it was [MASK] . [SEP]".split()
    assert wordpieces.convert_ids_to_tokens(rows.input_ids[0][: len(first)]) == first
    assert wordpieces.convert_ids_to_tokens(rows.input_ids[3][: len(second)]) == second
    assert rows.token_type_ids[0].tolist()[: len(first)] == [0] * 15 + [1] * 3
    assert rows.token_type_ids[1].tolist()[: len(second)] == [0] * 10 + [1] * 7


@pytest.mark.parametrize("frozen", [frozenset(), frozenset({0}), frozenset({1}), frozenset({0, 1})])
def test_shortening_leaves_no_room_unused_and_never_takes_too_much(frozen):
    n_first, n_second, room = np.array(
        [(a, b, r) for a in range(6) for b in range(7) for r in range(1, 9)]
    ).T
    first, second = shortened(n_first, n_second, room, frozen)
    assert (first <= n_first).all() and (second <= n_second).all()
    assert (np.minimum(first, second) >= 0).all()
    assert (first + second == np.minimum(room, n_first + n_second)).all()


@pytest.mark.parametrize(
    ("n_columns", "texts"),
    [
        (1, "one string"),
        (1, [("a", "pair")]),
        (1, [None]),
        (2, ["a string"]),
        (2, [("a", "b", "c")]),
        (2, [("a", 3)]),
    ],
)
def test_texts_of_another_kind_are_refused(tokenizer, n_columns, texts):
    insertion = Insertion(tokenizer, max_length=32, n_columns=n_columns)
    with pytest.raises(BadInput, match="list of texts|Every text of this task is"):
        insertion.encode(texts)


def test_a_template_without_room_for_text_is_refused(tokenizer):
    with pytest.raises(BadInput, match="7 tokens leave no room"):
        Insertion(tokenizer, TEMPLATES, max_length=7)


def test_a_slow_tokenizer_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(BadInput, match="fast tokenizer"):
        Insertion(Slow(), max_length=8)
