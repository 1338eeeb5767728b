"""What is looked at, where, and in which batches."""

import numpy as np
import pytest
import torch
from neuron_cases import Record, SmallModel, activations_of, some_split
from torch.testing import assert_close

from mvp_skill import activations
from mvp_skill.activations import (
    POSITIONS,
    batches_of,
    canonical_order,
    kept_activations,
    observe,
)
from mvp_skill.errors import BadInput


def seen_by(model, records, positions="prompt"):
    """What `observe` shows, put together: [batch, layer, prompt, neuron]."""
    found = {}

    def see(layer, activation, batch):
        for number, one in zip(batch, activation, strict=True):
            assert (number, layer) not in found
            found[number, layer] = one.clone()

    observe(model, records, see, positions)
    n_layers = len(model.ffn)
    return torch.stack(
        [torch.stack([found[n, layer] for layer in range(n_layers)]) for n in range(len(records))]
    )


@pytest.fixture(autouse=True)
def several_small_batches(monkeypatch):
    monkeypatch.setitem(activations.EVALUATION_TOKENS, "cpu", 70)


def test_every_example_is_seen_once_at_the_prompt_positions():
    model, split = SmallModel().train(), some_split()
    found = seen_by(model, split.records)
    assert model.training and not any(layer._forward_pre_hooks for layer in model.ffn)
    by_hand = torch.stack([activations_of(model, record)[:, :5] for record in split.records])
    assert_close(found, by_hand, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("how", ["text_mean", "text_max"])
def test_text_positions_are_pooled_without_padding(how):
    model, split = SmallModel(), some_split()
    found = seen_by(model, split.records, how)
    for record, one in zip(split.records, found, strict=True):
        text = activations_of(model, record)[:, 5:]  # [layer, position, neuron]
        pooled = text.mean(dim=1) if how == "text_mean" else text.amax(dim=1)
        assert_close(one[:, 0], pooled, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("how", ["text_mean", "text_max"])
def test_pooling_takes_an_attention_mask_with_or_without_the_prompt(how):
    activation = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
    text = torch.tensor([[1, 1, 0], [1, 1, 1]])
    whole = torch.cat([torch.ones(2, 2, dtype=torch.int64), text], dim=1)
    found = POSITIONS[how](activation, text, 2)
    assert found.shape == (2, 1, 3) and found.equal(POSITIONS[how](activation, whole, 2))
    assert POSITIONS[how](activation, text * 0, 2).eq(0).all()


def test_the_pass_ends_with_the_last_neurons():
    model, split = SmallModel(), some_split()
    seen_by(model, split.records)
    assert model.n_heads_computed == 0


def test_a_model_whose_last_neurons_are_never_computed_is_an_error():
    model = SmallModel()
    model.out.append(torch.nn.Linear(11, 7))
    model.into.append(torch.nn.Identity())
    model.logits = lambda rows: None
    with pytest.raises(RuntimeError, match="last of prompted.ffn"):
        seen_by(model, some_split().records)


def test_batches_do_not_depend_on_the_order_of_the_records():
    model, records = SmallModel(), some_split().records

    def contents(records):
        return [
            [records[number].ids.tolist() for number in batch]
            for batch, _ in batches_of(model, records)
        ]

    order = np.random.default_rng(0).permutation(len(records))
    batches = contents(records)
    assert len(batches) > 3 and contents([records[i] for i in order]) == batches
    lengths = [len(ids) for batch in batches for ids in batch]
    assert lengths == sorted(lengths, reverse=True)


def test_equal_records_are_ordered_by_label():
    same = [Record(np.array([4, 5])), Record(np.array([4, 5])), Record(np.array([3]))]
    assert canonical_order(same, torch.tensor([1, 0, 1])).tolist()[-2:] == [1, 0] or (
        canonical_order(same, torch.tensor([1, 0, 1])).tolist()[:2] == [1, 0]
    )


def test_kept_activations_are_those_of_the_batch():
    model, split = SmallModel().eval(), some_split()
    with torch.no_grad():
        found = kept_activations(model, model.collate(split.records[:4]))
    assert found.shape == (3, 4, 5, 11) and model.n_heads_computed == 0
    by_hand = torch.stack([activations_of(model, r)[:, :5] for r in split.records[:4]], dim=1)
    assert_close(found, by_hand, atol=1e-6, rtol=1e-5)


def test_unknown_positions_and_no_records_are_refused():
    with pytest.raises(BadInput, match="prompt, text_mean, text_max, all"):
        seen_by(SmallModel(), some_split().records, "mask")
    with pytest.raises(BadInput, match="no examples"):
        seen_by(SmallModel(), [])


def test_all_positions_are_those_of_the_row_without_padding():
    model, split = SmallModel(), some_split()
    found = {}

    def see(layer, activation, batch):
        found.update({(number, layer): one for number, one in zip(batch, activation, strict=True)})

    observe(model, split.records, see, "all")
    for number, record in enumerate(split.records):
        one = activations_of(model, record)  # [layer, position, neuron]
        for layer in range(3):
            seen, n_there = found[number, layer], 5 + record.length
            assert_close(seen[:n_there], one[layer], atol=1e-6, rtol=1e-5)
            assert seen[n_there:].isnan().all()
    whole = torch.tensor([[1, 1, 1, 1, 0], [1, 1, 1, 1, 1]])
    same = [POSITIONS["all"](torch.zeros(2, 5, 3), mask, 2) for mask in (whole, whole[:, 2:])]
    assert same[0].isnan().equal(same[1].isnan()) and same[0].isnan().sum() == 3
