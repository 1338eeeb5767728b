"""InfoBERT against loops over tokens and sentences."""

import math

import pytest
import torch
import torch.nn.functional as F
from perturbation_cases import assert_same_gradients, batch_of, gradients, slow_loss
from test_freelb import slow_first_delta
from victim_cases import sentiment_data, tiny_victim

from mvp_skill.errors import BadInput
from mvp_skill.infobert import InfoBERT, anchored_tokens, lower_bound, upper_bound
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train
from mvp_skill.victim_parts import word_embeddings
from mvp_skill.weights import fingerprint, weights_of


@pytest.fixture
def critic(tiny_backbone):
    return InfoBERT(critic_size=7).auxiliary(tiny_victim("mlp_ft", tiny_backbone), seed=0)


def draws(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def slow_critic(critic, word, sentence):
    """The formula on one pair: W times the two vectors end to end."""
    inner = F.relu(critic.pair(torch.cat([word, sentence])))
    return F.softplus(critic.score(inner))[0]


def slow_lower_bound(critic, words, sentences, chosen):
    """words[s][t] of the chosen (s, t): every token against every chosen token, one by one."""
    terms = []
    for s, t in chosen:
        own = slow_critic(critic, words[s][t], sentences[s])
        others = [slow_critic(critic, words[a][b], sentences[s]).exp() for a, b in chosen]
        terms.append(own - torch.log(sum(others) / len(others)))
    return sum(terms) / len(terms)


def slow_anchored(gradient, low, high):
    """Positions of one sentence without padding: sort, then cut."""
    n = len(gradient)
    order = sorted(range(n), key=lambda position: gradient[position].norm().item())
    return order[math.ceil(n * low) : math.ceil(n * high)]


def test_upper_bound_against_a_loop():
    words = draws((13, 5))
    order = torch.randperm(13, generator=torch.Generator().manual_seed(4)).tolist()
    expected = sum(
        sum((words[i][d] - words[order[i]][d]) ** 2 for d in range(5)) / 2 for i in range(13)
    )
    found = upper_bound(words, torch.Generator().manual_seed(4))
    assert found.item() == pytest.approx(expected.item() / 13, rel=1e-5)
    assert upper_bound(words[:1].expand(6, -1), torch.Generator()) == 0


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.9), (0.0, 1.0), (0.25, 0.3)])
def test_anchored_tokens_against_sorting(low, high):
    lengths = [17, 2, 10, 3, 1]
    gradient = draws((5, 17, 3))
    tokens = torch.arange(17) < torch.tensor(lengths)[:, None]
    found = anchored_tokens(gradient, tokens, low, high)
    for row, length in enumerate(lengths):
        expected = sorted(slow_anchored(gradient[row, :length], low, high))
        assert found[row].nonzero().flatten().tolist() == expected


def test_anchored_tokens_of_a_sentence_of_ten():
    """Sizes 0 to 9: those from 5 to 8; neither the useless nor the largest."""
    gradient = torch.arange(10.0)[torch.tensor([3, 9, 0, 7, 5, 1, 8, 2, 6, 4])][None, :, None]
    tokens = torch.ones(1, 10, dtype=torch.bool)
    found = anchored_tokens(gradient, tokens, 0.5, 0.9)
    assert sorted(gradient[found].flatten().tolist()) == [5, 6, 7, 8]


def test_lower_bound_against_loops(critic):
    words, sentences = draws((3, 5, 32), 1), draws((3, 32), 2)
    anchored = torch.zeros(3, 5, dtype=torch.bool)
    chosen = [(0, 1), (0, 4), (2, 0), (2, 2), (2, 3)]  # none of sentence 1
    for s, t in chosen:
        anchored[s, t] = True
    found = lower_bound(words, sentences, anchored, critic)
    torch.testing.assert_close(found, slow_lower_bound(critic, words, sentences, chosen))


def test_a_critic_that_tells_sentences_apart_has_a_high_bound():
    """At most log n: a perfect critic of n sentences with a token each reaches it."""
    words = torch.zeros(8, 1, 4)
    anchored = torch.ones(8, 1, dtype=torch.bool)
    perfect = lower_bound(words, words[:, 0], anchored, lambda *_: 50 * torch.eye(8))
    blind = lower_bound(words, words[:, 0], anchored, lambda *_: torch.full((8, 8), 3.0))
    assert perfect.item() == pytest.approx(math.log(8)) and blind.item() == pytest.approx(0)


def slow_step(victim, batch, objective, critic):
    """One step with loops over the K passes and the sentences; gradients go into the weights."""
    mask = batch.rows.attention_mask
    lengths = mask.sum(dim=1).tolist()
    generator = torch.Generator().manual_seed(batch.seed)
    delta, total = slow_first_delta(victim, batch, objective.init_magnitude), 0.0
    for _ in range(objective.steps):
        delta = delta.detach().requires_grad_()
        vectors = word_embeddings(victim).weight[batch.rows.input_ids] + delta
        words, sentences = [], []
        for row, length in enumerate(lengths):
            states = victim.encoder(
                inputs_embeds=vectors[row : row + 1, :length], output_hidden_states=True
            ).hidden_states
            words.append(states[0][0])
            sentences.append(states[-1][0, 0])
        flat = torch.cat(words)
        order = torch.randperm(len(flat), generator=generator)
        upper = ((flat - flat[order]) ** 2).sum(dim=1).mean() / 2
        task = slow_loss(victim, batch, vectors) + objective.beta * upper
        (gradient,) = torch.autograd.grad(task, delta, retain_graph=True)
        chosen = [
            (row, position)
            for row, length in enumerate(lengths)
            for position in slow_anchored(gradient[row, :length], 0.5, 0.9)
        ]
        bound = slow_lower_bound(critic, words, sentences, chosen)
        loss = (task - objective.alpha * bound) / objective.steps
        loss.backward()
        total += loss.item()
        steps = [objective.step_size * of_row / of_row.norm() for of_row in gradient]
        delta = delta + torch.stack(steps)
    return total


def test_a_step_against_loops(tiny_backbone, critic):
    """Large weights, so that each term shows in the gradients of victim and critic."""
    objective = InfoBERT(steps=2, step_size=0.3, init_magnitude=0.5, alpha=0.7, beta=0.1)
    victim = tiny_victim("mlp_ft", tiny_backbone)
    batch = batch_of(victim)
    loss = objective.backward(victim, batch, critic)
    found, of_critic = gradients(victim), gradients(critic)
    victim.zero_grad()
    critic.zero_grad()
    assert loss.item() == pytest.approx(slow_step(victim, batch, objective, critic), rel=1e-4)
    assert_same_gradients(found, gradients(victim), rtol=5e-3, atol=1e-5)
    assert_same_gradients(of_critic, gradients(critic), rtol=5e-3, atol=1e-5)
    assert len(of_critic) == 4 and all(g.abs().max() > 1e-4 for g in of_critic.values())
    assert not any(module._forward_hooks for module in victim.modules())


def test_the_critic_trains_and_is_not_stored(tiny_backbone, tmp_path, monkeypatch):
    made, auxiliary = [], InfoBERT.auxiliary
    monkeypatch.setattr(InfoBERT, "auxiliary", lambda *a: (made.append(auxiliary(*a)), made[-1])[1])
    config = TrainConfig(learning_rate=5e-3, epochs=2, seed=7, objective="infobert")
    victim = tiny_victim("mlp_ft", tiny_backbone)
    names = set(weights_of(victim))
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train(victim, sentiment_data(), config, tmp_path, progress=False)
    assert torch.rand(4).equal(expected)  # the critic's first weights have a seed of their own
    fresh = auxiliary(config.objective, victim, config.seed)
    assert fingerprint(weights_of(made[0])) != fingerprint(weights_of(fresh))
    assert set(weights_of(victim)) == names
    other = auxiliary(config.objective, victim, 8)
    assert fingerprint(weights_of(other)) != fingerprint(weights_of(fresh))


def test_what_does_not_fit_is_refused(tiny_backbone):
    with pytest.raises(BadInput, match="'infobert' is for victims that read a bare text"):
        InfoBERT().auxiliary(tiny_victim("mvp", tiny_backbone), 0)
    for name in ("steps", "critic_size", "step_size", "init_magnitude", "alpha", "beta"):
        with pytest.raises(BadInput, match=f"{name}.* not 0"):
            InfoBERT(**{name: 0})
    with pytest.raises(BadInput, match="anchors_from and anchors_to must rise.* 0.9 and 0.9"):
        InfoBERT(anchors_from=0.9)
