"""Studies: every victim is trained and attacked once, and failures stay where they are."""

from dataclasses import replace

import pytest
from victim_cases import tiny_victim

from mvp_skill import metrics
from mvp_skill.attack_log import AttackLog
from mvp_skill.attack_recipes import NEEDS
from mvp_skill.conditions import Condition, grid
from mvp_skill.errors import BadInput
from mvp_skill.prompts import all_prompts
from mvp_skill.studies import Study
from mvp_skill.train_config import OBJECTIVES, TrainConfig, objective_named
from mvp_skill.training import evaluate
from mvp_skill.victim_parts import NEED_TEXT_ENCODER

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


def test_right_is_told_per_example_and_on_another_task_too(measured):
    made, rows = measured
    own, other = made.right(MLP_FT), made.right(MLP_FT, "mini_restaurants")
    assert own.mean() == rows["clean_acc"].iloc[0] and own.shape == other.shape == (24,)
    victim, test = made.victim(MLP_FT)[0], made.data("mini_restaurants")["test"]
    predicted = victim([tuple(texts) for texts in test[:]["texts"]]).argmax(dim=-1).tolist()
    assert other.tolist() == [p == label for p, label in zip(predicted, test["label"], strict=True)]


def test_another_study_in_the_same_folder_trains_and_attacks_nothing_again(measured, monkeypatch):
    made, rows = measured
    again = study(made.folder.parent)
    monkeypatch.setattr("mvp_skill.training.train", lambda *given, **named: pytest.fail("trained"))
    monkeypatch.setattr("mvp_skill.attacks._record", lambda *given: pytest.fail("attacked"))
    repeated = again.measure(grid(["mini_films"], ["mlp_ft", "mvp"]), ["textfooler"])
    assert repeated.equals(rows)


def test_a_log_has_the_rows_of_the_attack_and_what_was_attacked(measured):
    made, _ = measured
    log = made.log(MLP_FT, "textfooler")
    assert log.to_frame().equals(made.attack(MLP_FT, "textfooler"))
    assert (log.parameters["task"], log.parameters["recipe"]) == ("mini_films", "textfooler")
    assert AttackLog.read(log.path).records == log.records
    first = made.data("mini_films")["test"][:3]  # the first test examples, in order
    assert [record["texts"] for record in log.records] == first["texts"]
    assert [record["label"] for record in log.records] == first["label"]


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
    assert config.autocast == made.scale.autocast == "auto"
    assert study(tmp_path, AUTOCAST="off").config(MLP_FT).autocast == "off"
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
        ({"N_ATTACKED": 301}, "N_ATTACKED is 301, but there are 300 test examples"),
        ({"TASKS": "sst2", "DATA_DIR": "nowhere"}, "nowhere"),
        ({"SCALE": "minni"}, "Unknown scale"),
        ({"BACKBONE": "no/such/folder"}, "no/such/folder"),
        # AMDA attacks in training, whatever attack it is measured by.
        ({"VICTIMS": "amda", "ATTACKS": "misspelling", "NEIGHBOURS": "no/file"}, "no/file"),
    ],
)
def test_bad_input_is_refused_before_any_work(tmp_path, parameters, message):
    with pytest.raises(BadInput, match=message):
        Study({"OUT": str(tmp_path), "SEEDS": None, "BACKBONE": None} | parameters)
    assert not list(tmp_path.iterdir())


def test_a_backbone_without_a_mask_token_gets_templates_that_suit_it(
    tiny_gpt2, tiny_bert, tmp_path
):
    made = study(tmp_path, TASKS="mini_films", VICTIMS="mlp_ft, mvp", BACKBONE=str(tiny_gpt2))
    condition = Condition("mini_films", "mvp")
    patterns = made.untrained_victim(condition).settings.templates
    assert patterns == tuple(all_prompts()["mini_films"]["templates"]["gpt2"])
    assert condition.variant == "", "the templates are the usual ones for this backbone"
    other = replace(condition, backbone=str(tiny_bert))  # the condition's backbone decides
    patterns = made.untrained_victim(other).settings.templates
    assert patterns == tuple(all_prompts()["mini_films"]["templates"]["default"])
    with pytest.raises(BadInput, match="does not suit a backbone without a mask token"):
        made.untrained_victim(replace(condition, template_variant="one"))


def test_gpt2_is_measured_as_any_other_backbone(tiny_gpt2, tmp_path):
    made = study(tmp_path, TASKS="mini_films", BACKBONE=str(tiny_gpt2))
    victims = ["mlp_ft", "mvp", "mlp_ft_adv", "mvp_adv", "freelb"]
    rows = made.measure(grid(["mini_films"], victims))
    assert list(rows["method"]) == victims and set(rows["backbone"]) == {tiny_gpt2.name}


@pytest.mark.parametrize("victim", ["amda", "infobert", "clsprompt", "projectcls", "lpft_dense"])
def test_victims_that_gpt2_cannot_be_are_refused_before_any_work(tiny_gpt2, tmp_path, victim):
    """What `victims` and the objectives would refuse only when their turn comes."""
    out = tmp_path / "out"
    with pytest.raises(BadInput, match="<s>.* a backbone of type 'gpt2' .*use mlp_ft.* mvp") as no:
        study(out, TASKS="mini_films", VICTIMS=f"mlp_ft, {victim}", BACKBONE=str(tiny_gpt2))
    assert "\n" not in str(no.value) and victim in str(no.value) and not out.exists()


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "vocabulary"])
def test_the_objectives_that_need_an_encoder_are_those_that_refuse_gpt2(tiny_gpt2, name):
    victim = tiny_victim("mlp_ft", tiny_gpt2)
    if name in NEED_TEXT_ENCODER:
        with pytest.raises(BadInput, match="use mlp_ft on a RoBERTa or BERT"):
            objective_named(name).auxiliary(victim, 0)
    else:
        objective_named(name).auxiliary(victim, 0)
