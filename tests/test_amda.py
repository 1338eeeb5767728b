"""AMDA: mixup against loops over texts and layers, augmentation with a scripted attack."""

import dataclasses
import types

import attack_cases
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from perturbation_cases import LABELS, assert_same_gradients, batch_of, gradients
from victim_cases import sentiment_data, tiny_victim

from mvp_skill.amda import AMDA, RecipeAttacker, adversarial_examples, mixture
from mvp_skill.attack_recipes import NEEDS
from mvp_skill.attacks import attack
from mvp_skill.errors import BadInput
from mvp_skill.objectives import Batch
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train


def drawn(objective, seed, n_texts, n_layers=2):
    """The draws of one step in the order of the code: layer, order, lambda."""
    generator = np.random.default_rng(seed)
    layer = generator.choice(objective.layers(n_layers))
    return layer, generator.permutation(n_texts), generator.beta(objective.alpha, objective.alpha)


def through(layer, states):
    output = layer(states)
    return output[0] if isinstance(output, tuple) else output


def slow_loss(victim, batch, objective):
    """Both terms, text by text without padding, with the encoder's layers called by hand."""
    layer, order, weight = drawn(objective, batch.seed, len(batch.labels))
    encoder, mask = victim.encoder, batch.rows.attention_mask
    lengths = mask.sum(dim=1).tolist()
    ids = [row[:n] for row, n in zip(batch.rows.input_ids, lengths, strict=True)]
    states = [
        encoder(row[None], output_hidden_states=True).hidden_states[layer][0] for row in ids
    ]  # [position, hidden]; 0 is the embedding block
    clean = mixed = 0.0
    n_classes = victim.out_proj.out_features
    for i, j in enumerate(order.tolist()):
        state = [position.clone() for position in states[i]]
        shared = min(lengths[i], lengths[j]) if objective.mixup == "tmix" else 1
        for position in range(shared):
            state[position] = weight * states[i][position] + (1 - weight) * states[j][position]
        state = torch.stack(state)[None]
        for above in encoder.encoder.layer[layer:]:
            state = through(above, state)
        head = victim.out_proj(torch.tanh(victim.dense(state[0, 0])))
        prediction = head.softmax(dim=0)
        for c in range(n_classes):
            wanted = weight * (batch.labels[i] == c) + (1 - weight) * (batch.labels[j] == c)
            if wanted > 0:
                mixed = mixed + wanted * (torch.log(torch.as_tensor(wanted)) - prediction[c].log())
        plain = victim.logits(batch.rows)[i]
        clean = clean - plain.log_softmax(dim=0)[batch.labels[i]]
    return (clean + mixed) / len(batch.labels)


@pytest.mark.parametrize("mixup", ["tmix", "sentmix"])
@pytest.mark.parametrize("layer", [1, 2])
def test_a_step_against_loops(tiny_backbone, mixup, layer):
    objective = AMDA(mixup=mixup, mix_layers=(layer,), alpha=2.0)
    victim = tiny_victim("mlp_ft", tiny_backbone)
    batch = batch_of(victim, labels=torch.tensor([1, 0, 0, 1]))
    _, order, weight = drawn(objective, batch.seed, 4)
    assert (order != np.arange(4)).any() and 0.05 < weight < 0.95
    loss = objective.backward(victim, batch, None)
    found = gradients(victim)
    victim.zero_grad()
    expected = slow_loss(victim, batch, objective)
    expected.backward()
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)
    assert_same_gradients(found, gradients(victim), rtol=2e-3, atol=1e-6)
    assert not any(module._forward_hooks for module in victim.modules())


def test_mixture_against_loops():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(5, 4, 3, generator=generator)
    order = torch.tensor([2, 1, 4, 0, 3])
    lengths = [4, 1, 2, 3, 4]
    mask = (torch.arange(4) < torch.tensor(lengths)[:, None]).long()
    found = mixture(hidden, order, 0.3, mask * mask[order])
    for i, j in enumerate(order.tolist()):
        for position in range(4):
            expected = hidden[i, position]
            if position < min(lengths[i], lengths[j]):
                expected = 0.3 * expected + 0.7 * hidden[j, position]
            torch.testing.assert_close(found[i, position], expected)


def test_a_mixture_with_weight_one_is_the_text_itself(tiny_backbone, monkeypatch):
    """Then the second term is the cross-entropy again."""
    victim = tiny_victim("mlp_ft", tiny_backbone)
    batch = batch_of(victim)
    draws = types.SimpleNamespace(
        choice=lambda layers: layers[0],
        permutation=lambda n: np.roll(np.arange(n), 1),
        beta=lambda *_: 1.0,
    )
    monkeypatch.setattr(np.random, "default_rng", lambda _: draws)
    loss = AMDA().backward(victim, batch, None)
    clean = F.cross_entropy(victim.logits(batch.rows), batch.labels)
    assert loss.item() == pytest.approx(2 * clean.item(), rel=1e-6)


def test_what_is_drawn(tiny_backbone):
    """Layers in proportion to 7, 9 and 12 of 12, one seed per step, lambda from Beta."""
    assert AMDA().layers(12) == (7, 9, 12) and AMDA().layers(4) == (2, 3, 4)
    assert AMDA().layers(1) == (1, 1, 1) and AMDA(mix_layers=(3,)).layers(12) == (3,)
    victim = tiny_victim("mlp_ft", tiny_backbone)
    losses = set()
    for seed in (1, 2, 1):
        batch = Batch(batch_of(victim).rows, LABELS, seed)
        losses.add(AMDA().backward(victim, batch, None).item())
    assert len(losses) == 2
    weights = np.array([drawn(AMDA(alpha=0.4), seed, 4)[2] for seed in range(2000)])
    assert weights.mean() == pytest.approx(0.5, abs=0.03)
    assert weights.var() == pytest.approx(1 / (4 * (2 * 0.4 + 1)), rel=0.06)


class Scripted:
    """An attacker that remembers, and changes every second text."""

    parameters = {"name": "scripted"}

    def __init__(self):
        self.calls = []

    def __call__(self, victim, examples, seed):
        texts = [example["texts"][0] for example in examples]
        sure = victim(texts).amax(dim=1).sum().item()  # of the victim as it is now
        self.calls.append({"texts": texts, "seed": seed, "sure": sure})
        changed = [{"texts": [e["texts"][0] + " film"], "label": e["label"]} for e in examples]
        return changed[::2]


def test_the_training_data_grow(tiny_backbone):
    data, attacker = sentiment_data(), Scripted()
    config = TrainConfig(learning_rate=1e-3, epochs=3, seed=7, objective=AMDA(num_adv=5))
    victim = tiny_victim("mlp_ft", tiny_backbone)
    log = train(victim, data, config, progress=False, attacker=attacker)
    assert log.n_added == [3, 3]  # every second of 5, before epochs 1 and 2
    assert log.history[-1]["n_examples"] == 41 + 44 + 47
    first, second = attacker.calls
    train_texts = [texts[0] for texts in data["train"]["texts"]]
    for call in attacker.calls:
        assert len(call["texts"]) == 5 and set(call["texts"]) <= set(train_texts)
    assert first["seed"] != second["seed"] and first["texts"] != second["texts"]
    assert first["sure"] != second["sure"]


def test_at_most_all_examples_are_attacked():
    rows, attacker = sentiment_data(n_train=3)["train"], Scripted()
    found = adversarial_examples(
        attacker, lambda texts: torch.zeros(3, 2), rows, 500, seed=0, epoch=1
    )
    assert sorted(attacker.calls[0]["texts"]) == sorted(texts[0] for texts in rows["texts"])
    assert [example["label"] for example in found] != [] and len(found) == 2


def test_a_recipe_as_attacker():
    """What succeeds is what `attack` logs as a success, with the label of the original."""
    task, resources = attack_cases.ONE, attack_cases.resources()
    attacker = RecipeAttacker("textfooler", task, resources)
    victim = attack_cases.BagOfWords()
    found = attacker(victim, attack_cases.MIXED, 3)
    log = attack(
        victim, attack_cases.MIXED, "textfooler", task=task, resources=resources, progress=False
    )
    succeeded = [r for r in log.records if r["outcome"] == "succeeded"]
    assert 0 < len(succeeded) < len(log.records)
    assert [(e["texts"], e["label"]) for e in found] == [
        (r["attacked_texts"], r["label"]) for r in succeeded
    ]


def test_another_attack_function_is_called_with_everything(monkeypatch):
    calls = []

    def fake(*arguments, **options):
        calls.append((arguments, options))
        record = {"outcome": "succeeded", "attacked_texts": ["x"], "label": 1}
        return types.SimpleNamespace(records=[record, record | {"outcome": "error"}])

    resources = attack_cases.resources()
    attacker = RecipeAttacker("r", attack_cases.ONE, resources, fake, {"query_budget": 9})
    assert attacker("victim", ["examples"], 3) == [{"texts": ["x"], "label": 1}]
    (arguments, options), *_ = calls
    assert arguments == ("victim", ["examples"], "r")
    expected = {"task": attack_cases.ONE, "resources": resources, "seed": 3}
    assert options == expected | {"progress": False, "query_budget": 9}


def test_the_attackers_parameters_tell_attacks_apart():
    def parameters(recipe="textfooler", task=attack_cases.ONE, **options):
        attacker = RecipeAttacker(recipe, task, attack_cases.resources(), options=options)
        return attacker.parameters

    other = dataclasses.replace(attack_cases.ONE, max_perturbed_fraction=0.1)
    found = [parameters(), parameters("textbugger"), parameters(task=other)]
    found.append(parameters(query_budget=3))
    assert all(one != two for i, one in enumerate(found) for two in found[:i])
    assert parameters() == found[0] and found[0]["recipe"] == "textfooler"
    assert found[0]["resources"] == attack_cases.resources().fingerprints(NEEDS["textfooler"])


def test_what_does_not_fit_is_refused(tiny_backbone):
    victim, data = tiny_victim("mlp_ft", tiny_backbone), sentiment_data()
    with pytest.raises(BadInput, match="'amda' needs an attacker"):
        train(victim, data, TrainConfig(objective="amda"), progress=False)
    with pytest.raises(BadInput, match="no other objective takes one.* not with 'clean'"):
        train(victim, data, TrainConfig(), progress=False, attacker=Scripted())
    with pytest.raises(BadInput, match="'amda' is for victims that read a bare text"):
        AMDA().auxiliary(tiny_victim("mvp", tiny_backbone), 0)
    for layers in ((3,), (0,), ()):
        with pytest.raises(BadInput, match="mix_layers must be layers from 1 to 2 of this"):
            AMDA(mix_layers=layers).auxiliary(victim, 0)
    for name in ("num_adv", "alpha"):
        with pytest.raises(BadInput, match=f"{name}.* not 0"):
            AMDA(**{name: 0})
    with pytest.raises(BadInput, match="mixup 'cutmix'; use tmix, sentmix"):
        AMDA(mixup="cutmix")
