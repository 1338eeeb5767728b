"""Knobs of the notebooks on neurons that cannot be meant are refused before anything is tuned."""

from pathlib import Path

import pytest

from mvp_skill import batch
from mvp_skill.errors import BadInput
from mvp_skill.neuron_preflight import READ_SETS, check_knobs, check_sets, shares_of
from mvp_skill.preflight import check_parameters
from mvp_skill.project_runs import runs_of

STUDY = {"SCALE": "mini", "KINDS": "roberta", "SEEDS": "0"}
GOOD = {
    "TOP": 0.01,
    "RATES": "0, 1, 50",
    "KEPT": "0.02, 1",
    "SUPPRESSED": 0.5,
    "CURVE": "2, 30",
    "N_CONTROL": 1,
    "OTHER_EPOCHS": 1,
    "OTHER_RATE": 0.003,
    "ROUNDS": 5,
    "CLASSES": "mini_nli",
}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"TOP": 2}, "TOP has 2, but a share is above 0 and at most 1"),
        ({"TOP": 0}, "TOP has 0"),
        ({"KEPT": "0.1, abc"}, "KEPT is shares such as 0.02, 0.1, not 'abc'"),
        ({"SUPPRESSED": ""}, "SUPPRESSED is shares"),
        ({"RATES": "0"}, "RATES has no rate above 0"),
        ({"RATES": "1, 60"}, "RATES goes up to 60 per cent; give 50 at most, as random neurons"),
        ({"RATES": "1, x"}, "RATES must be whole numbers"),
        ({"CURVE": "10, 200"}, "CURVE goes up to 200 per cent; give 100 at most"),
        ({"N_CONTROL": 0}, "N_CONTROL must be"),
        ({"OTHER_EPOCHS": -1}, "OTHER_EPOCHS must be"),
        ({"OTHER_RATE": 0}, "OTHER_RATE must be"),
        ({"ROUNDS": 1.5}, "ROUNDS must be"),
        ({"CLASSES": "mini_films"}, "mini_films has two classes; give a task of three or more"),
        ({"CLASSES": "no_task"}, "no_task"),
        ({"N_TRANSFER": -5}, "N_TRANSFER must be"),
        ({"N_MEASURED": 0}, "N_MEASURED must be"),
        ({"INIT": "zeros"}, "Unknown init 'zeros'"),
        ({"TASKS": "mini_nli", "TOP": 0.1}, "compared with two classes, but mini_nli has 3"),
    ],
)
def test_a_knob_that_cannot_be_meant_is_refused(given, said):
    check_parameters(STUDY | {name: GOOD[name] for name in given if name in GOOD})
    with pytest.raises(BadInput, match=said):
        check_parameters(STUDY | given)


def test_shares_and_knobs_that_can_be_meant():
    assert shares_of("0.02, 1", "KEPT") == [0.02, 1.0] and shares_of(0.5, "TOP") == [0.5]
    check_knobs(GOOD)
    check_knobs(dict.fromkeys(GOOD))  # None: what the notebook or the scale says
    check_parameters(STUDY | {"TASKS": "mini_nli"})  # prompts may be tuned for three classes


def test_a_missing_adversarial_set_is_known_before_the_batch_starts(tmp_path):
    with pytest.raises(BadInput, match="adv"):
        check_sets(STUDY | {"TASKS": "sst2", "DATA_DIR": str(tmp_path)})
    check_sets(STUDY | {"TASKS": "mini_restaurants", "DATA_DIR": str(tmp_path)})  # has none
    check_sets(STUDY | {"TASKS": "mini_films", "DATA_DIR": str(tmp_path)})  # comes with us


def test_notebooks_that_read_adversarial_sets_are_checked_for_them(monkeypatch, tmp_path):
    assert set(READ_SETS) <= {run.notebook for run in runs_of("mini")}
    asked = []
    monkeypatch.setattr(batch, "check_parameters", lambda values: None)
    monkeypatch.setattr(batch, "check_sets", lambda values: asked.append(values["TASKS"]))
    notebooks = Path(__file__).parents[1] / "notebooks"
    planned = batch.plan(runs_of("mini"), notebooks, tmp_path, {"SCALE": "mini"})
    batch.check(planned)
    assert len(asked) == len(READ_SETS)
