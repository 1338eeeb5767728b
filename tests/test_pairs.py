"""Pairs keep both members when they are cut, and read the same in training and under attack."""

import numpy as np
import pytest

from mvp_skill.attack_inputs import RESERVED, rows_of
from mvp_skill.attacks import attacked_text
from mvp_skill.errors import BadInput
from mvp_skill.prompts import all_prompts
from mvp_skill.tasks import TASKS, load_task
from mvp_skill.victims import build_victim

LONG, SHORT = "the story was bad " * 60, "the house is great"
MARKS = "<mask> </s> <s> <pad>"


@pytest.fixture(params=["mlp_ft", "mvp"])
def victim_of(request, tiny_backbone, monkeypatch):
    """task name -> an untrained victim with rows of 64 tokens."""
    # The tiny tokenizer takes MRPC's word "equivalent" to pieces.
    words = all_prompts()["mrpc"]["label_words"]["default"]
    monkeypatch.setitem(words, "equivalent", ["same"])

    def build(task):
        return build_victim(request.param, tiny_backbone, task, max_length=64)

    return build


def rows_of_pair(victim, pair):
    """Token ids of each row: first member, second member, without specials, and whole."""
    rows = victim.collate(victim.encode([pair]))
    separator = victim.tokenizer.eos_token_id
    found = []
    for ids, mask in zip(rows.input_ids, rows.attention_mask, strict=True):
        row = ids[mask.bool()].tolist()
        cut = row.index(separator)
        found.append((row[1:cut], row[cut + 2 : -1], row))
    return found


def template_lengths(victim):
    return [len(template.ids) for template in victim.insertion.templates]


@pytest.mark.parametrize("task", ["mrpc", "mini_paraphrases"])
@pytest.mark.parametrize("pair", [(LONG, SHORT), (SHORT, LONG)])
def test_pitfall_11_of_two_editable_sentences_the_longer_is_shortened(victim_of, task, pair):
    victim = victim_of(task)
    assert TASKS[task].frozen == ()
    short = victim.tokenizer.encode(f" {SHORT}", add_special_tokens=False)[1:]
    for first, second, row in rows_of_pair(victim, pair):
        assert len(row) == 64  # no room is left unused
        whole = first if pair[0] is SHORT else second
        assert any(whole[i : i + len(short)] == short for i in range(len(whole)))


def test_pitfall_11_two_long_sentences_share_the_room(victim_of):
    victim = victim_of("mrpc")
    for (first, second, row), n_template, template in zip(
        rows_of_pair(victim, (LONG, LONG)),
        template_lengths(victim),
        victim.insertion.templates,
        strict=True,
    ):
        n_first = len(first) - n_template * template.front
        n_second = len(second) - n_template * (not template.front)
        assert len(row) == 64 and n_first - n_second in (0, 1)


@pytest.mark.parametrize("task", ["boolq", "mini_questions"])
def test_pitfall_11_the_question_is_never_shortened(victim_of, task):
    """Although it is the longer one of what would then be left of the two."""
    victim = victim_of(task)
    question = "is the house great or is it very bad , " * 3 + "or not ?"
    asked = victim.tokenizer.encode(f" {question}", add_special_tokens=False)[1:]
    for _, second, row in rows_of_pair(victim, (LONG, question)):
        assert len(row) == 64
        assert any(second[i : i + len(asked)] == asked for i in range(len(second)))


@pytest.mark.parametrize("task", ["mrpc", "boolq"])
def test_pitfall_11_one_formatter_for_training_evaluation_and_attack(victim_of, task, monkeypatch):
    """The attacker's text, taken apart and put together by TextAttack, gives the same rows."""
    victim = victim_of(task)
    pair = (LONG, SHORT)
    in_training = victim.collate(victim.encode([pair]), np.random.default_rng(0))
    seen, logits = [], victim.logits
    monkeypatch.setattr(victim, "logits", lambda rows: (seen.append(rows), logits(rows))[1])
    victim([pair])
    victim([attacked_text(TASKS[task], pair).tokenizer_input])
    assert len(seen) == 2
    for rows in seen:
        assert rows.input_ids.equal(in_training.input_ids)
        assert rows.attention_mask.equal(in_training.attention_mask)
        assert rows.mask_position.equal(in_training.mask_position)


@pytest.mark.parametrize("task", ["mrpc", "boolq"])
def test_pitfall_24_special_tokens_in_either_member_are_escaped(victim_of, task):
    victim = victim_of(task)
    tokenizer = victim.tokenizer
    plain = victim.collate(victim.encode([("a", "b")]))
    for pair in ((MARKS, "b"), ("a", MARKS), (MARKS, MARKS)):
        rows = victim.collate(victim.encode([pair]))
        for token in (tokenizer.mask_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id):
            n = rows.input_ids.eq(token).sum(1)
            assert n.equal(plain.input_ids.eq(token).sum(1))


def test_pitfall_24_the_attackers_mark_between_columns_is_refused():
    example = {"texts": ["a", f"b {RESERVED} c"], "label": 0}
    with pytest.raises(BadInput, match=f"contains {RESERVED}"):
        rows_of([example], TASKS["mrpc"])


def test_pitfall_25_words_of_both_sentences_count():
    text = attacked_text(TASKS["mrpc"], ("one two three", "four five"))
    assert text.num_words == 5
    text = attacked_text(TASKS["boolq"], ("one two three", "four five?"))
    assert text.num_words == 5


def test_pairs_of_mini_paraphrases_have_both_members():
    data = load_task("mini_paraphrases", n_train=20, n_validation=2, n_test=2)
    assert all(len(texts) == 2 and all(texts) for texts in data["train"]["texts"])
