"""FreeLB++ against loops and a linear model."""

import math

import pytest
import torch
from perturbation_cases import (
    WRITTEN_OUT,
    LinearToy,
    assert_same_gradients,
    batch_of,
    gradients,
    slow_loss,
    toy_batch,
    word_vectors,
)
from victim_cases import tiny_victim

from mvp_skill.embedding_perturbation import symmetric_noise
from mvp_skill.errors import BadInput
from mvp_skill.freelb import FreeLB, ascended, first_delta
from mvp_skill.hooks import record
from mvp_skill.victim_parts import word_embeddings

BIG = {"step_size": 0.4, "init_magnitude": 0.5}  # beside word vectors of norm 0.1


def slow_first_delta(victim, batch, magnitude):
    delta = symmetric_noise(victim, batch)
    for row, mask in zip(delta, batch.rows.attention_mask, strict=True):
        row *= magnitude / math.sqrt(mask.sum().item() * row.shape[1])
    return delta


@pytest.mark.parametrize("method", WRITTEN_OUT)
@pytest.mark.parametrize("steps", [1, 4])
def test_a_step_against_loops(tiny_backbone, method, steps):
    """The mean of the K losses, and the gradient of that mean."""
    victim = tiny_victim(method, tiny_backbone)
    batch = batch_of(victim)
    loss = FreeLB(steps=steps, **BIG).backward(victim, batch, None)
    found = gradients(victim)
    victim.zero_grad()

    fixed = word_vectors(victim, batch)
    delta, total = slow_first_delta(victim, batch, 0.5), 0
    for _ in range(steps):
        words = word_embeddings(victim).weight[batch.rows.input_ids]
        total = total + slow_loss(victim, batch, words + delta) / steps
        delta = delta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(slow_loss(victim, batch, fixed + delta), delta)
        delta = delta.detach().clone()
        for row, of_row in zip(delta, gradient, strict=True):
            row += 0.4 * of_row / of_row.norm()
    total.backward()
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(total.item(), rel=1e-5)
    assert_same_gradients(found, gradients(victim), rtol=2e-3, atol=1e-6)


def test_the_first_delta_is_small_and_on_real_tokens(tiny_backbone):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    batch = batch_of(victim)
    delta = first_delta(victim, batch, 0.05)
    torch.testing.assert_close(delta, slow_first_delta(victim, batch, 0.05))
    assert not delta[batch.rows.attention_mask == 0].any()
    # a uniform number in (-1, 1) has the mean square 1/3
    norms = delta.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.full_like(norms, 0.05 / 3**0.5), rtol=0.2, atol=0)


def test_nothing_bounds_the_ascent():
    """In a linear model the gradient never turns: K - 1 steps of one length add up."""
    toy, batch = LinearToy(), toy_batch(lengths=(4, 1, 3))
    delta = first_delta(toy, batch, 1e-6)
    direction = (toy.weight[1 - batch.labels] - toy.weight[batch.labels]).detach()[:, None]
    for step in range(1, 6):
        delta = ascended(delta, direction.expand_as(delta), 0.5, batch)
        norms = delta.flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.full((3,), 0.5 * step), rtol=1e-4, atol=0)
        assert not delta[batch.rows.attention_mask == 0].any()


def test_the_passes_run_one_after_the_other(tiny_backbone):
    """K passes of the whole batch; dropout is drawn anew for each."""
    victim = tiny_victim("mlp_ft", tiny_backbone).train()
    batch = batch_of(victim)
    with record(word_embeddings(victim)) as passes, record(victim.out_proj) as logits:
        FreeLB(steps=3, step_size=1e-9, init_magnitude=1e-9).backward(victim, batch, None)
    assert [len(words) for words in passes] == [4, 4, 4]
    assert not torch.allclose(logits[0], logits[1], atol=1e-4)
    assert not any(module._forward_hooks for module in victim.modules())


@pytest.mark.parametrize("name", ["steps", "step_size", "init_magnitude"])
def test_bad_settings_are_refused(name):
    with pytest.raises(BadInput, match=f"{name}.* not 0"):
        FreeLB(**{name: 0})
