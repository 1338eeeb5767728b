"""Texts as a prompt-tuned model reads them: the token ids that follow the prompt positions.

    RoBERTa             <s> text </s>                                       128 tokens of text
                        <s> text </s> text </s>                             131 in all
    T5, sentiment       text </s>                                           128
    T5, ethics          text, or text text                                  130
    T5, paraphrase      text <extra_id_0> text </s>                         130
    T5, NLI             hypothesis: text [SEP] sentence: premise: text      130

What is too long is cut at its end, before the last `</s>`. A text is tokenised by itself, without
a space before it, and what stands between two texts likewise. "[SEP]" is no special token of T5's.
Special tokens written in a text become ordinary pieces, so there is none that the format did not
put there.

T5's tokenizer begins every text with its mark for a space. Where one does not (that of the mini
T5), all but the first text get a space, so that no two words run into each other.

Padding is the model's business. The released code pads every row to one length: `padded_length`.

Source: the code of Ackermann and Ohmer 2023, after Su et al. 2022. What it has no format for is
read as sentiment if it is one text, as paraphrase if it is two.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mvp_skill.checks import check_choice, check_count, check_texts
from mvp_skill.errors import BadInput
from mvp_skill.prompts import adds_space
from mvp_skill.task_types import TYPES, clean_task
from mvp_skill.tasks import task_named

if TYPE_CHECKING:
    from mvp_skill.token_budgets import TokenBudget

MAX_TEXT = 128  # tokens of text that the lengths above are made for
# Which of the two texts is the hypothesis, by the names of their columns.
NLI_PREFIXES = {"question": "hypothesis:", "hypothesis": "hypothesis:"}
NLI_PREFIXES |= {"sentence": "premise:", "premise": "premise:"}
NLI_SEPARATOR = "[SEP] sentence:"
SENTINEL = "<extra_id_0>"
# Positions that a padded row has beside those of prompt and text.
EXTRA_POSITIONS = {"masked_lm": 3, "seq2seq": 2}


class PromptRecord(NamedTuple):
    """What follows the prompt positions in the row of one text or pair, without padding."""

    ids: np.ndarray
    """[position]"""

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.ids)


class Frame(NamedTuple):
    """What stands around the texts of a task, as token ids; each may be empty."""

    before: list[list[int]]
    """Before each text."""
    between: list[int]
    end: list[int]
    longest: int
    """Tokens of the longest row, `end` included."""


class PromptFormat:
    """Texts of a task to records, for one kind of backbone.

    tokenizer   a fast tokenizer
    kind        "masked_lm" or "seq2seq"
    task        name of a task; an adversarial set is read as its clean task
    max_text    tokens of text that there is room for; the lengths of the table are those for 128
    n_prompt    positions before the text, which count in `lengths`
    raises      BadInput for another kind, an unknown task, a slow tokenizer, or no room
    """

    templates: tuple = ()

    def __init__(
        self, tokenizer: Any, kind: str, task: str, max_text: int = MAX_TEXT, n_prompt: int = 0
    ) -> None:
        check_choice("kind of backbone for prompt tuning", kind, list(EXTRA_POSITIONS))
        check_count("max_text", max_text, 8)
        if not tokenizer.is_fast:
            raise BadInput(
                f"{type(tokenizer).__name__} cannot escape special tokens in texts; "
                "use a backbone with a fast tokenizer (a tokenizer.json file)."
            )
        self.tokenizer, self.kind, self.max_text = tokenizer, kind, max_text
        self.n_prompt = n_prompt
        self.columns = task_named(task).columns
        # T5's parts each begin a word; RoBERTa's texts are read as if each opened a row.
        self.spaced = kind == "seq2seq" and not adds_space(tokenizer)
        frame_of = self._masked_frame if kind == "masked_lm" else self._t5_frame
        self.frame: Frame = frame_of(clean_task(task))

    def padded_length(self, n_prompt: int) -> int:
        """Positions to which the released code pads every row, those of the prompt included.

        231 for RoBERTa and 230 for T5, with 100 prompt positions and 128 tokens of text.
        """
        return n_prompt + self.max_text + EXTRA_POSITIONS[self.kind]

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[PromptRecord]:
        """Token ids of texts or pairs; white space around a text does not count.

        raises   BadInput unless every element is a string (or a pair of strings, for a pair task)
        """
        examples = self.checked(texts)
        columns = [
            self._pieces([texts[i].strip() for texts in examples], opens=not self._stands_before(i))
            for i in range(len(self.columns))
        ]
        return [PromptRecord(self._row(pieces)) for pieces in zip(*columns, strict=True)]

    def checked(self, texts: Sequence[Any]) -> list[tuple[str, ...]]:
        """Every text as a tuple of strings; BadInput if one is not what the task has."""
        return check_texts(texts, len(self.columns))

    def batches(self, records: Sequence[PromptRecord], budget: "TokenBudget") -> list[np.ndarray]:
        """Indices of the records, each once, in batches for passes without gradients.

        They do not depend on the device's speed: ways of suppressing neurons draw batch by batch.
        """
        from mvp_skill.batching import evaluation_batches  # needs torch, and a format does not

        return evaluation_batches(self.lengths(records), budget.chosen)

    def lengths(self, records: Sequence[PromptRecord]) -> list[int]:
        """Positions of each record, those of the prompt included."""
        return [self.n_prompt + record.length for record in records]

    def _row(self, texts: Sequence[list[int]]) -> np.ndarray:
        before, between, end, longest = self.frame
        ids = [*before[0], *texts[0]]
        for prefix, text in zip(before[1:], texts[1:], strict=True):
            ids += [*between, *prefix, *text]
        return np.array([*ids[: longest - len(end)], *end], dtype=np.int64)

    def _masked_frame(self, task: str) -> Frame:
        start, end = [self.tokenizer.cls_token_id], [self.tokenizer.sep_token_id]
        longest = self.max_text + (2 if len(self.columns) == 1 else 3)
        return Frame([start, []][: len(self.columns)], end, end, longest)

    def _t5_frame(self, task: str) -> Frame:
        end, longest = [self.tokenizer.eos_token_id], self.max_text + 2
        nothing = [[] for _ in self.columns]
        if task in TYPES["ethics"]:
            return Frame(nothing, [], [], longest)
        if task in TYPES["NLI"]:
            words = [NLI_PREFIXES[column] for column in self.columns]
            before = [self._words(word, opens=i == 0) for i, word in enumerate(words)]
            return Frame(before, self._words(NLI_SEPARATOR), [], longest)
        if len(self.columns) == 1:
            return Frame(nothing, [], end, self.max_text)
        return Frame(nothing, [self.tokenizer.convert_tokens_to_ids(SENTINEL)], end, longest)

    def _stands_before(self, column: int) -> bool:
        """Whether words stand before a text in its row."""
        return column > 0 or (self.kind == "seq2seq" and bool(self.frame.before[0]))

    def _words(self, words: str, opens: bool = False) -> list[int]:
        return self._pieces([words], opens)[0]

    def _pieces(self, texts: list[str], opens: bool) -> list[list[int]]:
        """Token ids of texts that open a row, or follow something in it."""
        if not texts:
            return []
        if self.spaced and not opens:
            texts = [text and f" {text}" for text in texts]
        options = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
        return self.tokenizer(texts, **options)["input_ids"]
