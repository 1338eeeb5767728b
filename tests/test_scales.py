"""The scales: three sets of settings, overridden one by one."""

from dataclasses import asdict, fields

import pytest

from mvp_skill import victims
from mvp_skill.errors import BadInput
from mvp_skill.scales import COUNTS, SCALES, STUDIES, Scale, settings
from mvp_skill.tasks import TASKS


def test_the_scales_are_the_three_of_the_design_and_mini_needs_no_network():
    assert list(SCALES) == ["mini", "small", "paper"]
    assert settings("mini").backbone == "mini-roberta"
    assert all(task.startswith("mini_") for task in settings("mini").tasks)


@pytest.mark.parametrize("name", SCALES)
def test_every_scale_speaks_of_tasks_and_methods_that_exist(name):
    scale = settings(name)
    assert set(scale.tasks) <= set(TASKS)
    assert tuple(scale.learning_rate) == victims.METHODS
    assert all(getattr(scale, count) is None or getattr(scale, count) >= 1 for count in COUNTS)


def test_the_paper_scale_is_the_paper():
    paper = settings("paper")
    assert (paper.batch_size, paper.epochs, paper.patience) == (8, 20, 10)
    assert paper.learning_rate == dict.fromkeys(victims.METHODS, 1e-5)
    assert (paper.n_attacked, paper.seeds) == (1000, (0, 1, 2))
    assert (paper.n_train, paper.n_validation, paper.n_test) == (None, None, None)


def test_an_override_changes_its_setting_alone_and_none_changes_nothing():
    assert settings("mini", N_TRAIN=None, EPOCHS=None) == SCALES["mini"]
    changed = asdict(settings("mini", N_TRAIN=7, backbone="somewhere"))
    expected = asdict(SCALES["mini"]) | {"n_train": 7, "backbone": "somewhere"}
    assert changed == expected
    assert SCALES["mini"].n_train != 7


def test_only_the_small_studies_train_in_bfloat16_unless_asked():
    assert {scale.autocast for scale in SCALES.values()} == {"off"}
    made = {name: scale.autocast for name, scale in STUDIES.items()}
    assert made == {"mini": "auto", "small": "off", "paper": "off"}
    assert settings("paper", AUTOCAST="auto").autocast == "auto"


def test_one_learning_rate_holds_for_every_method():
    rates = settings("mini", LEARNING_RATE=0.002).learning_rate
    assert rates == dict.fromkeys(victims.METHODS, 0.002)


@pytest.mark.parametrize(
    ("scale", "overrides", "said"),
    [
        ("minni", {}, "Unknown scale 'minni' .did you mean mini.*mini, small, paper"),
        (None, {}, "Unknown scale None"),
        ("mini", {"N_TRIAN": 5}, "Unknown setting 'n_trian' .did you mean n_train"),
        ("mini", {"NAME": "x"}, "Unknown setting 'name'"),
        ("mini", {"N_TRAIN": 0}, "N_TRAIN must be a whole number of at least 1, not 0"),
        ("mini", {"EPOCHS": 1.5}, "EPOCHS must be a whole number"),
        ("mini", {"EPOCHS": True}, "EPOCHS must be a whole number"),
        ("mini", {"LEARNING_RATE": "fast"}, "LEARNING_RATE must be a number"),
        ("mini", {"LEARNING_RATE": 0}, "LEARNING_RATE must lie between 0 and 1"),
        ("mini", {"AUTOCAST": "bf16"}, "Unknown autocast 'bf16'; use off, auto"),
        ("mini", {"LEARNING_RATE": 3}, "LEARNING_RATE must lie between 0 and 1"),
    ],
)
def test_bad_settings_are_named(scale, overrides, said):
    with pytest.raises(BadInput, match=said):
        settings(scale, **overrides)


def test_counts_are_fields():
    assert set(COUNTS) < {field.name for field in fields(Scale)}
