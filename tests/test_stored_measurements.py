"""What notebooks share is measured once: right answers, thresholds, tuned prompts."""

import pytest
import torch
from prompt_study_cases import tiny_study

from mvp_skill import prompt_studies, tuned_prompts
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.prompt_tuning import soft_prompt_of
from mvp_skill.stored import load


@pytest.fixture(scope="module")
def out(loud_backbone, tmp_path_factory):
    return tmp_path_factory.mktemp("stored")


def test_right_answers_are_those_of_the_model_and_made_once(out, loud_backbone, monkeypatch):
    neurons = NeuronStudy(tiny_study(out, loud_backbone))
    model = neurons.prompts.prompted("roberta", "mini_films", 1)
    expected = neurons.prompts.right(model, "mini_films")
    assert torch.equal(neurons.prompts.right_of("roberta", "mini_films", 1), expected)
    for part in ("ranking", "measuring", "all"):
        slowly = neurons.right(model, "mini_films", part)
        found = neurons.right_of("roberta", "mini_films", 1, part=part)
        assert torch.equal(found, slowly), part
    assert 0 < expected.sum() < len(expected)
    monkeypatch.setattr(prompt_studies, "is_right", None)  # a pass would raise
    again = tiny_study(out, loud_backbone)
    assert torch.equal(again.right_of("roberta", "mini_films", 1), expected)
    with pytest.raises(TypeError):
        again.right_of("roberta", "mini_films", 0)
    other = tiny_study(out, loud_backbone, N_TEST=30)
    with pytest.raises(TypeError):
        other.right_of("roberta", "mini_films", 1)


def test_thresholds_are_made_once_and_differ_by_what_they_are_of(out, loud_backbone, monkeypatch):
    neurons = NeuronStudy(tiny_study(out, loud_backbone))
    first = neurons.thresholds("roberta", "mini_films", 0)
    others = [
        neurons.thresholds("roberta", "mini_films", 1),
        neurons.thresholds("roberta", "mini_films", 0, "text_mean"),
        NeuronStudy(tiny_study(out, loud_backbone, N_THRESHOLD=19)).thresholds(
            "roberta", "mini_films", 0
        ),
    ]
    for other in others:
        assert other.mean.shape != first.mean.shape or not torch.equal(other.mean, first.mean)
    monkeypatch.setattr("mvp_skill.neuron_studies.baseline_activation", None)
    again = NeuronStudy(tiny_study(out, loud_backbone)).thresholds("roberta", "mini_films", 0)
    assert torch.equal(again.mean, first.mean)
    assert (again.n, again.source, again.positions) == (20, "clean-train", "prompt")


def test_a_tuned_prompt_is_read_as_its_model_would_be(out, loud_backbone, monkeypatch):
    study = tiny_study(out, loud_backbone)
    study.tuned("roberta", "mini_films", 0)
    (folder,) = (f for f in study.folder.glob("roberta-mini_films-s0-*") if f.is_dir())
    monkeypatch.setattr(tuned_prompts, "train", None)  # tuning anew would raise
    prompt, log = tiny_study(out, loud_backbone).tuned("roberta", "mini_films", 0)
    whole = soft_prompt_of(load(folder))
    assert torch.equal(prompt.table, whole.table) and prompt.facts == whole.facts
    assert log.key and log.history
