"""+Adv against slow references, closed forms, and the pitfalls of the authors' code."""

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from perturbation_cases import (
    LABELS,
    WRITTEN_OUT,
    LinearToy,
    assert_same_gradients,
    batch_of,
    gradients,
    slow_logits,
    slow_loss,
    toy_batch,
    word_vectors,
)
from victim_cases import tiny_victim

from mvp_skill.embedding_perturbation import (
    AS_RELEASED,
    EmbeddingPerturbation,
    perturbed,
    symmetric_noise,
    unit,
)
from mvp_skill.errors import BadInput
from mvp_skill.hooks import record
from mvp_skill.insertion import Rows
from mvp_skill.objectives import Batch
from mvp_skill.victim_parts import word_embeddings

CLOSE = {"rtol": 1e-4, "atol": 1e-6}


def perturbation_of(victim, **settings):
    """Settings with steps that matter beside the tiny word vectors (norm about 0.1)."""
    return EmbeddingPerturbation(**{"epsilon": 0.7} | settings)


@pytest.mark.parametrize("method", WRITTEN_OUT)
def test_perturbed_logits_are_those_of_the_explicit_sum(tiny_backbone, method):
    victim = tiny_victim(method, tiny_backbone)
    batch = batch_of(victim)
    delta = 0.3 * symmetric_noise(victim, batch)
    with perturbed(victim, delta):
        found = victim.logits(batch.rows)
    expected = slow_logits(victim, batch.rows, word_vectors(victim, batch) + delta)
    torch.testing.assert_close(found, expected, **CLOSE)
    clean = victim.logits(batch.rows)
    assert (found - clean).abs().min() > 1e-3  # every text feels it
    expected = slow_logits(victim, batch.rows, word_vectors(victim, batch))
    torch.testing.assert_close(clean, expected, **CLOSE)


def slow_search(victim, batch, settings):
    """The docstring of the class in loops: row by row, with the norms of flat vectors."""
    X, y = word_vectors(victim, batch), batch.labels
    noise = symmetric_noise(victim, batch)
    n_rows, alpha = len(X), settings.step_size or 1.5 * settings.epsilon / settings.steps
    epsilon, l2 = settings.epsilon, settings.norm == "l2"
    if l2:
        delta = torch.stack([row * epsilon / row.flatten().norm() for row in noise])
    else:
        delta = noise * epsilon
    for _ in range(settings.steps):
        delta.requires_grad_()
        loss = F.cross_entropy(slow_logits(victim, batch.rows, X + delta), y)
        (gradient,) = torch.autograd.grad(loss, delta)
        delta = delta.detach().clone()
        for row in range(n_rows):
            if l2:
                delta[row] += alpha * gradient[row] / gradient[row].flatten().norm()
                length = delta[row].flatten().norm()
                if length > epsilon:
                    delta[row] *= epsilon / length
            else:
                delta[row] = (delta[row] + alpha * gradient[row].sign()).clip(-epsilon, epsilon)
    return delta


@pytest.mark.parametrize("method", WRITTEN_OUT)
@pytest.mark.parametrize(
    "settings",
    [{}, {"steps": 3}, {"step_size": 0.2, "steps": 2}, {"norm": "linf", "epsilon": 0.02}],
)
def test_the_search_against_loops(tiny_backbone, method, settings):
    victim, objective = tiny_victim(method, tiny_backbone), EmbeddingPerturbation(**settings)
    batch = batch_of(victim)
    found = objective.search(victim, batch)
    expected = slow_search(victim, batch, objective)
    # A sign may turn where a gradient is 0 but for rounding; nowhere else may anything differ.
    different = ~torch.isclose(found, expected, rtol=1e-3, atol=1e-5)
    assert different.float().mean() <= (0.002 if objective.norm == "linf" else 0)
    assert not found.requires_grad
    with torch.no_grad():
        words = word_vectors(victim, batch)
        before, after = slow_loss(victim, batch, words), slow_loss(victim, batch, words + found)
    assert after > before + 0.01


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_worst_delta_of_a_linear_model(norm):
    """Two classes, logits linear in the vectors: the worst delta is known in closed form."""
    toy, batch = LinearToy(), toy_batch(lengths=(4, 1, 3))
    objective = EmbeddingPerturbation(norm=norm, epsilon=0.2, step_size=1e6)  # one step, projected
    delta = objective.search(toy, batch)
    for row, (n, y) in enumerate([(4, 0), (1, 1), (3, 0)]):
        worse = (toy.weight[1 - y] - toy.weight[y]).detach()
        expected = (
            worse.sign() * 0.2 if norm == "linf" else 0.2 / math.sqrt(n) * worse / worse.norm()
        )
        torch.testing.assert_close(delta[row, :n], expected.expand(n, -1), rtol=1e-4, atol=1e-5)
        assert not delta[row, n:].any()
        margin = (toy.words(batch.rows.input_ids[row]).sum(0) @ worse).item()
        drop = n * (expected @ worse).item()
        assert drop == pytest.approx(
            0.2 * (n * worse.abs().sum() if norm == "linf" else math.sqrt(n) * worse.norm()).item(),
            rel=1e-5,
        )
        with perturbed(toy, delta):
            loss = F.cross_entropy(toy.logits(batch.rows)[row : row + 1], torch.tensor([y]))
        assert loss.item() == pytest.approx(math.log1p(math.exp(margin + drop)), rel=1e-4)


@pytest.mark.parametrize("method", WRITTEN_OUT)
def test_pitfall_02_the_search_leaves_no_gradients(tiny_backbone, method):
    """The weights' gradients after a step are those of the perturbed loss, and nothing else."""
    victim = tiny_victim(method, tiny_backbone)
    batch, objective = batch_of(victim), perturbation_of(victim)
    delta = objective.search(victim, batch)
    assert not gradients(victim)

    loss = objective.backward(victim, batch, None)
    found = gradients(victim)
    victim.zero_grad()
    words = word_embeddings(victim).weight[batch.rows.input_ids]  # with gradients
    expected_loss = slow_loss(victim, batch, words + delta)
    expected_loss.backward()
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-5)
    assert not loss.requires_grad
    assert_same_gradients(found, gradients(victim), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", WRITTEN_OUT)
@pytest.mark.parametrize("steps", [1, 2])
def test_pitfall_02_the_release_adds_the_gradients_of_the_search(tiny_backbone, method, steps):
    """With accumulate_inner_grad: the sum over search passes (X fixed) and the outer pass."""
    victim = tiny_victim(method, tiny_backbone)
    settings = {"steps": steps, "accumulate_inner_grad": True}
    batch, objective = batch_of(victim), perturbation_of(victim, **settings)
    objective.backward(victim, batch, None)
    found = gradients(victim)
    victim.zero_grad()

    fixed, words = word_vectors(victim, batch), word_embeddings(victim).weight[batch.rows.input_ids]
    prefix = dataclasses.replace(objective, accumulate_inner_grad=False, step_size=1.05 / steps)
    first = 0.7 * unit(symmetric_noise(victim, batch))
    halfway = dataclasses.replace(prefix, steps=1).search(victim, batch)
    for delta in [first, halfway][:steps]:
        slow_loss(victim, batch, fixed + delta).backward()
    slow_loss(victim, batch, words + prefix.search(victim, batch)).backward()
    assert_same_gradients(found, gradients(victim), rtol=1e-3, atol=1e-6)

    victim.zero_grad()
    prefix.backward(victim, batch, None)
    plain = gradients(victim)
    assert max((found[n] - plain[n]).abs().max() for n in plain) > 1e-3  # the switch matters


def test_dropout_is_off_in_the_search_and_on_in_the_loss(tiny_backbone):
    victim = tiny_victim("mlp_ft", tiny_backbone).train()
    batch, objective = batch_of(victim), perturbation_of(victim)
    assert objective.search(victim, batch).equal(objective.search(victim, batch))
    assert all(module.training for module in victim.modules())
    first, second = (objective.backward(victim, batch, None) for _ in range(2))
    assert first != second
    victim.eval()
    assert objective.backward(victim, batch, None) == objective.backward(victim, batch, None)
    assert not victim.training


def test_pitfall_13_the_start_is_symmetric():
    """u * (2u - 1), as released, has the mean 1/6 and is above -1/8; ours has the mean 0."""
    toy = LinearToy(hidden=2000)
    noise = symmetric_noise(toy, toy_batch(lengths=(40, 40)))
    assert abs(noise.mean().item()) < 4 / math.sqrt(3 * noise.numel())  # 4 standard errors
    assert noise.min() < -0.999 and noise.max() > 0.999
    assert noise.square().mean().item() == pytest.approx(1 / 3, rel=0.02)


@pytest.mark.parametrize("method", WRITTEN_OUT)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_pitfall_13_no_noise_on_padding(tiny_backbone, method, norm):
    """The whole of epsilon goes to real tokens: before the search, and after it."""
    victim = tiny_victim(method, tiny_backbone)
    batch = batch_of(victim)
    padding = batch.rows.attention_mask == 0
    assert padding.any() and not padding.all(dim=1).any()
    objective = EmbeddingPerturbation(norm=norm, epsilon=0.5, step_size=1e-9)
    for delta in (objective.search(victim, batch), EmbeddingPerturbation().search(victim, batch)):
        assert not delta[padding].any()
        assert (delta[~padding] != 0).float().mean() > 0.99
    first = objective.search(victim, batch)
    sizes = first.flatten(1).norm(dim=1) if norm == "l2" else first.flatten(1).abs().amax(dim=1)
    torch.testing.assert_close(sizes, torch.full_like(sizes, 0.5), rtol=0.02, atol=0)


def test_padding_that_a_victim_reads_gets_no_delta():
    toy, batch = LinearToy(), toy_batch(lengths=(4, 1))
    assert not EmbeddingPerturbation(steps=3).search(toy, batch)[1, 1:].any()


def test_each_prompted_copy_has_its_own_delta(tiny_backbone):
    victim = tiny_victim("mvp", tiny_backbone)
    batch = batch_of(victim)
    n_templates = batch.rows.mask_position.shape[1]
    assert n_templates > 1
    delta = EmbeddingPerturbation().search(victim, batch)
    assert len(delta) == len(LABELS) * n_templates
    norms = delta.flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones_like(norms))
    copies = delta[:n_templates, 0]  # <s> of the copies of one text
    assert torch.cdist(copies, copies).fill_diagonal_(1).min() > 1e-3


@pytest.mark.parametrize("steps", [1, 3])
def test_pitfall_21_every_pass_reads_the_whole_batch(tiny_backbone, steps):
    """One inner pass per step and one outer pass, nothing split or doubled."""
    victim = tiny_victim("mvp", tiny_backbone)
    batch = batch_of(victim)
    with record(word_embeddings(victim)) as passes:
        EmbeddingPerturbation(steps=steps).backward(victim, batch, None)
    assert [len(words) for words in passes] == [len(batch.rows.input_ids)] * (steps + 1)


def test_nothing_stays_attached(tiny_backbone):
    victim = tiny_victim("mvp", tiny_backbone)
    batch = batch_of(victim)
    before = victim.logits(batch.rows)
    EmbeddingPerturbation().backward(victim, batch, None)
    assert not any(module._forward_hooks for module in victim.modules())
    assert victim.logits(batch.rows).equal(before)


def test_a_flat_loss_moves_nothing_and_breaks_nothing():
    toy, batch = LinearToy(), toy_batch()
    with torch.no_grad():
        toy.weight.zero_()  # both classes alike: the gradient is 0
    delta = EmbeddingPerturbation().search(toy, batch)
    assert delta.equal(unit(symmetric_noise(toy, batch)))


def test_a_sure_victim_is_perturbed_as_far_as_an_unsure_one():
    """Gradients whose squares are below the smallest number still have a direction."""
    toy, batch = LinearToy(), toy_batch()
    rows = symmetric_noise(toy, batch)
    for scale in (1e-30, 1.0, 1e30):
        torch.testing.assert_close(unit(scale * rows), unit(rows))
    norms = unit(1e-30 * rows).flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(3))


def test_the_released_setting_is_the_default():
    assert EmbeddingPerturbation() == EmbeddingPerturbation("l2", 1.0, 1, None, False)
    assert dataclasses.replace(AS_RELEASED, accumulate_inner_grad=False) == EmbeddingPerturbation()
    assert AS_RELEASED.accumulate_inner_grad
    toy, batch = LinearToy(), toy_batch()
    explicit = EmbeddingPerturbation(step_size=1.5)
    assert EmbeddingPerturbation().search(toy, batch).equal(explicit.search(toy, batch))


def test_the_seed_decides():
    toy, batch = LinearToy(), toy_batch(seed=1)
    other = Batch(Rows(*batch.rows), batch.labels, seed=2)
    assert symmetric_noise(toy, batch).equal(symmetric_noise(toy, batch))
    assert not symmetric_noise(toy, batch).equal(symmetric_noise(toy, other))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("norm", "l1"), ("epsilon", 0), ("epsilon", float("inf")), ("steps", 0), ("step_size", -1),
        ("accumulate_inner_grad", "no"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(name, value):
    with pytest.raises(BadInput, match=f"{name}.*{value}"):
        EmbeddingPerturbation(**{name: value})
