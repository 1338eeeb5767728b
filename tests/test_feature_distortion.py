"""States that heads read, and cosines between them, against loops."""

import pytest
import torch
import torch.nn.functional as F
from victim_cases import tiny_victim

from mvp_skill.errors import BadInput
from mvp_skill.feature_distortion import mean_cosine, mean_cosine_of_others, read_states

TEXTS = ["the film was not bad", "great", "who said the story was very very excellent ?"]


def states(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("method", ["mlp_ft", "projectcls", "clsprompt", "mvp"])
def test_the_states_are_those_that_the_head_reads(tiny_backbone, method):
    victim = tiny_victim(method, tiny_backbone).train()  # read in evaluation mode all the same
    found = read_states(victim, TEXTS)
    encoder = victim.backbone.roberta if hasattr(victim, "backbone") else victim.encoder
    victim.eval()
    for text, of_text in zip(TEXTS, found, strict=True):
        ids = victim.collate(victim.encode([text])).input_ids
        assert len(of_text) == len(ids) == max(1, len(victim.settings.templates))
        for row, state in zip(ids, of_text, strict=True):
            real = row[row != victim.tokenizer.pad_token_id]
            place = real.tolist().index(victim.tokenizer.mask_token_id) if method == "mvp" else 0
            with torch.no_grad():
                expected = encoder(real[None]).last_hidden_state[0, place]
            torch.testing.assert_close(state, expected, atol=1e-5, rtol=0)


def test_gpt2_is_read_at_the_last_token(tiny_gpt2):
    victim = tiny_victim("mlp_ft", tiny_gpt2)
    torch.testing.assert_close(victim.score(read_states(victim, TEXTS)[:, 0]), victim(TEXTS))


def test_the_mean_cosine_equals_a_loop():
    before, after = states(5, 3, 7), states(5, 3, 7, seed=1)
    cosines = [
        F.cosine_similarity(before[i, t], after[i, t], dim=0).item()
        for i in range(5)
        for t in range(3)
    ]
    assert mean_cosine(before, after) == pytest.approx(sum(cosines) / 15, abs=1e-6)
    assert mean_cosine(before, 3 * before) == pytest.approx(1)
    assert mean_cosine(before, -before) == pytest.approx(-1)


def test_the_mean_cosine_of_other_texts_equals_a_loop():
    found = states(5, 3, 7)
    cosines = [
        F.cosine_similarity(found[i, t], found[j, t], dim=0).item()
        for t in range(3)
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert mean_cosine_of_others(found) == pytest.approx(sum(cosines) / 60, abs=1e-6)


def test_other_texts_and_a_single_text_are_refused():
    with pytest.raises(BadInput, match="same texts"):
        mean_cosine(states(5, 3, 7), states(4, 3, 7))
    with pytest.raises(BadInput, match="two texts"):
        mean_cosine_of_others(states(1, 3, 7))
