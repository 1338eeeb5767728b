"""One run of the batch: papermill in a kernel of its own, into the run's partial folder.

`execute` is the only function that travels to workers. It never raises for what happens in a
notebook: every exception becomes a line of text in the outcome. papermill's metadata says
"completed" after a dead kernel, and it returns normally after `sys.exit(0)`; so what counts is the
`run.json` that the notebook's last cell wrote, with this run's key.
"""

import asyncio
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mvp_skill.batch import PlannedRun
from mvp_skill.files import read_json
from mvp_skill.results import IN_BATCH
from mvp_skill.run_folders import finish, finished_record, prepare

DONE, FAILED, NOT_RUN = "done", "failed", "not run"
ATTEMPTS = 2  # for a kernel that is killed from outside; an exception gets no second chance
START_TIMEOUT = 120  # seconds for a kernel to start, on a machine where many do at once
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
# Dask has its workers hand back freed memory at once. A training step takes and frees the same
# memory again and again, and takes twice as long where a kernel inherits that.
TRIM, DASKS_TRIM = "MALLOC_TRIM_THRESHOLD_", "65536"
# At its end Python takes all modules and objects apart, for one to two seconds where torch is among
# them, before the process goes. What is registered first comes last: all others have cleared up.
KERNEL = """
import atexit, os, runpy
atexit.register(os._exit, 0)
runpy.run_module("ipykernel_launcher", run_name="__main__")
"""
LONGEST_TEMPORARY = 80  # characters; a Unix socket's path must stay under 108, and we add 19


@dataclass(frozen=True)
class Outcome:
    """How one run ended. `notebook` is the executed copy, also of a failed run, or ""."""

    label: str
    status: str
    seconds: float = 0.0
    error: str = ""
    notebook: str = ""


def execute(run: PlannedRun, upstream: list[Outcome], threads: int = 1) -> Outcome:
    """Run one notebook and put its folder in place.

    upstream   outcomes of the runs it needs, as far as they were part of this batch
    threads    number of threads for the numerical libraries in the kernel
    """
    missing = [outcome.label for outcome in upstream if outcome.status != DONE]
    if missing:
        return Outcome(run.label, NOT_RUN, error=f"needs {', '.join(missing)}")
    began = time.monotonic()
    folder = prepare(run.finished, run.key, since=_newest(run))
    error = _run_notebook(run, folder / "executed.ipynb", threads)
    if not error and not finished_record(folder, run.key):
        error = "the notebook ended without a record: save_run was not called, or a cell left early"
    if not error:
        folder = finish(folder)
    executed = folder / "executed.ipynb"
    return Outcome(
        run.label,
        FAILED if error else DONE,
        round(time.monotonic() - began, 1),
        error,
        str(executed) if executed.exists() else "",
    )


def _newest(run: PlannedRun) -> str:
    """When the last run that it needs ended; an attempt begun before has used older results."""
    root = run.finished.parent.parent
    paths = [root / needed / "run.json" for needed in run.needs]
    return max((read_json(path)["finished"] for path in paths if path.exists()), default="")


def _run_notebook(run: PlannedRun, output: Path, threads: int) -> str:
    """Run the notebook; the error in one line, or ""."""
    from nbclient.exceptions import DeadKernelError

    for attempt in range(1, ATTEMPTS + 1):
        try:
            _papermill(run, output, threads)
            return ""
        except DeadKernelError as error:
            if attempt == ATTEMPTS:
                return f"the kernel died {ATTEMPTS} times (too little memory?): {_flat(error)}"
        except (Exception, SystemExit, asyncio.CancelledError) as error:
            return _flat(error)
    return ""


def _papermill(run: PlannedRun, output: Path, threads: int) -> None:
    import papermill
    from traitlets.config import Config

    from mvp_skill.sparing_engine import NAME

    given = run.parameters.items()
    # papermill would make a text of a tuple.
    parameters = {name: list(v) if isinstance(v, tuple) else v for name, v in given}
    with kernel_environment(run, threads) as folder:
        papermill.execute_notebook(
            str(run.source),
            str(output),
            engine_name=NAME,
            parameters=parameters,
            kernel_name="python3",
            language="python",
            cwd=str(run.source.parent),
            progress_bar=False,
            start_timeout=START_TIMEOUT,
            config=Config({"KernelManager": _connection(folder)}),
        )


def _connection(folder: Path) -> dict[str, str]:
    """Sockets as files, in a folder of this run's own.

    Kernels that start together race for TCP ports, and others on the machine could listen there.
    Left to its default, the name of the files is the same for all kernels.
    """
    return {"transport": "ipc", "ip": str(folder / "ipc")} if os.name == "posix" else {}


@contextmanager
def kernel_environment(run: PlannedRun, threads: int) -> Iterator[Path]:
    """Set what the kernel inherits, and put it back: this process may be the user's own.

    Nothing of Jupyter's goes to the user's home: connection files, IPython's history and the
    description of the kernel lie in a temporary folder. That description names this Python,
    whatever "python3" means to Jupyter elsewhere on the machine.
    """
    folder = Path(tempfile.mkdtemp(prefix="mvp-", dir=_short_folder()))
    _describe_kernel(folder / "kernels" / "python3")
    values = dict.fromkeys(THREADS, str(threads)) | {
        "TOKENIZERS_PARALLELISM": "false",
        "JUPYTER_PATH": str(folder),
        "JUPYTER_RUNTIME_DIR": str(folder),
        "IPYTHONDIR": str(folder),
        "PYTHONUTF8": "1",
        IN_BATCH: "1",
    }
    if run.parameters.get("SCALE") == "mini":  # never touches the hub; without this, slow failures
        values["HF_HUB_OFFLINE"] = "1"
    before = {name: os.environ.get(name) for name in (*values, TRIM)}
    os.environ.update(values)
    if before[TRIM] == DASKS_TRIM:
        del os.environ[TRIM]
    try:
        yield folder
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        shutil.rmtree(folder, ignore_errors=True)


def _describe_kernel(folder: Path) -> None:
    folder.mkdir(parents=True)
    # Kernels are interrupted when they are shut down and would report that as an error.
    quiet = f"--log-level={logging.CRITICAL}"
    command = [sys.executable, "-c", KERNEL, "-f", "{connection_file}", quiet]
    description = {"argv": command, "display_name": "Python 3", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(description))


def _short_folder() -> str:
    usual = tempfile.gettempdir()
    return usual if len(usual) <= LONGEST_TEMPORARY or os.name != "posix" else "/tmp"


def _flat(error: BaseException) -> str:
    """Name and text of an exception in one line; for papermill's own, of the cell's exception."""
    name, text = type(error).__name__, str(error)
    if name == "PapermillExecutionError":
        cell = f"cell [{error.exec_count}]: " if error.exec_count is not None else ""
        name, text = f"{cell}{error.ename}", str(error.evalue)
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).strip()
    return f"{name}: {' '.join(text.split())[:500]}" if text else name
