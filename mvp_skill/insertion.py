"""Templates around texts, as token ids: the one formatter of training, evaluation and attack.

Texts are tokenised without any template; the ids of a template are computed once and laid around
them, front (`<s>` template text `</s>`) or back (`<s>` text template `</s>`). Three things are
guaranteed by construction and held by tests:

* the template never gives way: a row that is too long loses tokens of the *text*, and of a pair
  only the member that an attack may edit;
* special tokens written in a text ("<mask>", "</s>") become ordinary pieces, so every row has
  exactly one mask, and its position is computed instead of being searched for;
* a front template and the text are tokenised as one sentence: the template starts like any first
  word, and the space after it belongs to the first word of the text. (The authors' code has a
  lone-space token in both places, which pretraining text hardly contains.)

GPT-2 has no special tokens around texts: a row is the text and the template after it, and a newline
stands between the texts of a pair. An empty text is read as <|endoftext|>, which starts a document
for it, so that no row is without tokens.

Source: Raman et al. 2023, section 3, and the authors' code.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mvp_skill.batching import steady_batches
from mvp_skill.checks import check_texts
from mvp_skill.errors import BadInput
from mvp_skill.prompts import Template
from mvp_skill.shortening import shortened
from mvp_skill.template_ids import EMPTY, NO_TEMPLATE, template_ids

if TYPE_CHECKING:
    from mvp_skill.token_budgets import TokenBudget
    from mvp_skill.victims import VictimSettings

PAIR_SEPARATOR = "\n"  # where the tokenizer has no special tokens for pairs (GPT-2)


class Record(NamedTuple):
    """Token ids of one text or pair, without special tokens."""

    opening: np.ndarray
    """The first text as it opens a row."""
    following: np.ndarray
    """The first text as it follows a template: with a leading space."""
    second: np.ndarray
    """The second text of a pair; empty for a single text."""

    @property
    def length(self) -> int:
        """Tokens of the text or pair before anything is cut off."""
        return len(self.opening) + len(self.second)


class Rows(NamedTuple):
    """What the encoder reads, right-padded to the longest row; all tensors are integers."""

    input_ids: Tensor
    """[batch * template, position]"""
    attention_mask: Tensor
    """[batch * template, position], 1 for tokens, 0 for padding"""
    token_type_ids: Tensor | None
    """[batch * template, position], or None where the backbone does not know them (RoBERTa)"""
    mask_position: Tensor
    """[batch, template], where label words are read: the mask, or the last token where the
    backbone has no mask (GPT-2); -1 without a template"""

    @property
    def first_position(self) -> Tensor:
        """Position of `<s>` in each row, [batch * template]."""
        return torch.zeros_like(self.attention_mask[:, 0])

    @property
    def last_position(self) -> Tensor:
        """Position of the last token of each row, [batch * template]."""
        return self.attention_mask.sum(dim=1) - 1

    def to(self, device: torch.device | str) -> "Rows":
        """The same rows on another device."""
        moved = (t if t is None else t.to(device, non_blocking=True) for t in self)
        return Rows(*moved)


class Insertion:
    """Texts to records, and records to rows with templates around them.

    tokenizer    a fast tokenizer
    templates    none means the bare text, as MLP-FT reads it
    max_length   tokens of the longest row, special tokens and template included
    n_columns    1 for texts, 2 for pairs
    frozen       indices of the columns of a pair that are never shortened
    raises       BadInput for a slow tokenizer, or a template that leaves no room for a text
    """

    def __init__(
        self,
        tokenizer: Any,
        templates: Sequence[Template] = (),
        *,
        max_length: int,
        n_columns: int = 1,
        frozen: Iterable[int] = (),
    ) -> None:
        if not tokenizer.is_fast:
            raise BadInput(
                f"{type(tokenizer).__name__} cannot escape special tokens in texts; "
                "use a backbone with a fast tokenizer (a tokenizer.json file)."
            )
        self.tokenizer, self.n_columns = tokenizer, n_columns
        self.frozen = frozenset(frozen) if n_columns == 2 else frozenset()
        self.templates = [template_ids(template, tokenizer) for template in templates]
        self.prompted, self.templates = bool(templates), self.templates or [NO_TEMPLATE]
        self.frame = _frame(tokenizer, n_columns)
        has_pad = tokenizer.pad_token_id is not None  # without one any token does: nothing reads it
        self.pad_id = tokenizer.pad_token_id if has_pad else tokenizer.eos_token_id
        taken = _lengths(self.frame).sum() + _lengths([t.ids for t in self.templates])
        self.max_length, self.beside = max_length, int(taken.max())
        self.room = max_length - taken  # [template]
        if self.room.min() < n_columns:
            raise BadInput(
                f"{max_length} tokens leave no room for a text beside the longest template; use a "
                "shorter template, a larger max_length or a backbone that reads longer inputs."
            )

    @classmethod
    def for_victim(cls, tokenizer: Any, settings: "VictimSettings") -> "Insertion":
        """With the templates, lengths and columns of a victim."""
        return cls(
            tokenizer,
            [Template(pattern) for pattern in settings.templates],
            max_length=settings.max_length,
            n_columns=settings.n_columns,
            frozen=settings.frozen,
        )

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Record]:
        """Token ids of texts or pairs; white space around a text does not count.

        raises   BadInput unless every element is a string (or a pair of strings, for a pair task)
        """
        examples = self.checked(texts)
        columns = [[texts[i].strip() for texts in examples] for i in range(self.n_columns)]
        opening = self._pieces(columns[0])
        following = opening
        if any(template.spaced for template in self.templates):
            following = self._pieces([text and " " + text for text in columns[0]])
        second = self._pieces(columns[1]) if self.n_columns == 2 else [EMPTY] * len(opening)
        return [Record(*ids) for ids in zip(opening, following, second, strict=True)]

    def checked(self, texts: Sequence[Any]) -> list[tuple[str, ...]]:
        """Every text as a tuple of strings; BadInput if one is not what the task has."""
        return check_texts(texts, self.n_columns)

    def row_lengths(self, records: Sequence[Record]) -> list[int]:
        """Tokens of the longest row of each record, special tokens and template included."""
        return [min(record.length + self.beside, self.max_length) for record in records]

    def batches(self, records: Sequence[Record], budget: "TokenBudget") -> Iterator[np.ndarray]:
        """Indices of the records, each once, in batches for passes without gradients."""
        return steady_batches(self.row_lengths(records), len(self.templates), budget.tokens)

    def every_row(self, records: Sequence[Record]) -> Rows:
        """Each record through every template (as it is, if there are none)."""
        return self.rows(records, np.tile(np.arange(len(self.templates)), (len(records), 1)))

    def rows(self, records: Sequence[Record], chosen: np.ndarray) -> Rows:
        """Lay templates around records; the rows of one record follow each other.

        chosen   [batch, template], for each record the indices of the templates it is read through
        """
        templates = [self.templates[index] for index in chosen.ravel()]
        records = [record for record in records for _ in range(chosen.shape[1])]
        firsts = [
            record.following if template.spaced else record.opening
            for record, template in zip(records, templates, strict=True)
        ]
        seconds = [record.second for record in records]
        room = self.room[chosen.ravel()]
        n_first, n_second = shortened(_lengths(firsts), _lengths(seconds), room, self.frozen)
        start, separator, end = ([ids] * len(templates) for ids in self.frame)
        segments = [
            start,
            [template.ids if template.front else EMPTY for template in templates],
            [ids[:n] for ids, n in zip(firsts, n_first, strict=True)],
            separator,
            [ids[:n] for ids, n in zip(seconds, n_second, strict=True)],
            [EMPTY if template.front else template.ids for template in templates],
            end,
        ]
        lengths = np.stack([_lengths(segment) for segment in segments], axis=1)
        front = np.array([template.front for template in templates])
        offset = np.array([template.mask_offset for template in templates])
        before = np.where(front, lengths[:, 0], lengths[:, :5].sum(axis=1))  # the template
        mask_position = before + offset if self.prompted else np.full(len(before), -1)
        return self._lay_out(segments, lengths, mask_position.reshape(chosen.shape))

    def _lay_out(
        self, segments: list[list[np.ndarray]], lengths: np.ndarray, mask_position: np.ndarray
    ) -> Rows:
        n_tokens = lengths.sum(axis=1, keepdims=True)
        filled = np.arange(n_tokens.max()) < n_tokens  # [batch * template, position]
        input_ids = np.full(filled.shape, self.pad_id)
        pieces = [piece for row in zip(*segments, strict=True) for piece in row]
        input_ids[filled] = np.concatenate(pieces)
        return Rows(
            torch.from_numpy(input_ids),
            torch.from_numpy(filled.astype(np.int64)),
            self._token_types(lengths, filled),
            torch.from_numpy(mask_position),
        )

    def _token_types(self, lengths: np.ndarray, filled: np.ndarray) -> Tensor | None:
        """0 up to and including the separator, 1 after it; single texts are 0 throughout."""
        if "token_type_ids" not in self.tokenizer.model_input_names:
            return None
        of_segment = np.array([0, 0, 0, 0, 1, 1, 1]) * (self.n_columns == 2)
        token_types = np.zeros(filled.shape, dtype=np.int64)
        token_types[filled] = np.repeat(np.tile(of_segment, len(lengths)), lengths.ravel())
        return torch.from_numpy(token_types)

    def _pieces(self, texts: list[str]) -> list[np.ndarray]:
        if not texts:
            return []
        encoded = self.tokenizer(
            texts, add_special_tokens=False, split_special_tokens=True, verbose=False
        )
        nothing = [] if len(self.frame[0]) else [self.tokenizer.eos_token_id]
        return [np.array(ids or nothing, dtype=np.int64) for ids in encoded["input_ids"]]


def _frame(tokenizer: Any, n_columns: int) -> list[np.ndarray]:
    """Special tokens before the first text, between the texts and after the last one."""
    encoded = tokenizer(*["a"] * n_columns, return_special_tokens_mask=True)
    ids = np.array(encoded["input_ids"])
    is_text = np.array(encoded["special_tokens_mask"]) == 0
    first, last = np.flatnonzero(is_text)[[0, -1]]
    between = ids[first:last][~is_text[first:last]]
    if n_columns == 2 and not len(between):
        between = np.array(tokenizer.encode(PAIR_SEPARATOR, add_special_tokens=False))
    return [ids[:first], between, ids[last + 1 :]]


def _lengths(arrays: Sequence[np.ndarray]) -> np.ndarray:
    return np.array([len(array) for array in arrays], dtype=np.int64)
