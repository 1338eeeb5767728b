"""Tiny models of the four mini kinds, and tokenizers made from a few hundred documents."""

from mvp_skill.mini import corpus
from mvp_skill.mini.language_models import PretrainConfig, build_tokenizer

KINDS = ("roberta", "bert", "gpt2", "t5")
TINY = {"batch_size": 4, "width": 16, "layers": 1, "vocabulary_size": 700,
        "tokenizer_documents": 300, "bfloat16": False}  # fmt: skip


def tiny_tokenizers(*kinds):
    """Kind -> its tokenizer."""
    lines = list(corpus.documents(400))
    return {kind: build_tokenizer(PretrainConfig(kind, 1, **TINY), lines) for kind in kinds}
