"""How good mini models are: the measures, and the shipped weights."""

import json
from collections import Counter
from pathlib import Path

import pytest
import torch
from mini_model_cases import KINDS, TINY, tiny_tokenizers
from transformers import AutoTokenizer

from mvp_skill.backbones import load_backbone
from mvp_skill.mini import corpus, model_card, pretraining, quality, rare_words, tasks
from mvp_skill.mini.language_models import PretrainConfig, build_model
from mvp_skill.mini.objectives import label_word_ids
from mvp_skill.mini.oracle import words_of

WEIGHTS = Path(pretraining.__file__).parent / "weights"


@pytest.fixture(scope="module")
def tokenizers():
    return tiny_tokenizers("roberta")


# --- the measures ---


def test_label_accuracy_reads_a_planted_answer(tokenizers):
    """A model that always prefers "great" is right on the positive half and wrong on the other."""
    tokenizer = tokenizers["roberta"]
    model = build_model(PretrainConfig("roberta", 1, **TINY), len(tokenizer)).eval()
    great = tokenizer(" great", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        model.lm_head.bias.zero_()
        model.lm_head.bias[great[0]] = 100.0
    rows = tasks.split_examples("mini_films", "validation", 20, 0)
    assert quality.label_accuracy(model, tokenizer, "mini_films", rows) == 0.5
    positive = [row for row in rows if row["label"] == 1]
    assert quality.label_accuracy(model, tokenizer, "mini_films", positive) == 1.0


def test_masked_accuracy_of_a_model_that_knows_nothing(tokenizers):
    tokenizer = tokenizers["roberta"]
    model = build_model(PretrainConfig("roberta", 1, **TINY), len(tokenizer)).eval()
    values = rare_words.restored_tokens(model, tokenizer, list(corpus.held_out(60)))
    assert values["n_masked_tokens"] > 100
    # fresh weights are near a uniform guess over the vocabulary
    assert values["masked_perplexity"] == pytest.approx(len(tokenizer), rel=0.3)


def test_all_rare_words_count_whatever_texts_they_are_looked_for_in():
    few, many = (rare_words.rare_words(corpus.held_out(n)) for n in (20, 400))
    assert len(few) == len(many) == 842
    assert many["stellar"] == {"excellent", "superb", "outstanding", "exceptional", "topnotch"}
    words = Counter(word for text in corpus.held_out(400) for word in words_of(text))
    assert words["treasured"] > words["treasure"]
    assert "treasured" in many and "treasure" not in many  # the form that the texts have


# --- the shipped weights ---


def test_everything_shipped_is_small_enough():
    weights = list(WEIGHTS.rglob("*.safetensors"))
    assert {path.parent.name for path in weights} == {"weights", *KINDS}
    assert sum(path.stat().st_size for path in weights) <= 12e6
    for kind in KINDS:
        model, _ = load_backbone(f"mini-{kind}", pretraining.BACKBONE_KINDS[kind])
        assert sum(p.numel() for p in model.parameters()) <= 4e6


@pytest.mark.parametrize("kind", KINDS)
def test_label_words_are_single_tokens_and_typos_become_pieces(kind):
    tokenizer = AutoTokenizer.from_pretrained(WEIGHTS / kind)
    words = {w for classes in corpus.LABEL_WORDS.values() for label in classes for w in label}
    assert len(label_word_ids(tokenizer)) == len(words)
    foreign = () if kind == "bert" else ("żółw", "大")  # WordPiece has letters, and not all
    for typo in ("supreb", "ecxellent", *foreign):
        pieces = tokenizer(f" {typo}", add_special_tokens=False)["input_ids"]
        assert len(pieces) > 1
        assert tokenizer.unk_token_id not in pieces


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_models_reach_their_bars(kind):
    record = json.loads((WEIGHTS / kind / "quality.json").read_text(encoding="utf-8"))
    assert all(model_card.verdicts(kind, record["measured"]).values()), record["measured"]
    model, tokenizer = load_backbone(f"mini-{kind}", pretraining.BACKBONE_KINDS[kind])
    for name in ("mini_films", "mini_news"):
        rows = tasks.split_examples(name, "test", record["measured"]["n_test"], 0)
        accuracy = quality.label_accuracy(model.eval(), tokenizer, name, rows)
        # the card's number again; a few ties may fall otherwise on another machine
        assert accuracy == pytest.approx(record["measured"][name], abs=0.005)
