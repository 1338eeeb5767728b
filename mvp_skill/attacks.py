"""The run of an attack over examples, with a log.

    resources = resources_for("mini", "textbugger")
    log = attack(victim, examples, "textbugger", task=task, resources=resources)
    log.to_frame()

TextAttack says what an attack is (`attack_recipes`); `engine` runs many of them at once.
"""

import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvp_skill import engine
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
    from textattack.shared import AttackedText
    from torch import Tensor

    from mvp_skill.attack_searches import Found
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
    concurrency: int = 64,
    recipe_options: Mapping[str, Any] | None = None,
    oracle: "Oracle | None" = None,
    log_path: str | Path | None = None,
    progress: bool = True,
) -> AttackLog:
    """Attack the victim on the examples, in evaluation mode, without gradients.

    The log is that of TextAttack's own loop over one example after the other: the same outcomes,
    attacked texts and numbers of queries.

    examples     rows with `texts` (a list, one text per column of the task) and `label`
    recipe       a name in `attack_recipes.RECIPES`
    victim_key   names the trained victim in the log; needed with `log_path`
    seed         an attack that draws has a seed per example, made from this one, the recipe and the
                 example's texts: the result depends neither on the order nor on the other examples
    concurrency  examples under attack at once; it changes speed and memory, nothing else
    recipe_options   what only this recipe has, such as misspelling's {"max_words": 2}
    oracle       oracle(task name, texts, attacked texts, label) -> "kept", "changed" or
                 "undecidable", asked about every successful attack
    log_path     JSON-lines file, a line as each example ends; an attack that was stopped goes on
                 with the examples that are not in it
    raises       BadInput before the first attack if anything does not fit

    An example whose attack raises is logged with the outcome "error", and the run goes on.
    """
    from mvp_skill.attack_progress import progress as shown
    from mvp_skill.prediction import evaluation_mode

    make = recipe_named(recipe)
    if log_path is not None and victim_key is None:
        raise BadInput("A log file needs victim_key, so that it cannot mix two victims; give both.")
    check_options(query_budget, concurrency)
    rows = rows_of(examples, task)
    options = {"query_budget": query_budget}
    options |= check_recipe_options(recipe, make, recipe_options or {})
    with evaluation_mode(victim):
        check_victim(victim, rows, task)
        made = make(victim, task, resources, **options)
        parameters = {"recipe": recipe, "victim": victim_key, "seed": seed, **options}
        parameters |= {"oracle": oracle is not None, **stop_words_of(made)}
        parameters |= made_of(task, resources.fingerprints(NEEDS[recipe]), rows)
        log = AttackLog(parameters, log_path)
        left = [index for index in range(len(rows)) if index not in log]
        searches = _searches(made, task, {index: rows[index] for index in left}, seed, recipe)
        with shown(recipe, len(rows), log.records, progress) as told:
            for ended in engine.run(searches, _models(made, victim, resources), concurrency):
                record = _record(ended, rows[ended.index], task, oracle)
                log.append(record)
                told(record)
    return log


def attacked_text(task: "Task", texts: Iterable[str]) -> "AttackedText":
    """Texts of a task, one per column, as TextAttack takes apart and changes them."""
    columns = OrderedDict(zip(task.columns, texts, strict=True))
    return textattack().shared.AttackedText(columns)


def _searches(
    made: "Attack", task: "Task", rows: Mapping[int, Row], seed: int, recipe: str
) -> Iterator[engine.Task]:
    """The searches of the examples, made as they begin."""
    from mvp_skill.attack_filters import checks_of
    from mvp_skill.attack_searches import Search, check_made, draws

    check_made(made)
    checks, drawing = checks_of(made.constraints), draws(made.transformation)
    for index, row in rows.items():
        search = Search(made, checks, attacked_text(task, row.texts), row.label)
        own = Draws(seed, recipe, row.texts) if drawing else nullcontext
        yield engine.Task(index, search.steps, own)


def _models(made: "Attack", victim: "Victim", resources: Resources) -> dict[str, Callable]:
    """What searches may ask for, by the names they use."""
    from mvp_skill.merged_calls import EncoderCalls, MaskedLMCalls, VictimCalls

    models = {"victim": VictimCalls(victim)}
    if resources.encoder is not None:
        models["encoder"] = EncoderCalls(resources.encoder)
    if resources.masked_lm is not None and hasattr(made.transformation, "max_candidates"):
        models["masked_lm"] = MaskedLMCalls(resources.masked_lm, made.transformation.max_candidates)
    return models


class Draws:
    """What an attack draws for one example: the same wherever the example is.

    TextAttack draws from the global generators, so each search has states of its own for them.

        with draws(): ...   # as often as the search goes on

    The generators are given back as they were.
    """

    def __init__(self, seed: int, recipe: str, texts: Iterable[str]):
        import numpy as np

        from mvp_skill.seeding import derived_seed

        own = derived_seed(seed, recipe, *texts)
        self.states = random.Random(own).getstate(), np.random.RandomState(own % 2**32).get_state()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The generators are this example's inside the block."""
        before, self.states = _exchanged(self.states), None
        try:
            yield
        finally:
            self.states = _exchanged(before)


def seeded(seed: int, recipe: str, texts: Iterable[str]) -> AbstractContextManager:
    """A block in which whatever is drawn for one example is what the attack draws for it."""
    return Draws(seed, recipe, texts)()


def _exchanged(states: tuple[Any, Any]) -> tuple[Any, Any]:
    """Set the states of Python's and NumPy's global generators, and give back those they had."""
    import numpy as np

    before = random.getstate(), np.random.get_state()
    random.setstate(states[0])
    np.random.set_state(states[1])
    return before


def _record(ended: engine.Ended, row: Row, task: "Task", oracle: "Oracle | None") -> dict:
    """The log's record of one example."""
    record = {"index": ended.index, "label": row.label, "texts": row.texts}
    record |= {"oracle": None, "error": None, "seconds": ended.seconds}
    error = ended.error
    if error is None:
        try:
            record |= _outcome(ended.found)
            if oracle is not None and record["outcome"] == "succeeded":
                found = record["attacked_texts"]
                record["oracle"] = oracle(task.name, row.texts, found, row.label)
        except Exception as raised:
            error = raised
    if error is not None:
        record |= {"error": f"{type(error).__name__}: {error}", "outcome": "error"}
        unknown = ("clean_pred", "attacked_pred", "n_queries", "perturbed_fraction", "n_words")
        record |= {**dict.fromkeys(unknown), "attacked_texts": row.texts, "oracle": None}
    return record


def _outcome(found: "Found") -> dict:
    """What the search found, in the words of the log."""
    skipped, succeeded = found.first.wrong, found.last.wrong
    return {
        "clean_pred": found.first.prediction,
        "attacked_pred": found.last.prediction,
        "outcome": "skipped" if skipped else "succeeded" if succeeded else "failed",
        "n_queries": found.n_queries,
        "perturbed_fraction": _n_changed(found.original, found.attacked)
        / max(1, found.original.num_words),
        "n_words": found.original.num_words,
        "attacked_texts": _column_texts(found.attacked.tokenizer_input),
    }


def _n_changed(original: "AttackedText", attacked: "AttackedText") -> int:
    """Words of the original that are not the same any more.

    By the map of word places that TextAttack keeps. Its own count compares words of the same
    number, so after a word that a space has split every word would count as changed.
    """
    places = attacked.attack_attrs["original_index_map"]  # [word]
    pairs = zip(original.words, places, strict=True)
    return sum(place < 0 or attacked.words[place] != word for word, place in pairs)


def _column_texts(tokenizer_input: str | tuple[str, ...]) -> list[str]:
    return [tokenizer_input] if isinstance(tokenizer_input, str) else list(tokenizer_input)
