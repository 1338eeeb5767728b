"""Pruned models: against the whole model whose removed neurons say what they usually say."""

import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mvp_skill.errors import BadInput
from mvp_skill.neuron_counts import baseline_activation
from mvp_skill.prompt_tuning import build_prompted
from mvp_skill.pruning import (
    KEPT,
    ffn_inputs,
    first_pruned_layer,
    folded_bias,
    in_layers_from,
    n_parameters,
    pruned,
    remaining_share,
)
from mvp_skill.skill_neurons import random_neurons, skill_neurons
from mvp_skill.suppression import suppression
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train
from mvp_skill.weights import fingerprint, frozen_weights

TEXTS = ["a good film", "terrible", "the story was wonderful and the people were not"]
KINDS = ["roberta", "t5"]


@pytest.fixture
def models(tiny_backbone, tiny_t5):
    folders = {"roberta": tiny_backbone, "t5": tiny_t5}
    made = {k: build_prompted(str(f), "mini_films", n_prompt=5) for k, f in folders.items()}
    for prompted in made.values():
        louder(prompted)
    return made


def louder(prompted):
    """Random neurons say next to nothing; so loud, what becomes of them can be seen."""
    with torch.no_grad():
        for into, out in zip(ffn_inputs(prompted), prompted.ffn, strict=True):
            for linear in (*into, out):
                linear.weight.mul_(6)


def usual_of(prompted):
    return baseline_activation(prompted, prompted.encode(TEXTS)).mean


def some_kept(prompted, fraction=0.4, first_layer=1):
    shape = len(prompted.ffn), prompted.ffn[0].weight.shape[1]
    return in_layers_from(random_neurons(shape, fraction, n_draws=1, seed=3)[0], first_layer)


def test_the_folded_bias_is_the_sum_over_removed_neurons():
    generator = torch.Generator().manual_seed(0)
    weight, mean = torch.randn(5, 7, generator=generator), torch.randn(7, generator=generator)
    removed = torch.tensor([True, False, True, True, False, False, True])
    for bias in (torch.arange(5.0), None):
        by_hand = torch.zeros(5) if bias is None else bias.clone()
        for unit in (0, 2, 3, 6):
            by_hand += weight[:, unit] * mean[unit]
        assert_close(folded_bias(weight, bias, mean, removed), by_hand)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first_layer", [0, 1])
def test_a_pruned_model_computes_what_the_whole_does_with_mean_activations(
    kind, first_layer, models
):
    prompted = models[kind]
    kept, usual = some_kept(prompted, first_layer=first_layer), usual_of(prompted)
    with suppression(prompted, ~kept, "mean", baseline_activation=usual):
        expected = prompted(TEXTS)
    found = pruned(prompted, kept, usual)(TEXTS)
    assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, prompted(TEXTS), atol=1e-3)


def test_the_gated_t5_is_pruned_on_both_of_its_ways_in(tiny_t5):
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    from mvp_skill.prompted import PromptedT5

    given = T5Config.from_pretrained(tiny_t5).to_dict()
    gated = {"feed_forward_proj": "gated-gelu", "is_gated_act": True, "dense_act_fn": "gelu_new"}
    plain = build_prompted(str(tiny_t5), "mini_films", n_prompt=5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = T5ForConditionalGeneration(T5Config(**{**given, **gated}))
    tokenizer = AutoTokenizer.from_pretrained(tiny_t5)
    prompted = PromptedT5(backbone, tokenizer, plain.settings, plain.soft_prompt.detach()).eval()
    louder(prompted)
    assert [len(into) for into in ffn_inputs(prompted)] == [2] * len(prompted.ffn)
    kept, usual = some_kept(prompted), usual_of(prompted)
    with suppression(prompted, ~kept, "mean", baseline_activation=usual):
        expected = prompted(TEXTS)
    assert_close(pruned(prompted, kept, usual)(TEXTS), expected, atol=1e-4, rtol=1e-4)


def test_only_removed_neurons_are_folded(models):
    """The reference folds all of them, so that what is kept counts twice."""
    prompted = models["roberta"]
    usual = usual_of(prompted)
    everything = torch.ones(2, 48, dtype=torch.bool)
    smaller = pruned(prompted, everything, usual)
    assert torch.equal(smaller(TEXTS), prompted(TEXTS))
    kept = some_kept(prompted)
    dense, mean = prompted.ffn[1], usual.mean(dim=1)[1]  # [neuron]
    as_released = dense.bias + dense.weight @ mean
    ours = pruned(prompted, kept, usual).ffn[1].bias
    twice = dense.weight[:, kept[1]] @ mean[kept[1]]
    assert_close(as_released - ours, twice)
    assert twice.abs().max() > 1e-4


def test_t5s_output_projections_get_a_bias(models):
    prompted = models["t5"]
    assert all(out.bias is None for out in prompted.ffn)
    smaller = pruned(prompted, some_kept(prompted), usual_of(prompted))
    assert [out.bias is not None for out in smaller.ffn] == [False, True]


@pytest.mark.parametrize("kind", KINDS)
def test_the_shared_backbone_is_left_as_it_was(kind, models):
    prompted = models[kind]
    before = fingerprint(frozen_weights(prompted))
    smaller = pruned(prompted, some_kept(prompted), usual_of(prompted))
    with torch.no_grad():
        for weights in smaller.parameters():
            weights.add_(1.0)
    assert fingerprint(frozen_weights(prompted)) == before
    assert smaller.tokenizer is prompted.tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_soft_prompt_of_a_pruned_model_trains(kind, models):
    smaller = pruned(models[kind], some_kept(models[kind]), usual_of(models[kind]))
    trains = [name for name, weights in smaller.named_parameters() if weights.requires_grad]
    assert trains == ["soft_prompt"]
    before = smaller.soft_prompt.detach().clone()
    smaller.logits(smaller.collate(smaller.encode(TEXTS))).sum().backward()
    assert smaller.soft_prompt.grad.abs().sum() > 0
    assert torch.equal(before, smaller.soft_prompt)


def test_the_last_layer_of_a_pruned_model_may_be_computed_at_the_mask_only(models):
    smaller = pruned(models["roberta"], some_kept(models["roberta"]), usual_of(models["roberta"]))
    for module in smaller.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):
            module.dropout_prob = 0.0
    rows = smaller.collate(smaller.encode(TEXTS))
    assert_close(smaller.train().logits(rows), smaller.eval().logits(rows), atol=1e-5, rtol=1e-4)


def test_a_pruned_model_is_not_stored_as_if_it_were_whole(models, tmp_path):
    from mvp_skill.tasks import load_task

    smaller = pruned(models["roberta"], some_kept(models["roberta"]), usual_of(models["roberta"]))
    data = load_task("mini_films", n_train=4, n_validation=2, n_test=2)
    with pytest.raises(BadInput, match="pruned cannot be stored"):
        train(smaller, data, TrainConfig(epochs=1), tmp_path, progress=False)


def test_layers_before_the_first_pruned_one_stay_whole():
    assert [first_pruned_layer(n) for n in (12, 6, 4, 3)] == [3, 1, 1, 0]
    kept = in_layers_from(skill_neurons(torch.rand(12, 3072), KEPT), 3)
    assert kept.sum(dim=1).tolist() == [3072] * 3 + [61] * 9


class OnlySizes(nn.Module):
    """A model without numbers: what counting its parameters needs."""

    def __init__(self, config):
        from transformers import RobertaForMaskedLM

        super().__init__()
        with torch.device("meta"):
            self.backbone = RobertaForMaskedLM(config)
        self.config, self.tokenizer = config, None

    @property
    def ffn(self):
        return [layer.output.dense for layer in self.backbone.roberta.encoder.layer]


def test_roberta_base_keeps_two_thirds_of_its_parameters(monkeypatch):
    """66.6 % of 124.7 million, as Wang et al. report; by arithmetic and by a model of that size."""
    from transformers import RobertaConfig

    from mvp_skill import pruning

    sizes = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
    whole = OnlySizes(RobertaConfig(**sizes))
    assert n_parameters(whole) == 124_697_433
    smaller = copy.deepcopy(whole)
    monkeypatch.setattr(pruning, "own_copy", lambda prompted: smaller)
    monkeypatch.setattr(pruning, "replace", lambda settings, method: settings)
    whole.settings = None
    kept = in_layers_from(skill_neurons(torch.rand(12, 3072), KEPT), first_pruned_layer(12))
    pruned(whole, kept, torch.zeros(12, 1, 3072))
    removed = 9 * (3072 - 61) * (768 + 1 + 768)
    assert n_parameters(smaller) == 124_697_433 - removed
    assert remaining_share(smaller, whole) == pytest.approx(0.66598, abs=5e-6)


@pytest.mark.parametrize(
    "kept",
    [
        torch.ones(2, 47, dtype=torch.bool),
        torch.ones(3, 48, dtype=torch.bool),
        torch.ones(2, 48),
        torch.ones(48, dtype=torch.bool),
    ],
)
def test_neurons_of_another_model_are_refused(kept, models):
    with pytest.raises(BadInput, match="is pruned once, by a bool tensor"):
        pruned(models["roberta"], kept, torch.zeros(2, 5, 48))


def test_a_pruned_model_is_not_pruned_again(models):
    prompted = models["roberta"]
    smaller = pruned(prompted, some_kept(prompted), usual_of(prompted))
    with pytest.raises(BadInput, match="pruned once"):
        pruned(smaller, some_kept(prompted), usual_of(prompted))
    with pytest.raises(BadInput, match="baseline activation"):
        pruned(prompted, some_kept(prompted), torch.zeros(2, 48))
