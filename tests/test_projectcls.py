"""ProjectCLS: the library's encoder, then tanh, dropout and one layer."""

import pytest
import torch
from transformers import AutoModel, AutoTokenizer
from victim_cases import tiny_victim

from mvp_skill.prediction import predict

TEXTS = ["the film was not bad", "great", "who said the story was very very excellent ?", ""]


@pytest.mark.parametrize("backbone", ["tiny_backbone", "tiny_bert"])
def test_projectcls_equals_the_slow_version(request, backbone):
    folder = request.getfixturevalue(backbone)
    victim = tiny_victim("projectcls", folder, "mini_news", seed=2)
    encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected = []
    for text in TEXTS:
        with torch.no_grad():
            state = encoder(**tokenizer(text, return_tensors="pt")).last_hidden_state[0, 0]
            expected.append(victim.out_proj.weight @ state.tanh() + victim.out_proj.bias)
    assert victim.out_proj.weight.shape == (4, encoder.config.hidden_size)
    # The logits of different texts differ by more than 0.001.
    torch.testing.assert_close(victim(TEXTS), torch.stack(expected), atol=1e-5, rtol=0)


def test_pitfall_01_the_dropout_of_its_own_is_silent_under_attack(tiny_backbone, monkeypatch):
    """The layer that stayed active in the authors' code: between tanh and the linear layer."""
    victim = tiny_victim("projectcls", tiny_backbone).train()
    seen = []
    victim.dropout.register_forward_hook(
        lambda _, given, out: seen.append(float((out != given[0]).double().mean()))
    )
    torch.manual_seed(0)
    victim.logits(victim.collate(victim.encode(TEXTS * 10)))
    assert 0.9 < seen[-1] <= 1  # in training it drops, and scales what it keeps
    predict(victim, TEXTS)
    assert seen[-1] == 0


def test_the_layer_follows_the_seed_and_is_all_that_is_fresh(tiny_backbone):
    first, same, other = (tiny_victim("projectcls", tiny_backbone, seed=s) for s in (0, 0, 1))
    assert first.out_proj.weight.equal(same.out_proj.weight)
    assert not first.out_proj.weight.equal(other.out_proj.weight)
    fresh = [name for name, _ in first.named_parameters() if not name.startswith("encoder.")]
    assert fresh == ["out_proj.weight", "out_proj.bias"]
