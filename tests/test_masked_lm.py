"""Where the library's models are read: the state at one position, against that of all positions."""

import numpy as np
import pytest
import torch
from victim_cases import tiny_victim

from mvp_skill.backbones import load_backbone
from mvp_skill.errors import BadInput
from mvp_skill.insertion import Insertion
from mvp_skill.masked_lm import LAYOUTS, last_hidden_state, layout_named, layout_of, state_at

TEXTS = ["the film was not bad", "great", "the market is never good , but the team is", "it was"]
BACKBONES = ["tiny_backbone", "tiny_bert", "tiny_gpt2"]


@pytest.fixture(params=BACKBONES)
def read(request):
    """An encoder in evaluation mode, rows for it, and a position in each row."""
    folder = request.getfixturevalue(request.param)
    model, tokenizer = load_backbone(
        folder, "causal_lm" if "gpt2" in request.param else "masked_lm"
    )
    insertion = Insertion(tokenizer, max_length=30)
    rows = insertion.every_row(insertion.encode(TEXTS))
    lengths = rows.attention_mask.sum(dim=1).numpy()
    position = torch.tensor(np.random.default_rng(0).integers(0, lengths))
    assert len(set(position.tolist())) > 1
    return getattr(model, layout_of(model).encoder), rows, position


def test_one_position_is_that_of_the_whole(read):
    encoder, rows, position = read
    with torch.no_grad():
        everything = last_hidden_state(encoder, rows)  # [row, position, hidden]
        expected = torch.stack([everything[row, place] for row, place in enumerate(position)])
        found = state_at(encoder, rows, position)
    # Neighbouring positions differ by more than 0.01.
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_gradients_are_those_of_the_whole(read):
    encoder, rows, position = read
    gradients = []
    for compute in (
        lambda: last_hidden_state(encoder, rows)[torch.arange(len(position)), position],
        lambda: state_at(encoder, rows, position),
    ):
        encoder.zero_grad()
        state = compute()
        (state * torch.linspace(-1, 1, state.numel()).view_as(state)).sum().backward()
        gradients.append({n: p.grad.clone() for n, p in encoder.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, atol=1e-4, rtol=1e-4, msg=name)


@pytest.mark.parametrize("method", ["mlp_ft", "mvp", "clsprompt", "projectcls"])
@pytest.mark.parametrize("backbone", ["tiny_backbone", "tiny_bert"])
def test_the_last_layer_ends_at_the_position_that_is_read(request, method, backbone):
    victim = tiny_victim(method, request.getfixturevalue(backbone), template_variant="one")
    model = victim.backbone if method in ("mvp", "clsprompt") else victim
    shapes = []
    for name, module in model.named_modules():
        if name.endswith("layer.1.intermediate.dense"):
            module.register_forward_hook(lambda m, given, out: shapes.append(out.shape[:2]))
    hooks = sum(len(module._forward_pre_hooks) for module in victim.modules())
    victim(TEXTS)
    assert {shape[1] for shape in shapes} == {1} and sum(shape[0] for shape in shapes) == 4
    assert sum(len(module._forward_pre_hooks) for module in victim.modules()) == hooks == 0


def test_no_hook_stays_after_an_error(tiny_backbone):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    rows = victim.collate(victim.encode(TEXTS))
    with pytest.raises(IndexError):
        state_at(victim.encoder, rows, torch.full((4,), 99))
    assert not any(module._forward_pre_hooks for module in victim.modules())


def test_a_type_without_a_layout_is_refused():
    with pytest.raises(BadInput, match="type 'electra' cannot .* use one of type roberta, bert, g"):
        layout_named("electra")
    assert {layout.kind for layout in LAYOUTS.values()} == {"masked_lm", "causal_lm"}
