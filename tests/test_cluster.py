"""Engines: where the runs of a batch are executed, how many at once, and what survives a death."""

import logging
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from tiny_notebooks import seeds, three_levels, write_notebook

from mvp_skill import cluster
from mvp_skill.batch import Run, pending, plan
from mvp_skill.errors import BadInput
from mvp_skill.execution import DONE, FAILED, NOT_RUN, TRIM, Outcome, execute
from mvp_skill.files import read_json
from mvp_skill.run_folders import partial


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Folders notebooks, with two notebooks, and results."""
    write_notebook(tmp_path / "notebooks", "11_train")
    write_notebook(tmp_path / "notebooks", "12_attack")
    return tmp_path / "notebooks", tmp_path / "results"


def test_an_unknown_engine_or_no_worker_is_refused():
    with pytest.raises(BadInput, match="Unknown engine 'locla' .*: use local, none"):
        cluster.engine("locla")
    with pytest.raises(BadInput, match="at least 1, not 0"):
        cluster.engine("local", 0)


def test_cores_are_dealt_out_and_the_user_may_overrule(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(cluster, "cores_here", lambda: 12)
    assert [cluster.threads_per_slot(slots) for slots in (1, 5, 6, 20)] == [12, 2, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert cluster.threads_per_slot(6) == 3


@pytest.mark.parametrize(
    ("cores", "gpus", "runs", "slots"),
    [(2, "", 9, 2), (1, "", 9, 1), (16, "", 99, 8), (16, "", 3, 3), (16, "0,GPU-8c1", 9, 2)],
)
def test_slots_fit_the_machine(monkeypatch, cores, gpus, runs, slots):
    monkeypatch.setattr(cluster, "cores_here", lambda: cores)
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", 64 * 2**30)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    assert cluster.slots_here(runs) == slots


def test_memory_bounds_the_slots(monkeypatch):
    monkeypatch.setattr(cluster, "cores_here", lambda: 16)
    monkeypatch.setattr("distributed.system.MEMORY_LIMIT", 5 * 2**30)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert cluster.slots_here(9) == 2


def test_in_this_process_what_depends_on_a_failed_run_is_not_run(folders, tmp_path):
    planned = three_levels(folders)
    seen = []

    def work(run, upstream, threads):
        seen.append((run.label, [outcome.status for outcome in upstream], threads))
        if any(outcome.status != DONE for outcome in upstream):
            return execute(run, upstream, threads)
        return Outcome(run.label, FAILED if run.label == "11_train/mini-s0" else DONE)

    outcomes = list(cluster.engine("none")(planned, work, tmp_path))
    assert [outcome.status for outcome in outcomes] == [FAILED, DONE, NOT_RUN, DONE]
    assert outcomes[2].error == "needs 11_train/mini-s0"
    assert seen[3] == ("12_attack/mini-s1", [DONE], 1)


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="looks for processes in /proc")
def test_dask_survives_the_death_of_a_worker(folders, tmp_path, monkeypatch):
    """Six runs on two workers; one fails, one loses its worker, one needs the failed one."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_notebook(folders[0], "21_bad", "raise ValueError('planned')")
    bad = Run("21_bad")
    slow = seeds("11_train", 4, SECONDS=2)
    planned = plan([*slow, bad, Run("12_attack", needs=(bad,))], *folders)
    pid_file = partial(planned[0].finished) / "pid"
    kernels = []

    def kill_a_worker() -> None:
        wait_for(lambda: pid_file.exists() and pid_file.read_text())
        kernels.append(int(pid_file.read_text()))
        stat = Path(f"/proc/{kernels[0]}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)  # the kernel's parent

    killer = threading.Thread(target=kill_a_worker)
    killer.start()
    outcomes = {o.label: o for o in cluster.engine("local", 2)(planned, execute, tmp_path / "dask")}
    killer.join()
    assert len(outcomes) == 6 and kernels
    statuses = [outcomes[run.label].status for run in planned]
    assert statuses == [DONE] * 4 + [FAILED, NOT_RUN]
    assert pending(planned) == {"21_bad/mini-s0", "12_attack/mini-s0"}
    pids = [int((run.finished / "pid").read_text()) for run in planned[:4]]
    assert kernels[0] not in pids
    wait_for(lambda: not any(alive(pid) for pid in [*pids, *kernels]), 10)
    assert not (tmp_path / "dask").exists()


@pytest.mark.slow
def test_a_run_that_measures_time_comes_first_and_nothing_runs_beside_it(
    folders, tmp_path, monkeypatch
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_notebook(folders[0], "20_cost")
    alone = Run("20_cost", {"SECONDS": 1}, alone=True)
    others = seeds("11_train", 2)
    planned = plan([*others, alone, Run("12_attack", needs=(*others, alone))], *folders)
    outcomes = list(cluster.engine("local", 2)(planned, execute, tmp_path / "dask"))
    assert [outcome.status for outcome in outcomes] == [DONE] * 4
    assert [outcomes[0].label, outcomes[-1].label] == [planned[2].label, planned[3].label]
    first, second, cost, last = (read_json(run.finished / "run.json") for run in planned)
    assert cost["finished"] <= min(first["started"], second["started"])
    assert last["started"] >= max(first["finished"], second["finished"])


def test_after_a_failed_measurement_what_needs_it_is_not_run(folders, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_notebook(folders[0], "20_cost", "raise ValueError('planned')")
    alone = Run("20_cost", alone=True)
    planned = plan([alone, Run("12_attack", needs=(alone,))], *folders)
    outcomes = list(cluster.engine("local", 2)(planned, execute, tmp_path / "dask"))
    assert [outcome.status for outcome in outcomes] == [FAILED, NOT_RUN]


@pytest.mark.slow
@pytest.mark.parametrize("by_user", [None, "1000000"])
def test_kernels_do_not_inherit_dasks_thrift_with_memory(folders, tmp_path, monkeypatch, by_user):
    """A training step takes twice as long with it; what the user has set stays."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv(TRIM, raising=False)
    if by_user:
        monkeypatch.setenv(TRIM, by_user)
    write_notebook(folders[0], "20_memory", f"assert os.environ.get({TRIM!r}) == {by_user!r}")
    planned = plan([Run("20_memory")], *folders)
    (outcome,) = cluster.engine("local", 1)(planned, execute, tmp_path / "dask")
    assert (outcome.status, outcome.error) == (DONE, "")
