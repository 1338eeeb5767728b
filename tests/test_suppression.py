"""What the model computes when some of its neurons are not allowed to say what they would."""

from contextlib import ExitStack, nullcontext

import pytest
import torch
from neuron_cases import (
    SmallModel,
    accuracy_of,
    activations_of,
    planted_model,
    planted_split,
    some_split,
    tiny_roberta,
    tiny_t5,
)
from torch.testing import assert_close

from mvp_skill.activations import kept_activations
from mvp_skill.errors import BadInput
from mvp_skill.hooks import look_at_input
from mvp_skill.neuron_counts import baseline_activation, count_firings
from mvp_skill.neurons import best_prompt, neuron_accuracy
from mvp_skill.skill_neurons import random_neurons, skill_neurons
from mvp_skill.suppression import patching, suppression

SHAPE = (3, 11)


def some_neurons(fraction=0.4, seed=0):
    return random_neurons(SHAPE, fraction, n_draws=1, seed=seed)[0]


def some_rows(model, n=4):
    return model.collate(some_split().records[:n])


def logits(model, rows):
    model.eval()
    with torch.no_grad():
        return model.logits(rows)


def inputs_inside(model, rows, block):
    """What each FFN projection reads inside the block, [layer] of [batch, position, neuron]."""
    seen = []
    model.eval()
    with torch.no_grad(), block, ExitStack() as stack:
        for module in model.out:
            stack.enter_context(look_at_input(module, seen.append))
        model.logits(rows)
    return seen


WAYS = [
    ("zero", "all", {}),
    ("mean", "all", {"baseline_activation": torch.rand(3, 5, 11)}),
    ("gaussian", "text", {"sd": 0.3}),
    ("resample", "prompt", {}),
]


@pytest.mark.parametrize("model", [tiny_roberta, tiny_t5, SmallModel])
@pytest.mark.parametrize(("how", "positions", "options"), WAYS)
def test_an_empty_set_is_a_no_op_bit_for_bit(model, how, positions, options):
    model = model()
    rows, shape = some_rows(model), (len(model.ffn), model.ffn[0].weight.shape[1])
    plain = logits(model, rows)
    with suppression(model, torch.zeros(shape, dtype=torch.bool), how, positions, **options):
        assert logits(model, rows).equal(plain)


@pytest.mark.parametrize("make", [tiny_roberta, tiny_t5, SmallModel])
def test_all_neurons_suppressed_leave_the_output_bias_alone(make):
    model = make()
    rows, shape = some_rows(model), (len(model.ffn), model.ffn[0].weight.shape[1])
    given = []
    handles = [m.register_forward_hook(lambda _m, _i, o: given.append(o)) for m in model.ffn]
    with suppression(model, torch.ones(shape, dtype=torch.bool)):
        suppressed = logits(model, rows)
    for handle in handles:
        handle.remove()
    for module, output in zip(model.ffn, given, strict=True):
        bias = torch.zeros(output.shape[-1]) if module.bias is None else module.bias
        assert output.equal(bias.expand_as(output))
    with torch.no_grad():
        for module in model.ffn:
            module.weight.zero_()
    assert_close(logits(model, rows), suppressed, atol=0, rtol=0)


@pytest.mark.parametrize("make", [tiny_roberta, tiny_t5])
def test_the_input_of_a_real_output_projection_is_what_the_non_linearity_gives(make):
    model = make().eval()
    rows = some_rows(model)
    with torch.no_grad():
        kept = kept_activations(model, rows)
    activation = activations_of(model, some_split().records[0])
    lowest = -0.171 if make is tiny_roberta else 0.0  # of GELU and of ReLU
    assert kept.shape == (2, 4, 4, 17) and kept.min() >= lowest and kept.max() > 0
    assert_close(kept[:, 0], activation[:, :4], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("positions", "inside"),
    [("all", slice(None)), ("prompt", slice(0, 5)), ("text", slice(5, None))],
)
def test_p13_zero_equals_a_loop_over_positions_and_neurons(positions, inside):
    model, neurons = SmallModel(), some_neurons()
    rows = some_rows(model)
    expected = []

    def slowly(module, inputs):
        layer = model.ffn.index(module)
        activation = inputs[0].clone()
        for position in range(activation.shape[1])[inside]:
            for neuron in range(11):
                if neurons[layer, neuron]:
                    activation[:, position, neuron] = 0
        expected.append(activation)
        return (activation,)

    handles = [module.register_forward_pre_hook(slowly) for module in model.ffn]
    by_hand = logits(model, rows)
    for handle in handles:
        handle.remove()
    found = inputs_inside(model, rows, suppression(model, neurons, positions=positions))
    for one, other in zip(found, expected, strict=True):
        assert one.equal(other)
    with suppression(model, neurons, positions=positions):
        assert logits(model, rows).equal(by_hand)
    assert not logits(model, rows).equal(by_hand)


def test_the_mean_is_that_over_prompt_positions():
    model, neurons, rows = SmallModel(), some_neurons(), some_rows(SmallModel())
    usual = baseline_activation(model, some_split().records).mean
    block = suppression(model, neurons, "mean", baseline_activation=usual)
    for layer, found in enumerate(inputs_inside(model, rows, block)):
        expected = usual[layer].mean(dim=0)[neurons[layer]]
        assert found[..., neurons[layer]].equal(expected.expand(4, found.shape[1], -1))
        assert found[..., ~neurons[layer]].numel() and neurons[layer].any()


def test_gaussian_noise_is_seeded_and_shared_over_positions_only():
    model, neurons = SmallModel(n_neurons=1001), random_neurons((3, 1001), 0.5, 1)[0]
    rows = some_rows(model)
    (plain,) = inputs_inside(model, rows, suppression(model, ~neurons & neurons))[:1]

    def noise(neurons, **options):
        block = suppression(model, neurons, "gaussian", **options)
        return inputs_inside(model, rows, block)[0] - plain

    found = noise(neurons, sd=0.3, seed=1)
    assert found[..., ~neurons[0]].eq(0).all()
    added = found[..., neurons[0]]  # [batch, position, neuron]
    assert_close(added, added[:, :1].expand_as(added), atol=1e-6, rtol=0)
    assert (added[0, 0] - added[1, 0]).abs().mean() > 0.1
    assert added[:, 0].std().item() == pytest.approx(0.3, rel=0.1)
    assert added[:, 0].mean().abs() < 0.03
    assert noise(neurons, sd=0.3, seed=1).equal(found)
    assert not noise(neurons, sd=0.3, seed=2).equal(found)
    fewer = neurons.clone()
    fewer[:, :500] = False
    assert noise(fewer, sd=0.3, seed=1)[..., 500:].equal(found[..., 500:])


def test_gaussian_noise_differs_between_layers_and_calls():
    model, every = SmallModel(), torch.ones(SHAPE, dtype=torch.bool)
    with torch.no_grad():
        for module in model.out:  # nothing passes from layer to layer
            module.weight.zero_()
    rows = some_rows(model)
    plain = inputs_inside(model, rows, suppression(model, ~every))

    with suppression(model, every, "gaussian", sd=1.0):
        seen = [inputs_inside(model, rows, nullcontext()) for _ in range(2)]
    first, second = ([one - other for one, other in zip(s, plain, strict=True)] for s in seen)
    for noise, other in [(first[0], first[1]), (first[1], first[2]), (first[0], second[0])]:
        assert (noise - other).abs().mean() > 0.5


def test_resampling_takes_the_activation_of_one_other_example_at_the_same_position():
    model, neurons = SmallModel(), torch.ones(SHAPE, dtype=torch.bool)
    rows = some_rows(model, n=7)
    (plain, *_) = inputs_inside(model, rows, suppression(model, ~neurons))
    found = inputs_inside(model, rows, suppression(model, neurons, "resample", "prompt", seed=4))
    lender = [next(j for j in range(7) if found[0][i, :5].equal(plain[j, :5])) for i in range(7)]
    assert sorted(lender) == list(range(7)) and all(i != j for i, j in enumerate(lender))
    assert found[0][:, 5:].equal(plain[:, 5:])
    again = inputs_inside(model, rows, suppression(model, neurons, "resample", "prompt", seed=4))
    assert again[0].equal(found[0])


def test_resampling_lends_from_the_same_example_in_every_layer():
    """All neurons resampled at the prompt: what the text has is as it was, so is the lender's."""
    model, neurons = SmallModel(), torch.zeros(SHAPE, dtype=torch.bool)
    neurons[:, 3] = True
    with torch.no_grad():
        for layer in range(3):  # these neurons read the word GOOD alone, the same in every layer
            model.into[layer].weight[3] = 0
            model.into[layer].bias[3] = layer + 1.0
    marks = torch.arange(6.0)[:, None, None]

    def mark(module, inputs):
        marked = inputs[0].clone()
        marked[:, :, 3:4] = marks
        return (marked,)

    handles = [module.register_forward_pre_hook(mark) for module in model.ffn]
    found = inputs_inside(
        model, some_rows(model, 6), suppression(model, neurons, "resample", "prompt")
    )
    for handle in handles:
        handle.remove()
    lent = [one[:, :5, 3] for one in found]
    assert lent[0].equal(lent[1]) and lent[0].equal(lent[2])
    assert (lent[0] != marks[:, :, 0]).all() and lent[0][:, :1].expand(-1, 5).equal(lent[0])


def test_a_batch_of_one_resamples_from_the_batch_before():
    model, neurons = SmallModel(), torch.ones(SHAPE, dtype=torch.bool)
    two, one = model.collate(some_split().records[:2]), model.collate(some_split().records[5:6])
    seen = []
    model.eval()
    with torch.no_grad(), look_at_input(model.out[0], seen.append):
        model.logits(two)
    with torch.no_grad(), suppression(model, neurons, "resample", "prompt"):
        model.logits(two)
        with look_at_input(model.out[0], seen.append):
            model.logits(one)
    assert seen[1][0, :5].equal(seen[0][1, :5])
    with (
        pytest.raises(BadInput, match="single text"),
        suppression(model, neurons, "resample", "prompt"),
    ):
        logits(model, one)


def test_b20_nothing_is_written_in_place_and_readers_have_hooks_of_their_own():
    model, neurons = SmallModel(), some_neurons()
    rows, before, after = some_rows(model), [], []
    model.eval()
    with (
        torch.no_grad(),
        look_at_input(model.out[1], before.append),
        suppression(model, neurons),
        look_at_input(model.out[1], after.append),
    ):
        model.logits(rows)
    assert before[0][..., neurons[1]].ne(0).all()  # still what the non-linearity gave
    assert after[0][..., neurons[1]].eq(0).all()
    assert after[0][..., ~neurons[1]].equal(before[0][..., ~neurons[1]])
    weights = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(KeyError), suppression(model, neurons):
        raise KeyError
    assert not any(module._forward_pre_hooks for module in model.ffn)
    assert all(a.equal(b) for a, b in zip(weights, model.parameters(), strict=True))


def test_suppressing_a_planted_skill_neuron_lowers_accuracy_and_random_ones_do_not():
    model, split = planted_model(), planted_split()
    counts = count_firings(model, split, baseline_activation(model, split.records))
    pred = best_prompt(neuron_accuracy(counts)).predictivity
    skill = skill_neurons(pred, 0.1)
    assert skill.sum(dim=1).tolist() == [1, 1, 1] and skill[1, 4]  # planted, and first there
    assert pred[1, 4] == pytest.approx(37 / 41) and accuracy_of(model, split) == 37 / 41
    with suppression(model, skill):
        constant = accuracy_of(model, split)
    assert constant == pytest.approx((split.labels == 0).double().mean().item())
    for others in random_neurons(SHAPE, 0.1, n_draws=5, exclude=skill):
        with suppression(model, others):
            assert accuracy_of(model, split) == 37 / 41


def test_patching_puts_given_activations_at_the_prompt():
    model, neurons, rows = SmallModel(), some_neurons(), some_rows(SmallModel())
    usual = baseline_activation(model, some_split().records).mean
    of_batch = torch.rand(3, 4, 5, 11)
    plain = inputs_inside(model, rows, suppression(model, neurons & ~neurons))
    for given in (usual, of_batch):
        found = inputs_inside(model, rows, patching(model, neurons, given))
        for layer, one in enumerate(found):
            put = given[layer].expand(4, 5, 11)
            assert one[:, :5, neurons[layer]].equal(put[..., neurons[layer]])
        assert found[0][:, 5:].equal(plain[0][:, 5:])
        assert found[0][:, :5, ~neurons[0]].equal(plain[0][:, :5, ~neurons[0]])
    for wrong in (of_batch[:, :3], of_batch[:, :1], usual[:, :4], usual[..., :7]):
        with pytest.raises(BadInput, match="cannot be put"), patching(model, neurons, wrong):
            logits(model, rows)


def test_bad_neurons_and_options_are_refused():
    model = SmallModel()
    cases = [
        ("bool tensor", torch.ones(3, 11), {}),
        ("bool tensor", torch.ones(3, 12, dtype=torch.bool), {}),
        ("zero, mean, gaussian, resample", some_neurons(), {"how": "noise"}),
        ("all, prompt, text", some_neurons(), {"positions": "mask"}),
        ("goes with", some_neurons(), {"how": "gaussian"}),
        ("goes with", some_neurons(), {"how": "mean"}),
        ("goes with", some_neurons(), {"sd": 0.1}),
        ("sd must be", some_neurons(), {"how": "gaussian", "sd": 0.0}),
        ("positions=", some_neurons(), {"how": "resample"}),
    ]
    for message, neurons, options in cases:
        with pytest.raises(BadInput, match=message), suppression(model, neurons, **options):
            pass
