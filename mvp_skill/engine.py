"""Many attacks at once: searches that wait for a model are answered together.

Each example's search is a generator that stops where it needs the victim, the sentence encoder or
the masked language model (`attack_searches`). Up to `concurrency` of them are under way. When all
of them wait, the model that most of them wait for answers their questions in one go
(`merged_calls`), and they go on. Searches share nothing but these answers, so their results do not
depend on how many there are.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple


class Task(NamedTuple):
    """One search that has not begun."""

    index: int
    """Of the example."""
    steps: Callable[[], Generator[Any, Any, Any]]
    """Begins it; what it yields has `of`, the name of a model, and `items`, each once."""
    drawing: Callable[[], AbstractContextManager]
    """Inside it the search draws its own random numbers."""


class Ended(NamedTuple):
    """A search that is over."""

    index: int
    found: Any
    """What it returned; None if it raised."""
    error: Exception | None
    seconds: float
    """Its own time, and its share of the calls by the number of its items."""


@dataclass
class _Flight:
    """A search under way."""

    task: Task
    steps: Generator[Any, Any, Any] | None = None
    waits: Any = None
    """What it asks for."""
    seconds: float = 0.0
    ended: Ended | None = None

    def go_on(self, answer: Any = None, error: Exception | None = None) -> None:
        """Up to the next question or the end."""
        start = time.perf_counter()
        with self.task.drawing():
            over, found, raised = self._step(answer, error)
        self.seconds += time.perf_counter() - start
        if over:
            self.ended = Ended(self.task.index, found, raised, self.seconds)

    def _step(self, answer: Any, error: Exception | None) -> tuple[bool, Any, Exception | None]:
        """Whether it is over, what was found, and what was raised."""
        try:
            if self.steps is None:
                self.steps = self.task.steps()
                self.waits = next(self.steps)
            elif error is not None:
                self.waits = self.steps.throw(error)
            else:
                self.waits = self.steps.send(answer)
        except StopIteration as end:
            return True, end.value, None
        except Exception as raised:
            logging.getLogger(__name__).warning("an attack raised", exc_info=True)
            return True, None, raised
        return False, None, None


def run(
    tasks: Iterable[Task], models: Mapping[str, Callable[[list], Any]], concurrency: int
) -> Iterator[Ended]:
    """Run all searches, and give each as it ends; the order depends only on the answers.

    models        name -> function of a list of different items; its result is indexed by item
    concurrency   searches under way at once, at least 1
    """
    tasks, under_way = iter(tasks), []
    while True:
        while len(under_way) < concurrency and (task := next(tasks, None)) is not None:
            under_way.append(_Flight(task))
            under_way[-1].go_on()
            if under_way[-1].ended:
                yield under_way.pop().ended
        if not under_way:
            return
        # Each that ends is handed out before another goes on: an interruption loses none of them.
        for flight in _answer(under_way, models):
            if flight.ended:
                yield flight.ended
        under_way = [flight for flight in under_way if not flight.ended]


def _answer(
    under_way: list[_Flight], models: Mapping[str, Callable[[list], Any]]
) -> Iterator[_Flight]:
    """Let the model that most searches wait for answer all of them; each after it has gone on."""
    (name, _), *_ = Counter(flight.waits.of for flight in under_way).most_common(1)
    asking = [flight for flight in under_way if flight.waits.of == name]
    try:
        answers = _merged(asking, models[name])
    except Exception:  # one of them is to blame, or the model is: each is asked alone
        answers = None
    for number, flight in enumerate(asking):
        if answers is not None:
            flight.go_on(answers[number])
        else:
            _alone(flight, models)
        yield flight


def _merged(asking: list[_Flight], model: Callable[[list], Any]) -> list[Any]:
    """The answer to each search, from one call on all different items."""
    start = time.perf_counter()
    places = {item: None for flight in asking for item in flight.waits.items}
    items = list(places)
    places.update(zip(items, range(len(items)), strict=True))
    try:
        found = model(items)
        return [found[[places[item] for item in flight.waits.items]] for flight in asking]
    finally:
        each = (time.perf_counter() - start) / sum(len(flight.waits.items) for flight in asking)
        for flight in asking:
            flight.seconds += each * len(flight.waits.items)


def _alone(flight: _Flight, models: Mapping[str, Callable[[list], Any]]) -> None:
    try:
        (answer,) = _merged([flight], models[flight.waits.of])
    except Exception as error:
        flight.go_on(error=error)
    else:
        flight.go_on(answer)
