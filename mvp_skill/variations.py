"""Variations of MVP's templates and label words: what the ablations compare, and which there are.

variations_of("mini_films", "mini-roberta", ("random words", "2 templates"))
"""

from collections.abc import Iterable
from typing import NamedTuple

from mvp_skill.conditions import Condition
from mvp_skill.errors import BadInput
from mvp_skill.preflight import why_not


class Variation(NamedTuple):
    """Names in prompts.yaml."""

    template_variant: str = "default"
    label_words: str = "default"


USUAL = "as usual"
VARIATIONS: dict[str, Variation] = {
    USUAL: Variation(),
    "random words": Variation(label_words="random"),
    "empty templates": Variation("empty"),
    "random templates": Variation("random"),
    "both random": Variation("random", "random"),
    "1 template": Variation("one"),
    "2 templates": Variation("two"),
    "3 templates": Variation("three"),
    "several words": Variation(label_words="several"),
}


def variations_of(
    task: str, backbone: str, names: Iterable[str], seed: int = 0
) -> tuple[dict[str, Condition], dict[str, str]]:
    """The MVP victims of a task with these variations, and why the others cannot be.

    names     of VARIATIONS
    returns   name to condition, name to sentence
    raises    BadInput for a name that is not in VARIATIONS
    """
    found, lacking = {}, {}
    for name in names:
        if name not in VARIATIONS:
            raise BadInput(f"Unknown variation {name!r}; use {', '.join(VARIATIONS)}.")
        reason = why_not(task, backbone, *VARIATIONS[name])
        if reason is None:
            found[name] = Condition(task, "mvp", seed, **VARIATIONS[name]._asdict())
        else:
            lacking[name] = reason
    return found, lacking
