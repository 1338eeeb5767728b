"""What makes a victim of an experiment, and where it is stored."""

from dataclasses import replace

import pytest

from mvp_skill.attack_recipes import RECIPES
from mvp_skill.conditions import VICTIMS, Condition, grid, names_of, numbers_of
from mvp_skill.errors import BadInput
from mvp_skill.legends import METHOD_NAMES
from mvp_skill.scales import STUDIES, study_settings
from mvp_skill.train_config import OBJECTIVES
from mvp_skill.victims import METHODS, UNTRAINED

MINI = study_settings("mini")


def test_every_victim_can_be_built_trained_and_named():
    for name, making in VICTIMS.items():
        assert making.method in METHODS and making.objective in OBJECTIVES, name
        assert making.pretrained or making.method in UNTRAINED, name
        assert (making.objective == "amda") == (making.attacked_by in RECIPES), name
        assert name in METHOD_NAMES, name


def test_an_unknown_victim_is_refused_with_a_proposal():
    with pytest.raises(BadInput, match="did you mean mvp_adv"):
        Condition("mini_films", "mvp_advv")


def test_a_grid_has_every_combination_once_and_whole_comparisons_first():
    found = grid("a, b", ("mlp_ft", "mvp"), (0, 1), label_words="random")
    asked = {(t, v, s) for t in "ab" for v in ("mlp_ft", "mvp") for s in (0, 1)}
    assert {(c.task, c.victim, c.seed) for c in found} == asked and len(found) == 8
    assert [(c.task, c.seed) for c in found[:2]] == [("a", 0)] * 2
    assert all(c.label_words == "random" for c in found)
    assert names_of(["a", "b"]) == ("a", "b")


def test_the_folder_depends_on_all_that_a_victim_is_made_of_and_on_nothing_else():
    condition = Condition("mini_films", "mvp")
    others = [
        (condition, replace(MINI, n_train=401), None),
        (condition, replace(MINI, learning_rate=MINI.learning_rate | {"mvp": 0.5}), None),
        (condition, replace(MINI, objectives={}), None),
        (condition, replace(MINI, backbone="x"), None),
        (condition, MINI, "folder"),
        (replace(condition, n_train=10), MINI, None),
        (replace(condition, epochs=10), MINI, None),
        (replace(condition, label_words="random"), MINI, None),
        (replace(condition, template_variant="empty"), MINI, None),
        (replace(condition, backbone="x"), MINI, None),
        (replace(condition, seed=1), MINI, None),
    ]
    names = [condition.folder_name(MINI, None), *(c.folder_name(s, d) for c, s, d in others)]
    assert len(set(names)) == len(names)
    attacked_more = replace(MINI, n_attacked=999, n_test=5, seeds=(7,), tasks=("mini_news",))
    assert condition.folder_name(attacked_more, None) == names[0]
    assert names[0].startswith("mini_films-mvp-s0-")


def test_the_variant_names_what_differs_from_the_default():
    assert Condition("mini_films", "mvp").variant == ""
    one = Condition("mini_films", "mvp", label_words="random", n_train=50)
    assert one.variant == "label_words=random n_train=50"


def test_the_studies_have_three_seeds_and_all_kinds_of_tasks_at_every_scale():
    assert all(settings.seeds == (0, 1, 2) for settings in STUDIES.values())
    assert len(STUDIES["mini"].tasks) == len(STUDIES["paper"].tasks) == 5
    assert study_settings("mini", N_TRAIN=7).n_train == 7
    with pytest.raises(BadInput, match="N_TRAIN"):
        study_settings("mini", N_TRAIN=0)


def test_numbers_come_as_text_sequences_and_one_number():
    assert numbers_of("0, 1,2", "SEEDS") == (0, 1, 2) == numbers_of([0, 1, 2], "SEEDS")
    assert numbers_of(7, "SEEDS") == (7,) and numbers_of(None, "SEEDS") is None
    with pytest.raises(BadInput, match="SEEDS must be whole numbers"):
        numbers_of("0, one", "SEEDS")
