"""One line of the table of benchmarks."""

from typing import NamedTuple


class Row(NamedTuple):
    """A measured figure."""

    benchmark: str
    what: str
    figure: float
    unit: str
    bar: float | None
    """What it should reach, or None; at least, unless the row says "at most"."""
    n: int
    """Examples, texts or rounds behind the figure."""
