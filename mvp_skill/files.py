"""Files that are either complete or absent, whatever kills the process while it writes."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mvp_skill.errors import BadInput


def write_atomically(path: str | Path, content: str | bytes) -> Path:
    """Write `content` to `path` so that a reader sees the old file or the new one, never a part.

    The content goes to a temporary file in the same folder, to the disk, and is then renamed.
    Text is UTF-8 with "\\n" line ends on every system. Missing folders are made.

        returns   `path` as a Path
        raises    TypeError if `content` is neither str nor bytes
    """
    if not isinstance(content, str | bytes):
        raise TypeError(f"content must be str or bytes, not {type(content).__name__}")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # nothing is left of a write that failed
    return path


def write_json(path: str | Path, value: Any, default: Callable[[Any], Any] | None = None) -> Path:
    """Write `value` as indented JSON, atomically; keys keep their order, non-ASCII stays readable.

    NaN and infinity are refused (ValueError), because other JSON readers refuse them too;
    `default` turns objects that JSON does not know into ones it does.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=default)
    return write_atomically(path, text + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; BadInput naming the file if it is missing or not JSON."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path} does not exist; check the path.") from error
    except ValueError as error:  # also a file that is not UTF-8
        raise BadInput(
            f"{path} is not valid JSON ({error}); delete it and run what wrote it again."
        ) from error
