"""What a training step of each victim and of prompt tuning takes, relative to a step of MLP-FT.

    python tests/benchmarks steps          # a table; some three minutes on one core

All read the same texts in batches of the same size, in turn, several rounds (`mvp_skill.cost`).
AMDA's step is measured without the attack that adds to its training data.
"""

import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from benchmarks.rows import row
from torch import Tensor

from mvp_skill.conditions import VICTIMS, Condition
from mvp_skill.cost import interleaved, next_step, ratios
from mvp_skill.evaluation import encoded
from mvp_skill.prompt_scales import KINDS
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.studies import Study

TASK, BASE, ROUNDS = "mini_films", "mlp_ft", 30
# Random weights do not change what a step costs.
MEASURED = tuple(name for name, making in VICTIMS.items() if making.pretrained)


def main(
    victims: Sequence[str] = MEASURED,
    kinds: Sequence[str] = KINDS,
    rounds: int = ROUNDS,
    **parameters: Any,
) -> list[dict[str, Any]]:
    """Measure; a row per victim and kind of prompt: benchmark, what, figure, unit, bar, n.

    victims      keys of `conditions.VICTIMS`; MLP-FT is always among them
    kinds        of backbones whose prompts are tuned
    rounds       steps of each that are measured
    parameters   of the studies, such as N_TRAIN or BACKBONE, ROBERTA and T5
    """
    with tempfile.TemporaryDirectory() as out:
        names = dict.fromkeys([BASE, *victims])
        steps = victim_steps(names, parameters | {"OUT": out})
        steps |= prompt_steps(kinds, parameters | {"OUT": out})
        seconds = interleaved(steps, rounds)
    found = ratios(seconds, BASE)
    base = 1000 * float(np.median(seconds[BASE]))
    shown = [(BASE, base, "ms")]
    shown += [(name, found[name], f"x {BASE}") for name in steps if name != BASE]
    return [row("training step", name, figure, unit, None, rounds) for name, figure, unit in shown]


def victim_steps(names: Sequence[str], parameters: dict[str, Any]) -> dict[str, Callable]:
    """The next training step of each victim."""
    study = Study({"SCALE": "mini"} | parameters)
    steps: dict[str, Callable[[], Tensor]] = {}
    for name in names:
        condition = Condition(TASK, name)
        victim = study.untrained_victim(condition)
        split = encoded(victim, study.data(TASK)["train"], "train")
        steps[name] = next_step(victim, split, study.config(condition))
    return steps


def prompt_steps(kinds: Sequence[str], parameters: dict[str, Any]) -> dict[str, Callable]:
    """The next step of prompt tuning of each kind, in batches of the victims' size."""
    batch_size = Study({"SCALE": "mini"} | parameters).scale.batch_size
    study = PromptStudy({"SCALE": "mini", "BATCH_SIZE": batch_size} | parameters)
    steps: dict[str, Callable[[], Tensor]] = {}
    for kind in kinds:
        model = study.start(kind, TASK)
        split = encoded(model, study.data(TASK)["train"], "train")
        steps[f"prompt tuning, {kind}"] = next_step(model, split, study.config(kind, 0))
    return steps
