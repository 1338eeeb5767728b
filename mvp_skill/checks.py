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


def check_texts(texts: Sequence[Any], n_columns: int) -> list[tuple[str, ...]]:
    """Every text as a tuple of strings; BadInput if one is not what the task has.

    texts       strings, or pairs of strings
    n_columns   1 for texts, 2 for pairs
    """
    if isinstance(texts, str):
        raise BadInput("A victim takes a list of texts, not one string; write [text].")
    examples = [tuple(text) if isinstance(text, list | tuple) else (text,) for text in texts]
    for example in examples:
        if len(example) != n_columns or not all(isinstance(t, str) for t in example):
            wanted = "one string" if n_columns == 1 else "a pair of strings"
            raise BadInput(f"Every text of this task is {wanted}; this one is not: {example!r}.")
    return examples
