"""Rankings of clean and adversarial data: statistics against loops, verdicts on planted cases."""

import json
from functools import partial

import pytest
import torch
from prompt_study_cases import tiny_study
from sklearn.metrics import roc_auc_score

from mvp_skill.carry_over import (
    Carried,
    carried_over,
    carries_over,
    compared,
    correlation_of_layers,
    does_not_carry_over,
    keeps_more,
    loses,
    mean_auc,
    precisions,
    tasks_with_adversarial,
)
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.subsamples import halves

AUC = partial(mean_auc, fraction=0.1)
N_LAYERS, N_NEURONS = 3, 41


def planted(signal=0.2, adversarial=1.0, n_seeds=3, n_draws=19, seed=0):
    """Four skill neurons a layer, with `adversarial` of their signal on adversarial data."""
    generator = torch.Generator().manual_seed(seed)
    skill = torch.zeros(N_LAYERS, N_NEURONS)
    skill[:, 7:11] = signal

    def noise(*shape):
        return 0.5 + torch.rand(*shape, N_LAYERS, N_NEURONS, generator=generator) / 10

    return Carried(
        clean=noise(n_seeds) + skill,
        adversarial=noise(n_seeds) + adversarial * skill,
        own=noise(n_seeds) + adversarial * skill,
        null=noise(n_seeds, n_draws),
        control=noise(n_seeds, n_draws) + skill,
        n=torch.tensor([20, 21]),
    )


def test_statistics_equal_a_loop_over_seeds_draws_and_layers():
    found = planted(signal=0.05)
    auc = compared(found, AUC)
    assert auc.null_of_seeds.shape == auc.control_of_seeds.shape == (3, 19)
    for seed in range(3):
        for draw in (0, 7, 18):
            by_layer = []
            for layer in range(N_LAYERS):
                order = found.clean[seed, layer].argsort(descending=True)[:4]
                is_skill = torch.zeros(N_NEURONS)
                is_skill[order] = 1
                by_layer.append(roc_auc_score(is_skill, found.control[seed, draw, layer]))
            expected = sum(by_layer) / N_LAYERS
            assert auc.control_of_seeds[seed, draw].item() == pytest.approx(expected)
    assert auc.control[4].item() == pytest.approx(auc.control_of_seeds[:, 4].mean().item())
    assert auc.mean.item() == pytest.approx(auc.adversarial.mean().item())


def test_precisions_count_the_top_neurons_that_are_found_again():
    found = planted(signal=0.05)
    curve = compared(found, partial(precisions, fractions=[0.1, 0.25]))
    assert curve.mean.shape == (2,) and curve.null.shape == (19, 2)
    for place, k in enumerate((4, 10)):
        shares = []
        for layer in range(N_LAYERS):
            tops = [
                set(pred[1, layer].argsort(descending=True)[:k].tolist())
                for pred in (found.clean, found.adversarial)
            ]
            shares.append(len(tops[0] & tops[1]) / k)
        assert curve.adversarial[1, place].item() == pytest.approx(sum(shares) / N_LAYERS)


def test_correlations_are_per_layer():
    from scipy.stats import spearmanr

    found = planted(signal=0.05)
    rho = compared(found, correlation_of_layers)
    for layer in range(N_LAYERS):
        expected = spearmanr(found.clean[2, layer], found.adversarial[2, layer]).statistic
        assert rho.adversarial[2, layer].item() == pytest.approx(expected)


def test_skill_that_is_there_and_skill_that_is_gone_are_told_apart():
    there, gone = compared(planted(), AUC), compared(planted(adversarial=0), AUC)
    assert (there.p.item(), gone.p.item() > 0.05) == (pytest.approx(1 / 20), True)
    assert there.kept.mean() > 0.9 and gone.kept.abs().max() < 0.3
    assert (carries_over([there, there]), does_not_carry_over([there])) == (True, False)
    assert (carries_over([there, gone]), does_not_carry_over([gone, gone])) == (False, True)
    assert does_not_carry_over([there, gone]) is False
    assert loses([gone]) is True and loses([there, gone]) is False
    assert keeps_more([there], [gone]) is True and keeps_more([gone], [there]) is False


def test_part_of_the_skill_is_more_than_chance_and_less_than_clean_samples_have():
    found = compared(planted(adversarial=0.2, signal=0.1), AUC)
    assert carries_over([found]) is True and loses([found]) is True
    assert 0.1 < found.kept.mean() < 0.95


def test_where_clean_samples_do_not_show_it_nothing_is_said():
    """A task that was not learnt, or too few permutations: not "does not carry over"."""
    blind = compared(planted(signal=0, adversarial=0), AUC)
    few = compared(planted(n_draws=5), AUC)
    for found in (blind, few):
        assert not found.is_able
        assert carries_over([found]) is does_not_carry_over([found]) is loses([found]) is None
    assert carries_over([]) is None and keeps_more([], []) is None
    there = compared(planted(), AUC)
    assert carries_over([there, blind]) is True  # the one that could show decides
    two_seeds = compared(planted(n_seeds=2), AUC)
    assert keeps_more([two_seeds], [compared(planted(adversarial=0, n_seeds=2), AUC)]) is None


@pytest.fixture
def adversarial_folder(tmp_path, monkeypatch):
    """A set of 8 texts of mini_films, four of each class."""
    header = {"task": "mini_adv_films", "clean_task": "mini_films", "provenance": {"by": "hand"}}
    texts = ["a great film", "a terrible film"]
    lines = [header] + [
        {
            "texts": [f"{texts[i % 2]} {'.' * i}"],
            "label": 1 - i % 2,
            "original_texts": [texts[i % 2]],
        }
        for i in range(8)
    ]
    path = tmp_path / "mini_adv_films.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    monkeypatch.setattr("mvp_skill.adversarial.MINI_FOLDER", tmp_path)


def test_a_study_is_compared(tiny_backbone, tmp_path, adversarial_folder):
    study = tiny_study(tmp_path, tiny_backbone, TASKS="mini_films, mini_restaurants")
    assert tasks_with_adversarial(study) == {"mini_films": "mini_adv_films"}
    neurons = NeuronStudy(study)
    found = carried_over(neurons, "roberta", "mini_films", n_control=4)
    shape = found.clean.shape[1:]
    assert found.adversarial.shape == found.own.shape == (2, *shape)
    assert (found.null.shape, found.control.shape) == ((2, 3, *shape), (2, 4, *shape))
    assert found.n.tolist() == [4, 4]
    ranking = neurons.scores("roberta", "mini_films", 1).predictivity
    assert torch.equal(found.clean[1], ranking)
    assert not torch.equal(found.adversarial, found.own), "B5"
    with pytest.raises(BadInput, match="no adversarial set"):
        carried_over(neurons, "roberta", "mini_restaurants")


def test_a_study_without_adversarial_sets_is_refused(tiny_backbone, tmp_path):
    study = tiny_study(tmp_path, tiny_backbone, TASKS="mini_restaurants, mini_acts")
    with pytest.raises(BadInput, match="None of the tasks mini_restaurants, mini_acts has"):
        tasks_with_adversarial(study)


def test_too_small_a_test_split_is_refused_before_anything_is_tuned(
    tiny_backbone, tmp_path, adversarial_folder
):
    study = tiny_study(tmp_path, tiny_backbone, TASKS="mini_films", N_TEST=14)
    with pytest.raises(BadInput, match="larger N_TEST"):
        tasks_with_adversarial(study)
    assert not (tmp_path / "prompts").exists()
    labels = torch.arange(16) % 2
    assert [len(half.labels) for half in halves(Split(list(range(16)), labels), 0)] == [8, 8]
