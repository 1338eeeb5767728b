"""Label words of prompt tuning: one token per class, read at the mask or at the first decoder step.

All live in soft_verbalizers.yaml, as words; the token ids follow from the backbone's tokenizer.

Source: Ackermann and Ohmer 2023, after Su et al. 2022.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from mvp_skill.checks import check_choice
from mvp_skill.errors import BadInput
from mvp_skill.task_types import clean_task
from mvp_skill.tasks import task_named

VERBALIZERS_FILE = Path(__file__).with_name("soft_verbalizers.yaml")


@dataclass(frozen=True)
class LabelWord:
    """The label word of a class.

    leading_space   whether it is read with a space before it
    first_piece     whether its first token stands for it, if it has several
    """

    word: str
    leading_space: bool = False
    first_piece: bool = False

    def token_id(self, tokenizer: Any) -> int:
        """Its token; BadInput if it has several and the first must not stand for it, or none."""
        text = f" {self.word}" if self.leading_space else self.word
        ids = tokenizer.encode(text, add_special_tokens=False)
        if not ids or tokenizer.unk_token_id in ids or (len(ids) > 1 and not self.first_piece):
            pieces = " + ".join(tokenizer.convert_ids_to_tokens(ids)) or "nothing"
            space = "with" if self.leading_space else "without"
            raise BadInput(
                f"The label word {self.word!r}, {space} a space before it, must be a single token; "
                f"for {type(tokenizer).__name__} it is {pieces}; choose another word, or say "
                f"first_piece in {VERBALIZERS_FILE.name}."
            )
        return ids[0]


@dataclass(frozen=True)
class SoftVerbalizer:
    """The label word of each class, in class order."""

    label_words: tuple[LabelWord, ...]

    def token_ids(self, tokenizer: Any) -> list[int]:
        """The token of each class, [class].

        raises   BadInput for a word that is no single token (see `LabelWord`), or two classes with
                 the same one
        """
        ids = [word.token_id(tokenizer) for word in self.label_words]
        if len(set(ids)) < len(ids):
            words = [word.word for word in self.label_words]
            raise BadInput(
                f"Two of the label words {words} are one and the same token for "
                f"{type(tokenizer).__name__}; choose other words."
            )
        return ids


def soft_verbalizer(task: str, kind: str, label_words: str = "default") -> SoftVerbalizer:
    """The label words of a task for a kind of backbone, from soft_verbalizers.yaml.

    soft_verbalizer("qnli", "seq2seq")
    soft_verbalizer("ethics_justice", "masked_lm", "released")    # for a released prompt

    kind          "masked_lm" or "seq2seq"
    label_words   a set of the file; "released" is "default" where the file has no other
    raises        BadInput for a task, kind or set that is not in the file
    """
    clean = clean_task(task)
    check_choice("task for prompt tuning", clean, list(all_soft_verbalizers()))
    check_choice("kind of backbone for prompt tuning", kind, list(all_soft_verbalizers()[clean]))
    sets = dict(all_soft_verbalizers()[clean][kind])
    spaced = sets.pop("leading_space")
    sets.setdefault("released", sets["default"])
    check_choice(f"set of label words of {clean}", label_words, list(sets))
    found = (sets[label_words][name] for name in task_named(clean).label_names)
    specs = [{"word": spec} if isinstance(spec, str) else spec for spec in found]
    return SoftVerbalizer(tuple(LabelWord(**{"leading_space": spaced} | spec) for spec in specs))


@cache
def all_soft_verbalizers() -> dict[str, Any]:
    """The content of soft_verbalizers.yaml, by task."""
    return yaml.safe_load(VERBALIZERS_FILE.read_text(encoding="utf-8"))
