"""The encoders with a backward pass of their own give the library's losses and gradients."""

import pytest
import torch
from torch import nn

from mvp_skill import frozen_roberta, frozen_t5
from mvp_skill.frozen_attention import attend, attend_backward, join_heads, split_heads
from mvp_skill.objectives import Batch
from mvp_skill.prompt_tuning import build_prompted
from mvp_skill.train_config import objective_named

MODULES = {"mini-roberta": (frozen_roberta, "clean"), "mini-t5": (frozen_t5, "vocabulary")}
TEXTS = ["a dull film .", "bad", "one of the finest films of this year , and the saddest ."]
PAIRS = [("who won ?", "the home team won ."), ("a", "b c d e f"), ("when ?", "")]


def step(prompted, texts, library, monkeypatch):
    """Loss and gradient of one step, the library's or our own."""
    module, name = MODULES[prompted.settings.backbone]
    with monkeypatch.context() as patch:
        used = []
        own = "first_state" if module is frozen_roberta else "last_states"
        compute = getattr(module, own)
        patch.setattr(module, own, lambda *given: used.append(1) or compute(*given))
        if library:
            patch.setattr(module, "can_read", lambda encoder: False)
        prompted.train().zero_grad()
        rows = prompted.collate(prompted.encode(texts))
        labels = torch.arange(len(texts)) % 2
        loss = objective_named(name).backward(prompted, Batch(rows, labels, seed=0), nn.Module())
    assert bool(used) != library
    return loss, prompted.soft_prompt.grad.clone()


@pytest.mark.parametrize("backbone", MODULES)
@pytest.mark.parametrize(
    ("task", "texts"),
    [("mini_films", TEXTS), ("mini_films", TEXTS[:1]), ("mini_answers", PAIRS)],
    ids=["padded", "one row", "pairs"],
)
def test_a_step_is_the_librarys(backbone, task, texts, monkeypatch):
    prompted = build_prompted(backbone, task, n_prompt=5, init="vocabulary", dropout=0.0)
    loss, gradient = step(prompted, texts, False, monkeypatch)
    expected, reference = step(prompted, texts, True, monkeypatch)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    assert (gradient - reference).norm() <= 1e-5 * reference.norm()
    assert reference.norm() > 0 and all(p.grad is None for p in prompted.backbone.parameters())


@pytest.mark.parametrize("backbone", MODULES)
def test_noise_bfloat16_and_fused_attention_are_left_to_the_library(backbone):
    module, _ = MODULES[backbone]

    def encoder(dropout):
        model = build_prompted(backbone, "mini_films", n_prompt=5, dropout=dropout).backbone
        return model.roberta if backbone == "mini-roberta" else model.encoder

    assert not module.can_read(encoder(None))  # 0.1, as its files say
    quiet = encoder(0.0)
    assert module.can_read(quiet)
    with torch.autocast(quiet.device.type, torch.bfloat16):
        assert not module.can_read(quiet)
    quiet.config._attn_implementation = "sdpa"
    assert not module.can_read(quiet)


@pytest.mark.parametrize("scaled", [True, False])
def test_attention_and_its_gradients_against_autograd(scaled):
    generator = torch.Generator().manual_seed(1)
    n_rows, length, n_heads, d_head = 3, 7, 2, 5
    size = n_rows * length, 3 * n_heads * d_head
    projected = torch.randn(size, generator=generator, dtype=torch.float32).requires_grad_()
    bias = torch.randn((n_rows, 1, 1, length), generator=generator)
    weight = torch.randn((n_rows, n_heads, length, d_head), generator=generator)
    expected = torch.zeros(n_rows, n_heads, length, d_head)
    parts = projected.view(n_rows, length, 3, n_heads, d_head)
    for row in range(n_rows):  # slow and obvious
        for head in range(n_heads):
            query, key, value = parts[row, :, :, head].unbind(1)  # [position, d_head]
            scores = query @ key.T / (d_head**0.5 if scaled else 1) + bias[row, 0]
            expected[row, head] = scores.softmax(dim=1) @ value
    (expected * weight).sum().backward()
    with torch.no_grad():
        read, kept = attend(projected, n_rows, n_heads, bias, scaled=scaled)
        of_value, of_key, of_query = attend_backward(weight.flatten(0, 1), kept)
    found = torch.cat([join_heads(part, n_rows) for part in (of_query, of_key, of_value)], dim=1)
    torch.testing.assert_close(read, expected.detach())
    torch.testing.assert_close(found, projected.grad, rtol=1e-4, atol=1e-5)
    states = projected.detach()[:, : n_heads * d_head]
    apart = split_heads(states, n_rows, n_heads)
    assert apart[1 * n_heads + 1, 4].equal(states[1 * length + 4, d_head:])
    assert join_heads(apart, n_rows, 2).equal(states.view(n_rows, length, -1)[:, :2].flatten(0, 1))
