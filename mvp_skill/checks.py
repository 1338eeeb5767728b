"""Checks of settings and tables: one sentence with what is allowed, or there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from pandas import DataFrame


def check_count(name: str, value: Any, least: int) -> None:
    """BadInput unless the value is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(f"{name} must be a whole number of at least {least}, not {value!r}.")


def check_number(name: str, value: Any, allowed: str, low: float, high: float) -> None:
    """BadInput unless the value lies strictly between two numbers; `allowed` says it in words."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low < value < high:
        raise BadInput(f"{name} must be a number {allowed}, not {value!r}.")


def check_choice(name: str, value: Any, allowed: Sequence[Any]) -> None:
    """BadInput unless the value is one of the allowed ones."""
    if value not in allowed:
        raise BadInput(f"Unknown {name} {value!r}; use {', '.join(map(str, allowed))}.")


def check_table(frame: "DataFrame", *columns: str) -> None:
    """BadInput unless the table of a figure has these columns, and a row."""
    missing = [column for column in columns if column not in frame]
    if missing or frame.empty:
        lacks = f"columns {', '.join(missing)}" if missing else "rows"
        raise BadInput(f"The table for this figure lacks {lacks}; it has {', '.join(frame)}.")
