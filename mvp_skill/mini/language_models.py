"""The two mini language models: stock RoBERTa and T5 of the transformers library, small."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn
from transformers import (
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from mvp_skill.errors import BadInput
from mvp_skill.mini import corpus
from mvp_skill.mini.tokenizers import LONGEST_TEXT, roberta_tokenizer, t5_tokenizer


@dataclass(frozen=True)
class PretrainConfig:
    """How a mini model is pretrained; every field changes the outcome."""

    kind: str
    """roberta or t5."""
    steps: int
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
    first_weights: float = 0.02
    """Standard deviation of RoBERTa's first weights."""
    vocabulary_size: int = 6000
    tokenizer_documents: int = 150_000
    seed: int = 0
    bfloat16: bool = True

    def __post_init__(self) -> None:
        if self.kind not in BUILDERS:
            raise BadInput(f"No mini model of kind {self.kind!r}; choose {' or '.join(BUILDERS)}.")
        for name in ("steps", "batch_size", "width", "layers", "tokenizer_documents"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; it must be at least 1.")


def build_roberta(config: PretrainConfig, vocabulary: int) -> RobertaForMaskedLM:
    """RoBERTa for masked language modelling."""
    return RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=vocabulary,
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=4,
            intermediate_size=4 * config.width,
            max_position_embeddings=LONGEST_TEXT + 2,
            type_vocab_size=1,
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.dropout,
            initializer_range=config.first_weights,
            attn_implementation="eager",  # a CPU differentiates the fused one at half the speed
            bos_token_id=0,
            pad_token_id=1,
            eos_token_id=2,
        )
    )


def build_t5(config: PretrainConfig, vocabulary: int) -> T5ForConditionalGeneration:
    """T5 for span corruption, with two decoder layers."""
    return T5ForConditionalGeneration(
        T5Config(
            vocab_size=vocabulary,
            d_model=config.width,
            d_kv=config.width // 4,
            d_ff=4 * config.width,
            num_layers=config.layers,
            num_decoder_layers=2,
            num_heads=4,
            dropout_rate=config.dropout,
            decoder_start_token_id=0,
        )
    )


BUILDERS: dict[str, Callable[[PretrainConfig, int], nn.Module]] = {
    "roberta": build_roberta,
    "t5": build_t5,
}
TOKENIZERS = {"roberta": roberta_tokenizer, "t5": t5_tokenizer}


def build_model(config: PretrainConfig, vocabulary: int) -> nn.Module:
    """A model with fresh weights that depend on the seed alone."""
    torch.manual_seed(config.seed)
    return BUILDERS[config.kind](config, vocabulary)


def build_tokenizer(config: PretrainConfig, lines: Iterable[str]) -> PreTrainedTokenizerBase:
    """The tokenizer of the kind, trained on the lines."""
    plain = (line.replace(corpus.BETWEEN_TEXTS, " ") for line in lines)
    return TOKENIZERS[config.kind](plain, config.vocabulary_size)
