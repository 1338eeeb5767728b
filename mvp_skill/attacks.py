"""Attacks: recipes as bills of materials, and the run over examples with a log.

    log = attack(victim, examples, "textfooler", task=task, resources=resources_for("mini"))
    log.to_frame()

TextAttack does the attacking: search, goal function, transformation and constraints are its own.
"""

import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.attack_inputs import Row, check_options, check_victim, made_of, rows_of
from mvp_skill.attack_log import AttackLog
from mvp_skill.attack_resources import Resources
from mvp_skill.errors import BadInput
from mvp_skill.stop_words import textfooler_stop_words
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack import Attack
    from textattack.attack_results import AttackResult
    from textattack.shared import AttackedText
    from torch import Tensor

    from mvp_skill.tasks import Task

    Victim = Callable[[list[str] | list[tuple[str, ...]]], Tensor]  # logits [batch, class]
    Oracle = Callable[[str, list[str], list[str], int], str]

MIN_WORD_COSINE = 0.5  # TextFooler's released code; its paper says 0.7
MIN_ANGULAR_SIMILARITY = 0.840845057  # 1 - 0.5 / pi, which is a cosine of 0.8776
WINDOW = 15  # words around the change that the encoder compares; shorter texts always pass


def textfooler(
    victim: "Victim",
    task: "Task",
    resources: Resources,
    *,
    query_budget: int | None = None,
    batch_size: int = 32,
) -> "Attack":
    """TextFooler (Jin et al. 2020) as the code of the MVP paper uses it.

    It differs from TextAttack's recipe in two lines: the limit on changed words, per task, and the
    frozen columns (BoolQ's question). The constraints are checked in the order written, each on
    what the one before let through. No query budget unless one is given.
    """
    ta = textattack()
    from mvp_skill.attack_constraints import EncoderSimilarity, VictimWrapper, quiet

    embedding = resources.neighbours.embedding()
    constraints = [
        ta.constraints.pre_transformation.RepeatModification(),
        ta.constraints.pre_transformation.StopwordModification(stopwords=textfooler_stop_words()),
        # Freezes nothing unless the labels are equal in order too, hence a list like TextAttack's.
        ta.constraints.pre_transformation.InputColumnModification(
            list(task.columns), set(task.frozen)
        ),
        # Counts the words of all columns, frozen ones and stop words included; rounds up.
        # Authors' attacker(): 0.1 or 0.3 by data set; their recipe file says 0.3 for all.
        ta.constraints.overlap.MaxWordsPerturbed(max_percent=task.max_perturbed_fraction),
        ta.constraints.semantics.WordEmbeddingDistance(embedding, min_cos_sim=MIN_WORD_COSINE),
        resources.tagger.constraint(),
        EncoderSimilarity(
            resources.encoder,
            threshold=resources.encoder.least_similarity or MIN_ANGULAR_SIMILARITY,
            metric="angular",
            compare_against_original=False,  # with the current text
            window_size=WINDOW,
            skip_text_shorter_than_window=True,
        ),
    ]
    with quiet():
        goal = ta.goal_functions.UntargetedClassification(
            VictimWrapper(victim),
            query_budget=float("inf") if query_budget is None else query_budget,
            model_batch_size=batch_size,
        )
    swap = ta.transformations.WordSwapEmbedding(resources.neighbours.k, embedding)
    search = ta.search_methods.GreedyWordSwapWIR(wir_method="delete")
    return ta.Attack(goal, constraints, swap, search)


RECIPES: dict[str, Callable[..., "Attack"]] = {"textfooler": textfooler}


def recipe_named(name: str) -> Callable[..., "Attack"]:
    """The recipe of that name; BadInput with the allowed names if there is none."""
    if name not in RECIPES:
        raise BadInput(f"Unknown attack {name!r}; the attacks are {', '.join(sorted(RECIPES))}.")
    return RECIPES[name]


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
    oracle: "Oracle | None" = None,
    log_path: str | Path | None = None,
    progress: bool = True,
) -> AttackLog:
    """Attack the victim on one example after the other, in evaluation mode, without gradients.

    examples     rows with `texts` (a list, one text per column of the task) and `label`
    victim_key   names the trained victim in the log; needed with `log_path`
    seed         each example has its own seed from this one and its index, so that a recipe that
                 draws gives the same result in any order (TextFooler draws nothing)
    oracle       oracle(task name, texts, attacked texts, label) -> "kept", "changed" or
                 "undecidable", asked about every successful attack
    log_path     JSON-lines file; an attack that was stopped goes on where it was
    raises       BadInput before the first attack if anything does not fit

    An example whose attack raises is logged with the outcome "error", and the run goes on.
    """
    from tqdm import tqdm

    from mvp_skill.prediction import evaluation_mode
    from mvp_skill.seeding import derived_seed

    make = recipe_named(recipe)
    if log_path is not None and victim_key is None:
        raise BadInput("A log file needs victim_key, so that it cannot mix two victims; give both.")
    check_options(query_budget, batch_size)
    rows = rows_of(examples, task)
    options = {"query_budget": query_budget, "batch_size": batch_size}
    with evaluation_mode(victim):
        check_victim(victim, rows, task)
        run = make(victim, task, resources, **options)
        parameters = {"recipe": recipe, "victim": victim_key, "seed": seed, **options}
        parameters |= {"oracle": oracle is not None, **made_of(task, resources, rows)}
        log = AttackLog(parameters, log_path)
        with tqdm(total=len(rows), initial=len(log), desc=recipe, disable=not progress) as bar:
            for index in range(len(log), len(rows)):
                record = _attack_one(
                    run, task, rows[index], oracle, derived_seed(seed, recipe, index)
                )
                log.append({"index": index, **record})
                bar.set_postfix(Counter(r["outcome"] for r in log.records), refresh=False)
                bar.update()
    return log


def attacked_text(task: "Task", texts: Iterable[str]) -> "AttackedText":
    """Texts of a task, one per column, as TextAttack takes apart and changes them."""
    columns = OrderedDict(zip(task.columns, texts, strict=True))
    return textattack().shared.AttackedText(columns)


def _attack_one(run: "Attack", task: "Task", row: Row, oracle: "Oracle | None", seed: int) -> dict:
    """The log's record of one example, without its index."""
    start = time.perf_counter()
    record = {"label": row.label, "texts": row.texts, "oracle": None, "error": None}
    try:
        with _seeded(seed):
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
    changed = original.attacked_text.all_words_diff(attacked.attacked_text)
    return {
        "clean_pred": int(original.output),
        "attacked_pred": int(attacked.output),
        "outcome": _OUTCOMES[type(result).__name__],
        "n_queries": int(result.num_queries),
        "perturbed_fraction": len(changed) / max(1, n_words),
        "n_words": n_words,
        "attacked_texts": _column_texts(attacked.attacked_text.tokenizer_input),
    }


_OUTCOMES = {
    "SuccessfulAttackResult": "succeeded",
    "FailedAttackResult": "failed",
    "SkippedAttackResult": "skipped",
}


def _column_texts(tokenizer_input: str | tuple[str, ...]) -> list[str]:
    return [tokenizer_input] if isinstance(tokenizer_input, str) else list(tokenizer_input)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators TextAttack draws from, and gives them back as they were."""
    import numpy as np

    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
