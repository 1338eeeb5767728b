"""Sweeps give what suppression around every pass gives, and compute less."""

import pytest
import torch
from neuron_cases import SmallModel, some_split
from prompt_study_cases import tiny_study

from mvp_skill import activations, prediction, suppression_sweeps
from mvp_skill.errors import BadInput
from mvp_skill.hooks import edit, remembered
from mvp_skill.prediction import predict_records
from mvp_skill.suppression import suppression
from mvp_skill.suppression_sweeps import each_suppressed_logits, each_suppressed_right

WAYS = [("zero", "all"), ("zero", "prompt"), ("zero", "text"), ("mean", "all")]
WAYS += [("gaussian", "all"), ("resample", "prompt")]


@pytest.fixture(scope="module")
def study(loud_backbone, loud_t5, tmp_path_factory):
    return tiny_study(tmp_path_factory.mktemp("sweeps"), loud_backbone, loud_t5, N_TEST=33)


@pytest.fixture(autouse=True)
def several_small_batches(monkeypatch):
    monkeypatch.setitem(prediction.EVALUATION_TOKENS, "cpu", 300)


def some_neurons(model, from_layer=0):
    shape = len(model.ffn), model.ffn[0].weight.shape[1]
    generator = torch.Generator().manual_seed(3)
    chosen = [torch.rand(shape, generator=generator) < share for share in (0, 0.1, 0.5)]
    for one in chosen:
        one[:from_layer] = False
    return chosen


def options_of(how, model):
    usual = torch.randn(len(model.ffn), 5, model.ffn[0].weight.shape[1])
    given = {"mean": {"baseline_activation": usual}, "gaussian": {"sd": 0.7}}
    return {"seed": 4} | given.get(how, {})


@pytest.mark.parametrize("kind", ["roberta", "t5"])
@pytest.mark.parametrize(("how", "positions"), WAYS)
@pytest.mark.parametrize("from_layer", [0, 1])
def test_a_sweep_equals_suppression_around_each_pass(study, kind, how, positions, from_layer):
    model = study.prompted(kind, "mini_films", 0)
    split, given = study.split(model, "mini_films"), options_of(how, model)
    chosen = some_neurons(model, from_layer)
    slowly = []
    for one in chosen:
        with suppression(model, one, how, positions, **given):
            slowly.append(predict_records(model, split.records))
    found = each_suppressed_logits(model, split.records, chosen, how, positions, **given)
    torch.testing.assert_close(found, torch.stack(slowly), atol=1e-4, rtol=1e-4)
    if positions != "text" or not from_layer:  # RoBERTa's label does not read the last layer's text
        assert not torch.allclose(found[0], found[2], atol=1e-3), "it makes a difference"
    right = each_suppressed_right(model, split, chosen, how=how, positions=positions, **given)
    assert torch.equal(right, found.argmax(dim=-1) == split.labels)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_what_comes_before_the_neurons_is_computed_once_for_each_batch(study, kind, monkeypatch):
    model = study.prompted(kind, "mini_films", 0)
    records, chosen = study.split(model, "mini_films").records, some_neurons(model)
    calls, given = [], suppression_sweeps.remembered
    first = model.up_to_neurons(0)[0]

    def counted(module):
        if module is first:
            compute = module.forward
            monkeypatch.setattr(
                module, "forward", lambda *a, **k: calls.append(1) or compute(*a, **k)
            )
        return given(module)

    monkeypatch.setattr(suppression_sweeps, "remembered", counted)
    monkeypatch.setitem(prediction.EVALUATION_TOKENS, "cpu", 10**6)
    each_suppressed_logits(model, records, chosen)
    assert len(calls) == 1


def test_what_is_remembered_is_forgotten_after_the_block():
    module, seen = torch.nn.Linear(3, 2), torch.randn(4, 3)
    usual = module(seen)
    with remembered(module):
        assert torch.equal(module(seen), usual) and torch.equal(module(seen + 1), usual)
    assert not torch.equal(module(seen + 1), usual) and "forward" not in vars(module)
    with pytest.raises(BadInput), remembered(module):
        raise BadInput("An error in the block.")
    assert torch.equal(module(seen), usual)


def test_sweeps_refuse_what_suppression_refuses(study):
    model = study.prompted("t5", "mini_films", 0)
    records = study.split(model, "mini_films").records
    with pytest.raises(BadInput, match="way to suppress"):
        each_suppressed_logits(model, records, some_neurons(model), "half")
    with pytest.raises(BadInput, match="bool tensor of shape"):
        each_suppressed_logits(model, records, [torch.zeros(1, 2)])


def test_the_last_network_of_roberta_is_whole_when_somebody_looks(study):
    model = study.prompted("roberta", "mini_films", 0)
    records = study.split(model, "mini_films").records
    plain, shapes = predict_records(model, records), set()
    look = lambda there: shapes.add(there.shape[1]) or there  # noqa: E731
    with edit(model.ffn[-1], look):
        looked_at = predict_records(model, records)
    assert min(shapes) > 5
    torch.testing.assert_close(plain, looked_at, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_observing_the_prompt_equals_observing_every_position(study, kind, monkeypatch):
    model = study.prompted(kind, "mini_films", 0)
    records, seen = study.split(model, "mini_films").records, {"prompt": {}, "all": {}}
    for positions, found in seen.items():
        activations.observe(
            model,
            records,
            lambda layer, there, batch, to=found: to.update({(layer, *batch): there[:, :5]}),
            positions,
        )
    assert seen["prompt"].keys() == seen["all"].keys() and len(seen["all"]) > 2
    for key, there in seen["prompt"].items():
        torch.testing.assert_close(there, seen["all"][key], atol=1e-5, rtol=1e-5)


def test_a_model_without_a_last_reader_is_observed_too():
    model, split, shapes = SmallModel(), some_split(), []
    activations.observe(model, split.records, lambda _l, there, _b: shapes.append(there.shape[1]))
    assert set(shapes) == {5}
