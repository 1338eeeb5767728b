"""Where runs are executed: in this process, or by Dask workers on this machine.

An engine is a generator: it takes planned runs (each after those it needs) and the function that
executes one, and yields outcomes as they come. Dask does the scheduling; a worker is one process
with one thread and takes one run at a time, because papermill changes its working directory.
"""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvp_skill.batch import PlannedRun
from mvp_skill.errors import BadInput
from mvp_skill.execution import FAILED, Outcome
from mvp_skill.scales import closest

if TYPE_CHECKING:
    from distributed import Client, Future

Work = Callable[..., Outcome]  # execution.execute
Start = Callable[[list[PlannedRun], Work, Path], Iterator[Outcome]]
# Runs take minutes: Dask need not look at itself a hundred times a second, which costs a twentieth
# of the cores, nor give a worker a second run in advance.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.worker-saturation": 1.0,
}
MEMORY_PER_RUN = 2 * 2**30  # bytes; a kernel with torch and a small model takes 1 to 2 GiB


def engine(name: str, slots: int | None = None) -> Start:
    """The engine of that name: start(runs, work, scratch) yields the outcomes as they come.

    slots     runs at once; None for what the machine carries
    scratch   a folder for the engine's own files, gone at the end
    raises    BadInput for an unknown engine or a number of slots that it cannot have
    """
    if name not in ENGINES:
        allowed = ", ".join(ENGINES)
        raise BadInput(f"Unknown engine {name!r}{closest(name, list(ENGINES))}: use {allowed}.")
    if slots is not None and slots < 1:
        raise BadInput(f"The number of workers must be at least 1, not {slots}.")
    return functools.partial(ENGINES[name], slots)


def run_here(
    slots: int | None, runs: list[PlannedRun], work: Work, scratch: Path
) -> Iterator[Outcome]:
    """One run after the other, kernels started by this process; with all cores for each."""
    outcomes: dict[str, Outcome] = {}
    for run in runs:
        upstream = [outcomes[needed] for needed in run.needs if needed in outcomes]
        outcomes[run.label] = work(run, upstream, threads_per_slot(1))
        yield outcomes[run.label]


def run_local(
    slots: int | None, runs: list[PlannedRun], work: Work, scratch: Path
) -> Iterator[Outcome]:
    """On Dask workers of this machine, as many at once as there are slots."""
    if not runs:
        return
    slots = slots or slots_here(len(runs))
    with local_client(slots, scratch) as client:
        yield from outcomes_from(client, runs, work, threads_per_slot(slots))


def outcomes_from(
    client: "Client", runs: list[PlannedRun], work: Work, threads: int
) -> Iterator[Outcome]:
    """Give all runs to a Dask cluster, whatever kind, and yield outcomes as they come.

    Those that must be alone come first, one by one. A run that loses its worker is started again
    elsewhere by Dask, at most three times.
    """
    from distributed import as_completed

    futures: dict[str, Future] = {}
    alone = [[run] for run in runs if run.alone]
    for together in [*alone, [run for run in runs if not run.alone]]:
        for priority, run in enumerate(together):
            upstream = [futures[needed] for needed in run.needs if needed in futures]
            # Dask keeps tasks of one group that need nothing until a worker is free for them; any
            # other it deals out at once, and a worker may wait beside one with a queue.
            group = "after" if upstream else "first"
            futures[run.label] = client.submit(
                work, run, upstream, threads, key=(group, run.label), priority=-priority, pure=False
            )
        for future in as_completed([futures[run.label] for run in together]):
            error = future.exception()
            if error is None:
                yield future.result()
            else:  # not the notebook: `work` catches that. The worker died again and again.
                yield Outcome(future.key[1], FAILED, error=f"{type(error).__name__}: {error}")


@contextmanager
def local_client(slots: int, scratch: Path) -> "Iterator[Client]":
    """A Dask cluster of this machine: a nanny and worker per slot, GPUs dealt out to the slots."""
    import dask
    from distributed import Client, Nanny, Scheduler, SpecCluster

    gpus = visible_gpus()
    workers = {
        slot: {
            "cls": Nanny,
            "options": {
                "nthreads": 1,
                "memory_limit": 0,  # would measure the worker, and the memory is in its kernel
                "death_timeout": 60,  # workers of a driver that is gone do not stay
                "local_directory": str(scratch),
                "silence_logs": "CRITICAL",
                "env": {"CUDA_VISIBLE_DEVICES": gpus[slot % len(gpus)]} if gpus else {},
            },
        }
        for slot in range(slots)
    }
    scheduler = {"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False}}
    with (
        dask.config.set({"temporary-directory": str(scratch)} | QUIET),
        SpecCluster(workers, scheduler, silence_logs="CRITICAL") as cluster,
        Client(cluster) as client,
    ):
        yield client
    shutil.rmtree(scratch, ignore_errors=True)


def slots_here(n_runs: int) -> int:
    """How many runs this machine carries at once: one per GPU; else by cores and memory."""
    from distributed.system import MEMORY_LIMIT

    by_cores = cores_here() if cores_here() <= 4 else cores_here() // 2
    here = len(visible_gpus()) or min(by_cores, MEMORY_LIMIT // MEMORY_PER_RUN)
    return max(1, min(here, n_runs))


def threads_per_slot(slots: int) -> int:
    """Threads for each of `slots` runs, to fill the cores together; OMP_NUM_THREADS overrules."""
    set_by_user = os.environ.get("OMP_NUM_THREADS", "")
    if set_by_user.isdecimal():
        return max(1, int(set_by_user))
    return max(1, cores_here() // slots)


def cores_here() -> int:
    """CPU cores this process may use, which in a container is fewer than the machine has."""
    from dask.system import CPU_COUNT

    return CPU_COUNT


def visible_gpus() -> list[str]:
    """The CUDA devices for this process, as CUDA_VISIBLE_DEVICES names them (numbers or ids)."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device.strip() for device in chosen.split(",") if device.strip() not in ("", "-1")]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = listed.stdout.splitlines() if listed.returncode == 0 else []
    return [str(n) for n, line in enumerate(line for line in lines if line.startswith("GPU "))]


ENGINES: dict[str, Any] = {"local": run_local, "none": run_here}
