"""The default batch by notebook, as recorded, and a part of it with more or fewer workers."""

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import Row, row

from mvp_skill.files import read_json
from mvp_skill.readme_blocks import RECORD
from mvp_skill.run_folders import run_folders

ROOT = Path(__file__).resolve().parents[2]
BAR = "<= 15"  # minutes on two cores, after installation
WORKERS = (1, 2, 4)
PART = ("13_main_table/mini_restaurants*", "13_main_table/mini_news*", "18_other*", "19_out*")


def recorded(record: Path = RECORD) -> list[Row]:
    """Minutes of the recorded batch, and seconds of its runs by notebook, one core each."""
    machine, seconds = read_json(record / "machine.json"), defaultdict(list)
    for folder in run_folders(record):
        seconds[folder.parent.name].append(read_json(folder / "run.json")["seconds"])
    n_runs = machine["batch_runs"]
    rows = [row("batch", "whole", machine["batch_seconds"] / 60, "min", BAR, n_runs)]
    longest_first = sorted(seconds, key=lambda name: -sum(seconds[name]))
    return rows + [
        row("batch", name, sum(seconds[name]), "s", None, len(seconds[name]))
        for name in longest_first
    ]


def by_workers(part: Sequence[str] = PART, workers: Sequence[int] = WORKERS) -> list[Row]:
    """Seconds of the same runs, begun from nothing, with so many at once."""
    rows = []
    only = [word for pattern in part for word in ("--only", pattern)]
    for n in workers:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(ROOT / "run_all.py"), *only]
            began = time.perf_counter()
            subprocess.run(
                [*command, "--workers", str(n), "--results", folder], check=True, stdout=sys.stderr
            )
            seconds = time.perf_counter() - began
            done = len(run_folders(Path(folder)))
        rows.append(row("growth", f"{done} runs with {n} at once", seconds, "s", None, done))
    return rows
