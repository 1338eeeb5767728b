"""A folder of soft prompts that a notebook is given as PROMPTS: what is in it, and what is not.

    folder = read_prompts("~/continuous_prompts")
    prompt = folder.find("roberta", 768, "sst2", 33)

The folder holds safetensors files of this package, or released files. Released ones are read anew
each time, which takes a fraction of a second: a converted copy could be that of another folder.
"""

import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mvp_skill.errors import BadInput
from mvp_skill.released_prompts import asked_as, read_released, released_folders
from mvp_skill.soft_prompts import PromptFacts, SoftPrompt, load_soft_prompts

Key = tuple[str, int, str, int | str]
"""Kind, d_model, task, and the seed or, where nobody says it, who tuned the prompt."""
OURS = PromptFacts.source
MOST_NAMED = 5


class Refused(NamedTuple):
    """A soft prompt of a folder that is not used."""

    key: Key | None
    """None if its name does not say."""
    why: str
    """A sentence that names the file."""


class PromptFolder(NamedTuple):
    """The soft prompts of a folder."""

    name: str
    prompts: dict[Key, SoftPrompt]
    refused: list[Refused]

    def find(self, kind: str, d_model: int, task: str, seed: int | str) -> SoftPrompt:
        """The soft prompt that is asked for.

        raises   BadInput if there is none, or one that is not used, with the reason
        """
        key = kind, d_model, task, seed
        for refused in self.refused:
            if refused.key == key and key not in self.prompts:
                raise BadInput(refused.why)
        if key not in self.prompts:
            have = sorted({f"{k[2]}-{k[3]}" for k in self.prompts if k[:2] == key[:2]})
            raise BadInput(
                f"{self.name} has no soft prompt of width {d_model} for {kind}, {task} and seed "
                f"{seed}; it has of that width {', '.join(have) or 'none'}."
            )
        return self.prompts[key]


def read_prompts(folder: str | Path) -> PromptFolder:
    """The safetensors files right in a folder, or if there are none the released ones below it.

    raises   BadInput if there are neither, a safetensors file is damaged, or no released one is
             fit for use
    """
    path = Path(folder).expanduser()
    found, refused = load_soft_prompts(path), []
    if not found:
        for released in released_folders(path):
            try:
                found.append(read_released(released))
            except BadInput as reason:
                why = f"{released.relative_to(path).as_posix()} in PROMPTS is not used: {reason}"
                refused.append(Refused(_asked_as(released), why))
        if not found:
            raise BadInput(refused[0].why)
    return PromptFolder(str(folder), {_key(prompt): prompt for prompt in found}, refused)


def say_refused(folder: PromptFolder) -> None:
    """Print what is not used, and why; each folder's once."""
    _say(tuple(refused.why for refused in folder.refused))


def label_words_of(prompt: SoftPrompt) -> str:
    """The set of label words that a prompt was tuned for: "default" if it was tuned here."""
    return "default" if prompt.facts.source == OURS else "released"


def check_label_ids(prompt: SoftPrompt, ids: tuple[int, ...], backbone: str) -> None:
    """BadInput if a prompt was tuned for other tokens than those that a model is read at.

    ids   of the model's label words, [class]
    """
    facts = prompt.facts
    if facts.label_ids and facts.label_ids != tuple(ids):
        raise BadInput(
            f"The soft prompt {facts.name} for {facts.kind} was tuned for the label tokens "
            f"{facts.label_ids}, but with {backbone} {facts.task} is read at {tuple(ids)}; give "
            f"the backbone that it was tuned for, {facts.backbone}."
        )


def _key(prompt: SoftPrompt) -> Key:
    facts = prompt.facts
    named = facts.source if facts.seed is None else facts.seed
    return facts.kind, prompt.table.shape[1], facts.task, named


def _asked_as(released: Path) -> Key | None:
    try:
        return asked_as(released)
    except BadInput:
        return None


@cache
def _say(reasons: tuple[str, ...]) -> None:
    for why in reasons[:MOST_NAMED]:
        print(why, file=sys.stderr)
    if len(reasons) > MOST_NAMED:
        print(f"{len(reasons) - MOST_NAMED} more in PROMPTS are not used.", file=sys.stderr)
