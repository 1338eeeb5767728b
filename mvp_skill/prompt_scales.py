"""What the three scales mean for prompt tuning and the neurons behind it (paper B)."""

import math
from dataclasses import dataclass, fields, replace
from typing import Any

from mvp_skill.checks import check_choice, check_count, check_number
from mvp_skill.errors import BadInput
from mvp_skill.scales import AUTOCAST, closest

KINDS = ("roberta", "t5")
INITS = ("normal", "vocabulary")
COUNTS = (
    *("n_train", "n_validation", "n_test", "n_prompt", "max_text", "batch_size", "epochs"),
    *("eval_every_examples", "patience", "n_threshold", "n_draws", "n_permutations", "n_measured"),
    *("n_transfer", "n_starts"),
)
SETTINGS = tuple(name.upper() for name in (*COUNTS, "init", "learning_rate", "autocast"))
"""Parameters of a notebook that replace a setting of its scale."""


@dataclass(frozen=True)
class PromptScale:
    """All settings of the notebooks on soft prompts. Counts of examples; None means all."""

    name: str
    backbones: dict[str, str]
    """Kind (roberta, t5) to shipped name, hub id or local folder."""
    tasks: tuple[str, ...]
    n_train: int | None
    n_validation: int | None
    n_test: int | None
    n_prompt: int
    """Positions before the text."""
    max_text: int
    """Tokens of text in a row, at most."""
    init: str
    learning_rate: dict[str, float]
    """Kind to learning rate, constant; tuned on validation accuracy only."""
    batch_size: int
    epochs: int
    eval_every_examples: int
    patience: int
    """Evaluations without a better validation accuracy before tuning stops."""
    seeds: tuple[int, ...]
    n_threshold: int | None
    """Training examples whose mean activation is a neuron's threshold."""
    n_draws: int
    """Sets of random neurons."""
    n_permutations: int
    """Of the labels, for the null."""
    n_measured: int
    """Examples of a measuring half that a suppression curve is measured on, at most."""
    n_transfer: int | None
    """Test examples of each clean task that the prompts of all others read."""
    objective: dict[str, str]
    """Kind to the loss: "clean" compares label words, "vocabulary" all words."""
    autocast: str = "off"
    dropout: float | None = None
    """Of the frozen backbone while a prompt is tuned; None: what its files say (the authors')."""
    enough: float = 1.0
    """Validation accuracy with which tuning ends."""
    n_starts: int = 1
    """Tables that tuning may begin with, one after the other, while a task resists."""


_OBJECTIVE = {"roberta": "clean", "t5": "vocabulary"}  # the authors' code

_MINI = PromptScale(
    name="mini",
    backbones={"roberta": "mini-roberta", "t5": "mini-t5"},
    tasks=(
        "mini_acts",
        "mini_excuses",
        "mini_duplicates",
        "mini_paraphrases",
        "mini_answers",
        "mini_nli_binary",
        "mini_films",
        "mini_restaurants",
    ),
    n_train=1600,
    n_validation=300,
    n_test=600,
    n_prompt=6,
    max_text=128,
    init="normal",
    learning_rate={"roberta": 2e-2, "t5": 0.3},
    batch_size=16,
    epochs=12,
    eval_every_examples=800,
    patience=10,
    seeds=(0, 1, 2),
    n_threshold=1000,
    n_draws=2,
    n_permutations=20,
    n_measured=64,
    n_transfer=100,
    objective=_OBJECTIVE,
    dropout=0.0,  # its noise kept prompts from learning to compare texts (validation accuracy)
    enough=0.99,  # of 300 texts; the last three of them cost many evaluations
    n_starts=2,  # some prompts never left the level of guessing
)

# Su et al. 2022's code, with which the authors tuned: batches of 16, a constant rate, no clipping
# and no decay, the best epoch. Up to 200 epochs; released prompts stop at 6 to 199 (their files).
_PAPER = PromptScale(
    name="paper",
    backbones={"roberta": "FacebookAI/roberta-base", "t5": "google-t5/t5-base"},
    tasks=(
        "ethics_deontology",
        "ethics_justice",
        "qqp",
        "mrpc",
        "qnli",
        "sst2",
        "imdb",
        "movie_rationales",
    ),
    n_train=None,
    n_validation=None,
    n_test=None,
    n_prompt=100,
    max_text=128,
    init="normal",
    learning_rate={"roberta": 1e-3, "t5": 5e-3},
    batch_size=16,
    epochs=100,
    eval_every_examples=20_000,
    patience=10,
    seeds=(33, 34, 35, 36),
    n_threshold=10_000,
    n_draws=5,
    n_permutations=20,
    n_measured=2000,
    n_transfer=None,
    objective=_OBJECTIVE,
)

_SMALL = replace(
    _PAPER,
    name="small",
    backbones={"roberta": "distilbert/distilroberta-base", "t5": "google-t5/t5-small"},
    tasks=("qqp", "mrpc", "qnli", "sst2", "imdb"),
    n_train=4000,
    n_validation=500,
    n_test=1000,
    n_prompt=50,
    epochs=20,
    eval_every_examples=4000,
    patience=5,
    seeds=(0, 1, 2),
    n_measured=500,
    n_transfer=500,
)

PROMPT_SCALES = {scale.name: scale for scale in (_MINI, _SMALL, _PAPER)}


def prompt_settings(scale: str, **overrides: Any) -> PromptScale:
    """The settings of a scale, with some replaced; None keeps what the scale says.

    Names are the fields of `PromptScale` in upper or lower case, so that notebook parameters can be
    passed as they are. A single LEARNING_RATE holds for both kinds.

    raises   BadInput for an unknown scale or setting, or a value that cannot be meant
    """
    if scale not in PROMPT_SCALES:
        names = list(PROMPT_SCALES)
        raise BadInput(f"Unknown scale {scale!r}{closest(str(scale), names)}: use {names}.")
    changes = {name.lower(): value for name, value in overrides.items() if value is not None}
    allowed = [field.name for field in fields(PromptScale) if field.name != "name"]
    for name, value in changes.items():
        if name not in allowed:
            near = closest(name, allowed)
            raise BadInput(f"Unknown setting {name!r}{near}: use {', '.join(allowed)}.")
        if name in COUNTS:
            check_count(name.upper(), value, 0 if name == "n_permutations" else 1)
    if "init" in changes:
        check_choice("init", changes["init"], INITS)
    if "autocast" in changes:
        check_choice("autocast", changes["autocast"], AUTOCAST)
    rate = changes.get("learning_rate")
    if rate is not None and not isinstance(rate, dict):
        check_number("LEARNING_RATE", rate, "above 0", 0, math.inf)
        changes["learning_rate"] = dict.fromkeys(KINDS, rate)
    return replace(PROMPT_SCALES[scale], **changes)
