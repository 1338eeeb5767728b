"""Data sets and checkpoints from the Hugging Face hub: pinned, counted, and quick to fail.

The hub's libraries retry for up to a minute without a network. Here the cache is asked first, then
the hub is probed for a few seconds, and only a hub that answers is asked for anything.
"""

import re
import ssl
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mvp_skill.errors import BadInput
from mvp_skill.records import Row
from mvp_skill.splits import drawn

PROBE_SECONDS = 3.0


@dataclass(frozen=True)
class HubSource:
    """A data set on the hub, pinned to one commit where one is known, with the rows it must have.

    files          part -> Parquet files of the repository; parts are "train" and "held_out", or the
                   splits where all are published
    columns        text columns in the order the model sees them
    label          the label's column: class numbers, or false and true
    label_counts   part -> rows per class, in the hub's class order, or their number in all where
                   only that is known; a part without is not counted
    classes        our class of each of the hub's, None for rows that are left out; None altogether
                   where they are the same
    """

    repository: str
    revision: str
    files: dict[str, tuple[str, ...]]
    columns: tuple[str, ...]
    label: str
    label_counts: dict[str, tuple[int, ...] | int]
    classes: tuple[int | None, ...] | None = None

    def our_class(self, label: int | bool) -> int | None:
        """Our class of one of the hub's; None if its rows are left out."""
        return int(label) if self.classes is None else self.classes[label]

    def n_rows(self, part: str) -> int | None:
        """Rows of a part without those that are left out; None for a part that is not counted."""
        counts = self.label_counts.get(part)
        if counts is None or isinstance(counts, int):
            return counts
        classes = self.classes or range(len(counts))
        return sum(n for n, ours in zip(counts, classes, strict=True) if ours is not None)


def hub_rows(source: HubSource, remedy: str, train_cap: int | None = None) -> dict[str, list[Row]]:
    """The rows of a data set, part -> rows.

    remedy      how to go on without the hub, said when it cannot be reached
    train_cap   that many training rows at most, drawn with the seed of the cuts after all have been
                counted; the others are never made Python objects
    raises      BadInput if the files are neither cached nor reachable (within 5 s), or are not
                the expected ones
    """
    caps = {"train": train_cap}
    return {part: _read_part(source, part, remedy, caps.get(part)) for part in source.files}


def hub_file(repository: str, file: str, revision: str, remedy: str) -> Path:
    """One file of a data set repository, from the cache or the hub."""
    from huggingface_hub import hf_hub_download

    if cached := _cached(repository, file, revision, "dataset"):
        return cached
    what = f"The data set {repository} ({file})"
    options = {"repo_type": "dataset", "revision": revision}
    return _fetch(what, lambda: hf_hub_download(repository, file, **options), remedy)


def hub_folder(
    repository: str, revision: str | None, patterns: list[str], usable: Callable[[Path], bool]
) -> Path:
    """A folder with the files of a model repository that match `patterns`.

    usable    says whether a folder from the cache is complete enough to be taken as it is
    raises    BadInput if it is neither cached nor reachable (within 5 s)
    """
    from huggingface_hub import snapshot_download

    config = _cached(repository, "config.json", revision, "model")
    if config and usable(config.parent):
        return config.parent
    what = f"{repository!r} is no local folder; the backbone of that name"
    remedy = "give a local checkpoint folder as BACKBONE, or use one that is shipped"
    options = {"revision": revision, "allow_patterns": patterns}
    return _fetch(what, lambda: snapshot_download(repository, **options), remedy)


def hub_unreachable() -> str | None:
    """Why the hub cannot be asked now, or None if it answers within PROBE_SECONDS.

    HF_HUB_OFFLINE=1 counts as unreachable. Any answer of the server will do.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    outcome: list[str | None] = []
    # A thread, because looking up a name has no time limit of its own.
    probe = threading.Thread(target=lambda: outcome.append(_probe(constants.ENDPOINT)), daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)
    return outcome[0] if outcome else f"no answer from {constants.ENDPOINT} in {PROBE_SECONDS:g} s"


def is_hub_id(name: str) -> bool:
    """Whether a name may be a repository's, such as "owner/name@commit", and is no path."""
    is_path = re.match(r"[./~\\]|[A-Za-z]:\\", name) or name.count("/") > 1
    return not is_path and bool(re.fullmatch(r"[\w.-]+(/[\w.-]+)?(@[\w./-]+)?", name))


def hub_name(backbone: str) -> str | None:
    """The last part of a hub id, or a shipped name, in lower case; None for a local folder.

    hub_name("FacebookAI/roberta-base@main")    # "roberta-base"
    """
    if Path(backbone).expanduser().is_dir() or not is_hub_id(backbone):
        return None
    return backbone.partition("@")[0].split("/")[-1].lower()


def _probe(endpoint: str) -> str | None:
    try:
        request = urllib.request.Request(endpoint, method="HEAD")
        urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
    except urllib.error.HTTPError:
        return None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        # The server is there; the hub's library has certificates of its own.
        return None if isinstance(reason, ssl.SSLError) else f"{endpoint}: {reason}"
    return None


def _cached(repository: str, file: str, revision: str | None, repo_type: str) -> Path | None:
    """A file of the library's cache, found without any request (`local_files_only` makes some)."""
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repository, file, revision=revision, repo_type=repo_type)
    return Path(path) if isinstance(path, str) else None


def _fetch(what: str, download: Callable[[], str], remedy: str) -> Path:
    """Probe the hub, then download; whatever goes wrong is one sentence."""
    if reason := hub_unreachable():
        raise BadInput(f"{what} is not cached, and the hub is out of reach ({reason}); {remedy}.")
    try:
        return Path(download())
    except Exception as error:  # the hub's library and its two HTTP clients each have their own
        cause = str(error).strip().split("\n")[0] or type(error).__name__
        raise BadInput(f"{what} could not be fetched from the hub ({cause}); {remedy}.") from error


def _read_part(source: HubSource, part: str, remedy: str, cap: int | None) -> list[Row]:
    import pyarrow
    import pyarrow.parquet

    columns = [*source.columns, source.label]
    tables = []
    for file in source.files[part]:
        path = hub_file(source.repository, file, source.revision, remedy)
        try:
            tables.append(pyarrow.parquet.read_table(path, columns=columns).select(columns))
        except (pyarrow.ArrowException, KeyError, OSError) as error:
            raise BadInput(
                f"{path} is damaged or not {source.repository} ({error}); "
                "delete it and let it be fetched again."
            ) from error
    table = pyarrow.concat_tables(tables)
    labels = table[source.label].to_pylist()
    _check_counts(source, part, labels)
    kept = [i for i, label in enumerate(labels) if source.our_class(label) is not None]
    if cap is not None:
        kept = [kept[i] for i in drawn(len(kept), cap)]
    if len(kept) < len(labels):
        table = table.take(kept)
    return [
        {
            "texts": [row[column] for column in source.columns],
            "label": source.our_class(row[source.label]),
        }
        for row in table.to_pylist()
    ]


def _check_counts(source: HubSource, part: str, labels: list[int | bool | None]) -> None:
    if part not in source.label_counts:
        return
    expected = source.label_counts[part]
    counts = Counter(labels)
    if isinstance(expected, int):  # at least no label is hidden
        n_classes, n_rows, said = len(source.classes), expected, f"{expected} rows"
        right = counts.keys() <= set(range(n_classes))
    else:
        n_classes, n_rows = len(expected), sum(expected)
        said = f"{n_rows} rows ({expected} per class)"
        right = all(counts[label] == n for label, n in enumerate(expected))
    if not right or len(labels) != n_rows:
        found = tuple(counts[label] for label in range(n_classes))  # True and 1 are one key
        raise BadInput(
            f"{source.repository} at {source.revision[:7]}, {', '.join(source.files[part])}: "
            f"expected {said}, found {len(labels)} ({found}); "
            "delete it from the cache, or give the published files as DATA_DIR."
        )
