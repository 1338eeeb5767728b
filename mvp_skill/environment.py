"""With what a run was made: versions, commit, device. No names of machines, people or folders."""

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from mvp_skill import __version__

LIBRARIES = ("torch", "transformers", "datasets", "textattack", "numpy", "papermill")


def environment() -> dict[str, Any]:
    """The record that `run.json` keeps of the software and the hardware."""
    return {
        "mvp_skill": __version__,
        **commit(Path(__file__).parent),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "gpu": _gpu(),
    }


def commit(folder: Path) -> dict[str, Any]:
    """The commit checked out in `folder`, and whether files differ from it; None if unknown."""
    head = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": head, "dirty": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    # Without optional locks: a run that looks must not get in the way of somebody's commit.
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=quiet, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpu() -> str | None:
    torch = sys.modules.get("torch")  # not imported for this: a run without torch uses no GPU
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name()
