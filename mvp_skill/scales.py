"""What the three scales mean: one code path, three sets of plain settings.

A notebook never asks which scale it runs at. It calls `settings(SCALE, N_TRAIN=N_TRAIN, ...)` once
and uses what comes back; a notebook parameter that is None means "what the scale says".
"""

import difflib
from dataclasses import dataclass, field, fields, replace
from typing import Any

from mvp_skill.errors import BadInput


@dataclass(frozen=True)
class Scale:
    """All settings that depend on the scale. Counts of examples; None means all there are."""

    name: str
    backbone: str
    """Hub id, local folder, or a name shipped with the package, for the masked language model."""
    t5_backbone: str
    tasks: tuple[str, ...]
    n_train: int | None
    n_validation: int | None
    n_test: int | None
    n_attacked: int
    batch_size: int
    learning_rate: dict[str, float]
    """Method to learning rate; tuned on clean validation accuracy only, never on an attack."""
    epochs: int
    eval_every_examples: int
    """Training examples between evaluations; not steps, so that all methods get equally many."""
    patience: int
    """Evaluations without a better validation accuracy before training stops."""
    seeds: tuple[int, ...]
    autocast: str = "off"
    """Of training: "auto" is bfloat16 where the hardware has it, "off" float32 everywhere."""
    objectives: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Settings of training objectives that are not their own defaults, by objective."""
    ablations: tuple[str, ...] = ()
    """Tasks of the experiments about causes; the first is that of experiments with one task."""
    other_backbones: tuple[str, ...] = ()
    """Of other architectures, with which the main comparison is made again."""
    sizes: tuple[int, ...] = ()
    """Training examples at which sample efficiency is looked at."""


_METHODS = ("mlp_ft", "mvp", "projectcls", "clsprompt", "lpft_sparse", "lpft_dense")

_MINI = Scale(
    name="mini",
    backbone="mini-roberta",
    t5_backbone="mini-t5",
    tasks=("mini_films",),
    n_train=2000,
    n_validation=500,
    n_test=1000,
    n_attacked=100,
    batch_size=32,
    # MLP-FT, MVP: of 1e-4, 3e-4 and 1e-3, with seed 0: highest at the first evaluation, as all end
    # at the top. The others: as MLP-FT with a fresh or probed head, as MVP with a pretrained one.
    learning_rate={
        "mlp_ft": 3e-4,
        "mvp": 1e-4,
        "projectcls": 3e-4,
        "clsprompt": 1e-4,
        "lpft_sparse": 3e-4,
        "lpft_dense": 3e-4,
    },
    epochs=5,
    eval_every_examples=1000,
    patience=2,
    seeds=(0,),
)

_SMALL = Scale(
    name="small",
    backbone="distilbert/distilroberta-base",
    t5_backbone="google-t5/t5-small",
    tasks=("sst2", "ag_news"),
    n_train=4000,
    n_validation=500,
    n_test=1000,
    n_attacked=200,
    batch_size=16,
    learning_rate=dict.fromkeys(_METHODS, 2e-5),
    epochs=5,
    eval_every_examples=4000,
    patience=5,
    seeds=(0,),
)

# Settings of the authors' code (Raman et al. 2023): 1e-5, batches of 8, at most 20 epochs, patience
# of 10 evaluations, 1,000 attacked test examples, seeds 0-2. It evaluates every 1,000 steps for
# MLP-FT and every 4,000 for MVP; we take 8,000 examples (1,000 steps) for both, so that patience
# means the same.
_PAPER = Scale(
    name="paper",
    backbone="FacebookAI/roberta-base",
    t5_backbone="google-t5/t5-base",
    tasks=("sst2", "ag_news", "boolq"),
    n_train=None,
    n_validation=None,
    n_test=None,
    n_attacked=1000,
    batch_size=8,
    learning_rate=dict.fromkeys(_METHODS, 1e-5),
    epochs=20,
    eval_every_examples=8000,
    patience=10,
    seeds=(0, 1, 2),
)

SCALES: dict[str, Scale] = {scale.name: scale for scale in (_MINI, _SMALL, _PAPER)}

# An experiment compares dozens of victims. At the mini scale each is smaller, so that all of them
# fit into minutes; `-p N_TRAIN 2000 -p N_ATTACKED 200 ...` gives those of the single notebooks.
STUDIES: dict[str, Scale] = {
    "mini": replace(
        _MINI,
        tasks=("mini_films", "mini_restaurants", "mini_news", "mini_questions", "mini_paraphrases"),
        n_train=300,
        n_validation=200,
        n_test=300,
        n_attacked=25,
        epochs=3,
        eval_every_examples=300,
        patience=3,
        seeds=(0, 1, 2),
        autocast="auto",  # MVP trains in two thirds of the time on a CPU that has it
        objectives={"amda": {"num_adv": 30}},
        ablations=("mini_films", "mini_news"),
        other_backbones=("mini-bert", "mini-gpt2"),
        sizes=(25, 100, 300),
    ),
    "small": replace(
        _SMALL,
        seeds=(0, 1, 2),
        objectives={"amda": {"num_adv": 200}},
        ablations=("sst2", "ag_news"),
        other_backbones=("google-bert/bert-base-uncased", "openai-community/gpt2"),
        sizes=(250, 500, 1000, 2000, 4000),
    ),
    "paper": replace(
        _PAPER,
        tasks=("sst2", "ag_news", "boolq", "mrpc", "dbpedia"),
        ablations=("boolq", "ag_news"),
        other_backbones=("google-bert/bert-base-uncased", "openai-community/gpt2"),
        sizes=(500, 1000, 2000, 4000, 9427),
    ),
}

COUNTS = (
    "n_train",
    "n_validation",
    "n_test",
    "n_attacked",
    "batch_size",
    "epochs",
    "eval_every_examples",
    "patience",
)

AUTOCAST = ("off", "auto")


def settings(scale: str, **overrides: Any) -> Scale:
    """The settings of a scale, with some replaced.

        settings(SCALE, N_TRAIN=N_TRAIN, EPOCHS=EPOCHS).n_train

    Names are the fields of `Scale` in upper or lower case, so that notebook parameters can be
    passed as they are. An override of None keeps what the scale says. A single LEARNING_RATE holds
    for every method.

    raises   BadInput for an unknown scale or setting, a count below 1, a learning rate not above 0
    """
    return _overridden(_scale(scale), overrides)


def _overridden(found: Scale, overrides: dict[str, Any]) -> Scale:
    changes = {name.lower(): value for name, value in overrides.items() if value is not None}
    for name, value in changes.items():
        _check_override(name, value)
    if isinstance(changes.get("learning_rate"), int | float):
        changes["learning_rate"] = dict.fromkeys(found.learning_rate, changes["learning_rate"])
    return replace(found, **changes)


def study_settings(scale: str, **overrides: Any) -> Scale:
    """As `settings`, for an experiment that compares many victims: the sizes of `STUDIES`."""
    return _overridden(STUDIES[_scale(scale).name], overrides)


def closest(word: str, allowed: list[str]) -> str:
    """' (did you mean X?)' for a mistyped word, or '' if nothing allowed is near it."""
    near = difflib.get_close_matches(word, allowed, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _scale(name: str) -> Scale:
    if name not in SCALES:
        allowed = ", ".join(SCALES)
        raise BadInput(f"Unknown scale {name!r}{closest(str(name), list(SCALES))}: use {allowed}.")
    return SCALES[name]


def _check_override(name: str, value: Any) -> None:
    allowed = [field.name for field in fields(Scale) if field.name != "name"]
    if name not in allowed:
        near = closest(name, allowed)
        raise BadInput(f"Unknown setting {name!r}{near}: use {', '.join(allowed)}.")
    if name in COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise BadInput(f"{name.upper()} must be a whole number of at least 1, not {value!r}.")
    if name == "autocast" and value not in AUTOCAST:
        raise BadInput(f"Unknown autocast {value!r}; use {', '.join(AUTOCAST)}.")
    if name == "learning_rate" and isinstance(value, bool | str):
        raise BadInput(f"LEARNING_RATE must be a number, not {value!r}.")
    if name == "learning_rate" and isinstance(value, int | float) and not 0 < value < 1:
        raise BadInput(f"LEARNING_RATE must lie between 0 and 1, not {value!r}.")
