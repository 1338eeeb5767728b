"""What the mini models read in pretraining, what of it is hidden, and the losses."""

from collections import Counter

import numpy as np
import pytest
import torch
from mini_model_cases import KINDS, TINY, tiny_tokenizers

from mvp_skill.errors import BadInput
from mvp_skill.mini import corpus, objectives
from mvp_skill.mini.corruption import (
    IGNORED,
    LABEL_ALONE_SHARE,
    LABEL_MASKED_SHARE,
    MASKED_SHARE,
    corrupt_spans,
    mask_tokens,
    random_spans,
)
from mvp_skill.mini.language_models import PretrainConfig, build_model
from mvp_skill.mini.objectives import COUNT_STEP, LABEL_WEIGHT, answered, padded, weighted_loss
from mvp_skill.mini.reading import MiniCorpus, Reader, TextFiles, parted


@pytest.fixture(scope="module")
def tokenizers():
    return tiny_tokenizers(*KINDS)


# --- what is hidden ---


def masks(n=400, vocabulary=50, mask_id=3):
    special = torch.zeros(vocabulary, dtype=torch.bool)
    special[:4] = True
    labels = torch.zeros(vocabulary, dtype=torch.bool)
    labels[10] = True
    ids = torch.randint(0, vocabulary, (n, 31), generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(2)
    inputs, targets = mask_tokens(ids, special, labels, mask_id, generator)
    return ids, inputs, targets, special


def test_special_tokens_are_never_masked_and_targets_are_the_ids():
    ids, inputs, targets, special = masks()
    asked = targets != IGNORED
    assert not special[ids[asked]].any()
    assert (targets[asked] == ids[asked]).all()
    assert (inputs[~asked] == ids[~asked]).all()


def test_shares_of_masked_kept_and_random_tokens():
    ids, inputs, targets, special = masks(n=4000)
    asked = targets != IGNORED
    with_label = (ids == 10).any(dim=1, keepdim=True)
    plain, label = (~special[ids]) & (ids != 10), ids == 10
    # Where there are label words, some rows hide nothing else.
    beside = asked[plain & with_label].float().mean()
    assert beside == pytest.approx(MASKED_SHARE * (1 - LABEL_ALONE_SHARE), abs=0.01)
    plain &= ~with_label
    # about five standard errors; the two shares are far apart
    assert asked[plain].float().mean() == pytest.approx(MASKED_SHARE, abs=0.01)
    assert asked[label].float().mean() == pytest.approx(LABEL_MASKED_SHARE, abs=0.05)
    shown = inputs[asked]
    assert (shown == 3).float().mean() == pytest.approx(0.8, abs=0.02)
    assert not special[shown[shown != 3]].any()


def test_spans_can_be_put_back():
    sentinels, rng = [900, 901, 902, 903], np.random.default_rng(0)
    for length in range(2, 40):
        ids = list(range(10, 10 + length))
        inputs, target = corrupt_spans(ids, set(), sentinels, 1, rng)
        assert inputs[-1] == target[-1] == 1
        spans, current = {900: []}, 900  # the first sentinel is not written in the target
        for token in target[:-1]:
            if token in sentinels:
                current, spans[token] = token, []
            else:
                spans[current].append(token)
        restored = [t for token in inputs[:-1] for t in spans.get(token, [token])]
        assert restored == ids
        assert target[0] == spans[900][0]


def test_a_label_word_is_often_hidden_alone():
    rng = np.random.default_rng(0)
    hidden = [corrupt_spans([5, 6, 7, 77, 8], {77}, [900, 901], 1, rng) for _ in range(500)]
    alone = sum(pair == ([5, 6, 7, 900, 8, 1], [77, 1]) for pair in hidden)
    assert 0.35 < alone / 500 < 0.55


def test_of_the_label_words_of_a_sheet_most_are_hidden_at_once(monkeypatch):
    monkeypatch.setattr("mvp_skill.mini.corruption.LABEL_ALONE_SHARE", 1.0)
    rng, sheet = np.random.default_rng(1), [5, 77, 6, 78, 7, 77, 8, 78]
    pairs = [corrupt_spans(sheet, {77, 78}, [900, 901, 902, 903], 1, rng) for _ in range(500)]
    assert all({5, 6, 7, 8} <= set(inputs) for inputs, _ in pairs), "nothing else is hidden"
    hidden = [sum(token >= 900 for token in inputs) for inputs, _ in pairs]
    assert min(hidden) == 1 and max(hidden) == 4
    assert 2.7 < sum(hidden) / 500 < 2.9  # 0.7 of 4; a single one at least
    few = [corrupt_spans(sheet, {77, 78}, [900, 901], 1, rng)[0] for _ in range(200)]
    assert max(sum(token >= 900 for token in inputs) for inputs in few) == 2


def test_spans_neither_touch_nor_overlap():
    rng = np.random.default_rng(3)
    for n_tokens in (1, 2, 5, 17, 60):
        for _ in range(50):
            spans = sorted(random_spans(n_tokens, 5, rng).items())
            assert 1 <= len(spans) <= 5
            ends = [start + length for start, length in spans]
            assert ends[-1] <= n_tokens
            assert all(end < start for end, (start, _) in zip(ends[:-1], spans[1:], strict=True))


# --- the losses ---


def test_the_loss_weighs_label_words_and_skips_what_is_not_asked():
    scores = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    targets = torch.tensor([3, 6, 0, IGNORED, 1])
    label_words = torch.tensor([False] * 6 + [True])
    total = weight = 0.0
    for row, target in zip(scores, targets.tolist(), strict=True):
        if target != IGNORED:
            w = LABEL_WEIGHT if label_words[target] else 1.0
            total, weight = total - w * row.log_softmax(dim=0)[target], weight + w
    assert weighted_loss(scores, targets, label_words) == pytest.approx(float(total / weight))


def test_places_are_filled_up_with_nothing_asked():
    targets = torch.full((3, 50), IGNORED)
    targets[0, 3], targets[2, 49] = 8, 9
    places, answers = answered(targets)
    assert len(places) == len(answers) == COUNT_STEP
    assert places[:2].tolist() == [3, 149]
    assert answers[:2].tolist() == [8, 9]
    assert (answers[2:] == IGNORED).all()


@pytest.mark.parametrize("kind", KINDS)
def test_objectives_equal_the_stock_models_loss(kind, tokenizers, monkeypatch):
    """With a weight of one the losses are those that transformers computes from whole outputs."""
    monkeypatch.setattr(objectives, "LABEL_WEIGHT", 1.0)
    tokenizer = tokenizers[kind]
    model = build_model(PretrainConfig(kind, 1, **TINY), len(tokenizer)).eval()
    rows = tokenizer(list(corpus.documents(7)), add_special_tokens=False)["input_ids"]
    objective = objectives.OBJECTIVES[kind](tokenizer)
    ours = objective(model, rows, seed=3)
    if kind == "gpt2":
        inputs = padded([[0, *row, 0] for row in rows], 0)
        lengths = torch.tensor([[len(row) + 2] for row in rows])
        labels = inputs.masked_fill(torch.arange(inputs.shape[1]) >= lengths, IGNORED)
        stock = model(input_ids=inputs, labels=labels).loss
    elif kind != "t5":
        pad, start, end = tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id
        ids = padded([[start, *row, end] for row in rows], pad)
        generator = torch.Generator().manual_seed(3)
        inputs, labels = mask_tokens(
            ids, objective.special, objective.label_words, tokenizer.mask_token_id, generator
        )
        stock = model(input_ids=inputs, attention_mask=(ids != pad).long(), labels=labels).loss
    else:
        rng = np.random.default_rng(3)
        pairs = [corrupt_spans(r, objective.label_ids, objective.sentinels, 1, rng) for r in rows]
        inputs, labels = padded([a for a, _ in pairs], 0), padded([b for _, b in pairs], IGNORED)
        stock = model(input_ids=inputs, attention_mask=(inputs != 0).long(), labels=labels).loss
    assert float(ours) == pytest.approx(float(stock), rel=1e-5)


# --- what is read ---


def test_a_chunk_is_read_once_and_batches_are_alike_in_length(tokenizers):
    reader = Reader(MiniCorpus(0), tokenizers["roberta"], batch_size=4, seed=0, chunk=50)
    assert reader.per_chunk == 12
    batches = [reader.batch(step) for step in range(12)]
    read = Counter(tuple(ids) for batch in batches for ids in batch)
    assert read == Counter(map(tuple, reader.chunk(0)))
    lengths = [len(ids) for ids in reader.chunk(0)]
    unsorted = [lengths[i::12] for i in range(12)]
    padding = sum(max(b) * 4 - sum(b) for b in unsorted)
    assert sum(max(map(len, b)) * 4 - sum(map(len, b)) for b in batches) < padding / 3
    assert reader.batch(12) not in batches


def test_any_batch_can_be_read_on_its_own(tokenizers):
    make = lambda: Reader(MiniCorpus(0), tokenizers["t5"], batch_size=3, seed=5, chunk=20)  # noqa: E731
    straight = make()
    expected = [straight.batch(step) for step in range(14)]
    assert make().batch(13) == expected[13]


def test_text_files_are_read_over_and_over(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\n two \n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("three", encoding="utf-8")
    files = TextFiles([tmp_path / "a.txt", tmp_path / "b.txt"])
    assert files.documents(1, 5) == ["two", "three", "one", "two", "three"]


def test_unreadable_text_files_are_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "empty.txt").write_text("\n\n", encoding="utf-8")
    with pytest.raises(BadInput, match="latin.txt.*UTF-8"):
        TextFiles([tmp_path / "latin.txt"])
    with pytest.raises(BadInput, match="empty.txt"):
        TextFiles([tmp_path / "empty.txt"])
    with pytest.raises(BadInput, match=r"missing.txt"):
        TextFiles([tmp_path / "missing.txt"])


def test_pairs_are_parted_by_the_separator_in_every_second_document(tokenizers):
    reader = Reader(MiniCorpus(0), tokenizers["roberta"], batch_size=2, seed=0, chunk=200)
    end = tokenizers["roberta"].eos_token_id
    texts = list(corpus.documents(200))
    pairs = sum(corpus.BETWEEN_TEXTS in text for i, text in enumerate(texts) if i % 2 == 0)
    assert sum(ids.count(end) == 2 for ids in reader.chunk(0)) == pairs > 10


def test_a_heading_that_stands_apart_has_the_start_of_the_text_behind_it(tokenizers, monkeypatch):
    tokens = tokenizers["roberta"]
    text = " good film:" + corpus.HEADING_ENDS + "it was good."
    (row,) = tokens([parted(text, tokens, True)], add_special_tokens=False)["input_ids"]
    assert row.count(tokens.cls_token_id) == 1 and row[0] != tokens.cls_token_id
    seen = []

    def spy(ids, *others):
        seen.append(ids)
        return mask_tokens(ids, *others)

    monkeypatch.setattr("mvp_skill.mini.objectives.mask_tokens", spy)
    model = build_model(PretrainConfig("roberta", 1, **TINY), len(tokens))
    plain = tokens(["it was good."], add_special_tokens=False)["input_ids"][0]
    objectives.OBJECTIVES["roberta"](tokens)(model, [row, plain], seed=0)
    first, second = seen[0].tolist()
    assert first[: len(row) + 1] == [*row, tokens.sep_token_id]
    assert second[: len(plain) + 2] == [tokens.cls_token_id, *plain, tokens.sep_token_id]
    assert parted(text, tokenizers["t5"], True) == " good film: it was good."
