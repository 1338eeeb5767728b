"""One line of the table of benchmarks."""

from typing import Any

Row = dict[str, Any]


def row(benchmark: str, what: str, figure: float, unit: str, bar: str | None, n: int) -> Row:
    """A measured figure.

    bar   what it should be, ">= 3" or "<= 1.15", or None
    n     examples, texts or rounds behind it
    """
    line = {"benchmark": benchmark, "what": what, "figure": float(f"{figure:.3g}")}
    return line | {"unit": unit, "bar": bar, "n": n}


def met(line: Row) -> str:
    """Whether a figure is what it should be: "yes", "no", or nothing without a bar."""
    if line["bar"] is None:
        return ""
    sign, number = line["bar"].split()
    reached = line["figure"] >= float(number) if sign == ">=" else line["figure"] <= float(number)
    return "yes" if reached else "no"
