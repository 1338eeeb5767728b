"""Published data sets: a local folder or the hub, and the splits that the papers' code makes."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mvp_skill.hub import HubSource, hub_rows
from mvp_skill.layouts import Layout, Parts, read_folder
from mvp_skill.records import Row
from mvp_skill.splits import mixed, subset

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Published:
    """A published data set: its sources and its reference splits.

    layouts        the files in a local folder; the first layout that is complete is read
    hub            the copy on the hub; None if there is none that can be pinned
    cut            parts to the splits train, validation and test (of an adversarial set: test)
    needs_letter   drop rows without an ASCII letter, after the cut
    train_cap      training rows that are kept before the cut, at most
    folders        names that its folder has elsewhere, such as "SST-2" in GLUE's own download
    """

    layouts: tuple[Layout, ...]
    hub: HubSource
    cut: Callable[[Parts], Parts]
    needs_letter: bool = False
    train_cap: int | None = None
    folders: tuple[str, ...] = ()


def read_published(published: Published, data_dir: str | Path | None) -> tuple[Parts, str]:
    """The splits {"train", "validation", "test"} of a data set, and where they come from.

    An adversarial set has a test split only. The test rows are in the published order, unless that
    is one class after the other.

    data_dir   a folder with the files of a layout, or None for the hub's copy
    raises     BadInput for missing or malformed files, a hub out of reach, too few rows
    """
    parts, origin = _read_folder(published, data_dir) if data_dir else _read_hub(published)
    splits = published.cut(parts)
    if published.needs_letter:
        splits = {split: list(filter(_has_letter, rows)) for split, rows in splits.items()}
    return splits | {"test": mixed(splits["test"])}, origin


def _read_folder(published: Published, data_dir: str | Path) -> tuple[Parts, str]:
    parts, paths, note = read_folder(published.layouts, data_dir)
    origin = " and ".join(map(str, paths))
    if note:
        LOGGER.warning("%s: %s", origin, note)
    _announce_samples(published.hub, parts, origin)
    if "train" in parts:
        parts = parts | {"train": subset(parts["train"], published.train_cap)}
    return parts, origin


def _announce_samples(hub: HubSource, parts: Parts, origin: str) -> None:
    """Warn of parts that have other numbers of rows than the published ones."""
    for part in hub.label_counts:
        if len(parts[part]) != hub.n_rows(part):
            LOGGER.warning(
                "%s: %d %s rows, not the %d of the published data set",
                *(origin, len(parts[part]), part.replace("_", "-"), hub.n_rows(part)),
            )


def _read_hub(published: Published) -> tuple[Parts, str]:
    folder = f"give a folder with {', or '.join(map(str, published.layouts))} as DATA_DIR"
    hub = published.hub
    remedy = f"{folder}, or choose a mini task, which needs no files"
    return hub_rows(hub, remedy, published.train_cap), f"{hub.repository} at {hub.revision[:7]}"


def _has_letter(row: Row) -> bool:
    return re.search("[A-Za-z]", row["texts"][0]) is not None
