"""Training: what it learns, when it is evaluated, how it steps, and what it refuses."""

import dataclasses

import pytest
import torch
from datasets import Dataset
from victim_cases import CONFIG, quiet, sentiment_data, tiny_victim

from mvp_skill import training
from mvp_skill.errors import BadInput
from mvp_skill.train_config import TrainConfig, has_bf16
from mvp_skill.training import evaluate
from mvp_skill.training_step import adamw
from mvp_skill.victims import METHODS
from mvp_skill.weights import fingerprint, weights_of


@pytest.fixture(scope="module")
def data():
    return sentiment_data()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("autocast", ["off", "auto"])
def test_victims_learn(tiny_backbone, method, autocast):
    data = sentiment_data(n_train=200, n_validation=60)
    victim = tiny_victim(method, tiny_backbone)
    before = evaluate(victim, data["validation"])
    config = dataclasses.replace(CONFIG, epochs=6, eval_every_examples=200, autocast=autocast)
    log = quiet(victim, data, config)
    assert before < 0.7 and evaluate(victim, data["validation"]) >= 0.9
    assert log.history[-1]["train_loss"] < 0.9 * log.history[0]["train_loss"]
    assert log.best["clean_acc"] == evaluate(victim, data["validation"])
    assert not victim.training
    logits = victim(["the film was wonderful"])
    assert logits.dtype == torch.float32 and logits.argmax() == 1


def test_nothing_is_trained_after_an_evaluation_with_all_right(tiny_backbone, data, monkeypatch):
    """The first of equal evaluations wins, so what comes after cannot change the outcome."""
    whole, short = (iter(accs) for accs in ([0.5, 0.99, *[0.7] * 6], [0.5, 1.0]))
    victims = []
    for accuracies in (whole, short):
        monkeypatch.setattr(training, "clean_accuracy", lambda *_, a=accuracies: next(a))
        victims.append(tiny_victim("mlp_ft", tiny_backbone))
        log = quiet(victims[-1], data)
    assert len(log.history) == 2 and log.best == log.history[1]
    first, second = (weights_of(victim) for victim in victims)
    assert fingerprint(first) == fingerprint(second)


def test_evaluate_is_the_share_of_right_examples(tiny_backbone, data):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    right = sum(
        victim([example["texts"][0]]).argmax().item() == example["label"]
        for example in data["validation"]
    )
    assert evaluate(victim, data["validation"]) == right / 19
    assert all(p.grad is None for p in victim.parameters())  # pitfall 3


def test_pitfall_14_same_interval_for_all(tiny_backbone, data):
    """All methods are evaluated after the same numbers of examples, whatever their templates."""
    logs = [quiet(tiny_victim(method, tiny_backbone), data) for method in METHODS]
    seen = [[row["n_examples"] for row in log.history] for log in logs]
    assert all(counts == seen[0] for counts in seen)
    assert len(seen[0]) == 8  # 3 * 41 examples: 7 multiples of 16, and the end
    assert seen[0][-1] == 123
    assert all(0 <= n - 16 * (k + 1) < 8 for k, n in enumerate(seen[0][:-1]))


def test_learning_rate_falls_linearly_to_zero(tiny_backbone, data, monkeypatch):
    rates, step = [], torch.optim.AdamW.step
    monkeypatch.setattr(
        torch.optim.AdamW,
        "step",
        lambda self: (rates.append(self.param_groups[0]["lr"]), step(self)),
    )
    quiet(tiny_victim("mlp_ft", tiny_backbone), data)
    assert rates == pytest.approx([5e-3 * (18 - k) / 18 for k in range(18)])


def test_biases_and_layer_norms_do_not_decay(tiny_backbone):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    decaying, others = adamw(list(victim.parameters()), CONFIG).param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.01, 0)
    names = {id(p): name for name, p in victim.named_parameters()}
    assert all("bias" in names[id(p)] or "LayerNorm" in names[id(p)] for p in others["params"])
    assert not any(
        "bias" in names[id(p)] or "LayerNorm" in names[id(p)] for p in decaying["params"]
    )
    assert len(decaying["params"]) + len(others["params"]) == len(names)


def test_gradients_are_clipped(tiny_backbone, data, monkeypatch):
    norms, step = [], torch.optim.AdamW.step

    def spy(self):
        gradients = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
        norms.append(torch.cat(gradients).norm().item())
        step(self)

    monkeypatch.setattr(torch.optim.AdamW, "step", spy)
    config = dataclasses.replace(CONFIG, clip=0.01, epochs=1)
    quiet(tiny_victim("mlp_ft", tiny_backbone), data, config)
    assert norms == pytest.approx([0.01] * 6, rel=1e-3)


def test_first_best_wins_and_patience_ends_training(tiny_backbone, data, monkeypatch):
    scores, weights = iter([0.5, 0.9, 0.2, 0.9, 0.1, 1.0]), []

    def scripted(victim, split):
        weights.append(fingerprint(weights_of(victim)))
        return next(scores)

    monkeypatch.setattr(training, "clean_accuracy", scripted)
    victim = tiny_victim("mvp", tiny_backbone)
    log = quiet(victim, data, dataclasses.replace(CONFIG, patience=3))
    assert [row["clean_acc"] for row in log.history] == [0.5, 0.9, 0.2, 0.9, 0.1]
    assert log.best == log.history[1]
    assert len(set(weights)) == 5
    assert fingerprint(weights_of(victim)) == weights[1]


@pytest.mark.parametrize(
    ("changes", "n_evaluations"),
    [
        ({}, 8),
        ({"enough": 0.9}, 5),
        ({"enough": 0.91}, 8),
        ({"give_up_below": 0.71}, 4),
        ({"give_up_below": 0.7}, 8),
        ({"give_up_below": 0.95}, 4),
    ],
)
def test_training_ends_with_enough_or_is_given_up_at_half(
    tiny_backbone, data, monkeypatch, changes, n_evaluations
):
    """Eight evaluations in all; what is too little is not waited for longer than half of them."""
    scores = iter([0.5, 0.6, 0.4, 0.7, 0.9, 0.8, 0.8, 0.8])
    monkeypatch.setattr(training, "clean_accuracy", lambda *_: next(scores))
    config = dataclasses.replace(CONFIG, patience=9, **changes)
    assert len(quiet(tiny_victim("mlp_ft", tiny_backbone), data, config).history) == n_evaluations


def test_nothing_waits_for_the_device_within_a_step(tiny_backbone, data, monkeypatch):
    """Reading a value back makes a GPU wait; only evaluations do it, for loss and accuracy."""
    reads, item = [], torch.Tensor.item
    monkeypatch.setattr(torch.Tensor, "item", lambda self: (reads.append(self), item(self))[1])
    log = quiet(tiny_victim("mlp_ft", tiny_backbone), data)
    assert len(reads) == 2 * len(log.history)


def test_training_leaves_the_callers_random_numbers_alone(tiny_backbone, data):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    quiet(tiny_victim("mlp_ft", tiny_backbone), data, dataclasses.replace(CONFIG, epochs=1))
    assert torch.rand(4).equal(expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_seed_decides(tiny_backbone, data):
    def outcome(seed):
        victim = tiny_victim("mvp", tiny_backbone, training_templates="one")
        quiet(victim, data, dataclasses.replace(CONFIG, seed=seed, epochs=1))
        return fingerprint(weights_of(victim))

    assert outcome(0) == outcome(0) != outcome(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learning_rate", 0), ("learning_rate", 1.5), ("learning_rate", "1e-5"),
        ("learning_rate", float("nan")), ("batch_size", 0), ("batch_size", 8.0), ("epochs", True),
        ("eval_every_examples", -1), ("patience", 0), ("weight_decay", -0.1), ("clip", 0),
        ("seed", -1), ("autocast", "bf16"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused(name, value):
    with pytest.raises(BadInput, match=f"{name}.*{value}") as refusal:
        TrainConfig(**{name: value})
    assert "\n" not in str(refusal.value)


def test_bad_data_are_refused_before_training(tiny_backbone, data):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    empty = {"train": data["train"].select([]), "validation": data["validation"]}
    with pytest.raises(BadInput, match="train split is empty"):
        quiet(victim, empty)
    wrong = Dataset.from_dict({"texts": [["a"], ["b"]], "label": [0, 2]})
    with pytest.raises(BadInput, match="validation split has labels from 0 to 2; mini_films"):
        quiet(victim, {"train": data["train"], "validation": wrong})
    pairs = Dataset.from_dict({"texts": [["a", "b"]], "label": [0]})
    with pytest.raises(BadInput, match="one string"):
        quiet(victim, {"train": pairs, "validation": data["validation"]})


def test_a_diverging_training_says_so(tiny_backbone, data):
    victim = tiny_victim("mvp", tiny_backbone)
    with torch.no_grad():
        next(victim.parameters()).fill_(float("nan"))
    with pytest.raises(BadInput, match="loss is nan after 16 examples; use a lower learning_rate"):
        quiet(victim, data)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("method", METHODS)
def test_a_gpu_gives_the_same_weights_twice(tiny_backbone, data, method):
    outcomes = set()
    for _ in range(2):
        victim = tiny_victim(method, tiny_backbone)
        assert next(victim.parameters()).is_cuda
        quiet(victim, data, dataclasses.replace(CONFIG, autocast="auto"))
        outcomes.add(fingerprint(weights_of(victim)))
    assert len(outcomes) == 1


def test_bf16_is_only_used_when_asked_for():
    cpu = torch.device("cpu")
    assert not CONFIG.trains_in_bf16(cpu)
    assert dataclasses.replace(CONFIG, autocast="auto").trains_in_bf16(cpu) == has_bf16(cpu)
    assert not has_bf16(torch.device("meta"))
