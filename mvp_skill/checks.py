"""Checks of settings when they are made: one sentence with the allowed values."""

from collections.abc import Sequence
from typing import Any

from mvp_skill.errors import BadInput


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
