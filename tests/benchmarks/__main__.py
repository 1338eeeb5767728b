"""All benchmarks in one table.

    python tests/benchmarks                        # all of them: about half an hour on two cores
    python tests/benchmarks attacks --share 0.2    # one of them, with a fifth of the examples
    python tests/benchmarks --record               # kept for the README, which is then filled by
                                                   # `python -m mvp_skill.readme README.md`

Sides that are compared take turns in one process, with the threads that the machine has, unless a
benchmark says otherwise. Where there is a GPU, the attacks run on it.
"""

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path[:0] = [str(FOLDER.parents[1]), str(FOLDER.parent), str(FOLDER)]  # wherever it is started

from benchmarks.rows import Row, met  # noqa: E402

RECORD = FOLDER.parents[1] / "mvp_skill" / "recorded_runs" / "benchmarks.json"


def attacks(share: float) -> list[Row]:
    """The engine against TextAttack's own loop."""
    from benchmarks import attacks

    with tempfile.TemporaryDirectory() as folder:
        return attacks.measure(Path(folder), share)


def growth(share: float) -> list[Row]:
    """Time and memory of ever more attacks."""
    from benchmarks import growth

    return growth.measure(tuple(max(8, round(share * n)) for n in growth.SIZES), round(share * 100))


def steps(share: float) -> list[Row]:
    """Training steps."""
    from benchmarks import steps

    return steps.main(rounds=max(2, round(share * steps.ROUNDS)))


def scoring(share: float) -> list[Row]:
    """Neuron scoring."""
    from benchmarks import scoring

    sizes = ",".join(str(max(8, round(share * n))) for n in (100, 1000, 10_000))
    return scoring.main(["--n", str(max(64, round(share * 1000))), "--growth", sizes])


def batch(share: float) -> list[Row]:
    """The recorded batch, and a part of it with more or fewer workers."""
    from benchmarks import batch

    return batch.recorded() + (batch.by_workers() if share == 1 else [])


BENCHMARKS: dict[str, Callable[[float], list[Row]]] = {
    "attacks": attacks,
    "growth": growth,
    "steps": steps,
    "scoring": scoring,
    "batch": batch,
}


def main(line: Sequence[str] | None = None) -> list[Row]:
    """Measure, print one table, and with --record keep it. Returns the rows."""
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("names", nargs="*", choices=[[], *BENCHMARKS], help=f"of {', '.join(BENCHMARKS)}")
    add("--share", type=float, default=1.0, help="of the usual numbers of examples and rounds")
    add("--record", action="store_true", help="keep the table for the README")
    given = parser.parse_args(line)
    warnings.simplefilter("ignore")
    rows = [r for name in given.names or BENCHMARKS for r in BENCHMARKS[name](given.share)]
    import pandas

    table = pandas.DataFrame(rows).fillna({"bar": ""})
    table["met"] = [met(line) for line in rows]
    print(table.to_string(index=False))
    if given.record:
        keep(rows)
    return rows


def keep(rows: list[Row]) -> None:
    """Replace the recorded rows of these benchmarks, and note on what they were measured."""
    from mvp_skill.environment import environment
    from mvp_skill.files import read_json, write_json

    measured = {row["benchmark"] for row in rows}
    before = read_json(RECORD)["rows"] if RECORD.exists() else []
    others = [row for row in before if row["benchmark"] not in measured]
    made_on = environment() | {"processor": processor()}
    write_json(RECORD, {"environment": made_on, "rows": [*others, *rows]})


def processor() -> str:
    """What the processor calls itself; the name of its kind where that is not known."""
    import platform

    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


if __name__ == "__main__":
    main()
