"""Soft prompts of a study: tuned once, found again, exchanged, or taken from released files."""

import pytest
import torch
from prompt_study_cases import TINY, tiny_study

from mvp_skill.errors import BadInput
from mvp_skill.prompt_preflight import check_prompt_study, seeds_of
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.soft_prompts import PromptFacts, SoftPrompt, save_soft_prompt


def test_a_prompt_is_tuned_once_and_found_again(tiny_backbone, tmp_path):
    first = tiny_study(tmp_path, tiny_backbone)
    prompt, log = first.tuned("roberta", "mini_films", 0)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "prompts").rglob("*.safetensors")}
    again, found = tiny_study(tmp_path, tiny_backbone).tuned("roberta", "mini_films", 0)
    assert torch.equal(prompt.table, again.table) and log == found and len(files) == 1
    assert files == {p: p.stat().st_mtime_ns for p in files}
    other, _ = first.tuned("roberta", "mini_films", 1)
    assert not torch.equal(other.table, prompt.table)


def test_models_of_a_kind_share_a_backbone_that_tuning_does_not_change(tiny_backbone, tmp_path):
    study = tiny_study(tmp_path, tiny_backbone)
    before = {
        n: p.clone() for n, p in study.start("roberta", "mini_films").backbone.named_parameters()
    }
    study.tuned("roberta", "mini_films", 0)
    films = study.prompted("roberta", "mini_films", 0)
    restaurants = study.prompted("roberta", "mini_restaurants", 0)
    assert films.backbone is restaurants.backbone
    assert films.soft_prompt is not restaurants.soft_prompt
    assert all(torch.equal(p, before[n]) for n, p in films.backbone.named_parameters())


def test_transfer_changes_the_table_and_nothing_else(tiny_backbone, tmp_path):
    study = tiny_study(tmp_path, tiny_backbone)
    moved = study.prompted("roberta", "mini_films", 1, source="mini_restaurants")
    source = study.soft_prompt("roberta", "mini_restaurants", 1)
    assert torch.equal(moved.soft_prompt, source.table)
    assert moved.settings.task == "mini_films"
    assert moved.settings.label_words == study.start("roberta", "mini_films").settings.label_words


def test_right_is_what_the_logits_say(tiny_backbone, tmp_path):
    study = tiny_study(tmp_path, tiny_backbone)
    prompted = study.prompted("roberta", "mini_films", 0)
    rows = study.data("mini_films")["test"]
    slow = [
        prompted([tuple(texts)]).argmax().item() == label
        for texts, label in zip(rows["texts"], rows["label"], strict=True)
    ]
    assert study.right(prompted, "mini_films").tolist() == slow and len(slow) == 31


def released(folder, width, **facts):
    for task, seed in (("mini_films", 33), ("mini_restaurants", None)):
        known = {"task": task, "backbone": "x", "kind": "roberta", "n_prompt": 7, "seed": seed}
        known |= {"source": "su" if seed is None else "ackermann"} | facts
        table = torch.full((7, width), 0.1 if seed else 0.2)
        prompt = SoftPrompt(table, PromptFacts(**known))
        save_soft_prompt(folder / f"{prompt.facts.name}.safetensors", prompt)
    return str(folder)


def test_released_prompts_are_taken_as_they_are(tiny_backbone, tmp_path):
    folder = released(tmp_path / "prompts", 32)
    given = {"PROMPTS": folder, "SEEDS": "33, su", "N_PROMPT": 7}
    study = tiny_study(tmp_path / "out", tiny_backbone, **given)
    assert study.scale.seeds == (33, "su")
    assert (study.prompted("roberta", "mini_films", 33).soft_prompt == 0.1).all()
    assert (study.prompted("roberta", "mini_restaurants", "su").soft_prompt == 0.2).all()
    with pytest.raises(BadInput, match="no soft prompt .* seed 34; it has those of mini_films-33"):
        study.prompted("roberta", "mini_films", 34)
    with pytest.raises(BadInput, match="are not tuned here"):
        study.tuned("roberta", "mini_films", 33)


def test_released_prompts_of_another_width_are_not_taken(tiny_backbone, tmp_path):
    given = {"PROMPTS": released(tmp_path / "prompts", 24), "SEEDS": "33", "N_PROMPT": 7}
    with pytest.raises(BadInput, match="no soft prompt of width 32 for roberta"):
        tiny_study(tmp_path, tiny_backbone, **given).prompted("roberta", "mini_films", 33)


def test_b19_released_prompts_go_with_released_label_words(tiny_backbone, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "mvp_skill.prompt_studies.build_prompted",
        lambda *given, **options: asked.append(options["label_words"]),
    )
    folder = released(tmp_path / "prompts", 32)
    tiny_study(tmp_path, tiny_backbone, PROMPTS=folder, SEEDS="33").start("roberta", "mini_films")
    tiny_study(tmp_path, tiny_backbone).start("roberta", "mini_films")
    assert asked == ["released", "default"]


def test_seeds_are_numbers_or_who_tuned_a_released_prompt():
    assert seeds_of(None) is None
    assert seeds_of("33, 34, su") == (33, 34, "su") and seeds_of(3) == (3,)
    assert seeds_of("su") == ("su",)
    with pytest.raises(BadInput, match="whole numbers with commas"):
        seeds_of("33, s34")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"KINDS": "bert"}, "kind of backbone"),
        ({"TASKS": "mini_adv_films"}, "cannot be tuned on mini_adv_films.*clean task mini_films"),
        ({"SEEDS": "0, su"}, "'su', which only released prompts have"),
        ({"EPOCHS": 0}, "EPOCHS must be"),
        ({"ROBERTA": "mini-t5"}, "is of type 't5', not 'roberta'"),
        ({"PROMPTS": "nowhere"}, "nowhere"),
        ({"TASKS": "sst2", "DATA_DIR": "nowhere"}, "nowhere"),
        ({"LEARNING_RATE": -1}, "LEARNING_RATE"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_tuned(wrong, said, tmp_path):
    with pytest.raises(BadInput, match=said) as no:
        PromptStudy(TINY | {"OUT": str(tmp_path / "out")} | wrong)
    assert "\n" not in str(no.value) and not (tmp_path / "out").exists()


def test_what_can_be_meant_is_not():
    check_prompt_study({"SCALE": "mini", "KINDS": "t5, roberta", "SEEDS": None})
