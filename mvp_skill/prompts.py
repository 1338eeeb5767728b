"""Text around the input, and words that stand for classes (Raman et al. 2023, section 3).

A template wraps the input and leaves one [MASK]; a verbalizer says which words there vote for which
class. All live in prompts.yaml. Logits are pooled over a class's words, then over templates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from mvp_skill.errors import BadInput

if TYPE_CHECKING:  # torch takes a second to import, and reading templates does not need it
    from torch import Tensor

MASK = "[MASK]"
TEXT = "{text}"
PROMPTS_FILE = Path(__file__).with_name("prompts.yaml")


@dataclass(frozen=True)
class Template:
    """One sentence with a gap: exactly one [MASK], and {text} at the very front or the very end.

        Template("A [MASK] news : {text}").front   # True: it stands before the text; spaces count

    raises   BadInput if [MASK] or {text} is missing, is there twice, or {text} stands inside
    """

    pattern: str

    def __post_init__(self) -> None:
        for part in (MASK, TEXT):
            if self.pattern.count(part) != 1:
                raise BadInput(
                    f"Template {self.pattern!r} contains {part} {self.pattern.count(part)} times; "
                    'write it exactly once, as in "A [MASK] news : {text}".'
                )
        if not (self.pattern.startswith(TEXT) or self.pattern.endswith(TEXT)):
            raise BadInput(
                f"Template {self.pattern!r} has {TEXT} in the middle; "
                "put it at the very front or the very end."
            )

    @property
    def front(self) -> bool:
        """True if the template stands before the text, False if after it."""
        return self.pattern.endswith(TEXT)

    @property
    def body(self) -> str:
        """The template without {text}; [MASK] is still in it."""
        return self.pattern.replace(TEXT, "")

    def fill(self, text: str) -> str:
        """The template with the text in it, for people to read; models get token ids."""
        return self.pattern.replace(TEXT, text)

    def token_ids(self, tokenizer: Any) -> list[int]:
        """The body as token ids, without special tokens but for the mask, which is there once.

        A template after the text must not run into it. So where tokens carry the space before them
        (RoBERTa) and the first one does not, a lone space token goes in front, as in the authors'
        code; a body written with its space (" overall it was [MASK]") needs none. (The authors put
        that token before front templates too, where nothing stands that they could run into.)

            returns   ids, to be placed after <s> if `front`, else before </s>
            raises    BadInput if the tokenizer has no mask token, or the body holds a special one
        """
        if tokenizer.mask_token_id is None:
            raise BadInput(
                f"{type(tokenizer).__name__} has no mask token for the template "
                f"{self.pattern!r}; use a masked language model such as roberta-base."
            )
        before, after = self.body.split(MASK)
        if adds_space(tokenizer):  # as it will before the text
            after = after.rstrip()
        # RoBERTa's mask token swallows the space before it; we do so for every tokenizer.
        before_ids = _encode(tokenizer, before.rstrip())
        after_ids = _encode_inside(tokenizer, after)
        if set(before_ids + after_ids) & set(tokenizer.all_special_ids):
            raise BadInput(
                f"Template {self.pattern!r} contains a special token, or a word unknown to "
                f"{type(tokenizer).__name__}; write plain words and one {MASK}."
            )
        ids = [*before_ids, tokenizer.mask_token_id, *after_ids]
        return ids if self.front else _lone_space(tokenizer, ids[0]) + ids


@dataclass(frozen=True)
class Verbalizer:
    """Which words vote for which class: `label_words[class]` is a tuple of words, in class order.

    raises   BadInput if a class has no word, or a word stands twice
    """

    label_words: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        if any(isinstance(words, str) for words in self.label_words):  # "bad" is not b, a, d
            raise BadInput(f"Label words {self.label_words} must be one tuple of words per class.")
        label_words = tuple(tuple(word.strip() for word in words) for words in self.label_words)
        object.__setattr__(self, "label_words", label_words)
        if not label_words or not all(words and all(words) for words in label_words):
            raise BadInput(f"Every class needs at least one label word, unlike in {label_words}.")
        if len(set(self.words)) < len(self.words):
            raise BadInput(f"A label word stands twice in {label_words}; every word has one class.")

    @property
    def words(self) -> list[str]:
        """All words, class by class: the axis [word]."""
        return [word for words in self.label_words for word in words]

    @property
    def word_class(self) -> list[int]:
        """The class of each of `words`, [word]."""
        return [index for index, words in enumerate(self.label_words) for _ in words]

    def token_ids(self, tokenizer: Any) -> list[int]:
        """The token id of each of `words`, [word], each word with exactly one space before it.

        The authors' code drops words of several tokens in silence; here they are an error, so
        that the words voting for a class are always the ones in the file.

            raises   BadInput naming the words that are not one known token, or share a token
        """
        encoded = {word: _encode(tokenizer, " " + word) for word in self.words}
        unknown = tokenizer.unk_token_id
        wrong = {w: ids for w, ids in encoded.items() if len(ids) != 1 or ids[0] == unknown}
        if wrong:
            raise BadInput(
                f"Label words must be single tokens after a space; for {type(tokenizer).__name__} "
                f"these are not: {_show_pieces(tokenizer, wrong)}; choose other words."
            )
        ids = [word_ids[0] for word_ids in encoded.values()]
        if len(set(ids)) < len(ids):
            raise BadInput(
                f"Two of the label words {self.words} are one and the same token for "
                f"{type(tokenizer).__name__}; choose words that differ in more than case."
            )
        return ids


def prompts_for(
    task_name: str, variant: str = "default", label_words: str = "default"
) -> tuple[tuple[Template, ...], Verbalizer]:
    """Templates and verbalizer of a task, from prompts.yaml.

        templates, verbalizer = prompts_for("ag_news")
        templates, verbalizer = prompts_for("ag_news", "two", label_words="several")

    raises   BadInput for a task, template variant or set of label words that is not in the file
    """
    found = _choose(all_prompts(), task_name, "task for templates")
    patterns = _choose(found["templates"], variant, f"template variant of {task_name}")
    words = _choose(found["label_words"], label_words, f"set of label words of {task_name}")
    return tuple(map(Template, patterns)), Verbalizer(tuple(map(tuple, words.values())))


def pool_words(
    scores: "Tensor", word_class: "Sequence[int] | Tensor", how: str = "max"
) -> "Tensor":
    """Class scores from word scores: s[c] = max (or mean) of scores[w] over words w of class c.

        scores      [batch, template, word]
        word_class  [word], the class of each word: 0 .. C-1, each at least once
        returns     [batch, template, class]
        raises      BadInput if a class has no word, if lengths differ, or for another `how`

    Source: Raman et al. 2023, section 3.
    """
    import torch

    classes = [int(index) for index in word_class]  # on the CPU: a GPU would have to be waited for
    if len(classes) != scores.shape[-1]:
        raise BadInput(f"{scores.shape[-1]} word scores, but {len(classes)} words have a class.")
    counts = [classes.count(index) for index in range(max(classes, default=-1) + 1)]
    if not counts or not all(counts):
        raise BadInput(f"Every class needs a label word; words per class are {counts}.")
    by_class = sorted(range(len(classes)), key=classes.__getitem__)
    if by_class != list(range(len(classes))):  # a verbalizer's words already stand class by class
        scores = scores[..., by_class]
    columns = [_pool(part, how, -1) for part in scores.split(counts, dim=-1)]
    return torch.stack(columns, dim=-1)  # [batch, template, class]


def pool_templates(scores: "Tensor", how: str = "mean") -> "Tensor":
    """Class scores over all templates: S[c] = mean (or max) of scores[t, c] over templates t.

        scores    [batch, template, class]
        returns   [batch, class]
        raises    BadInput for another `how`

    Source: Raman et al. 2023, section 3.
    """
    return _pool(scores, how, 1)  # [batch, class]


def _pool(scores: "Tensor", how: str, axis: int) -> "Tensor":
    if how not in ("max", "mean"):
        raise BadInput(f"Unknown pooling {how!r}; use 'max' or 'mean'.")
    return scores.amax(axis) if how == "max" else scores.mean(axis)


@cache
def all_prompts() -> dict[str, Any]:
    """The content of prompts.yaml, by task."""
    return yaml.safe_load(PROMPTS_FILE.read_text(encoding="utf-8"))


def _choose(among: dict[str, Any], name: str, what: str) -> Any:
    if name not in among:
        raise BadInput(f"Unknown {what}: {name!r}; use {', '.join(among)}.")
    return among[name]


def _encode(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False)) if text else []


def _encode_inside(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text inside a sentence: "." must not become " .", as at the start of one."""
    before = "." if text[:1].isalnum() else "a"
    return _encode(tokenizer, before + text)[len(_encode(tokenizer, before)) :]


def _carries_space(tokenizer: Any, token_id: int) -> bool:
    """Whether a token has its space inside, as byte-level BPE and SentencePiece write it."""
    return tokenizer.convert_ids_to_tokens(token_id).startswith(("Ġ", "▁"))


def adds_space(tokenizer: Any) -> bool:
    """Whether the tokenizer puts a space before every text by itself."""
    return _carries_space(tokenizer, _encode(tokenizer, "a")[0])


def _lone_space(tokenizer: Any, first_id: int) -> list[int]:
    """The token that is one space, if a body starting with `first_id` needs it; else []."""
    if adds_space(tokenizer) or _carries_space(tokenizer, first_id):
        return []
    return _encode(tokenizer, " ")  # one token, or none for WordPiece


def _show_pieces(tokenizer: Any, encoded: dict[str, list[int]]) -> str:
    pieces = {word: tokenizer.convert_ids_to_tokens(ids) for word, ids in encoded.items()}
    return ", ".join(f"{word!r} ({' + '.join(tokens)})" for word, tokens in pieces.items())
