"""The contract that all objectives keep, and the clean one."""

import pytest
import torch
from perturbation_cases import (
    assert_same_gradients,
    batch_of,
    gradients,
    slow_loss,
)
from torch.utils._python_dispatch import TorchDispatchMode
from victim_cases import tiny_victim

from mvp_skill.embedding_perturbation import AS_RELEASED
from mvp_skill.errors import BadInput
from mvp_skill.objectives import Batch, Clean, cross_entropy
from mvp_skill.train_config import OBJECTIVES, TrainConfig, objective_named
from mvp_skill.victim_parts import word_embeddings

# Each with a method that it is defined for. ("vocabulary" is for soft prompts: test_prompted.py.)
OF_VICTIMS = [name for name in OBJECTIVES if name != "vocabulary"]
PAIRS = [
    *[("mlp_ft", objective_named(name)) for name in OF_VICTIMS],
    *[("mvp", objective_named(name)) for name in ("clean", "perturbation", "freelb")],
    ("mvp", AS_RELEASED),
]


def run(objective, victim, batch):
    return objective.backward(victim, batch, objective.auxiliary(victim, 0))


def test_clean_is_the_mean_cross_entropy(tiny_backbone):
    victim = tiny_victim("mvp", tiny_backbone)
    batch = batch_of(victim)
    loss = run(Clean(), victim, batch)
    found = gradients(victim)
    victim.zero_grad()
    expected = slow_loss(victim, batch, word_embeddings(victim).weight[batch.rows.input_ids])
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5) and not loss.requires_grad
    assert_same_gradients(found, gradients(victim), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("method", "objective"), PAIRS, ids=str)
def test_gradients_add_up_and_repeat(tiny_backbone, method, objective):
    """`backward` adds to what is there (the loop clears it), the same for the same batch."""
    victim = tiny_victim(method, tiny_backbone)
    batch = batch_of(victim)
    first_loss = run(objective, victim, batch)
    first = gradients(victim)
    second_loss = run(objective, victim, batch)
    assert first_loss.equal(second_loss) and first_loss.shape == ()
    twice = {name: 2 * gradient for name, gradient in first.items()}
    assert_same_gradients(gradients(victim), twice, rtol=1e-5, atol=1e-7)
    assert all(gradient.isfinite().all() for gradient in first.values())
    assert not any(module._forward_hooks for module in victim.modules())


def test_half_precision_reaches_the_victim_but_not_the_loss(tiny_backbone):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    batch = batch_of(victim)
    half = Batch(batch.rows, batch.labels, batch.seed, bf16=True)
    losses = cross_entropy(victim, batch), cross_entropy(victim, half)
    assert losses[1].dtype == torch.float32 and losses[0] != losses[1]
    torch.testing.assert_close(*losses, rtol=0.02, atol=0)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that any operation gives out, but for those of `known` sizes."""

    def __init__(self, known):
        super().__init__()
        self.known, self.n_values = known, 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        output = function(*arguments, **(options or {}))
        for tensor in output if isinstance(output, tuple | list) else [output]:
            if isinstance(tensor, torch.Tensor) and tensor.shape not in self.known:
                self.n_values = max(self.n_values, tensor.numel())
        return output


def largest_tensor(victim, objective):
    batch = batch_of(victim, ["the film was wonderful and the story was great", "bad", "a", "b"])
    with Largest({p.shape for p in victim.parameters()}) as largest:
        run(objective, victim, batch)
    return largest.n_values


@pytest.mark.parametrize(("method", "objective"), PAIRS, ids=str)
def test_pitfall_16_memory_does_not_grow_with_the_vocabulary(tiny_backbone, method, objective):
    """Beside weights and their gradients, the largest tensor of a step is the same size for twice
    the vocabulary; logits at every position would double it."""
    small, large = (tiny_victim(method, tiny_backbone) for _ in range(2))
    n_words = word_embeddings(small).num_embeddings
    backbone = next(m for m in large.modules() if hasattr(m, "resize_token_embeddings"))
    backbone.resize_token_embeddings(2 * n_words, mean_resizing=False)
    assert word_embeddings(large).num_embeddings == 2 * n_words
    assert 0 < largest_tensor(small, objective) == largest_tensor(large, objective)


def test_objectives_by_name():
    for name, objective in OBJECTIVES.items():
        assert isinstance(TrainConfig(objective=name).objective, objective)
        assert TrainConfig(objective=name).objective.name == name
    assert TrainConfig().objective == Clean()
    assert objective_named("freelb", steps=30).steps == 30
    with pytest.raises(BadInput, match="Unknown objective 'pgd'; use clean, perturbation, freelb"):
        TrainConfig(objective="pgd")
    with pytest.raises(BadInput, match="Unknown objective"):
        TrainConfig(objective=Clean)
    with pytest.raises(BadInput, match="'freelb' has no setting 'k'; it has steps, step_size, ini"):
        objective_named("freelb", k=30)
    with pytest.raises(BadInput, match="'clean' has no setting 'name'; it has none"):
        objective_named("clean", name="other")
