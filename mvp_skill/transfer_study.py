"""Every soft prompt of a study reads every task, and what about two prompts foretells how well.

    clean_of, missing = adversarial_targets(study)
    rows = transfer_rows(study, targets_of(study, clean_of))
    frame = indicators(study, "roberta")             # a row per pair of prompts of one seed
    gain = rho_gain(found, frame, OVERLAP, "cosine")

Source: Ackermann and Ohmer 2023 (transfer), Su et al. 2022 (indicators).
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split, is_right
from mvp_skill.gains import Gain, above_zero, paired_gain
from mvp_skill.prompt_activations import label_activations
from mvp_skill.prompt_similarity import ALL_LAYERS, MEASURES, activated_overlap, similarities
from mvp_skill.prompt_transfer import Transfer, predicts_transfer
from mvp_skill.task_types import (
    adversarial_task,
    clean_task,
    sets_of,
    type_of,
    with_adversarial,
)

if TYPE_CHECKING:
    from pandas import DataFrame

    from mvp_skill.prompt_studies import PromptStudy

OVERLAP = f"overlap, {ALL_LAYERS}"
"""The column of `indicators` that says how far two prompts activate the same neurons."""
LEAST_TARGETS = 6
"""Tasks below which no verdict is given: of five, even a sign test gives no p below 0.05."""


def adversarial_targets(study: "PromptStudy") -> tuple[dict[str, str], list[str]]:
    """Adversarial sets of a study's tasks that are there, each with its clean task.

    returns   the sets; and of each that is not there, a sentence that says why
    """
    there, missing = {}, []
    for task in study.scale.tasks:
        if (adversarial := adversarial_task(task)) is None:
            continue
        try:
            study.data(adversarial)
            there[adversarial] = task
        except BadInput as refusal:
            missing.append(str(refusal))
    return there, missing


def required_sets(study: "PromptStudy") -> dict[str, str]:
    """Adversarial sets of a study's tasks, each with its clean task, in the order of figures.

    raises   BadInput if one is not there, or no task has any
    """
    there, missing = adversarial_targets(study)
    if missing:
        raise BadInput(missing[0])
    sets_of(study.scale.tasks)  # refuses tasks without any
    return {name: there[name] for name in targets_of(study, there) if name in there}


def targets_of(study: "PromptStudy", clean_of: Mapping[str, str]) -> tuple[str, ...]:
    """The tasks and those adversarial sets of theirs that are there, in the order of figures."""
    found = with_adversarial(study.scale.tasks)
    return tuple(task for task in found if clean_task(task) == task or task in clean_of)


def read_of(study: "PromptStudy", target: str) -> slice:
    """The test examples of a target that are read: the first ones, of an adversarial set all."""
    return slice(study.scale.n_transfer if clean_task(target) == target else None)


def transfer_rows(
    study: "PromptStudy", targets: Sequence[str], progress: bool = True
) -> "DataFrame":
    """What each task's soft prompt makes of each target: kind, source, target, seed, acc, n.

    Texts, label words and seed are the target's; only the table is another's.

        targets   tasks and adversarial sets
    """
    import pandas

    columns = [(kind, target) for kind in study.kinds for target in targets]
    rows = []
    for kind, target in tqdm(columns, unit="task", disable=not progress):
        for source in study.scale.tasks:
            for seed in study.scale.seeds:
                right = _transferred_right(study, kind, source, target, seed)
                acc = right.double().mean().item()
                rows.append((kind, source, target, seed, acc, len(right)))
    return pandas.DataFrame(rows, columns=["kind", "source", "target", "seed", "acc", "n"])


def _transferred_right(
    study: "PromptStudy", kind: str, source: str, target: str, seed: int | str
) -> torch.Tensor:
    """What is read of a target: right or not, bool [batch]."""
    read, task = read_of(study, target), clean_task(target)
    if source == task:  # its own prompt has read all of it for other notebooks
        return study.right_of(kind, task, seed, target)[read]
    prompted = study.prompted(kind, task, seed, source=source)
    whole = study.split(prompted, target)
    return is_right(prompted, Split(whole.records[read], whole.labels[read]))


def indicators(study: "PromptStudy", kind: str) -> "DataFrame":
    """Every pair of prompts of one seed, with all measures of how alike the two are.

    Tables: MEASURES. Neurons that either activates before any text: "overlap, layers 1 to 3" and so
    on, and OVERLAP over all layers.

        returns   `similarities` of each seed's prompts, with `seed` as the study calls it
        raises    BadInput for fewer than two tasks
    """
    import pandas

    tasks = study.scale.tasks
    # A sentiment task's model, if there is one: its empty text is a start or end token only.
    reader = study.start(kind, min(tasks, key=lambda task: type_of(task) != "sentiment"))
    frames = []
    for seed in study.scale.seeds:
        prompts = [study.soft_prompt(kind, task, seed) for task in tasks]
        frame = similarities(prompts).assign(seed=seed)
        tables = torch.stack([prompt.table for prompt in prompts])  # [table, prompt, d_model]
        overlaps = activated_overlap(label_activations(reader, tables))
        pairs = np.triu_indices(len(prompts), k=1)  # in the order of the frame's rows
        for layers, overlap in overlaps.items():
            frame[f"overlap, {layers}"] = overlap.numpy()[pairs]
        frames.append(frame)
    return pandas.concat(frames, ignore_index=True)


def measures_of(frame: "DataFrame") -> list[str]:
    """The columns of `indicators` that say how alike two prompts are."""
    return [*MEASURES, *(name for name in frame if name.startswith("overlap, "))]


def scores(found: Transfer, frame: "DataFrame") -> "DataFrame":
    """Of each measure, Spearman's rho with transfer: a row per target and seed, a column each."""
    import pandas

    columns = {
        name: predicts_transfer(found, frame, name).set_index(["target", "seed"])["rho"]
        for name in measures_of(frame)
    }
    return pandas.DataFrame(columns).reset_index()


def rho_gain(found: Transfer, frame: "DataFrame", measure: str, other: str) -> Gain | None:
    """How much better one measure foretells transfer than another, in rho, target by target.

    The interval draws targets anew, each with all seeds; `n` counts targets. None if no target has
    a rho for both in every seed.
    """
    wide = scores(found, frame).pivot(index="seed", columns="target", values=[measure, other])
    one, two = (wide[name].to_numpy(float) for name in (measure, other))  # [seed, target]
    whole = ~np.isnan(one - two).any(axis=0)  # [target]
    return paired_gain([(one[:, whole], two[:, whole])]) if whole.any() else None


def told_by_targets(gain: Gain | None) -> bool | None:
    """`above_zero` of a gain whose `n` counts targets; None for fewer than LEAST_TARGETS."""
    return None if gain is None or gain.n < LEAST_TARGETS else above_zero(gain)
