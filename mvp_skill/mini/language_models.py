"""The mini language models: stock architectures of the transformers library, small."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from mvp_skill.errors import BadInput
from mvp_skill.mini import corpus
from mvp_skill.mini.curriculum import CURRICULA
from mvp_skill.mini.tokenizers import (
    LONGEST_TEXT,
    bert_tokenizer,
    gpt2_tokenizer,
    roberta_tokenizer,
    t5_tokenizer,
)

HEADS = 4
ATTENTION = "eager"  # in bfloat16 a CPU differentiates the fused one at half the speed


@dataclass(frozen=True)
class PretrainConfig:
    """How a mini model is pretrained; every field changes the outcome."""

    kind: str
    """roberta, bert, gpt2 or t5."""
    steps: int
    curriculum: str = "documents"
    """What is read when; one of `curriculum.CURRICULA`."""
    start: str = ""
    """Folder of a model of the same kind and size to go on from; empty: from fresh weights."""
    batch_size: int = 64
    learning_rate: float = 1.5e-3
    warmup_share: float = 0.05
    held_until: int = 0
    """Step up to which the learning rate stays at its largest."""
    weight_decay: float = 0.01
    clip: float = 1.0
    width: int = 128
    layers: int = 4
    dropout: float = 0.1
    """In pretraining; the stored model has the stock dropout of 0.1, for fine-tuning."""
    vocabulary_size: int = 6000
    tokenizer_documents: int = 150_000
    seed: int = 0
    bfloat16: bool = True

    def __post_init__(self) -> None:
        if self.kind not in BUILDERS:
            raise BadInput(f"No mini model of kind {self.kind!r}; choose {' or '.join(BUILDERS)}.")
        if self.curriculum not in CURRICULA:
            names = " or ".join(CURRICULA)
            raise BadInput(f"No curriculum is named {self.curriculum!r}; choose {names}.")
        for name in ("steps", "batch_size", "width", "layers", "tokenizer_documents"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be at least 1.")


def encoder_settings(config: PretrainConfig, vocabulary: int) -> dict[str, Any]:
    """What RoBERTa's and BERT's configurations share, by the library's names."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": HEADS,
        "intermediate_size": 4 * config.width,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.dropout,
        "attn_implementation": ATTENTION,
    }


def build_roberta(config: PretrainConfig, vocabulary: int) -> RobertaForMaskedLM:
    """RoBERTa for masked language modelling."""
    return RobertaForMaskedLM(
        RobertaConfig(
            **encoder_settings(config, vocabulary),
            max_position_embeddings=LONGEST_TEXT + 2,
            type_vocab_size=1,
            bos_token_id=0,
            pad_token_id=1,
            eos_token_id=2,
        )
    )


def build_bert(config: PretrainConfig, vocabulary: int) -> BertForMaskedLM:
    """BERT for masked language modelling."""
    return BertForMaskedLM(
        BertConfig(
            **encoder_settings(config, vocabulary),
            max_position_embeddings=LONGEST_TEXT,
        )
    )


def build_gpt2(config: PretrainConfig, vocabulary: int) -> GPT2LMHeadModel:
    """GPT-2, which predicts each token from those before it."""
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=vocabulary,
            n_embd=config.width,
            n_layer=config.layers,
            n_head=HEADS,
            n_positions=LONGEST_TEXT,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.dropout,
            attn_implementation=ATTENTION,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def build_t5(config: PretrainConfig, vocabulary: int) -> T5ForConditionalGeneration:
    """T5 for span corruption, with two decoder layers."""
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary,
            d_model=config.width,
            d_kv=config.width // HEADS,
            d_ff=4 * config.width,
            num_layers=config.layers,
            num_decoder_layers=2,
            num_heads=HEADS,
            dropout_rate=config.dropout,
            decoder_start_token_id=0,
        )
    )


BUILDERS: dict[str, Callable[[PretrainConfig, int], nn.Module]] = {
    "roberta": build_roberta,
    "bert": build_bert,
    "gpt2": build_gpt2,
    "t5": build_t5,
}
TOKENIZERS = {
    "roberta": roberta_tokenizer,
    "bert": bert_tokenizer,
    "gpt2": gpt2_tokenizer,
    "t5": t5_tokenizer,
}


def build_model(config: PretrainConfig, vocabulary: int) -> nn.Module:
    """A model with fresh weights that depend on the seed alone."""
    torch.manual_seed(config.seed)
    return BUILDERS[config.kind](config, vocabulary)


def build_tokenizer(config: PretrainConfig, lines: Iterable[str]) -> PreTrainedTokenizerBase:
    """The tokenizer of the kind, trained on the lines."""
    plain = (line.replace(corpus.BETWEEN_TEXTS, " ") for line in lines)
    return TOKENIZERS[config.kind](plain, config.vocabulary_size)
