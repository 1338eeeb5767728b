"""Rankings of clean and adversarial data: statistics against loops, verdicts on planted cases."""

from functools import partial
from itertools import combinations

import pytest
import torch
from neuron_cases import activations_of
from prompt_study_cases import tiny_study, write_adversarial_films
from sklearn.metrics import roc_auc_score

from mvp_skill.carry_over import (
    Carried,
    Compared,
    accuracies,
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
from mvp_skill.prediction import predict_records
from mvp_skill.subsamples import halves, samples_like

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
    assert there.kept > 0.9 and gone.kept.abs() < 0.3
    assert there.kept_of_seeds.min() > 0.9 and gone.kept_of_seeds.abs().max() < 0.3
    assert (carries_over([there, there]), does_not_carry_over([there])) == (True, False)
    assert (carries_over([there, gone]), does_not_carry_over([gone, gone])) == (False, True)
    assert does_not_carry_over([there, gone]) is False
    assert loses([gone]) is True and loses([there, gone]) is False
    assert keeps_more([there], [gone]) is True and keeps_more([gone], [there]) is False


def test_part_of_the_skill_is_more_than_chance_and_less_than_clean_samples_have():
    found = compared(planted(adversarial=0.2, signal=0.1), AUC)
    assert carries_over([found]) is True and loses([found]) is True
    assert 0.1 < found.kept < 0.95


def test_a_seed_without_skill_does_not_make_the_share_that_is_kept():
    """Its clean samples are hardly above chance: a small number over one that is nearly 0."""
    null = torch.tensor([[0.4, 0.6], [0.5, 0.7], [0.5, 0.5]])  # means 0.5, 0.6, 0.5
    control = torch.tensor([[0.9, 0.9], [0.6, 0.62], [0.8, 0.8]])  # 0.9, 0.61, 0.8
    found = Compared(adversarial := torch.tensor([0.6, 0.68, 0.5]), adversarial, null, control)
    chance, clean = (0.5 + 0.6 + 0.5) / 3, (0.9 + 0.61 + 0.8) / 3
    assert found.kept.item() == pytest.approx((1.78 / 3 - chance) / (clean - chance))
    assert found.kept_of_seeds[[0, 2]].tolist() == pytest.approx([0.25, 0.0])
    assert found.kept_of_seeds[1].isnan(), "it would be 8"
    other = compared(planted(), AUC)
    able = found._replace(
        control_of_seeds=torch.full((3, 19), 0.9), null_of_seeds=torch.zeros(3, 19)
    )
    assert keeps_more([other], [able]) is not None
    weak = able._replace(null_of_seeds=torch.tensor([0.0, 0.95, 0.0])[:, None].expand(3, 19))
    assert keeps_more([other], [weak]) is None


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


def test_p_counts_permutations_that_are_just_as_good():
    """Of four, one is better and two are as good: (1 + 3) / (1 + 4). A second column is best."""
    adversarial = torch.tensor([[0.5, 1.5], [0.75, 1.5]])  # means 0.625, exact in binary, and 1.5
    null = torch.tensor([0.5, 0.75, 0.625, 0.625])[None, :, None].expand(2, 4, 2)
    found = Compared(adversarial, adversarial, null, null)
    assert found.p.tolist() == pytest.approx([4 / 5, 1 / 5])


@pytest.fixture
def adversarial_folder(tmp_path, monkeypatch):
    """A set of mini_films: seven texts of class 0, six of class 1."""
    write_adversarial_films(tmp_path)
    monkeypatch.setattr("mvp_skill.adversarial.MINI_FOLDER", tmp_path)


@pytest.fixture(scope="module")
def neurons(loud_backbone, loud_t5, tmp_path_factory):
    folder = tmp_path_factory.mktemp("carried")
    write_adversarial_films(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mvp_skill.adversarial.MINI_FOLDER", folder)
        yield NeuronStudy(
            tiny_study(
                folder, loud_backbone, loud_t5, TASKS="mini_films, mini_restaurants", N_TEST=61
            )
        )


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_b5_b6_a_study_is_compared_on_the_data_and_by_the_thresholds_it_says(neurons, kind):
    assert tasks_with_adversarial(neurons.prompts) == {"mini_films": "mini_adv_films"}
    found = carried_over(neurons, kind, "mini_films", n_control=4)
    assert found.n.tolist() == [7, 6]
    named = {
        "clean": {"part": "ranking"},
        "adversarial": {"on": "mini_adv_films", "part": "all"},
        "own": {"on": "mini_adv_films", "part": "all", "source": "own"},
    }
    for seed in (0, 1):
        scores = {
            name: neurons.scores(kind, "mini_films", seed, **which) for name, which in named.items()
        }
        for name, expected in scores.items():
            assert torch.equal(getattr(found, name)[seed], expected.predictivity), name
        assert torch.equal(found.null[seed], scores["adversarial"].null)
        assert not torch.equal(found.null[seed], scores["own"].null), "it could be told"
        for a, b in combinations([one.predictivity for one in scores.values()], 2):
            assert not torch.equal(a, b), "they could be told apart"
    assert (found.clean[0] != found.clean[1]).any()
    with pytest.raises(BadInput, match="no adversarial set"):
        carried_over(neurons, kind, "mini_restaurants")


def predictivity_by_hand(model, sample, thresholds):
    """Example by example, [layer, neuron]."""
    says = [activations_of(model, record)[:, :5] > thresholds.mean for record in sample.records]
    right = [fires == bool(label) for fires, label in zip(says, sample.labels, strict=True)]
    share = torch.stack(right).double().mean(dim=0)  # [layer, prompt, neuron]
    return torch.maximum(share, 1 - share).amax(dim=1)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_b6_the_clean_control_is_drawn_from_the_half_that_ranks_nothing(neurons, kind):
    found = carried_over(neurons, kind, "mini_films", n_control=3)
    for seed in (0, 1):
        model = neurons.prompts.prompted(kind, "mini_films", seed)
        usual = neurons.thresholds(kind, "mini_films", seed)
        like = neurons.part(model, "mini_adv_films", "all")
        measuring, ranking, whole = (
            [
                predictivity_by_hand(model, sample, usual)
                for sample in samples_like(like, neurons.part(model, "mini_films", part), 3)
            ]
            for part in ("measuring", "ranking", "all")
        )
        for draw in range(3):
            control = found.control[seed, draw].double()
            assert torch.allclose(control, measuring[draw], atol=1e-6)
            assert not torch.allclose(control, ranking[draw], atol=0.05)
            assert not torch.allclose(control, whole[draw], atol=0.05)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_accuracies_are_of_the_measuring_half_and_of_the_adversarial_set(neurons, kind):
    row, shares = accuracies(neurons, kind, "mini_films"), {}
    for data, part in (
        ("mini_films", "measuring"),
        ("mini_films", "ranking"),
        ("mini_films", "all"),
        ("mini_adv_films", "all"),
    ):
        right = []
        for seed in (0, 1):
            model = neurons.prompts.prompted(kind, "mini_films", seed)
            split = neurons.part(model, data, part)
            logits = torch.cat([predict_records(model, [record]) for record in split.records])
            right.append((logits.argmax(dim=1) == split.labels).double().mean().item())
        assert right[0] != right[1], "seeds could be told apart"
        shares[data, part] = sum(right) / 2
    assert len(set(shares.values())) == 4, "they could be told apart"
    assert row["clean"] == pytest.approx(shares["mini_films", "measuring"])
    assert row["adversarial"] == pytest.approx(shares["mini_adv_films", "all"])
    assert (row["n_clean"], row["n_adversarial"]) == (30, 13)
    assert row["guess_clean"] == pytest.approx(1 / 2)
    assert row["guess_adversarial"] == pytest.approx(7 / 13)
    assert (row["kind"], row["task"]) == (kind, "mini_films")


def test_a_study_without_adversarial_sets_is_refused(tiny_backbone, tmp_path):
    study = tiny_study(tmp_path, tiny_backbone, TASKS="mini_restaurants, mini_acts")
    with pytest.raises(BadInput, match="None of mini_restaurants, mini_acts has"):
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
