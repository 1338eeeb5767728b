"""What the README says about time and disk, measured where its numbers were made."""

import os
import sys
import xml.etree.ElementTree
from pathlib import Path

from mvp_skill.errors import BadInput
from mvp_skill.execution import DONE
from mvp_skill.files import read_json


def measured(results: Path | None = None, tests: Path | None = None) -> dict[str, float]:
    """Everything that can be measured now; what cannot be is left out.

    environment_bytes, install_seconds   of the virtual environment that this Python belongs to
    results_bytes                        of the results folder
    batch_seconds, batch_runs            of the last batch, if it did all of its runs itself
    test_seconds, n_tests                from pytest's report
    """
    numbers = _environment(Path(sys.prefix)) if sys.prefix != sys.base_prefix else {}
    if results is not None:
        numbers |= {"results_bytes": size_of(results)} | _batch(results / "summary.json")
    return numbers | (_tests(tests) if tests is not None else {})


def size_of(folder: Path) -> int:
    """Bytes of all files under a folder; a file with two names counts once, links not at all."""
    sizes = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            status = os.lstat(Path(parent, name))
            if not os.path.islink(Path(parent, name)):
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def install_seconds(prefix: Path) -> float | None:
    """From the making of a virtual environment to the end of its last installation.

    None if something in it is older than the environment: `python -m venv` was called again since.
    """
    begun = (prefix / "pyvenv.cfg").stat().st_mtime
    ended = [path.stat().st_mtime for path in prefix.glob("lib/python*/site-packages/*.dist-info")]
    return None if not ended or min(ended) < begun else max(ended) - begun


def _environment(prefix: Path) -> dict[str, float]:
    numbers: dict[str, float] = {"environment_bytes": size_of(prefix)}
    seconds = install_seconds(prefix)
    return numbers if seconds is None else numbers | {"install_seconds": round(seconds, 1)}


def _batch(summary: Path) -> dict[str, float]:
    if not summary.exists():
        return {}
    batch = read_json(summary)
    if not batch["runs"] or any(run["status"] != DONE for run in batch["runs"]):
        return {}
    return {"batch_seconds": batch["seconds"], "batch_runs": len(batch["runs"])}


def _tests(report: Path) -> dict[str, float]:
    try:
        suites = list(xml.etree.ElementTree.parse(report).iter("testsuite"))
        numbers = [(float(suite.get("time")), int(suite.get("tests"))) for suite in suites]
    except (OSError, TypeError, ValueError, xml.etree.ElementTree.ParseError) as error:
        raise BadInput(
            f"{report} is no report of pytest ({error}); make one with "
            "`python -m pytest --junitxml=FILE`."
        ) from error
    return {"test_seconds": sum(t for t, _ in numbers), "n_tests": sum(n for _, n in numbers)}
