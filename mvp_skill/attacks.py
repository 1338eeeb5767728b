"""The run of an attack over examples, with a log.

    resources = resources_for("mini", "textbugger")
    log = attack(victim, examples, "textbugger", task=task, resources=resources)
    log.to_frame()

TextAttack does the attacking; `attack_recipes` says what each attack is made of.
"""

import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvp_skill.attack_inputs import (
    Row,
    check_options,
    check_recipe_options,
    check_victim,
    made_of,
    rows_of,
)
from mvp_skill.attack_log import AttackLog
from mvp_skill.attack_parts import WINDOW as WINDOW  # notebooks find all of an attack here
from mvp_skill.attack_recipes import NEEDS, recipe_named
from mvp_skill.attack_resources import Resources
from mvp_skill.errors import BadInput
from mvp_skill.stop_words import stop_words_of
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack import Attack
    from textattack.attack_results import AttackResult
    from textattack.shared import AttackedText
    from torch import Tensor

    from mvp_skill.tasks import Task

    Victim = Callable[[list[str] | list[tuple[str, ...]]], Tensor]  # logits [batch, class]
    Oracle = Callable[[str, list[str], list[str], int], str]


def attack(
    victim: "Victim",
    examples: Iterable[dict],
    recipe: str = "textfooler",
    *,
    task: "Task",
    resources: Resources,
    victim_key: str | None = None,
    seed: int = 0,
    query_budget: int | None = None,
    batch_size: int = 32,
    recipe_options: Mapping[str, Any] | None = None,
    oracle: "Oracle | None" = None,
    log_path: str | Path | None = None,
    progress: bool = True,
) -> AttackLog:
    """Attack the victim on one example after the other, in evaluation mode, without gradients.

    examples     rows with `texts` (a list, one text per column of the task) and `label`
    recipe       a name in `attack_recipes.RECIPES`
    victim_key   names the trained victim in the log; needed with `log_path`
    seed         an attack that draws has a seed per example, made from this one, the recipe and the
                 example's texts: the result depends neither on the order nor on the other examples
    recipe_options   what only this recipe has, such as misspelling's {"max_words": 2}
    oracle       oracle(task name, texts, attacked texts, label) -> "kept", "changed" or
                 "undecidable", asked about every successful attack
    log_path     JSON-lines file; an attack that was stopped goes on where it was
    raises       BadInput before the first attack if anything does not fit

    An example whose attack raises is logged with the outcome "error", and the run goes on.
    """
    from tqdm import tqdm

    from mvp_skill.prediction import evaluation_mode

    make = recipe_named(recipe)
    if log_path is not None and victim_key is None:
        raise BadInput("A log file needs victim_key, so that it cannot mix two victims; give both.")
    check_options(query_budget, batch_size)
    rows = rows_of(examples, task)
    options = {"query_budget": query_budget, "batch_size": batch_size}
    options |= check_recipe_options(recipe, make, recipe_options or {})
    with evaluation_mode(victim):
        check_victim(victim, rows, task)
        run = make(victim, task, resources, **options)
        parameters = {"recipe": recipe, "victim": victim_key, "seed": seed, **options}
        parameters |= {"oracle": oracle is not None, **stop_words_of(run)}
        parameters |= made_of(task, resources.fingerprints(NEEDS[recipe]), rows)
        log = AttackLog(parameters, log_path)
        with tqdm(total=len(rows), initial=len(log), desc=recipe, disable=not progress) as bar:
            for index in range(len(log), len(rows)):
                row = rows[index]
                with seeded(seed, recipe, row.texts):
                    record = _attack_one(run, task, row, oracle)
                log.append({"index": index, **record})
                bar.set_postfix(Counter(r["outcome"] for r in log.records), refresh=False)
                bar.update()
    return log


def attacked_text(task: "Task", texts: Iterable[str]) -> "AttackedText":
    """Texts of a task, one per column, as TextAttack takes apart and changes them."""
    columns = OrderedDict(zip(task.columns, texts, strict=True))
    return textattack().shared.AttackedText(columns)


@contextmanager
def seeded(seed: int, recipe: str, texts: Iterable[str]) -> Iterator[None]:
    """Inside the block, what an attack draws for one example: the same wherever the example is.

    TextAttack draws from the global generators; they are given back as they were.
    """
    import numpy as np

    from mvp_skill.seeding import derived_seed

    states = random.getstate(), np.random.get_state()
    own = derived_seed(seed, recipe, *texts)
    random.seed(own)
    np.random.seed(own % 2**32)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


def _attack_one(run: "Attack", task: "Task", row: Row, oracle: "Oracle | None") -> dict:
    """The log's record of one example, without its index."""
    start = time.perf_counter()
    record = {"label": row.label, "texts": row.texts, "oracle": None, "error": None}
    try:
        record |= _outcome(run.attack(attacked_text(task, row.texts), row.label))
        if oracle is not None and record["outcome"] == "succeeded":
            record["oracle"] = oracle(task.name, row.texts, record["attacked_texts"], row.label)
    except Exception as error:
        logging.getLogger(__name__).warning("an attack raised", exc_info=True)
        run.clear_cache()  # as TextAttack does after an example that ends
        record |= {"error": f"{type(error).__name__}: {error}", "outcome": "error"}
        unknown = ("clean_pred", "attacked_pred", "n_queries", "perturbed_fraction", "n_words")
        record |= {**dict.fromkeys(unknown), "attacked_texts": row.texts}
    return {**record, "seconds": time.perf_counter() - start}


def _outcome(result: "AttackResult") -> dict:
    """What TextAttack found, in the words of the log."""
    original, attacked = result.original_result, result.perturbed_result
    n_words = original.attacked_text.num_words
    return {
        "clean_pred": int(original.output),
        "attacked_pred": int(attacked.output),
        "outcome": _OUTCOMES[type(result).__name__],
        "n_queries": int(result.num_queries),
        "perturbed_fraction": _n_changed(original.attacked_text, attacked.attacked_text)
        / max(1, n_words),
        "n_words": n_words,
        "attacked_texts": _column_texts(attacked.attacked_text.tokenizer_input),
    }


def _n_changed(original: "AttackedText", attacked: "AttackedText") -> int:
    """Words of the original that are not the same any more.

    By the map of word places that TextAttack keeps. Its own count compares words of the same
    number, so after a word that a space has split every word would count as changed.
    """
    places = attacked.attack_attrs["original_index_map"]  # [word]
    pairs = zip(original.words, places, strict=True)
    return sum(place < 0 or attacked.words[place] != word for word, place in pairs)


_OUTCOMES = {
    "SuccessfulAttackResult": "succeeded",
    "FailedAttackResult": "failed",
    "SkippedAttackResult": "skipped",
}


def _column_texts(tokenizer_input: str | tuple[str, ...]) -> list[str]:
    return [tokenizer_input] if isinstance(tokenizer_input, str) else list(tokenizer_input)
