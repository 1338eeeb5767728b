"""The batch: from a list of runs to a checked plan, and to what of it is still to be done.

    runs -> plan (names, ids, keys) -> select (--only) -> check (values) -> pending -> execution

Everything that can be wrong with a parameter is found here, before a kernel starts. What is
finished is read from the run folders alone (see `results`), so a batch that was killed goes on
where it stopped.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from mvp_skill.errors import BadInput
from mvp_skill.neuron_preflight import READ_SETS, check_sets
from mvp_skill.preflight import check_parameters
from mvp_skill.run_folders import finished_record
from mvp_skill.run_ids import LOCATION, PATHS, notebook_parameters, run_id, run_key
from mvp_skill.scales import closest


@dataclass(frozen=True, eq=False)
class Run:
    """One line of a plan as a person writes it: notebook, its parameters, the runs it needs.

    alone   it measures time, so nothing runs beside it; such a run needs no other
    """

    notebook: str
    parameters: dict[str, Any] = field(default_factory=dict)
    needs: tuple["Run", ...] = ()
    alone: bool = False


@dataclass(frozen=True)
class PlannedRun:
    """A run with every parameter resolved. `needs` are labels."""

    label: str
    source: Path
    parameters: dict[str, Any]
    key: str
    finished: Path
    needs: tuple[str, ...]
    alone: bool = False


def plan(
    runs: Iterable[Run], notebooks: Path, results: Path, overrides: dict[str, Any] | None = None
) -> list[PlannedRun]:
    """Resolve every run: all parameters, id, key and folder. Runs that become equal are kept once.

    runs        each after the ones it needs
    overrides   name to value, for every run whose notebook has a parameter of that name
    raises      BadInput for an unknown notebook or parameter name
    """
    planned: dict[str, PlannedRun] = {}
    labels: dict[Run, str] = {}
    for run in runs:
        source = _source(run.notebook, notebooks)
        parameters = _parameters(run, source, overrides or {}, results)
        label = labels[run] = f"{run.notebook}/{run_id(parameters)}"
        earlier = planned[label].needs if label in planned else ()
        needs = tuple(dict.fromkeys([*earlier, *(labels[needed] for needed in run.needs)]))
        key = run_key(source, parameters)
        planned[label] = PlannedRun(
            label, source, parameters, key, results / label, needs, run.alone
        )
    return list(planned.values())


def select(planned: list[PlannedRun], patterns: list[str]) -> tuple[list[PlannedRun], set[str]]:
    """The runs whose label matches a pattern, with all they need, and the labels of the former.

    A pattern is a part of a label ("12_attack", "mini_news-mvp") or a glob ("1*/mini_films*").

        raises   BadInput for a pattern that matches nothing
    """
    matched: set[str] = set()
    for pattern in patterns or ["*"]:
        labels = [run.label for run in planned]
        found = {label for label in labels if pattern in label or fnmatchcase(label, pattern)}
        if not found:
            names = ", ".join(dict.fromkeys(run.source.stem for run in planned))
            raise BadInput(f"--only {pattern!r} matches no run of the plan, which has {names}.")
        matched |= found
    wanted = set(matched)
    for run in reversed(planned):
        if run.label in wanted:
            wanted.update(run.needs)
    return [run for run in planned if run.label in wanted], matched


def pending(planned: list[PlannedRun], force: Iterable[str] = ()) -> set[str]:
    """Labels of the runs to do: forced, not finished, or begun before one they need had ended."""
    to_do = set(force)
    ended: dict[str, str] = {}
    for run in planned:
        record = finished_record(run.finished, run.key)
        if record is None or any(
            needed in to_do or ended.get(needed, "") > record["started"] for needed in run.needs
        ):
            to_do.add(run.label)
        ended[run.label] = record["finished"] if record else ""
    return to_do


def check(planned: list[PlannedRun], by_hand: Iterable[str] = ()) -> None:
    """Check all that can be checked without loading a model: values of parameters, files, prompts.

    by_hand   names of overridden parameters; each must belong to one of these runs
    raises    BadInput at the first thing that would make a run fail
    """
    names = {name for run in planned for name in run.parameters} - {"SCALE", LOCATION}
    for name in by_hand:
        if name not in names:
            have = ", ".join(sorted(names))
            raise BadInput(f"-p {name}: no chosen run has such a parameter; they have {have}.")
    checked = []
    for run in planned:
        values = {name: value for name, value in run.parameters.items() if name != LOCATION}
        if values not in checked:
            check_parameters(values)
            checked.append(values)
        if run.source.stem in READ_SETS:
            check_sets(values)


def typed_overrides(
    pairs: Iterable[tuple[str, str]], planned: list[PlannedRun], folder: Path
) -> dict[str, Any]:
    """NAME VALUE pairs from the command line, each with the type of the notebooks' default.

    Where some notebook has text it stays text: "0, 1" is for all what a single 0 is for others.

    planned   the runs they are meant for, before overrides
    folder    where relative paths were typed: notebooks run in another one
    raises    BadInput for a name that none of these runs' notebooks has, or a value of another type
    """
    defaults: dict[str, Any] = {}
    for run in planned:
        texts = {name: value for name, value in defaults.items() if isinstance(value, str)}
        defaults |= notebook_defaults(run.source) | texts
    typed = {}
    for name, text in pairs:
        if name == "SCALE" or name == LOCATION:
            option = "--scale" if name == "SCALE" else "--results"
            raise BadInput(f"-p {name} cannot be set by hand: use {option}.")
        if name not in defaults:
            allowed = sorted(set(defaults) - {"SCALE", LOCATION})
            raise BadInput(
                f"-p {name}: no notebook of this plan has such a parameter"
                f"{closest(name, allowed)}; they have {', '.join(allowed)}."
            )
        typed[name] = _typed(name, text, defaults[name], folder)
    return typed


@cache
def notebook_defaults(source: Path) -> dict[str, Any]:
    """`notebook_parameters`, read once per process."""
    return notebook_parameters(source)


def _source(notebook: str, notebooks: Path) -> Path:
    source = notebooks / f"{notebook}.ipynb"
    if not source.exists():
        known = sorted(path.stem for path in notebooks.glob("*.ipynb"))
        raise BadInput(
            f"There is no notebook {notebook} in {notebooks}{closest(notebook, known)}: "
            f"it has {', '.join(known) or 'none'}."
        )
    return source


def _parameters(run: Run, source: Path, overrides: dict[str, Any], results: Path) -> dict[str, Any]:
    defaults = notebook_defaults(source)
    if LOCATION not in defaults:
        raise BadInput(f"{source} has no parameter {LOCATION}; every notebook needs it.")
    for name in run.parameters:
        if name not in defaults:
            near, have = closest(name, list(defaults)), ", ".join(defaults)
            raise BadInput(f"{run.notebook} has no parameter {name}{near}; it has {have}.")
    set_by_hand = {name: value for name, value in overrides.items() if name in defaults}
    return defaults | run.parameters | set_by_hand | {LOCATION: str(results)}


def _typed(name: str, text: str, default: Any, folder: Path) -> Any:
    """`text` as a value like `default`; where that is None, as a Python literal or else as text."""
    path = folder / Path(text).expanduser()
    if name == "DATA_DIR" or (name in PATHS and (path.exists() or text[:1] in ("/", ".", "~"))):
        return str(path.resolve())  # notebooks run in another folder
    if isinstance(default, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = {"true": True, "false": False}.get(text.lower(), text)
    if default is None or value is None:
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        kind = type(default).__name__
        raise BadInput(f"-p {name} {text}: {name} takes a value like {default!r} ({kind}).")
    return value
