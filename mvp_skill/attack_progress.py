"""How far an attack is: examples, success so far, queries per second, time left."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


@contextmanager
def progress(
    name: str, n: int, before: Sequence[Mapping[str, Any]], shown: bool
) -> Iterator[Callable]:
    """A bar over `n` examples, of which those with the records `before` were done earlier.

    gives   a function to be called with the record of each example that ends
    """
    with tqdm(
        total=n, initial=len(before), desc=name, unit="example", smoothing=0, disable=not shown
    ) as bar:
        start, n_queries = time.monotonic(), 0
        outcomes = Counter(record["outcome"] for record in before)

        def ended(record: Mapping[str, Any]) -> None:
            nonlocal n_queries
            n_queries += record["n_queries"] or 0
            outcomes[record["outcome"]] += 1
            n_succeeded = outcomes["succeeded"]
            n_attacked = n_succeeded + outcomes["failed"]
            rate = n_queries / max(1e-9, time.monotonic() - start)
            share = f"{n_succeeded / n_attacked:.0%} succeeded, " if n_attacked else ""
            bar.set_postfix_str(f"{share}{rate:.0f} queries/s", refresh=False)
            bar.update()

        yield ended
