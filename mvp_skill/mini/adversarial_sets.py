"""How the mini world's adversarial sets are made: attacks on tuned victims, kept if the label is.

What AdvGLUE is to GLUE: texts that somebody else's victims got wrong after an attack, with labels
that still hold. The victims are fine-tuned ones (MLP-FT, MVP), never the prompts under study, and
instead of people an oracle says whether the label holds.

    python -m mvp_skill.mini.adversarial_sets results mvp_skill/mini/adversarial

makes all of them anew, in about half an hour of two processor cores; victims and attack logs stay
in the results folder, so it goes on where it was stopped.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mvp_skill import __version__
from mvp_skill.backbones import SHIPPED
from mvp_skill.conditions import Condition
from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically
from mvp_skill.mini.dice import Dice
from mvp_skill.studies import Study
from mvp_skill.task_types import adversarial_task
from mvp_skill.weights import fingerprint, read_tensors

TASKS = ("mini_films", "mini_duplicates", "mini_nli_binary")
VICTIMS = ("mlp_ft", "mvp")
N_TEXTS, N_ATTACKED = 150, 300
RECIPES = ("textfooler", "textbugger_stock", "misspelling")
"""Exchanged words, edited characters and both, as in AdvGLUE's word-level part."""


def make_set(task: str, results: Path, folder: Path, n: int = N_TEXTS, **settings: Any) -> Path:
    """Attack victims of a task and write its adversarial set with its provenance.

    settings   of the study, other than its usual ones (`N_ATTACKED` test examples, one seed)
    """
    given = {"SCALE": "mini", "TASKS": task, "SEEDS": "0", "OUT": str(results)}
    given |= {"N_TEST": N_ATTACKED, "N_ATTACKED": N_ATTACKED} | settings
    study = Study(given)
    records = adversarial_records(study, task, VICTIMS, RECIPES, n=n)
    return write_set(folder, adversarial_task(task), task, records, provenance_of(study))


def provenance_of(study: Study) -> dict[str, Any]:
    """What a set depends on, as JSON."""
    scale = study.scale
    weights, _ = read_tensors(SHIPPED[scale.backbone] / "model.safetensors")
    return {
        "made_by": "mvp_skill.mini.adversarial_sets",
        "version": __version__,
        "victims": list(VICTIMS),
        "attacks": list(RECIPES),
        "backbone": scale.backbone,
        "backbone_weights": fingerprint(weights)[:16],
        "n_train": scale.n_train,
        "n_attacked": scale.n_attacked,
        "seed": scale.seeds[0],
        "label": "kept, as the oracle of the mini world judges; of each text at most one attack",
    }


def adversarial_records(
    study: Study,
    task: str,
    victims: Sequence[str],
    recipes: Sequence[str],
    *,
    n: int,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Attacked texts that fooled a victim and kept their label, balanced over classes.

    Of each test example at most one: a draw among the attacks that it fell to, so that texts are as
    independent as they can be.

        n        texts at most
        seed     of the draw
        raises   BadInput if no attack succeeded with the label kept
    """
    fallen: dict[int, list[dict[str, Any]]] = {}
    for victim in victims:
        for recipe in recipes:
            log = study.attack(Condition(task, victim, study.scale.seeds[0]), recipe)
            for row in log[
                (log["outcome"] == "succeeded") & (log["oracle"] == "kept")
            ].itertuples():
                fallen.setdefault(row.Index, []).append(_record(row, victim, recipe))
    if not fallen:
        raise BadInput(f"No attack on {task} kept the label; attack more examples (N_ATTACKED).")
    dice = Dice(f"adversarial set/{task}/{seed}")
    drawn = [dice.pick(tuple(fallen[index])) for index in sorted(fallen)]
    return balanced(dice.shuffled(drawn), n)


def balanced(records: Iterable[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """The first records of each class, equally many, `n` in all at most."""
    of_class: dict[int, list[dict[str, Any]]] = {}
    for record in records:
        of_class.setdefault(record["label"], []).append(record)
    each = min(n // len(of_class), *map(len, of_class.values()))
    turns = zip(*(of_class[label][:each] for label in sorted(of_class)), strict=True)
    return [record for turn in turns for record in turn]


def write_set(
    folder: Path,
    name: str,
    clean_task: str,
    records: Sequence[dict[str, Any]],
    provenance: dict[str, Any],
) -> Path:
    """One JSON object a line: a header with the provenance, then the records; returns the path."""
    header = {"task": name, "clean_task": clean_task, "provenance": provenance}
    lines = [json.dumps(one, ensure_ascii=False) for one in (header, *records)]
    return write_atomically(folder / f"{name}.jsonl", "\n".join(lines) + "\n")


def _record(row: Any, victim: str, recipe: str) -> dict[str, Any]:
    return {
        "texts": list(row.attacked_texts),
        "label": int(row.label),
        "original_texts": list(row.texts),
        "victim": victim,
        "attack": recipe,
    }


if __name__ == "__main__":
    for one in TASKS:
        print(make_set(one, Path(sys.argv[1]), Path(sys.argv[2])))
