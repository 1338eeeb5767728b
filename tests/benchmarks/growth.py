"""What grows with the number of attacked examples: time should, memory should not."""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from benchmarks.rows import Row, row
from benchmarks.victims import Case, mini_case

from mvp_skill.attacks import attack

SIZES = (10, 100, 1000)
WARM = 100  # examples after which memory should stay
EVERY = 0.2  # seconds between two looks at the memory


def measure(sizes: tuple[int, ...] = SIZES, warm: int = WARM) -> list[Row]:
    """Seconds for ever more examples, and memory over the largest number."""
    case, rows = mini_case("mlp_ft", max(sizes)), []
    run(case, 4)
    for n in sizes:
        began = time.perf_counter()
        with watched_memory() as (looks, path):
            run(case, n, path)
        seconds = time.perf_counter() - began
        rows.append(row("growth", f"{n} attacks", seconds, "s", None, n))
    largest = max(size for done, size in looks if done > warm)
    at_first = max(size for done, size in looks if done <= warm)
    rows.append(row("growth", f"memory after {warm} attacks", at_first / 2**20, "MiB", None, warm))
    what = f"largest memory after that / memory after {warm} attacks"
    return [*rows, row("growth", what, largest / at_first, "x", "<= 1.1", max(sizes))]


def run(case: Case, n: int, path: Path | None = None) -> None:
    """Attack the first `n` examples."""
    attack(
        *(case.victim, case.examples[:n], "textfooler"),
        task=case.task,
        resources=case.resources,
        victim_key="benchmark",
        log_path=path,
        progress=False,
    )


@contextmanager
def watched_memory() -> Iterator[tuple[list[tuple[int, int]], Path]]:
    """(attacks that have ended, resident bytes) from time to time, and the log to write."""
    looks, over, process = [], threading.Event(), psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "log.jsonl")

        def look() -> None:
            n = path.read_bytes().count(b"\n") - 1 if path.exists() else 0
            looks.append((max(0, n), process.memory_info().rss))

        def watch() -> None:
            while not over.wait(EVERY):
                look()

        thread = threading.Thread(target=watch, daemon=True)
        look()
        thread.start()
        try:
            yield looks, path
        finally:
            over.set()
            thread.join()
            look()
