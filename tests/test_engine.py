"""Many searches at once, with searches and models made up for the purpose."""

from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import pytest

from mvp_skill.engine import Task, run


class Ask(NamedTuple):
    of: str
    items: list


class Answers(dict):
    """What a model says of items, by their number in the question."""

    def __getitem__(self, places):
        return [super(Answers, self).__getitem__(place) for place in places]


class Squares:
    """A model that remembers its calls and cannot square some numbers."""

    def __init__(self, refused=()):
        self.calls, self.refused = [], set(refused)

    def __call__(self, items):
        self.calls.append(list(items))
        if self.refused & set(items):
            raise ValueError("cannot square it")
        return Answers(enumerate(item**2 for item in items))


def search(*questions):
    """Asks one question after the other and returns all answers."""
    found = []
    for of, items in questions:
        found += yield Ask(of, items)
    return found


def tasks(*searches):
    return [
        Task(index, lambda asked=asked: search(*asked), nullcontext)
        for index, asked in enumerate(searches)
    ]


def found(ended):
    return {end.index: end.found for end in ended}


def test_questions_that_wait_are_asked_together_and_each_item_once():
    model = Squares()
    ended = list(run(tasks([("a", [1, 2])], [("a", [2, 3])], [("a", [3])]), {"a": model}, 64))
    assert model.calls == [[1, 2, 3]]
    assert found(ended) == {0: [1, 4], 1: [4, 9], 2: [9]}
    assert all(end.error is None and end.seconds > 0 for end in ended)


def test_the_model_that_most_searches_wait_for_answers_first():
    order = []
    models = {
        name: lambda items, name=name: order.append(name) or Answers(enumerate(items))
        for name in "ab"
    }
    asked = [[("a", [1]), ("b", [1])], [("b", [2])], [("b", [3])]]
    assert found(run(tasks(*asked), models, 64)) == {0: [1, 1], 1: [2], 2: [3]}
    assert order == ["b", "a", "b"]


@pytest.mark.parametrize("concurrency", [1, 2, 3, 64])
def test_as_many_as_allowed_are_under_way_and_the_answers_are_the_same(concurrency):
    model, under_way, most = Squares(), set(), []

    def watched(index):
        under_way.add(index)
        most.append(len(under_way))
        answers = yield from search(*[("a", [index, index + k]) for k in range(1 + index % 3)])
        under_way.remove(index)
        return answers

    given = [Task(i, lambda i=i: watched(i), nullcontext) for i in range(11)]
    ended = found(run(given, {"a": model}, concurrency))
    assert ended == {i: [n**2 for k in range(1 + i % 3) for n in (i, i + k)] for i in range(11)}
    assert max(most) == min(concurrency, 11)


def test_searches_begin_when_there_is_room_for_them():
    begun = []

    def given():
        for task in tasks(*[[("a", [i])] for i in range(7)]):
            begun.append(task.index)
            yield task

    ended = run(given(), {"a": Squares()}, 2)
    next(ended)
    assert begun == [0, 1]
    assert len(list(ended)) == 6 and begun == list(range(7))


def test_only_the_search_whose_question_the_model_cannot_answer_ends_with_an_error(caplog):
    model = Squares(refused=[13])
    asked = [[("a", [1]), ("a", [2])], [("a", [5]), ("a", [13])], [("a", [3]), ("a", [4])]]
    ended = {end.index: end for end in run(tasks(*asked), {"a": model}, 64)}
    assert (ended[0].found, ended[2].found) == ([1, 4], [9, 16])
    assert ended[1].found is None and str(ended[1].error) == "cannot square it"
    assert model.calls == [[1, 5, 3], [2, 13, 4], [2], [13], [4]]
    assert "an attack raised" in caplog.text


def test_a_search_may_catch_what_the_model_raises():
    def careful():
        try:
            yield Ask("a", [13])
        except ValueError:
            return (yield Ask("a", [3]))

    (end,) = run([Task(0, careful, nullcontext)], {"a": Squares(refused=[13])}, 1)
    assert end.found == [9] and end.error is None


def test_a_search_that_raises_ends_alone():
    def broken():
        yield Ask("a", [1])
        raise KeyError("mine")

    given = [Task(0, broken, nullcontext), *tasks([], [("a", [2]), ("a", [3])])[1:]]
    ended = {end.index: end for end in run(given, {"a": Squares()}, 64)}
    assert isinstance(ended[0].error, KeyError) and ended[1].found == [4, 9]


def test_an_interruption_comes_through_after_what_has_ended():
    def model(items):
        if 3 in items:
            raise KeyboardInterrupt
        return Answers(enumerate(items))

    asked = [[("a", [1])], [("a", [2]), ("a", [3])]]
    ended = run(tasks(*asked), {"a": model}, 64)
    assert next(ended).index == 0
    with pytest.raises(KeyboardInterrupt):
        next(ended)


def test_an_interruption_between_two_searches_loses_none_that_has_ended():
    def interrupted():
        yield Ask("a", [3])
        raise KeyboardInterrupt

    given = tasks([("a", [1])], [("a", [2])], [], [("a", [4])])
    given[2] = Task(2, interrupted, nullcontext)
    ended = []
    with pytest.raises(KeyboardInterrupt):
        for end in run(given, {"a": Squares()}, 64):
            ended.append(end.index)
    assert ended == [0, 1]


def test_an_interruption_while_each_is_asked_alone_loses_none_that_has_ended():
    calls = []

    def model(items):
        calls.append(items)
        if len(items) > 1:
            raise ValueError("too many")
        if items == [4]:
            raise KeyboardInterrupt
        return Answers(enumerate(items))

    ended = []
    with pytest.raises(KeyboardInterrupt):
        for end in run(tasks(*[[("a", [i])] for i in (1, 2, 3, 4)]), {"a": model}, 64):
            ended.append(end.index)
    assert ended == [0, 1, 2] and calls == [[1, 2, 3, 4], [1], [2], [3], [4]]


def test_an_interruption_while_searches_begin_loses_none_that_has_ended():
    def interrupted():
        raise KeyboardInterrupt
        yield

    given = [*tasks([], []), Task(2, interrupted, nullcontext)]
    ended = []
    with pytest.raises(KeyboardInterrupt):
        for end in run(given, {}, 64):
            ended.append(end.index)
    assert ended == [0, 1]


def test_a_search_that_asks_for_a_model_that_is_not_there_ends_alone():
    asked = [[("b", [1])], [("a", [2])]]
    ended = {end.index: end for end in run(tasks(*asked), {"a": Squares()}, 64)}
    assert isinstance(ended[0].error, KeyError) and ended[1].found == [4]


def test_each_step_of_a_search_is_inside_its_own_random_numbers():
    now = []

    @contextmanager
    def drawing(name):
        now.append(name)
        yield
        assert now.pop() == name

    def drawn(name):
        for number in (1, 2):
            assert now == [name]
            yield Ask("a", [number])
        assert now == [name]

    def model(items):
        assert now == []
        return Answers(enumerate(items))

    given = [Task(i, lambda i=i: drawn(i), lambda i=i: drawing(i)) for i in range(3)]
    assert [end.error for end in run(given, {"a": model}, 2)] == [None] * 3


def test_nothing_to_do():
    assert list(run([], {}, 64)) == []


def test_seconds_are_the_searchs_own_and_its_share_of_the_calls(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr("mvp_skill.engine.time.perf_counter", lambda: next(clock))
    ended = list(run(tasks([("a", [1, 2, 3])], [("a", [4])]), {"a": Squares()}, 64))
    # One tick in each of two steps, and of the call's one tick three quarters and one.
    assert [end.seconds for end in ended] == [2 + 0.75, 2 + 0.25]
