"""The neurons that a prompt activates by itself, with a stand-in for a prompt-tuned model."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mvp_skill.prompt_activations import label_activations, soft_prompt
from mvp_skill.prompt_similarity import ALL_LAYERS, activated_overlap

D, F, N_PROMPT = 5, 7, 3


class Rows(SimpleNamespace):
    def to(self, device):
        return self


class StandIn(nn.Module):
    """Two layers that mix all positions attended to; the interface of a prompt-tuned model."""

    def __init__(self, task: str = "mini_films"):
        super().__init__()
        self.settings = SimpleNamespace(task=task, n_prompt=N_PROMPT)
        self.soft_prompt = nn.Parameter(torch.randn(N_PROMPT, D))
        self.words = nn.Embedding(20, D)
        self.inner = nn.ModuleList(nn.Linear(D, F) for _ in range(2))
        self.ffn = [nn.Linear(F, D) for _ in range(2)]
        self.projections = nn.ModuleList(self.ffn)
        self.dropout = nn.Dropout(0.5)

    def encode(self, texts):
        return [[1, *(5 + len(part) for part in " ".join(text).split()), 2] for text in texts]

    def collate(self, records):
        ids = torch.tensor(records)
        mask = torch.ones(len(ids), N_PROMPT + ids.shape[1], dtype=torch.long)
        return Rows(input_ids=ids, attention_mask=mask)

    def logits(self, rows):
        prompt = self.soft_prompt.expand(len(rows.input_ids), -1, -1)
        hidden = torch.cat(
            [prompt, self.words(rows.input_ids)], dim=1
        )  # [batch, position, d_model]
        seen = rows.attention_mask[..., None].float()
        for inner, projection in zip(self.inner, self.ffn, strict=True):
            mixed = (hidden * seen).sum(dim=1, keepdim=True) / seen.sum(dim=1, keepdim=True)
            hidden = self.dropout(hidden + projection(torch.relu(inner(hidden + mixed))))
        return hidden[:, 0]


@pytest.fixture
def prompted():
    torch.manual_seed(0)
    return StandIn()


def slow(prompted, table) -> list[torch.Tensor]:
    """Of prompt and start token alone, layer by layer, at position 0."""
    hidden = torch.cat([table, prompted.words.weight[1:2]])  # [position, d_model]
    found = []
    for inner, projection in zip(prompted.inner, prompted.ffn, strict=True):
        activation = torch.relu(inner(hidden + hidden.mean(dim=0)))
        found.append(activation[0])
        hidden = hidden + projection(activation)
    return found


def test_activations_are_those_of_prompt_and_start_token_alone(prompted):
    tables = torch.randn(4, N_PROMPT, D, generator=torch.Generator().manual_seed(2))
    prompted.train()
    found = label_activations(prompted, tables)  # [table, layer, neuron]
    assert found.shape == (4, 2, F) and not found.requires_grad
    for table, activations in zip(tables, found, strict=True):
        assert torch.allclose(torch.stack(slow(prompted, table)), activations, atol=1e-6)
    overlap = activated_overlap(found)[ALL_LAYERS]
    assert ((overlap >= 0) & (overlap <= 1 + 1e-9)).all() and overlap[0, 1] < 1
    assert prompted.training  # left as it was


def test_the_model_keeps_its_own_prompt_and_no_hooks_also_after_an_error(prompted):
    own = prompted.soft_prompt.detach().clone()
    label_activations(prompted, torch.zeros(1, N_PROMPT, D))
    with pytest.raises(RuntimeError):
        label_activations(prompted, torch.zeros(1, N_PROMPT + 1, D))
    with pytest.raises(ZeroDivisionError), soft_prompt(prompted, own + 1):
        assert torch.equal(prompted.soft_prompt, own + 1)
        raise ZeroDivisionError
    assert torch.equal(prompted.soft_prompt, own) and prompted.soft_prompt.requires_grad
    assert not any(module._forward_pre_hooks for module in prompted.ffn)


def test_of_t5_the_neurons_are_the_decoders(prompted):
    prompted.decoder_ffn = prompted.ffn[1:]
    found = label_activations(prompted, prompted.soft_prompt.detach()[None])
    assert found.shape == (1, 1, F)
    assert torch.allclose(found[0, 0], slow(prompted, prompted.soft_prompt)[1], atol=1e-6)


def test_a_task_about_two_texts_is_read_too():
    torch.manual_seed(1)
    prompted = StandIn("mini_duplicates")
    found = label_activations(prompted, torch.ones(1, N_PROMPT, D))
    assert torch.allclose(found[0, 0], slow(prompted, torch.ones(N_PROMPT, D))[0], atol=1e-6)
