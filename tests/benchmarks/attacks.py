"""The engine against TextAttack's own loop: the same recipe, resources, victim and examples."""

import statistics
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from benchmarks.rows import Row, row
from benchmarks.victims import Case, as_transformers, mini_case, random_case

from mvp_skill import merged_calls
from mvp_skill.attack_constraints import quiet
from mvp_skill.attack_recipes import recipe_named
from mvp_skill.attacks import attack
from mvp_skill.textattack_import import textattack
from mvp_skill.token_budgets import TokenBudget, budget_of

RECIPE = "textfooler"
PARTS = 3  # of the examples; in each, all sides follow each other

OWN_WRAPPER, PARALLEL = "serial with its own wrapper", "parallel with its own wrapper"
"""The second one on a GPU only: elsewhere TextAttack refuses it."""

Side = Callable[[list[dict]], list[tuple]]


def engine_side(case: Case, recipe: str = RECIPE) -> Side:
    """Outcome, text and queries of each example, by the engine."""

    def side(examples: list[dict]) -> list[tuple]:
        log = attack(
            *(case.victim, examples, recipe),
            task=case.task,
            resources=case.resources,
            progress=False,
        )
        assert not any(record["error"] for record in log.records)
        return [(r["outcome"], r["attacked_texts"][0], r["n_queries"]) for r in log.records]

    return side


def serial_side(
    case: Case, recipe: str = RECIPE, own_wrapper: bool = False, parallel: bool = False
) -> Side:
    """The same by TextAttack's `Attacker`.

    own_wrapper   with its wrapper for transformers, else with ours
    parallel      with its worker processes, which it has for GPUs only
    """
    ta = textattack()
    made = recipe_named(recipe)(case.victim, case.task, case.resources)
    if own_wrapper:
        with quiet():
            made.goal_function.model = ta.models.wrappers.HuggingFaceModelWrapper(
                *as_transformers(case.victim)
            )

    def side(examples: list[dict]) -> list[tuple]:
        pairs = [(OrderedDict(text=e["texts"][0])["text"], e["label"]) for e in examples]
        data = ta.datasets.Dataset(pairs, input_columns=["text"])
        given = {"num_examples": len(pairs), "disable_stdout": True, "silent": True}
        arguments = ta.AttackArgs(**given, parallel=parallel)
        results = ta.Attacker(made, data, arguments).attack_dataset()
        return [_outcome(result) for result in results]

    return side


def _outcome(result: Any) -> tuple:
    kind = type(result).__name__.removesuffix("AttackResult").lower()
    kind = {"successful": "succeeded"}.get(kind, kind)
    return kind, result.perturbed_text(), result.num_queries


def compared(sides: dict[str, Side], examples: list[dict]) -> dict[str, Any]:
    """Seconds of each side, the median ratio to the engine, and how many logs differ.

    The sides take turns on each part of the examples, the first one last in every other part.
    """
    seconds = {name: [] for name in sides}
    different = dict.fromkeys(sides, 0)
    size = -(-len(examples) // PARTS)
    for number, start in enumerate(range(0, len(examples), size)):
        part, found = examples[start : start + size], {}
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            began = time.perf_counter()
            found[name] = sides[name](part)
            seconds[name].append(time.perf_counter() - began)
        for name, outcomes in found.items():
            # In any order: that of TextAttack's worker processes is the one in which they end.
            different[name] += (Counter(outcomes) - Counter(found["engine"])).total()
    ratios = {
        name: statistics.median(s / e for s, e in zip(took, seconds["engine"], strict=True))
        for name, took in seconds.items()
    }
    return {"seconds": seconds, "ratios": ratios, "different": different}


def rows_of(case: Case, sides: dict[str, Side], bars: dict[str, str | None]) -> list[Row]:
    """The engine's speed; of each other side its time as a ratio, and the logs that differ."""
    for side in sides.values():
        side(case.examples[:2])  # imports, measures, fills caches
    result, n = compared(sides, case.examples), len(case.examples)
    per_second = n / sum(result["seconds"]["engine"])
    rows = [row("attacks", f"{case.name}: engine", per_second, "examples/s", None, n)]
    for name in list(sides)[1:]:
        what = f"{case.name}: {name}"
        rows.append(row("attacks", f"{what} / engine", result["ratios"][name], "x", bars[name], n))
        different = result["different"][name]
        rows.append(row("attacks", f"{what}, logs that differ", different, "logs", "<= 0", n))
    return rows


def model_side_rate(case: Case) -> Row:
    """The engine's texts per second of its victim, over that of perfect batches."""
    asked, seconds = [], []
    plain = merged_calls.VictimCalls.__call__

    def timed(calls: merged_calls.VictimCalls, texts: list) -> torch.Tensor:
        began = time.perf_counter()
        logits = plain(calls, texts)
        seconds.append(time.perf_counter() - began)
        asked.extend(texts)
        return logits

    merged_calls.VictimCalls.__call__ = timed
    try:
        engine_side(case)(case.examples)
    finally:
        merged_calls.VictimCalls.__call__ = plain
    bare = bare_seconds(case.victim, asked)
    n = len(asked)
    what = f"{case.name}: model-side rate / bare rate"
    return row("attacks", what, bare / sum(seconds), "x", ">= 0.7", n)


def bare_seconds(victim: torch.nn.Module, texts: list[str]) -> float:
    """The model alone on texts that are tokenised, sorted and batched already."""
    records, budget = victim.encode(texts), budget_of("victim", victim)
    chosen = TokenBudget((budget.chosen,))
    batches = [
        victim.collate([records[index] for index in batch])
        for batch in victim.insertion.batches(records, chosen)
    ]
    device = next(victim.parameters()).device
    times = []
    with torch.inference_mode():
        for _ in range(3):
            began = time.perf_counter()
            for batch in batches:
                victim.logits(batch.to(device))
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(folder: Path, share: float = 1.0) -> list[Row]:
    """All rows; `share` of the usual numbers of examples."""
    has_gpu, rows = torch.cuda.is_available(), []
    n = {"mini": 201, "own": 42, "small": 60, "base": 192 if has_gpu else 12}
    n = {name: max(PARTS, round(share * count)) for name, count in n.items()}
    for method in ("mlp_ft", "mvp"):
        case = mini_case(method, n["mini"])
        rows += rows_of(case, sides_of(case), {"serial": ">= 3"})
        rows.append(model_side_rate(case))
        if method == "mlp_ft":
            few = replace(case, examples=case.examples[: n["own"]])
            rows += rows_of(few, sides_of(few, OWN_WRAPPER), {OWN_WRAPPER: ">= 10"})[1:]
    for method in ("mlp_ft", "mvp"):
        made = {"method": method, "layers": 4, "width": 256, "encoder": True}
        case = random_case("4 x 256 and MiniLM's size", folder, n["small"], **made)
        rows += rows_of(case, sides_of(case), {"serial": ">= 1.8"})
        made = {"method": method, "layers": 12, "width": 768, "encoder": False}
        case = random_case("roberta-base's size", folder, n["base"], **made)
        rows += rows_of(case, sides_of(case), {"serial": ">= 4" if has_gpu else ">= 1"})
        rows.append(model_side_rate(case))
        if has_gpu and method == "mlp_ft":
            bars = {OWN_WRAPPER: ">= 15", PARALLEL: None}
            rows += rows_of(case, sides_of(case, *bars), bars)[1:]
    return rows


def sides_of(case: Case, *others: str) -> dict[str, Side]:
    """The engine and what it is compared with: TextAttack's loop, or the others named."""
    made = {
        "serial": lambda: serial_side(case),
        OWN_WRAPPER: lambda: serial_side(case, own_wrapper=True),
        PARALLEL: lambda: serial_side(case, own_wrapper=True, parallel=True),
    }
    return {"engine": engine_side(case)} | {name: made[name]() for name in others or ["serial"]}
