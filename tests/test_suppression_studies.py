"""Suppression curves of a study equal a slow loop, and nothing is measured twice."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from neuron_cases import accuracy_of, activations_of, planted_model, planted_split
from prompt_study_cases import tiny_study, write_adversarial_films
from torch.testing import assert_close

from mvp_skill import adversarial, suppression_studies
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import is_right
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.prediction import predict_records
from mvp_skill.right_tables import as_text
from mvp_skill.skill_neurons import skill_neurons
from mvp_skill.suppression import suppression
from mvp_skill.suppression_studies import (
    Curve,
    SuppressionStudy,
    rates_of,
    selections,
)
from mvp_skill.suppression_sweeps import each_suppressed_right

RATES = (0, 10, 30)


ADVERSARIAL = "mini_adv_films"


@pytest.fixture(scope="module")
def neurons(loud_backbone, loud_t5, tmp_path_factory):
    folder = tmp_path_factory.mktemp("curves")
    write_adversarial_films(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial, "MINI_FOLDER", folder)
        yield NeuronStudy(
            tiny_study(folder, loud_backbone, loud_t5, TASKS="mini_films", N_TEST=127)
        )


def silenced_right(model, split, selected, where=slice(None), put=None):
    """One example at a time; `put` [layer, neuron] is written over what selected neurons say."""
    put = torch.zeros(selected.shape) if put is None else put

    def written(layer, inputs):
        activation = inputs[0].clone()  # [batch, position, neuron]
        activation[:, where, selected[layer]] = put[layer, selected[layer]]
        return (activation,)

    handles = [
        module.register_forward_pre_hook(lambda _m, inputs, layer=layer: written(layer, inputs))
        for layer, module in enumerate(model.ffn)
    ]
    right = [
        predict_records(model, [record]).argmax().item() == label
        for record, label in zip(split.records, split.labels.tolist(), strict=True)
    ]
    for handle in handles:
        handle.remove()
    return as_text(torch.tensor(right))


@pytest.fixture
def runs(monkeypatch):
    """What the study hands over to be suppressed, run by run."""
    kept, given = [], suppression_studies.each_suppressed_right

    def keep(model, split, selections, **options):
        kept.extend(SimpleNamespace(split=split, selected=one, **options) for one in selections)
        return given(model, split, selections, **options)

    monkeypatch.setattr(suppression_studies, "each_suppressed_right", keep)
    return kept


def test_rows_equal_a_loop_that_overwrites_one_neuron_at_a_time(neurons):
    study = SuppressionStudy(neurons, RATES, n_draws=2, n_measured=9)
    for kind in ("roberta", "t5"):
        rows = study.rows([Curve(kind, "mini_films", 1)])
        assert list(rows["which"]) == ["none"] + ["skill", "random", "random"] * 2
        skill = skill_neurons(neurons.predictivity(kind, "mini_films"), 0.3)
        model = neurons.prompts.prompted(kind, "mini_films", 1)
        half = study.measured(Curve(kind, "mini_films", 1))
        weights = [module.weight.clone() for module in model.ffn]
        with torch.no_grad():
            for layer, neuron in skill.nonzero().tolist():
                model.ffn[layer].weight[:, neuron] = 0  # what nobody reads is suppressed
        pairs = zip(half.records, half.labels, strict=True)
        slowly = [predict_records(model, [record]).argmax() == label for record, label in pairs]
        with torch.no_grad():
            for module, weight in zip(model.ffn, weights, strict=True):
                module.weight.copy_(weight)
        found = rows[(rows["which"] == "skill") & (rows["rate"] == 30)]
        assert list(found["right"]) == [as_text(torch.stack(slowly))]
        assert (rows["n"] == 9).all()


SLICES = {"all": slice(None), "prompt": slice(5), "text": slice(5, None)}


@pytest.mark.parametrize("kind", ["roberta", "t5"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"data": ADVERSARIAL},
        {"ranked_on": ADVERSARIAL},
        {"ranking": "own seed"},
        {"positions": "prompt"},
        {"positions": "text"},
        {"how": "mean"},
    ],
    ids=lambda change: " ".join(sum(change.items(), ())) or "as usual",
)
def test_p12_p13_every_curve_is_what_it_is_called(neurons, change, seed, kind, runs):
    """Data, ranking, positions and usual activations are made anew from what the curve says."""
    curve = Curve(kind, "mini_films", seed)._replace(**change)
    rows = SuppressionStudy(neurons, (40,), n_draws=0).rows([curve])
    model = neurons.prompts.prompted(kind, "mini_films", seed)
    split = neurons.part(model, curve.data or "mini_films", "measuring")
    scores = [
        neurons.scores(kind, "mini_films", one, on=curve.ranked_on, part="ranking").predictivity
        for one in ((seed,) if curve.ranking == "own seed" else (0, 1))
    ]
    skill = skill_neurons(sum(scores) / len(scores), 0.4)
    assert torch.equal(runs[0].selected, skill) and runs[0].split.records == split.records
    usual = neurons.thresholds(kind, "mini_films", seed).mean.mean(dim=1)  # [layer, neuron]
    put = usual if curve.how == "mean" else None
    expected = silenced_right(model, split, skill, SLICES[curve.positions], put)
    assert list(rows[rows["which"] == "skill"]["right"]) == [expected]


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_what_curves_are_called_makes_a_difference(neurons, kind):
    """Otherwise the test above could not fail."""
    task, study = "mini_films", SuppressionStudy(neurons, (40,), n_draws=0)
    curve = Curve(kind, task, 1)
    selected = [
        skill_neurons(study.predictivity(one), 0.4)
        for one in (
            curve,
            curve._replace(ranked_on=ADVERSARIAL),
            curve._replace(ranking="own seed"),
            curve._replace(ranking="own seed", seed=0),
        )
    ]
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(selected, 2))
    split, skill = study.measured(curve), selected[0]
    usual = [neurons.thresholds(kind, task, seed).mean.mean(dim=1) for seed in (0, 1)]
    model = neurons.prompts.prompted(kind, task, 1)
    rights = [silenced_right(model, split, skill, where) for where in SLICES.values()]
    rights += [silenced_right(model, split, skill, put=put) for put in usual]
    assert len(set(rights)) == len(rights), rights


def test_b15_every_soft_prompt_has_random_neurons_of_its_own(neurons, runs, monkeypatch):
    seeds, given = [], suppression_studies.selections
    monkeypatch.setattr(
        suppression_studies, "selections", lambda *a: seeds.append(a[-1]) or given(*a)
    )
    curves = [Curve("t5", "mini_films", seed) for seed in (0, 1)]
    others = [Curve("roberta", "mini_films", 0), Curve("t5", "mini_restaurants", 0)]
    SuppressionStudy(neurons, (20,), n_draws=2, seed=3).rows([*curves, *others])
    SuppressionStudy(neurons, (20,), n_draws=2, seed=4).rows(curves)
    assert len(seeds) == len(set(seeds)) == 6
    assert [run.seed for run in runs] == [3] * 12 + [4] * 6, "of noise, the study's own"
    films = [run.selected for run in (*runs[:6], *runs[-6:])]  # skill and two draws, four times
    draws = [one for place, one in enumerate(films) if place % 3]
    for a, b in itertools.combinations(draws, 2):
        assert not torch.equal(a, b)


def test_rate_0_is_the_model_as_it_is_bit_for_bit(neurons):
    model = neurons.prompts.prompted("roberta", "mini_films", 0)
    half = neurons.part(model, "mini_films", "measuring")
    (none,) = selections(neurons.predictivity("roberta", "mini_films"), (0,), 3, seed=0)
    assert none.which == "none" and not none.neurons.any()
    with suppression(model, none.neurons):
        nothing = predict_records(model, half.records)
    assert torch.equal(nothing, predict_records(model, half.records))
    assert torch.equal(each_suppressed_right(model, half, [none.neurons])[0], is_right(model, half))


def test_b6_curves_are_measured_on_examples_that_no_neuron_was_ranked_on(neurons):
    study = SuppressionStudy(neurons, RATES, n_draws=1)
    measured = {r.ids.tobytes() for r in study.measured(Curve("t5", "mini_films", 0)).records}
    model = neurons.prompts.prompted("t5", "mini_films", 0)
    ranking = neurons.part(model, "mini_films", "ranking").records
    assert measured and not measured & {record.ids.tobytes() for record in ranking}


def test_fewer_examples_are_a_sample_with_the_class_shares_of_the_half(neurons):
    curve = Curve("t5", "mini_films", 0)
    half = neurons.part(neurons.prompts.prompted("t5", "mini_films", 0), "mini_films")
    found = SuppressionStudy(neurons, n_measured=20).measured(curve)
    place = {id(record): number for number, record in enumerate(half.records)}
    places = [place[id(record)] for record in found.records]
    assert places == sorted(set(places)) != list(range(20)) and len(places) == 20
    assert found.labels.equal(half.labels[places])
    shares = (half.labels.double().mean(), found.labels.double().mean())
    assert abs(shares[0] - shares[1]) < 1 / 20
    for n in (None, len(half.records), 1000):
        assert SuppressionStudy(neurons, n_measured=n).measured(curve).records == half.records


def test_b15_selections_are_nested_seeded_and_random_ones_are_no_skill_neurons():
    pred = torch.rand(3, 40, generator=torch.Generator().manual_seed(0))
    found = selections(pred, (0, 5, 25), 3, seed=4)
    sizes = [(one.rate, one.which, one.draw, int(one.neurons.sum())) for one in found]
    assert sizes[0] == (0, "none", 0, 0) and sizes[1] == (5, "skill", 0, 6)
    assert sizes[-3:] == [(25, "random", draw, 30) for draw in range(3)]
    most = next(one.neurons for one in found if one.which == "skill" and one.rate == 25)
    for draw in range(3):
        few, many = (one.neurons for one in found if (one.which, one.draw) == ("random", draw))
        assert (few <= many).all() and not (many & most).any()
    again, other = (selections(pred, (0, 5, 25), 3, seed=seed) for seed in (4, 5))
    assert all(torch.equal(a.neurons, b.neurons) for a, b in zip(found, again, strict=True))
    assert not torch.equal(found[2].neurons, other[2].neurons)
    with pytest.raises(BadInput, match="RATES"):
        selections(pred, (), 1, seed=0)


def test_the_planted_neuron_costs_all_accuracy_and_random_ones_none():
    model, split = planted_model(), planted_split(n_wrong=0)
    pred = torch.full((3, 11), 0.5)
    pred[1, 4] = 1.0
    found = selections(pred, (0, 10), 3, seed=0)
    accs = []
    for one in found:
        with suppression(model, one.neurons):
            accs.append(accuracy_of(model, split))
    guess = (split.labels == 0).double().mean().item()
    assert accs == [1.0, pytest.approx(guess), 1.0, 1.0, 1.0]


def test_a_curve_is_measured_once_whatever_is_asked_for_beside_it(neurons, runs):
    curves = [Curve("roberta", "mini_films", seed) for seed in (0, 1)]
    study = SuppressionStudy(neurons, RATES, n_draws=1, n_measured=7)
    first = study.rows(curves[:1])
    runs.clear()
    rows = SuppressionStudy(neurons, RATES, n_draws=1, n_measured=7).rows([*curves, curves[0]])
    assert len(runs) == 5, "the other seed only, and rate 0 once"
    assert len(rows) == 10 and rows[rows["seed"] == 0].reset_index(drop=True).equals(first)


@pytest.mark.parametrize(
    "change",
    [
        {"how": "mean"},
        {"how": "gaussian"},
        {"how": "resample", "positions": "prompt"},
        {"positions": "text"},
        {"ranking": "own seed"},
    ],
    ids=lambda change: next(iter(change.values())),
)
def test_p12_p13_other_ways_positions_and_rankings_are_other_files(neurons, change):
    study, usual = SuppressionStudy(neurons, (30,), n_draws=1), Curve("t5", "mini_films", 0)
    rows = study.rows([usual, usual._replace(**change)])
    assert len(rows) == 4 and set(rows["data"]) == {"mini_films"}
    assert study._path(usual) != study._path(usual._replace(**change))


def test_files_differ_by_all_that_runs_depend_on(neurons):
    curve = Curve("t5", "mini_films", 0)
    studies = [
        SuppressionStudy(neurons, rates, n_draws, n_measured, seed)
        for rates, n_draws, n_measured, seed in (
            ((0, 5), 1, 5, 0),
            ((0, 10), 1, 5, 0),
            ((0, 5), 2, 5, 0),
            ((0, 5), 1, 6, 0),
            ((0, 5), 1, 5, 1),
        )
    ]
    paths = [study._path(curve) for study in studies] + [studies[0]._path(curve._replace(seed=1))]
    assert all(a != b for a, b in itertools.combinations(paths, 2))


def test_what_cannot_be_meant_is_refused(neurons):
    with pytest.raises(BadInput, match="N_DRAWS"):
        SuppressionStudy(neurons, RATES, n_draws=-1)
    with pytest.raises(BadInput, match="N_MEASURED"):
        SuppressionStudy(neurons, RATES, n_measured=0)
    with pytest.raises(BadInput, match="RATES goes up to 60 per cent; give 50 at most, as"):
        SuppressionStudy(neurons, (0, 60))
    with pytest.raises(BadInput, match="ranking"):
        SuppressionStudy(neurons).rows([Curve("t5", "mini_films", 0, ranking="best")])


def test_rates_are_in_order_and_begin_at_0():
    assert rates_of("5, 1,15") == (0, 1, 5, 15) and rates_of([0, 3, 3]) == (0, 3)
    with pytest.raises(BadInput, match="RATES"):
        rates_of("1.5")


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_p12_activity_equals_a_loop_over_examples(neurons, kind):
    study, curve = SuppressionStudy(neurons, n_measured=6), Curve(kind, "mini_films", 0)
    ever, size = study.activity(curve)
    model = neurons.prompts.prompted(kind, "mini_films", 0)
    records = study.measured(curve).records
    acts = torch.stack([activations_of(model, record)[:, :5] for record in records])
    assert torch.equal(ever, (acts > 0).any(dim=0).any(dim=1))
    assert_close(size, acts.abs().mean(dim=(0, 2)), atol=1e-5, rtol=1e-4)
