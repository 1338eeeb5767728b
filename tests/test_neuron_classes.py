"""Neurons of a task of three classes, with a small study of the shipped model."""

from itertools import product

import pytest
import torch
from prompt_cases import soft_prompt
from prompt_study_cases import tiny_study

from mvp_skill.errors import BadInput
from mvp_skill.neuron_classes import (
    EPOCHS,
    in_words,
    neurons_of_classes,
    study_of_classes,
    subtask_rows,
    subtasks_of,
    task_of_classes,
)
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.skill_neurons import n_selected
from mvp_skill.soft_prompts import save_soft_prompt
from mvp_skill.subtasks import POLAR, one_against_rest

KEY = ("roberta", "mini_nli", 0)


@pytest.fixture(scope="module")
def neurons(tmp_path_factory):
    out = tmp_path_factory.mktemp("classes")
    return NeuronStudy(tiny_study(out, "mini-roberta", SEEDS="0", N_TEST=47))


def test_b6_each_subtask_has_its_best_neuron_judged_on_the_other_half(neurons):
    subtasks = subtasks_of("mini_nli")
    assert subtasks == (*one_against_rest(3), POLAR[0])
    assert subtasks_of("mini_films") == one_against_rest(2)
    rows = subtask_rows(neurons, *KEY, subtasks)
    model = neurons.prompts.prompted(*KEY)
    labels = neurons.part(model, "mini_nli").labels
    for row, subtask in zip(rows.itertuples(), subtasks, strict=True):
        ranked, measured = (
            neurons.scores(*KEY, part=part, subtask=subtask) for part in ("ranking", "measuring")
        )
        assert row.ranked == ranked.balanced.max().item()
        assert ranked.balanced[row.layer, row.neuron].item() == row.ranked
        assert row.measured == measured.balanced[row.layer, row.neuron].item()
        assert row.null_max == measured.null_balanced.max().item()
        for n, side in ((row.n_first, subtask.first), (row.n_second, subtask.second)):
            assert n == sum(label in side for label in labels.tolist())
    assert rows["subtask"].iloc[0] == "neutral or contradiction against entailment"
    assert rows["subtask"].iloc[-1] == "entailment against contradiction"
    assert len(set(rows["n_second"])) > 1 or len(set(rows["n_first"])) > 1


def test_subtasks_share_the_skill_neurons_of_a_layer(neurons):
    subtasks = one_against_rest(3)
    found = neurons_of_classes(neurons, *KEY, subtasks, 0.05)
    k = n_selected(found.shape[1], 0.05)
    assert found.sum(dim=1).tolist() == [k] * len(found)
    for subtask in subtasks:  # the best of each is in
        best = neurons.scores(*KEY, subtask=subtask).balanced
        assert (found & (best >= best.max(dim=1, keepdim=True).values)).any(dim=1).all()
    assert torch.equal(found, found | neurons_of_classes(neurons, *KEY, subtasks, 0.02)), "nested"


def test_the_task_is_that_of_the_scale_or_one_of_three_classes(neurons):
    study = neurons.prompts
    assert task_of_classes(study) == "mini_news"
    assert task_of_classes(study, "mini_nli") == "mini_nli"
    with pytest.raises(BadInput, match="mini_films has two classes"):
        task_of_classes(study, "mini_films")
    with pytest.raises(BadInput, match="[Uu]nknown task"):
        task_of_classes(study, "mini_nil")
    assert in_words(POLAR[1], ("a", "b", "c")) == "a or c against b"


def test_of_given_prompts_it_takes_the_first_kind_and_seed(tiny_backbone, tiny_t5, tmp_path):
    widths = {"roberta": 32, "t5": 24}
    for kind, seed in product(widths, (33, 34)):
        given_prompt(tmp_path / "in", "mini_restaurants", seed, kind, (5, widths[kind]))
    tiny_study(tmp_path, tiny_backbone, tiny_t5, **known(tmp_path), CLASSES=None)
    with pytest.raises(BadInput, match="no soft prompt of width 32 for roberta, mini_news and se"):
        tiny_study(tmp_path, tiny_backbone, tiny_t5, **known(tmp_path), CLASSES="mini_news")
    prompt = given_prompt(tmp_path / "in", "mini_news", 33, "roberta", (5, 32))
    study = tiny_study(tmp_path, tiny_backbone, tiny_t5, **known(tmp_path), CLASSES="mini_news")
    narrow = study_of_classes(study, "mini_news").prompts
    assert narrow.kinds == ("roberta",) and narrow.scale.seeds == (33,)
    assert narrow.prompted("roberta", "mini_news", 33).soft_prompt.equal(prompt.table)


def known(folder):
    """A study of prompts in a folder, with the knobs of notebook 24."""
    tasks = {"TASKS": "mini_restaurants", "SEEDS": "33, 34", "TOP": 0.01}
    return tasks | {"PROMPTS": str(folder / "in")}


def given_prompt(folder, *given):
    prompt = soft_prompt(*given)
    save_soft_prompt(folder / f"{prompt.facts.kind}-{prompt.facts.name}.safetensors", prompt)
    return prompt


def test_the_study_of_the_task_is_the_same_but_for_its_epochs(neurons):
    usual = neurons.prompts
    given, unsaid = (
        study_of_classes(
            PromptStudy(usual.parameters | {"EPOCHS": n, "TOP": 0.1}), "mini_news"
        ).prompts
        for n in (3, None)
    )
    assert given.scale.epochs == 3 and unsaid.scale.epochs == EPOCHS
    assert "TOP" not in unsaid.parameters  # of two classes only
    for study in (given, unsaid):
        assert study.scale.tasks == ("mini_news",) and study.folder == usual.folder
        assert study.scale.seeds == usual.scale.seeds
        assert study.scale.n_train == usual.scale.n_train
    assert in_words(subtasks_of("mini_news")[1], ("a", "b", "c", "d")) == "a or c or d against b"
