"""Where the files of a published data set lie in a local folder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvp_skill.errors import BadInput
from mvp_skill.records import Row

Parts = dict[str, list[Row]]


@dataclass(frozen=True)
class Layout:
    """Files of a published data set, and how they become its parts.

    files    part -> accepted names, the published one first. "train/" is a sub-folder, and
             "train.part*.jsonl" stands for all files of that pattern
    read     the rows of one file or sub-folder
    divide   the parts of the data set from those of the files, where they are not the same
    note     what the user is warned of when this layout is read
    """

    files: dict[str, tuple[str, ...]]
    read: Callable[[Path], list[Row]]
    divide: Callable[[Parts], Parts] = dict
    note: str = ""

    def __str__(self) -> str:
        return " and ".join(names[0] for names in self.files.values())


def read_folder(layouts: Sequence[Layout], folder: str | Path) -> tuple[Parts, list[Path], str]:
    """Parts of a data set from the first layout whose files are all there, the files, its note.

    raises   BadInput naming what is expected and what is there, if folder or files are missing, or
             the line that is malformed
    """
    folder = Path(folder).expanduser()
    layout, files = find_files(layouts, folder)
    parts = {
        part: [row for path in paths for row in layout.read(path)] for part, paths in files.items()
    }
    return layout.divide(parts), [path for paths in files.values() for path in paths], layout.note


def find_files(
    layouts: Sequence[Layout], folder: str | Path
) -> tuple[Layout, dict[str, list[Path]]]:
    """The first layout whose files are all in a folder, and its files: part -> paths.

    raises   BadInput naming what is expected and what is there, if folder or files are missing
    """
    folder = Path(folder).expanduser()
    expected = ", or ".join(map(str, layouts))
    if not folder.is_dir():
        there = "is a file" if folder.exists() else "does not exist"
        raise BadInput(f"DATA_DIR {folder} {there}; give a folder that contains {expected}.")
    for layout in layouts:
        found = {part: _find(folder, names) for part, names in layout.files.items()}
        if all(found.values()):
            return layout, found
    missing = next(names for names in layouts[0].files.values() if not _find(folder, names))
    others = "".join(f", nor {layout}" for layout in layouts[1:])
    raise BadInput(
        f"DATA_DIR {folder} has no file {' or '.join(missing)}{others}; it contains "
        f"{_content(folder)}."
    )


def _find(folder: Path, names: tuple[str, ...]) -> list[Path]:
    """The paths of the first name that is there; [] if none is."""
    for name in names:
        right_kind = Path.is_dir if name.endswith("/") else Path.is_file
        found = sorted(path for path in folder.glob(name.rstrip("/")) if right_kind(path))
        if found:
            return found
    return []


def _content(folder: Path) -> str:
    found = sorted(path.name for path in folder.iterdir())
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return ", ".join(found[:8]) + more if found else "nothing"
