"""How the mini world's adversarial sets are made: attacks on tuned victims, kept if the label is.

What AdvGLUE is to GLUE: texts that somebody else's victims got wrong after an attack, with labels
that still hold. The victims are fine-tuned ones (MLP-FT, MVP), never the prompts under study, and
instead of people an oracle says whether the label holds.

    records = adversarial_records(study, "mini_films", ("mlp_ft", "mvp"), RECIPES, n=120, seed=0)
    write_set(folder, "mini_adv_films", "mini_films", records, provenance)
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mvp_skill.conditions import Condition
from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically
from mvp_skill.mini.dice import Dice
from mvp_skill.studies import Study

RECIPES = ("textfooler", "textbugger_stock", "misspelling")
"""Exchanged words, edited characters and both, as in AdvGLUE's word-level part."""


def adversarial_records(
    study: Study,
    task: str,
    victims: Sequence[str],
    recipes: Sequence[str] = RECIPES,
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
