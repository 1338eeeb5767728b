"""Knobs of the notebooks on neurons that cannot be meant are refused before anything is tuned."""

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from mvp_skill import batch, prompt_preflight
from mvp_skill.errors import BadInput
from mvp_skill.neuron_preflight import READ_SETS, check_knobs, check_sets, classes_of, shares_of
from mvp_skill.preflight import check_parameters
from mvp_skill.project_runs import runs_of
from mvp_skill.skill_neurons import random_neurons, skill_neurons

STUDY = {"SCALE": "mini", "KINDS": "roberta", "SEEDS": "0"}
GOOD = {
    "TOP": 0.01,
    "RATES": "0, 1, 50",
    "KEPT": "0.02, 0.5",
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
        ({"TOP": 2}, "TOP must be a number above 0 and below 1, not 2"),
        ({"TOP": 0}, "TOP must be"),
        ({"TOP": "0.01, 0.02"}, "TOP must be a number"),
        ({"KEPT": "0.02, 0.6"}, "KEPT has 0.6; give shares above 0 and at most 0.5, as random"),
        ({"KEPT": 1}, "KEPT has 1"),
        ({"KEPT": "0.1, abc"}, "KEPT is shares such as 0.02, 0.1, not 'abc'"),
        ({"SUPPRESSED": ""}, "SUPPRESSED is shares"),
        ({"SUPPRESSED": "0.51"}, "SUPPRESSED has 0.51"),
        ({"SUPPRESSED": "nan"}, "SUPPRESSED has nan"),
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
        ({"LEARNING_RATE": "abc"}, "LEARNING_RATE must be"),
        ({"INIT": "zeros"}, "Unknown init 'zeros'"),
        ({"TASKS": "mini_nli", "TOP": 0.1}, "compared with two classes, but mini_nli has 3"),
    ],
)
def test_a_knob_that_cannot_be_meant_is_refused(given, said):
    check_parameters(STUDY | {name: GOOD[name] for name in given if name in GOOD})
    with pytest.raises(BadInput, match=said):
        check_parameters(STUDY | given)


def test_shares_and_knobs_that_can_be_meant():
    assert shares_of("0.02, 0.5", "KEPT") == [0.02, 0.5] and shares_of(0.1, "KEPT") == [0.1]
    check_knobs(GOOD)
    check_knobs(dict.fromkeys(GOOD))  # None: what the notebook or the scale says
    check_parameters(STUDY | {"TASKS": "mini_nli"})  # prompts may be tuned for three classes


@pytest.mark.parametrize("n_neurons", [6, 7])
def test_random_neurons_can_be_drawn_beside_the_largest_share(n_neurons):
    (most,) = shares_of(0.5, "KEPT")
    pred = torch.arange(2.0 * n_neurons).reshape(2, n_neurons)
    for share, fits in ((most, True), (most + 0.2, False)):
        best = skill_neurons(pred, share)
        with nullcontext() if fits else pytest.raises(BadInput, match="cannot be drawn"):
            random_neurons(best.shape, share, 1, exclude=best)


def test_the_task_of_several_classes_is_that_of_the_scale():
    assert classes_of({"CLASSES": "mini_nli", "SCALE": "small"}) == "mini_nli"
    assert classes_of({"CLASSES": None}) == "mini_news"
    for none in ({"SCALE": "small"}, {"PROMPTS": "a folder"}):
        assert classes_of({"CLASSES": None} | none) is None
    assert classes_of({"SCALE": "mini"}) is None  # another notebook


def test_the_task_of_several_classes_is_checked_as_the_others_are(tmp_path, monkeypatch):
    given = STUDY | {"CLASSES": "ag_news", "DATA_DIR": str(tmp_path)}
    with pytest.raises(BadInput, match=re.escape(str(tmp_path))):
        check_parameters(given)
    monkeypatch.setattr(prompt_preflight, "_check_task", lambda *given: None)
    with pytest.raises(BadInput, match="Unknown task for prompt tuning 'ag_news'"):
        check_parameters(given)


def test_of_the_task_of_several_classes_only_what_is_read_is_checked(monkeypatch):
    asked = []
    monkeypatch.setattr(prompt_preflight, "_check_label_words", lambda *given: asked.append(given))
    given = STUDY | {"KINDS": "t5, roberta", "TASKS": "mini_films"}
    for classes, of in ((None, "mini_news"), ("mini_nli", "mini_nli")):
        check_parameters(given | {"CLASSES": classes})
        assert [(task, kind) for task, _, kind, _ in asked[2:]] == [(of, "t5")]
        asked.clear()


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
