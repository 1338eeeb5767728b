"""Tables of a study's neurons, against what they are made of."""

from dataclasses import replace

import pytest
import torch
from prompt_study_cases import tiny_study
from scipy.stats import spearmanr

from mvp_skill.errors import BadInput
from mvp_skill.learnt import has_learnt
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.neuron_tables import (
    adversarial_scores,
    adversarial_sets,
    agreement_of_halves,
    existence_rows,
    inhibitory_by_layer,
    mean_of,
    pairs_of,
    scores_of,
    task_pairs,
)


@pytest.fixture(scope="module")
def study(loud_backbone, tmp_path_factory):
    neurons = NeuronStudy(tiny_study(tmp_path_factory.mktemp("tables"), loud_backbone))
    return neurons, *(scores_of(neurons, part) for part in ("ranking", "measuring"))


def rho(a, b):
    layers = [spearmanr(x, y).statistic for x, y in zip(a, b, strict=True)]
    return pytest.approx(sum(layers) / len(layers))


def test_b6_rows_are_of_the_half_that_neurons_were_not_chosen_on(study):
    neurons, ranked, measured = study
    rows = existence_rows(neurons, ranked, measured, fraction=0.1)
    assert list(rows["task"]) == ["mini_films", "mini_restaurants"]
    films = rows.iloc[0]
    key = ("roberta", "mini_films")
    ranking, measuring = (mean_of(half[key]) for half in (ranked, measured))
    assert films["ranked"] == ranking.max().item()
    assert films["measured"] == measuring[films["layer"], films["neuron"]].item()
    assert films["n"] == int(measured[key][0].n.sum()) == 15
    assert films["null_max"] == mean_of(measured[key], "null").max().item()
    accs = []
    for seed in (0, 1):
        model = neurons.prompts.prompted("roberta", "mini_films", seed)
        accs.append(neurons.right(model, "mini_films", "measuring").double().mean().item())
    assert films["acc"] == pytest.approx(sum(accs) / 2) and accs[0] != accs[1]


def test_the_prompts_are_asked_once_who_may_have_seen_the_examples(study, monkeypatch):
    neurons, ranked, measured = study
    asked = []
    monkeypatch.setattr(neurons.prompts, "flagged", lambda: asked.append(1) or {})
    assert len(existence_rows(neurons, ranked, measured, fraction=0.1)) == 2 and len(asked) == 1


def test_b8_balanced_rows_do_not_reward_the_commoner_class(study):
    neurons, ranked, measured = study
    plain = existence_rows(neurons, ranked, measured, fraction=0.1)
    balanced = existence_rows(neurons, ranked, measured, fraction=0.1, balanced=True)
    for number, key in enumerate(ranked):
        chosen = mean_of(ranked[key], "balanced")
        tested, null = (mean_of(measured[key], name) for name in ("balanced", "null_balanced"))
        row, top = balanced.iloc[number], chosen.flatten().argsort(descending=True, stable=True)[:9]
        assert row["ranked"] == chosen.max().item()
        assert row["measured"] == tested[row["layer"], row["neuron"]].item()
        assert row["null_max"] == null.max().item() != plain["null_max"][number]
        beaten_by = (null.amax(dim=(1, 2)) >= row["measured"]).sum().item()
        assert row["p"] == pytest.approx((1 + beaten_by) / (1 + len(null)))
        assert row["top_mean"] == pytest.approx(tested.flatten()[top].mean().item())
        best = max(one.flatten()[top].mean().item() for one in null)
        assert row["top_null_max"] == pytest.approx(best)
        assert row["top_null_max"] != plain["top_null_max"][number]
    assert (plain["n_constant"] == balanced["n_constant"]).all()
    assert (plain["majority_rate"] >= 0.5).all()


def test_pairs_are_of_all_prompts_and_say_what_they_share(study):
    _, ranked, _ = study
    frame = pairs_of(ranked, "roberta")
    assert len(frame) == 6  # two tasks, two seeds
    row = frame[(frame["first"] == "mini_films-0") & (frame["second"] == "mini_restaurants-1")]
    films, restaurants = (ranked["roberta", t] for t in ("mini_films", "mini_restaurants"))
    assert row["rho"].item() == rho(films[0].predictivity, restaurants[1].predictivity)
    assert row["pair"].item() == "same type" and not row["same_seed"].item()
    assert (frame["pair"] == "same task").sum() == 2
    assert pairs_of(ranked, "t5").empty


def test_tasks_are_compared_by_their_mean_over_seeds(study):
    _, ranked, _ = study
    (row,) = task_pairs(ranked, "roberta", "balanced").to_dict("records")
    assert (row["first"], row["second"]) == ("mini_films", "mini_restaurants")
    means = [mean_of(found, "balanced") for found in ranked.values()]
    assert row["rho"] == rho(*means)


def test_halves_agree_as_far_as_their_scores_do(study):
    _, ranked, measured = study
    films = agreement_of_halves(ranked, measured).iloc[0]
    key = ("roberta", "mini_films")
    both = [
        spearmanr(a.predictivity[layer], b.predictivity[layer]).statistic
        for a, b in zip(ranked[key], measured[key], strict=True)
        for layer in range(len(a.predictivity))
    ]
    assert films["rho"] == pytest.approx(sum(both) / len(both))
    same = agreement_of_halves(ranked, ranked)
    assert torch.allclose(torch.tensor(same["rho"].to_numpy()), torch.ones(2).double())


def test_the_models_accuracy_is_of_the_seeds_that_the_scores_are_of(study):
    neurons, _, _ = study
    for seed in (0, 1):
        halves = [scores_of(neurons, part, seeds=[seed]) for part in ("ranking", "measuring")]
        rows = existence_rows(neurons, *halves, seeds=[seed])
        model = neurons.prompts.prompted("roberta", "mini_restaurants", seed)
        right = neurons.right(model, "mini_restaurants", "measuring")
        assert rows["acc"][1] == pytest.approx(right.double().mean().item())
        assert rows["learnt"][1] == has_learnt(rows["acc"][1], len(right), rows["majority_rate"][1])


def test_b8_inhibitory_shares_are_of_the_neurons_of_a_layer_that_are_not_constant(study):
    _, scored, _ = study
    generator = torch.Generator().manual_seed(0)
    shape = scored["roberta", "mini_films"][0].excitatory.shape

    def some(share):
        return torch.rand(shape, generator=generator) < share

    ranked = {key: [replace(s, constant=some(0.4)) for s in seeds] for key, seeds in scored.items()}
    ranked["roberta", "mini_films"][0].constant[0] = True  # this seed has no neuron in the layer
    few = {key: some(0.3) for key in ranked}
    few["roberta", "mini_films"][1] = False  # nor has this task in this one
    for selected in (None, few):
        found = inhibitory_by_layer(ranked, selected)
        assert list(found.index) == ["roberta"] and list(found.columns) == [1, 2]
        for layer in range(2):
            of_tasks = []
            for key, seeds in ranked.items():
                shares = []
                for s in seeds:
                    chosen = [n for n in range(shape[1]) if not s.constant[layer, n]]
                    chosen = [n for n in chosen if selected is None or selected[key][layer, n]]
                    signs = [bool(s.excitatory[layer, n]) for n in chosen]
                    shares += [signs.count(False) / len(signs)] if signs else []
                of_tasks += [sum(shares) / len(shares)] if shares else []
            expected = sum(of_tasks) / len(of_tasks)
            assert found.loc["roberta", layer + 1] == pytest.approx(expected)


def test_adversarial_sets_are_read_with_the_prompts_of_their_task(study):
    neurons, _, _ = study
    assert adversarial_sets(neurons.prompts) == ("mini_adv_films",)
    found = adversarial_scores(neurons, ["mini_adv_films"])
    assert list(found) == [("roberta", "mini_adv_films")]
    model = neurons.prompts.start("roberta", "mini_films")
    labels = neurons.part(model, "mini_adv_films", "apart").labels
    assert len(labels) < len(neurons.part(model, "mini_adv_films", "all").labels)
    for seed, scores in enumerate(found["roberta", "mini_adv_films"]):
        assert scores.n.tolist() == labels.bincount().tolist()
        same = neurons.scores("roberta", "mini_films", seed, on="mini_adv_films", part="apart")
        assert scores.predictivity.equal(same.predictivity)
        assert scores.threshold_source == "clean-train"


def test_adversarial_sets_that_are_not_there_are_left_out(study, monkeypatch):
    neurons, _, _ = study

    def missing(name):
        raise BadInput(f"{name} is not there.")

    monkeypatch.setattr(neurons.prompts, "data", missing)
    assert adversarial_sets(neurons.prompts) == ()
