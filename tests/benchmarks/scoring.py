"""What it costs to score neurons: beside bare forward passes, and beside the authors' algorithm.

    python tests/benchmarks scoring

The authors' code is not run. `reference_scores` does what it does, written anew: texts padded to
one length, batches of 64, scores of all words at all positions, the activations of all training
texts kept on the host, and a loop over layers and examples. In "reference with our passes" the same
loops read the passes that we make; it says what the loops alone cost.

Times are medians of rounds in which the sides take turns, in one process. Memory is the largest
resident size of a process of its own, beyond that of a process that makes the bare passes.
"""

import argparse
import copy
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.given_activations import Given, Number
from benchmarks.rows import Row
from benchmarks.rows import row as line
from torch import Tensor, nn

from mvp_skill.activations import batches_of
from mvp_skill.evaluation import Split, encoded
from mvp_skill.hooks import look_at_input
from mvp_skill.neuron_counts import baseline_activation, count_firings
from mvp_skill.neurons import neuron_accuracy
from mvp_skill.prediction import evaluation_mode
from mvp_skill.prompt_tuning import build_prompted
from mvp_skill.tasks import load_task

BATCH_SIZE = 64
N_PROMPT, MAX_TEXT = 6, 128
BARE_BAR, FASTER_BAR, MEMORY_BAR = 1.15, 10.0, 0.1
PAPER_SHAPE = 2, 231, 100, 3072  # two of twelve layers: all are treated alike
TASK = "mini_films"
TESTS = Path(__file__).resolve().parents[1]


def scores(model: nn.Module, train: Split, test: Split, n_permutations: int = 20) -> Tensor:
    """Neuron accuracy by this package, with permuted labels: [layer, prompt, neuron]."""
    usual = baseline_activation(model, train.records)
    return neuron_accuracy(count_firings(model, test, usual, n_permutations=n_permutations))


def bare(model: nn.Module, train: Split, test: Split) -> None:
    """The forward passes alone, of the same texts in the same batches."""
    with evaluation_mode(model), torch.inference_mode():
        for split in (train, test):
            for _, rows in batches_of(model, split.records):
                model.logits(rows)


def reference_scores(
    model: nn.Module, train: Split, test: Split, n_tokens: int | None = MAX_TEXT
) -> Tensor:
    """Neuron accuracy as the authors compute it, without permutations: [layer, prompt, neuron].

    n_tokens   to which all texts are padded, with scores of all words at all positions; None pads
               to the longest of a batch of similar lengths, and only what a label needs is computed
    """
    kept = list(reference_passes(model, train.records, n_tokens))  # of all texts, all positions
    n_prompt = model.settings.n_prompt
    sums = [0.0] * len(model.ffn)
    for _, activations in kept:
        for layer, activation in enumerate(activations):
            sums[layer] = sums[layer] + activation[:, :n_prompt].sum(axis=0)
    least = [total / len(train.records) for total in sums]  # of each layer [prompt, neuron]
    del kept
    right = [np.zeros_like(one, dtype=np.float64) for one in least]
    labels = test.labels.numpy()
    for batch, activations in reference_passes(model, test.records, n_tokens):
        for layer, activation in enumerate(copy.deepcopy(activations)):
            for place, number in enumerate(batch):
                width = np.array(activations[0][0]).shape[1]  # a copy, only to read its width
                fits = (activation[place, :n_prompt] > least[layer]) == bool(labels[number])
                one = np.zeros((n_prompt, width))
                one[fits] = 1
                right[layer] += one
    return torch.from_numpy(np.stack(right) / len(labels))


def reference_passes(
    model: nn.Module, records: Sequence, n_tokens: int | None
) -> Iterator[tuple[Sequence[int], list[np.ndarray]]]:
    """Of each batch its numbers and all activations on the host, [batch, position, neuron] each."""
    numbers = range(len(records))
    batches = [numbers[at : at + BATCH_SIZE] for at in numbers[::BATCH_SIZE]]
    if n_tokens is None:
        batches = [batch for batch, _ in batches_of(model, records)]
    with evaluation_mode(model), torch.inference_mode():
        for batch in batches:
            rows = model.collate([records[number] for number in batch])
            found: list[Tensor] = []
            with ExitStack() as stack:
                for module in model.ffn:
                    stack.enter_context(look_at_input(module, found.append))
                model.logits(rows) if n_tokens is None else every_score(model, rows, n_tokens)
            yield batch, [activation.cpu().numpy() for activation in found]


def every_score(model: nn.Module, rows: Any, n_tokens: int) -> Tensor:
    """Scores of all words at all positions (T5: its one step), of rows padded to a fixed length."""
    missing = n_tokens - rows.input_ids.shape[1]
    rows = type(rows)(F.pad(rows.input_ids, (0, missing)), F.pad(rows.attention_mask, (0, missing)))
    if hasattr(model, "embedded"):
        return model.backbone(**model.embedded(rows)).logits  # [batch, position, vocab]
    return getattr(model, "vocabulary_logits", model.logits)(rows)


SIDES: dict[str, Callable] = {"bare": bare, "scores": scores, "reference": reference_scores}


def case(kind: str, n: int) -> tuple[nn.Module, Split, Split]:
    """A shipped model with an untuned prompt, n texts for thresholds and n to score."""
    data = load_task(TASK, n_train=n, n_validation=2, n_test=n, cased=True)
    size = {"n_prompt": N_PROMPT, "max_text": MAX_TEXT - 2}
    model = build_prompted(f"mini-{kind}", TASK, **size, seed=0)
    return model, *(encoded(model, data[name], name) for name in ("train", "test"))


def seconds(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median time of each side; they take turns, and the first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def time_rows(kind: str, n: int, rounds: int) -> list[Row]:
    """Scoring beside the bare passes and beside the reference, as ratios."""
    given = case(kind, n)
    short = {name: lambda side=SIDES[name]: side(*given) for name in ("bare", "scores")}
    found = seconds(short, rounds)
    rows = [row(f"{kind}: scoring", found["scores"], "s", None, n)]
    ratio = found["scores"] / found["bare"]
    rows.append(row(f"{kind}: scoring / bare passes", ratio, "times", f"<= {BARE_BAR}", n))
    sides = {
        "scores": short["scores"],
        "reference": lambda: reference_scores(*given),
        "same passes": lambda: reference_scores(*given, n_tokens=None),
    }
    found = seconds(sides, max(1, rounds // 2))
    ratio = found["reference"] / found["scores"]
    rows.append(row(f"{kind}: reference / scoring", ratio, "times", f">= {FASTER_BAR:g}", n))
    ratio = found["same passes"] / found["scores"]
    return [*rows, row(f"{kind}: reference with our passes / scoring", ratio, "times", None, n)]


def counting_rows(n: int, rounds: int, shape: tuple[int, ...] = PAPER_SHAPE) -> list[Row]:
    """What either algorithm does with activations that are there, at a shape of the paper.

    shape   layers, positions, prompt positions, neurons
    """
    n_layers, n_positions, n_prompt, n_neurons = shape
    generator = torch.Generator().manual_seed(0)
    size = (n, n_positions, n_neurons)
    model = Given([torch.randn(size, generator=generator) for _ in range(n_layers)], n_prompt)
    records = [Number(np.array([number]), n_positions - n_prompt) for number in range(n)]
    split = Split(records, torch.arange(n) % 2)
    sides = {
        "scores": lambda: scores(model, split, split, n_permutations=0),
        "reference": lambda: reference_scores(model, split, split, n_tokens=None),
        "passes": lambda: bare(model, split, split),
    }
    found = seconds(sides, rounds)
    ours, theirs = (found[name] - found["passes"] for name in ("scores", "reference"))
    what = f"counting alone, {n_layers} x {n_prompt} x {n_neurons}"
    return [
        row(f"{what}: scoring", ours, "s", None, n),
        row(f"{what}: reference / scoring", theirs / ours, "times", f">= {FASTER_BAR:g}", n),
    ]


def memory_rows(kind: str, n: int) -> list[Row]:
    """Largest resident size of each side beyond the bare passes, and their ratio."""
    peak = {name: peak_of(name, kind, n) for name in SIDES}
    ours, theirs = (max(0.0, peak[name] - peak["bare"]) for name in ("scores", "reference"))
    rows = [
        row(f"{kind}: memory beyond bare passes, {name}", value, "MiB", None, n)
        for name, value in (("scoring", ours), ("reference", theirs))
    ]
    share = ours / theirs if theirs else float("nan")
    return [
        *rows,
        row(f"{kind}: memory, scoring / reference", share, "times", f"<= {MEMORY_BAR}", n),
    ]


def peak_of(side: str, kind: str, n: int) -> float:
    """Largest resident size of a process that does one side once, in MiB."""
    command = [sys.executable, "-m", "benchmarks.scoring", "--side", side, "--kinds", kind]
    done = subprocess.run(
        [*command, "--n", str(n)],
        cwd=TESTS,
        env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def own_peak() -> float:
    """Largest resident size of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux what getrusage says begins with the size of the parent process
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**10
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def growth_rows(kind: str, sizes: Sequence[int]) -> list[Row]:
    """Seconds and memory of scoring for ever more examples."""
    rows = []
    for n in sizes:
        given = case(kind, n)
        found = seconds({"scores": lambda given=given: scores(*given)}, 1)
        rows.append(row(f"{kind}: growth, scoring", found["scores"], "s", None, n))
        beyond = max(0.0, peak_of("scores", kind, n) - peak_of("bare", kind, n))
        rows.append(row(f"{kind}: growth, memory beyond bare passes", beyond, "MiB", None, n))
    return rows


def row(what: str, figure: float, unit: str, bar: str | None, n: int) -> Row:
    """A line of the table; n counts examples of either pass."""
    return line("neuron scoring", what, figure, unit, bar, n)


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Measure, and return the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default="roberta,t5", help="with commas")
    parser.add_argument("--n", type=int, default=1000, help="texts of either pass")
    parser.add_argument("--growth", default="100,1000,10000", help="numbers of texts, with commas")
    parser.add_argument("--n-counting", type=int, default=32, help="texts, of which all is kept")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=tuple(SIDES), help="do one side once, print its memory")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    kinds = given.kinds.split(",")
    if given.side:
        SIDES[given.side](*case(kinds[0], given.n))
        print(own_peak())
        return []
    rows = counting_rows(given.n_counting, given.rounds)
    for kind in kinds:
        rows += time_rows(kind, given.n, given.rounds) + memory_rows(kind, given.n)
        rows += growth_rows(kind, [int(n) for n in given.growth.split(",") if n])
    return rows


if __name__ == "__main__":
    main()
