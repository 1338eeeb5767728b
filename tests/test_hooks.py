"""Hooks change what they should, and are gone afterwards."""

import pytest
import torch
from torch import nn

from mvp_skill.hooks import edit, edit_input, look_at_input, record


class Pair(nn.Module):
    def forward(self, inputs):
        return inputs + 1, "other"


def test_the_output_is_changed_inside_the_block_only():
    layer, inputs = nn.Linear(3, 2), torch.randn(5, 3)
    plain = layer(inputs)
    with edit(layer, lambda output: output * 10):
        assert layer(inputs).equal(plain * 10)
    assert layer(inputs).equal(plain)


def test_of_a_tuple_the_first_is_changed():
    with edit(Pair(), abs):
        pass
    pair = Pair()
    with edit(pair, lambda output: -output):
        assert pair(1) == (-2, "other")


def test_the_hook_goes_after_an_error_too():
    layer = nn.Linear(3, 2)
    with pytest.raises(KeyError), edit(layer, abs), record(layer):
        raise KeyError
    assert not layer._forward_hooks


def test_edits_follow_each_other_and_a_record_sees_those_before_it():
    layer, inputs = nn.Linear(3, 2), torch.randn(5, 3)
    plain = layer(inputs)
    with edit(layer, lambda output: output + 1), record(layer) as seen:
        changed = layer(inputs)
        layer(inputs[:1])
    assert [len(output) for output in seen] == [5, 1]
    assert seen[0].equal(plain + 1) and changed.equal(plain + 1)


def test_gradients_flow_through_an_edit_and_a_record_after_the_block():
    layer, inputs = nn.Linear(3, 2), torch.randn(5, 3)
    delta = torch.zeros(5, 2, requires_grad=True)
    with edit(layer, lambda output: output + 2 * delta), record(layer) as seen:
        layer(inputs)
    seen[0].sum().backward()
    assert delta.grad.equal(torch.full((5, 2), 2.0))
    assert layer.bias.grad.equal(torch.full((2,), 5.0))


def test_the_input_is_changed_inside_the_block_only():
    layer, inputs = nn.Linear(3, 2), torch.randn(5, 3)
    plain, before = layer(inputs), inputs.clone()
    with edit_input(layer, lambda given: given * 0):
        assert layer(inputs).equal(layer.bias.expand(5, 2))
    assert layer(inputs).equal(plain) and inputs.equal(before)


def test_a_look_at_the_input_sees_the_edits_of_blocks_around_it():
    layer, inputs, before, after = nn.Linear(3, 2), torch.randn(5, 3), [], []
    with (
        look_at_input(layer, before.append),
        edit_input(layer, torch.neg),
        look_at_input(layer, after.append),
    ):
        layer(inputs)
    assert before[0].equal(inputs) and after[0].equal(-inputs)
    with pytest.raises(KeyError), edit_input(layer, abs), look_at_input(layer, abs):
        raise KeyError
    assert not layer._forward_pre_hooks
