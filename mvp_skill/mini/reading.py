"""What a language model reads: documents in numbered batches, so any step can be repeated."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from mvp_skill.errors import BadInput
from mvp_skill.mini import corpus
from mvp_skill.mini.curriculum import DOCUMENTS, Stage
from mvp_skill.mini.tokenizers import LONGEST_TEXT
from mvp_skill.seeding import derived_seed

CHUNK = 5_000  # documents that are written, tokenised and sorted by length at a time


class MiniCorpus:
    """The corpus of the mini world; it never ends and never repeats itself."""

    def __init__(self, seed: int, stages: Sequence[Stage] = DOCUMENTS):
        self.seed, self.stages = seed, stages

    def documents(self, first: int, n: int) -> list[str]:
        """Documents `first` to `first + n - 1`."""
        return list(corpus.documents(n, self.seed, first, self.stages))


class TextFiles:
    """The lines of plain UTF-8 text files, over and over.

    Raises `BadInput` for a file that cannot be read as UTF-8 and for files without a line.
    """

    def __init__(self, files: list[Path]):
        self.lines = [line for file in files for line in text_lines(file)]
        if not self.lines:
            names = ", ".join(map(str, files))
            raise BadInput(f"No line of text in {names}; give UTF-8 text files, a text a line.")

    def documents(self, first: int, n: int) -> list[str]:
        """Documents `first` to `first + n - 1`."""
        return [self.lines[number % len(self.lines)] for number in range(first, first + n)]


def text_lines(file: Path) -> list[str]:
    """The lines of a file that are not empty."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"Cannot read {file} as UTF-8 text: {error}.") from error
    return [line.strip() for line in text.splitlines() if line.strip()]


def parted(text: str, tokenizer: PreTrainedTokenizerBase, by_separator: bool) -> str:
    """The two texts of a pair as the tokenizer's pairs stand, or simply one after the other.

    A heading that stands apart is parted by the token that begins a text, if there is one.
    """
    text = text.replace(corpus.HEADING_ENDS, tokenizer.cls_token or " ")
    separator = tokenizer.sep_token if by_separator else None
    return text.replace(corpus.BETWEEN_TEXTS, 2 * separator if separator else " ")


class Reader:
    """Batches of token ids by the number of the step.

    A chunk of documents is sorted by length and cut into batches, which are read in a random
    order: so a batch needs little padding. The pairs in every second document are parted by the
    tokenizer's separator, if it has one.
    """

    def __init__(
        self,
        source: MiniCorpus | TextFiles,
        tokenizer: PreTrainedTokenizerBase,
        batch_size: int,
        seed: int,
        chunk: int = CHUNK,
    ):
        self.source, self.tokenizer, self.seed = source, tokenizer, seed
        self.batch_size = batch_size
        self.per_chunk = max(1, chunk // batch_size)
        self.number = -1

    def batch(self, step: int) -> list[list[int]]:
        """The documents of a step as lists of ids without special tokens."""
        number, index = divmod(step, self.per_chunk)
        if number != self.number:
            self.number, self.rows = number, self.chunk(number)
            self.order = np.random.default_rng(
                derived_seed(self.seed, "order of batches", number)
            ).permutation(self.per_chunk)
        start = self.order[index] * self.batch_size
        return self.rows[start : start + self.batch_size]

    def chunk(self, number: int) -> list[list[int]]:
        """The documents of one chunk as ids, shortest first."""
        size = self.per_chunk * self.batch_size
        texts = self.source.documents(number * size, size)
        texts = [parted(text, self.tokenizer, i % 2 == 0) for i, text in enumerate(texts)]
        coded = self.tokenizer(
            texts, add_special_tokens=False, truncation=True, max_length=LONGEST_TEXT - 2
        )
        return sorted(coded["input_ids"], key=len)
