"""The tokenizers of the mini models: byte-level BPE trained on the corpus, for RoBERTa and for T5.

With bytes at the bottom no text is ever unknown: a typo becomes pieces.
"""

from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.processors import RobertaProcessing, TemplateProcessing
from transformers import AddedToken, PreTrainedTokenizerBase, RobertaTokenizerFast, T5TokenizerFast

VOCABULARY_SIZE = 6000
SENTINELS = 16  # <extra_id_0> … <extra_id_15>
LONGEST_TEXT = 256  # tokens
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
T5_SPECIAL = ["<pad>", "</s>", "<unk>"]


def train_byte_bpe(lines: Iterable[str], special: list[str], vocabulary_size: int) -> Tokenizer:
    """Byte-level BPE whose first ids are the special tokens, in their order."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary_size,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def roberta_tokenizer(
    lines: Iterable[str], vocabulary_size: int = VOCABULARY_SIZE
) -> PreTrainedTokenizerBase:
    """A tokenizer for RoBERTa; the mask token takes the space before it, as in roberta-base."""
    trained = train_byte_bpe(lines, ROBERTA_SPECIAL, vocabulary_size)
    trained.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return RobertaTokenizerFast(
        tokenizer_object=trained,
        mask_token=AddedToken("<mask>", lstrip=True, special=True),
        model_max_length=LONGEST_TEXT,
    )


def t5_tokenizer(
    lines: Iterable[str], vocabulary_size: int = VOCABULARY_SIZE
) -> PreTrainedTokenizerBase:
    """A tokenizer for T5 with sentinels at the end of the vocabulary."""
    trained = train_byte_bpe(lines, T5_SPECIAL, vocabulary_size - SENTINELS)
    trained.post_processor = TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return T5TokenizerFast(
        tokenizer_object=trained, extra_ids=SENTINELS, model_max_length=LONGEST_TEXT
    )
