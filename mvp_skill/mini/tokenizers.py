"""The tokenizers of the mini models, trained on the corpus.

Byte-level BPE for RoBERTa, GPT-2 and T5, WordPiece for BERT. With bytes, or letters, at the bottom
a typo becomes pieces.
"""

from collections.abc import Iterable

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.implementations import BertWordPieceTokenizer
from tokenizers.processors import RobertaProcessing, TemplateProcessing
from transformers import (
    AddedToken,
    BertTokenizerFast,
    GPT2TokenizerFast,
    PreTrainedTokenizerBase,
    RobertaTokenizerFast,
    T5TokenizerFast,
)

VOCABULARY_SIZE = 6000
SENTINELS = 16  # <extra_id_0> … <extra_id_15>
LONGEST_TEXT = 256  # tokens
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
GPT2_SPECIAL = ["<|endoftext|>"]
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


def bert_tokenizer(
    lines: Iterable[str], vocabulary_size: int = VOCABULARY_SIZE
) -> PreTrainedTokenizerBase:
    """WordPiece in lower case, as bert-base-uncased has it.

    The pieces are those of BPE, written the other way: what follows a space begins a word, and
    all else goes on with one. The library's own trainer of WordPiece gives another vocabulary each
    time (github.com/huggingface/tokenizers/issues/1794).
    """
    found = train_byte_bpe((line.lower() for line in lines), [], vocabulary_size).get_vocab()
    signs = [sign for sign in map(chr, range(33, 127)) if not sign.isupper()]
    pieces = [*BERT_SPECIAL, *signs, *(f"##{sign}" for sign in signs)]
    for piece in sorted(found, key=found.get):
        if piece.removeprefix("Ġ").isascii():
            pieces.append(piece[1:] if piece.startswith("Ġ") else f"##{piece}")
    pieces = [piece for piece in dict.fromkeys(pieces) if piece][:vocabulary_size]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    wordpiece = BertWordPieceTokenizer(vocabulary, lowercase=True)
    return BertTokenizerFast(tokenizer_object=wordpiece._tokenizer, model_max_length=LONGEST_TEXT)


def gpt2_tokenizer(
    lines: Iterable[str], vocabulary_size: int = VOCABULARY_SIZE
) -> PreTrainedTokenizerBase:
    """A tokenizer for GPT-2, whose only special token ends a text."""
    trained = train_byte_bpe(lines, GPT2_SPECIAL, vocabulary_size)
    return GPT2TokenizerFast(tokenizer_object=trained, model_max_length=LONGEST_TEXT)


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
