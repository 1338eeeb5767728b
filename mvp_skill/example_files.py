"""Examples of the mini world on disk, so that a machine generates each data set once.

They lie in `mvp_skill/examples` of the user's cache, which is $XDG_CACHE_HOME or ~/.cache, and may
be deleted at any time. The environment variable MVP_SKILL_CACHE names another folder for them;
MVP_SKILL_CACHE=off generates them whenever they are asked for. So does a cache that cannot be read
or written.
"""

import hashlib
import json
import os
from pathlib import Path

from mvp_skill import __version__
from mvp_skill.files import write_atomically
from mvp_skill.records import Row

CACHE, OFF = "MVP_SKILL_CACHE", "off"
GENERATOR = Path(__file__).with_name("mini")
SOURCES = (".py", ".txt", ".yaml")  # the program, its words, its patterns


def source_digest(folder: Path = GENERATOR) -> str:
    """Digest of all that decides which examples are written: the generator's files, the version."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(path for path in folder.iterdir() if path.suffix in SOURCES):
        content = path.read_bytes()
        digest.update(f"\n{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


# Of the files that this process runs. They may change on disk meanwhile, under an open notebook.
RUNNING = source_digest()


def cache_folder() -> Path | None:
    """Where examples are kept; None if nowhere."""
    named = os.environ.get(CACHE)
    if named == OFF:
        return None
    if named:
        return Path(named).expanduser()
    try:
        usual = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return Path(usual) / "mvp_skill" / "examples"


def examples_of(task: str, seed: int, **sizes: int) -> dict[str, list[Row]]:
    """What `mini.tasks.generate` returns, read from disk where an earlier call has left it.

    sizes    n_train, n_validation, n_test; one that is missing is the generator's own
    raises   BadInput as `generate` does
    """
    folder = cache_folder()
    name = "-".join([task, *(f"{n}{count}" for n, count in sorted(sizes.items())), f"s{seed}"])
    path = folder / RUNNING / f"{name}.jsonl" if folder else None
    found = _read(path) if path else None
    if found is None:
        from mvp_skill.mini.tasks import generate

        found = generate(task, **sizes, seed=seed)
        if path and source_digest() == RUNNING:
            _write(path, found)
    return found


def _read(path: Path) -> dict[str, list[Row]] | None:
    """The splits in a file, whose first line is their digest; None if it is missing or damaged."""
    try:
        digest, _, content = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    return json.loads(content) if digest == _digest(content) else None


def _write(path: Path, splits: dict[str, list[Row]]) -> None:
    content = json.dumps(splits).encode()
    try:
        write_atomically(path, _digest(content) + b"\n" + content)
    except OSError:  # read-only, or full: they are generated again next time
        return


def _digest(content: bytes) -> bytes:
    return json.dumps(hashlib.sha256(content).hexdigest()).encode()
