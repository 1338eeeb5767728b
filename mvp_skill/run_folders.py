"""Run folders on disk: partial, finished, replaced. The rule they follow is in `results`."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json

PARTIAL = ".partial"  # under way, failed or killed
REPLACED = ".replaced"  # an earlier result, for the moment between two renames
ATTEMPT = "attempt.json"  # the key for which a partial folder was made


def prepare(finished: Path, key: str, since: str = "") -> Path:
    """The partial folder of a run, ready to write in.

    One left by an attempt with the same key, begun at `since` or later, is continued (its
    checkpoints and logs serve again); any other is emptied.
    """
    folder = partial(finished)
    attempt = _attempt(folder)
    if attempt.get("key") != key or attempt.get("begun", "") < since:
        shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / ATTEMPT, {"key": key, "begun": now()})
    (folder / "run.json").unlink(missing_ok=True)
    return folder


def finish(folder: Path) -> Path:
    """Give a partial folder its final name, in place of an earlier result; returns the folder."""
    if not is_attempt(folder):
        return folder
    finished = folder.with_name(folder.name.removesuffix(PARTIAL))
    restore(finished)
    replaced = finished.with_name(finished.name + REPLACED)
    if finished.exists():
        finished.rename(replaced)
    folder.rename(finished)
    shutil.rmtree(replaced, ignore_errors=True)
    return finished


def partial(finished: Path) -> Path:
    """Where the run that will end in `finished` is made."""
    return finished.with_name(finished.name + PARTIAL)


def is_attempt(folder: Path) -> bool:
    """Whether a folder holds something not finished, or replaced."""
    return folder.name.endswith((PARTIAL, REPLACED))


def finished_record(folder: Path, key: str) -> dict[str, Any] | None:
    """The `run.json` of a finished run with this key; None if there is none."""
    try:
        record = read_json(folder / "run.json")
    except BadInput:
        return None
    return record if record.get("key") == key else None


def restore(finished: Path) -> None:
    """Put back a result whose replacement was killed between the two renames of `finish`."""
    replaced = finished.with_name(finished.name + REPLACED)
    if replaced.exists() and not finished.exists():
        replaced.rename(finished)
    shutil.rmtree(replaced, ignore_errors=True)


def remove(folder: Path) -> None:
    """Delete a run folder with everything in it, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def run_folders(root: str | Path) -> list[Path]:
    """All folders of finished runs under a results folder, sorted by notebook and run id."""
    folders = sorted(path.parent for path in Path(root).glob("*/*/run.json"))
    return [folder for folder in folders if not is_attempt(folder)]


def now() -> str:
    """The time, in UTC, as run files write it; such texts sort by time."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _attempt(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / ATTEMPT)
    except BadInput:
        return {}


@contextmanager
def lock(results: Path) -> Iterator[None]:
    """Keep a second run_all.py out of the results folder; the system unlocks when we are gone."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        held = FileLock(results / ".lock").acquire(timeout=0)
    except Timeout as error:
        message = f"Another run_all.py works in {results}: wait for it, or use --results."
        raise BadInput(message) from error
    except OSError as error:
        raise BadInput(f"Cannot write in {results} ({error.strerror}): use --results.") from error
    with held:
        yield
