"""Studies: every victim is trained and attacked once, and failures stay where they are."""

import pytest

from mvp_skill import metrics, studies
from mvp_skill.attack_recipes import NEEDS
from mvp_skill.conditions import Condition, grid
from mvp_skill.errors import BadInput
from mvp_skill.studies import Study, data_dir_of, tuple_of
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import evaluate

TINY = {"N_TRAIN": 16, "N_VALIDATION": 16, "N_TEST": 24, "N_ATTACKED": 3, "EPOCHS": 1}
MLP_FT = Condition("mini_films", "mlp_ft")


def study(folder, **others) -> Study:
    return Study({"OUT": str(folder), "SCALE": "mini", "SEEDS": None} | TINY | others)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A study of two victims under one attack, and its rows."""
    made = study(tmp_path_factory.mktemp("study"))
    return made, made.measure(grid(["mini_films"], ["mlp_ft", "mvp"]), ["textfooler"])


def test_there_is_a_row_per_condition_and_attack_and_one_without(measured):
    made, rows = measured
    assert list(rows["method"]) == ["mlp_ft", "mlp_ft", "mvp", "mvp"]
    assert list(rows["attack"]) == ["none", "textfooler"] * 2
    assert list(rows["n"]) == [24, 3, 24, 3] and set(rows["n_train"]) == {16}


def test_the_numbers_are_those_of_the_victim_and_of_its_log(measured):
    made, rows = measured
    victim, _ = made.victim(MLP_FT)
    assert rows["clean_acc"].iloc[0] == evaluate(victim, made.data("mini_films")["test"])
    found = metrics.summary(made.attack(MLP_FT, "textfooler"))
    assert rows["robust_acc"].iloc[1] == found["robust_acc"]
    assert set(made.attack(MLP_FT, "textfooler")["oracle"].dropna()) <= {
        "kept",
        "changed",
        "undecidable",
    }


def test_another_study_in_the_same_folder_trains_and_attacks_nothing_again(measured, monkeypatch):
    made, rows = measured
    again = study(made.folder.parent)
    monkeypatch.setattr("mvp_skill.training.train", lambda *given, **named: pytest.fail("trained"))
    monkeypatch.setattr("mvp_skill.attacks._attack_one", lambda *given: pytest.fail("attacked"))
    repeated = again.measure(grid(["mini_films"], ["mlp_ft", "mvp"]), ["textfooler"])
    assert repeated.equals(rows)


def test_an_attack_with_other_options_has_a_log_of_its_own(measured):
    made, _ = measured
    one, two = (made.attack(MLP_FT, "misspelling", max_words=words) for words in (1, 2))
    assert len(one) == len(two) == 3
    assert len(list(made.folder.glob("mini_films-mlp_ft-*/misspelling-*.jsonl"))) == 2


def test_resources_are_made_once_and_shared_by_attacks(measured):
    made, _ = measured
    first, second = made.resources("textfooler"), made.resources("textbugger")
    for name in NEEDS["textbugger"]:
        assert getattr(first, name) is getattr(second, name)


def test_a_failure_is_reported_at_the_end_and_the_others_are_measured(measured, monkeypatch):
    made, _ = measured
    bad, tried = Condition("mini_films", "mvp"), []
    rows_of = made._rows

    def rows(condition, attacks):
        tried.append(condition)
        if condition == bad:
            raise ValueError("broken on purpose")
        return rows_of(condition, attacks)

    monkeypatch.setattr(made, "_rows", rows)
    with pytest.raises(RuntimeError, match="(?s)1 of 2 conditions failed.*on purpose") as error:
        made.measure([bad, MLP_FT])
    assert "mvp" in str(error.value) and tried == [bad, MLP_FT]


def test_conditions_are_trained_as_the_scale_and_their_victim_say(tmp_path):
    made = study(tmp_path, LEARNING_RATE=None, SEEDS=2)
    config = made.config(Condition("mini_films", "amda", seed=2, epochs=9))
    assert isinstance(config, TrainConfig) and config.epochs == 9 and config.seed == 2
    assert config.objective.name == "amda" and config.objective.num_adv == 30
    assert config.learning_rate == made.scale.learning_rate["mlp_ft"]
    victim = made.untrained_victim(Condition("mini_films", "mvp_sampled"))
    assert victim.settings.training_templates == "one"
    assert not made.untrained_victim(Condition("mini_films", "mvp_untrained")).settings.pretrained
    assert made.scale.seeds == (2,)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"TASKS": "mini_films, mini_new"}, "mini_news"),
        ({"VICTIMS": ["mvpp"]}, "Unknown victim 'mvpp'"),
        ({"ATTACKS": "textfoole"}, "Unknown attack"),
        ({"SEEDS": [0, -1]}, "SEED must be"),
        ({"N_TRAIN": 0}, "N_TRAIN"),
        ({"TASKS": "sst2", "DATA_DIR": "nowhere"}, "nowhere"),
        ({"SCALE": "minni"}, "Unknown scale"),
        ({"BACKBONE": "no/such/folder"}, "no/such/folder"),
    ],
)
def test_bad_input_is_refused_before_any_work(tmp_path, parameters, message):
    with pytest.raises(BadInput, match=message):
        Study({"OUT": str(tmp_path), "SEEDS": None, "BACKBONE": None} | parameters)
    assert not list(tmp_path.iterdir())


def test_each_task_has_its_folder_inside_data_dir():
    assert data_dir_of("data", "sst2").endswith("data/sst2")
    assert data_dir_of("data", "mini_films") is None and data_dir_of(None, "sst2") is None


def test_lists_come_as_text_numbers_and_sequences():
    assert tuple_of(None) is None and tuple_of("a, b") == ("a", "b")
    assert tuple_of(3) == (3,) and tuple_of([0, 1]) == (0, 1) and tuple_of((0,)) == (0,)
    assert tuple_of("0, 12") == (0, 12) and tuple_of("0") == (0,) and tuple_of("0, b") == ("0", "b")
    assert studies.NO_ATTACK == "none"
