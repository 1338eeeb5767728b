"""Neurons of a study's prompts: scored once, on halves that share nothing."""

from dataclasses import replace

import pytest
import torch
from prompt_study_cases import tiny_study
from torch.testing import assert_close

from mvp_skill.decoder_neurons import DecoderNeurons
from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import baseline_activation, count_firings
from mvp_skill.neuron_scores import neuron_scores
from mvp_skill.neuron_studies import NeuronStudy, split_digest
from mvp_skill.subtasks import one_against_rest


@pytest.fixture
def neurons(tiny_backbone, tiny_t5, tmp_path):
    return NeuronStudy(tiny_study(tmp_path, tiny_backbone, tiny_t5, TASKS="mini_films"))


def test_b6_neurons_are_ranked_and_tested_on_different_examples(neurons):
    model = neurons.prompts.prompted("roberta", "mini_films", 0)
    parts = {name: neurons.part(model, "mini_films", name) for name in ("ranking", "measuring")}
    rows = {name: {r.ids.tobytes() for r in part.records} for name, part in parts.items()}
    whole = neurons.part(model, "mini_films", "all")
    assert not rows["ranking"] & rows["measuring"]
    assert sum(len(part.records) for part in parts.values()) == len(whole.records) == 31
    with pytest.raises(BadInput, match="part"):
        neurons.part(model, "mini_films", "train")


def test_scores_are_those_of_the_functions_by_hand(neurons):
    found = neurons.scores("roberta", "mini_films", 1)
    model = neurons.prompts.prompted("roberta", "mini_films", 1)
    train = neurons.prompts.split(model, "mini_films", "train").records[:20]
    ranking = neurons.part(model, "mini_films", "ranking")
    counts = count_firings(model, ranking, baseline_activation(model, train), n_permutations=3)
    by_hand = neuron_scores(counts)
    assert torch.equal(found.predictivity, by_hand.predictivity)
    assert torch.equal(found.null, by_hand.null) and len(found.null) == 3
    assert (found.threshold_source, found.n_threshold) == ("clean-train", 20)


def test_scores_are_computed_once(neurons, monkeypatch):
    first = neurons.scores("roberta", "mini_films", 0)
    monkeypatch.setattr("mvp_skill.neuron_studies.count_firings", None)
    again = NeuronStudy(neurons.prompts).scores("roberta", "mini_films", 0)
    assert torch.equal(first.predictivity, again.predictivity)
    with pytest.raises(TypeError):  # another part, seed, threshold: scored anew
        neurons.scores("roberta", "mini_films", 0, part="all")
    with pytest.raises(TypeError):
        neurons.scores("roberta", "mini_films", 0, source="own")


def test_b5_the_source_of_the_thresholds_is_said_and_changes_the_scores(neurons):
    clean, own = (
        neurons.scores("roberta", "mini_films", 0, source=s) for s in ("clean-train", "own")
    )
    assert (clean.threshold_source, own.threshold_source) == ("clean-train", "own")
    assert own.n_threshold == int(own.n.sum())
    assert not torch.equal(clean.predictivity, own.predictivity)


def test_predictivity_is_the_mean_over_seeds(neurons):
    seeds = [neurons.scores("roberta", "mini_films", seed) for seed in (0, 1)]
    mean = (seeds[0].predictivity + seeds[1].predictivity) / 2
    assert_close(neurons.predictivity("roberta", "mini_films"), mean)
    assert_close(neurons.null("roberta", "mini_films"), (seeds[0].null + seeds[1].null) / 2)
    balanced = neurons.predictivity("roberta", "mini_films", balanced=True)
    assert_close(balanced, (seeds[0].balanced + seeds[1].balanced) / 2)


def test_the_decoders_neurons_are_scored_too(neurons):
    found = neurons.scores("t5", "mini_films", 0, stack="decoder")
    model = neurons.prompts.prompted("t5", "mini_films", 0)
    assert found.predictivity.shape == (len(model.decoder_ffn), 40)
    assert (found.prompt == 0).all(), "one position"
    with pytest.raises(BadInput, match="has no decoder"):
        DecoderNeurons(neurons.prompts.prompted("roberta", "mini_films", 0))


def test_a_split_is_known_by_tokens_and_labels(neurons):
    model = neurons.prompts.prompted("roberta", "mini_films", 0)
    whole = neurons.part(model, "mini_films", "all")
    turned = whole._replace(labels=1 - whole.labels)
    shorter = whole._replace(records=whole.records[:-1], labels=whole.labels[:-1])
    assert len({split_digest(split) for split in (whole, turned, shorter)}) == 3


def test_all_positions_have_scores_of_their_own(neurons):
    found = neurons.scores("roberta", "mini_films", 0, positions="all")
    usual = neurons.scores("roberta", "mini_films", 0)
    assert found.positions == "all" and (found.predictivity >= usual.predictivity).all()
    assert found.prompt.max() >= 5, "some neurons predict best at the text"
    with pytest.raises(BadInput, match="decoder reads no text"):
        neurons.scores("t5", "mini_films", 0, positions="all", stack="decoder")


def test_several_classes_are_scored_by_subtask(tmp_path):
    study = tiny_study(tmp_path, "mini-roberta", TASKS="mini_nli", SEEDS="0", N_TEST=45)
    neurons = NeuronStudy(study)
    with pytest.raises(BadInput, match="tells two classes apart, not 3"):
        neurons.scores("roberta", "mini_nli", 0)
    model = study.prompted("roberta", "mini_nli", 0)
    ranking = neurons.part(model, "mini_nli", "ranking")
    train = study.split(model, "mini_nli", "train").records[:20]
    usual = baseline_activation(model, train)
    for subtask in one_against_rest(3):
        found = neurons.scores("roberta", "mini_nli", 0, subtask=subtask)
        labels = (ranking.labels == subtask.second[0]).long()
        assert found.n.tolist() == labels.bincount().tolist()
        counts = count_firings(model, ranking, usual, n_permutations=0)
        fired = counts.fired[subtask.second[0]]
        both = replace(counts, fired=torch.stack([counts.fired.sum(0) - fired, fired]), n=found.n)
        assert torch.equal(found.balanced, neuron_scores(both).balanced)
