"""Soft prompts of a study: tuned once, found again, exchanged, or taken from released files."""

import itertools

import pandas
import pytest
import torch
from prompt_study_cases import TINY, tiny_study

from mvp_skill import carry_over, neuron_tables
from mvp_skill.errors import BadInput
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.prompt_preflight import check_prompt_study, seeds_of
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.soft_prompts import (
    PromptFacts,
    SoftPrompt,
    load_soft_prompt,
    save_soft_prompt,
)


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


def released(folder, width, tasks=("mini_films", "mini_restaurants"), **facts):
    for task, seed in itertools.product(tasks, (33, None)):
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
    with pytest.raises(BadInput, match="no soft prompt .* seed 34; it has .* mini_films-33"):
        study.prompted("roberta", "mini_films", 34)
    with pytest.raises(BadInput, match="are not tuned here"):
        study.tuned("roberta", "mini_films", 33)


def test_released_prompts_of_another_width_are_not_taken(tiny_backbone, tmp_path):
    given = {"PROMPTS": released(tmp_path / "prompts", 24), "SEEDS": "33", "N_PROMPT": 7}
    with pytest.raises(BadInput, match="no soft prompt of width 32 for roberta"):
        tiny_study(tmp_path, tiny_backbone, **given).prompted("roberta", "mini_films", 33)


def test_b19_label_words_are_those_that_a_prompt_was_tuned_for(
    tiny_backbone, tmp_path, monkeypatch
):
    asked = []
    monkeypatch.setattr(
        "mvp_skill.prompt_studies.build_prompted",
        lambda *given, **options: asked.append(options["label_words"]),
    )
    theirs = released(tmp_path / "theirs", 32)
    ours = released(tmp_path / "ours", 32, source="mvp_skill")
    for folder in (theirs, ours):
        given = {"PROMPTS": folder, "SEEDS": "33"}
        tiny_study(tmp_path, tiny_backbone, **given).start("roberta", "mini_films")
    tiny_study(tmp_path, tiny_backbone).start("roberta", "mini_films")
    assert asked == ["released", "default", "default"]


def test_b19_a_prompt_for_other_label_tokens_is_refused(tiny_backbone, tmp_path):
    own = tiny_study(tmp_path, tiny_backbone).start("roberta", "mini_films").settings.word_ids
    for label_ids in (own, own[::-1]):
        folder = released(tmp_path / str(label_ids[0]), 32, label_ids=label_ids)
        given = {"PROMPTS": folder, "SEEDS": "33", "N_PROMPT": 7, "TASKS": "mini_films"}
        if label_ids == own:
            tiny_study(tmp_path, tiny_backbone, **given).prompted("roberta", "mini_films", 33)
            continue
        with pytest.raises(BadInput, match=r"mini_films-s33 for roberta was tuned for the label"):
            tiny_study(tmp_path, tiny_backbone, **given)
        # Other tasks than those of TASKS may be asked for, too.
        released(tmp_path / str(label_ids[0]), 32, tasks=["mini_restaurants"])
        study = tiny_study(tmp_path, tiny_backbone, **given | {"TASKS": "mini_restaurants"})
        with pytest.raises(BadInput, match="label tokens"):
            study.prompted("roberta", "mini_films", 33)


def test_another_table_is_another_key(tiny_backbone, tmp_path):
    """Or the scores of one prompt's neurons are served for another's."""
    keys = set()
    for name, width in (("first", 32), ("second", 32), ("again", 32)):
        folder = tmp_path / name
        released(folder, width)
        if name == "second":
            (path,) = folder.glob("mini_films-*33*")
            prompt = load_soft_prompt(path)
            save_soft_prompt(path, SoftPrompt(prompt.table + 1, prompt.facts))
        given = {"PROMPTS": str(folder), "SEEDS": "33", "N_PROMPT": 7}
        study = tiny_study(tmp_path / "out", tiny_backbone, **given)
        keys.add(study.key("roberta", "mini_films", 33))
    assert len(keys) == 2
    # The training texts whose means are the thresholds depend on it.
    fewer = tiny_study(tmp_path / "out", tiny_backbone, **given | {"N_TRAIN": 20})
    assert fewer.key("roberta", "mini_films", 33) not in keys


def counted_by_hand(study):
    """Of a row that has been learnt, whether it counts, as notebooks ask it."""
    rows = pandas.DataFrame({"kind": ["roberta"], "task": ["mini_films"]})
    learnt = pandas.Series([True], dtype="boolean")
    learnt &= study.unflagged(rows["kind"], rows["task"])
    return learnt.tolist()


def test_b1_flagged_prompts_count_as_not_learnt(tiny_backbone, tmp_path, monkeypatch):
    for module in (neuron_tables, carry_over):
        monkeypatch.setattr(module, "has_learnt", lambda *given: True)
    counted = {}
    for why in ("", "tuned on the evaluation split"):
        folder = released(tmp_path / f"prompts{len(why)}", 32, contamination=why)
        given = {"PROMPTS": folder, "SEEDS": "33", "N_PROMPT": 7, "TASKS": "mini_films"}
        study = tiny_study(tmp_path / "out", tiny_backbone, **given)
        neurons = NeuronStudy(study)
        scores = neuron_tables.scores_of(neurons, "measuring")
        (row,) = neuron_tables.existence_rows(neurons, scores, scores).to_dict("records")
        learnt = carry_over.accuracies(neurons, "roberta", "mini_films")["learnt"]
        counted[why] = [bool(row["learnt"]), learnt, *counted_by_hand(study)]
        # Su et al.'s prompt of another task is marked, too, but not asked for.
        told = {("roberta", "mini_films"): why} if why else {}
        assert study.flagged() == told and len(study.notices()) == len(told)
    assert study.notices() == [
        "Counts as not learnt, and in no claim: RoBERTa on mini_films, " + why
    ]
    assert list(counted.values()) == [[True] * 3, [False] * 3]
    assert tiny_study(tmp_path, tiny_backbone).flagged() == {}


def test_a_split_is_not_read_by_a_model_of_another_task(tiny_backbone, tmp_path):
    study = tiny_study(tmp_path, tiny_backbone)
    films, duplicates = (study.start("roberta", f"mini_{t}") for t in ("films", "duplicates"))
    read = study.split(films, "mini_films")
    study.split(films, "mini_adv_films")
    NeuronStudy(study).part(films, "mini_films")
    for asked in (study.split, NeuronStudy(study).part):
        with pytest.raises(BadInput, match="A model of mini_duplicates does not read mini_films"):
            asked(duplicates, "mini_films")
    assert study.split(films, "mini_films") is read


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
