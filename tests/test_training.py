import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from victim_cases import sentiment_data, tiny_victim

from mvp_skill import training
from mvp_skill.errors import BadInput
from mvp_skill.train_config import TrainConfig, has_bf16
from mvp_skill.training import evaluate, train, train_or_load
from mvp_skill.training_state import STATE_FILE, training_key
from mvp_skill.training_step import adamw
from mvp_skill.victims import METHODS, load_victim
from mvp_skill.weights import fingerprint, weights_of

# 41 examples: batches of 8, 8, 8, 8, 8 and 1, so evaluations are not at the ends of epochs.
CONFIG = TrainConfig(
    learning_rate=5e-3, batch_size=8, epochs=3, eval_every_examples=16, patience=100, seed=7
)


@pytest.fixture(scope="module")
def data():
    return sentiment_data()


def quiet(victim, data, config=CONFIG, *arguments, **options):
    return train(victim, data, config, *arguments, progress=False, **options)


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


PROGRAM = """
import sys
import os, signal
sys.path.insert(0, {tests!r})
from test_training import CONFIG
from victim_cases import sentiment_data, tiny_victim
from mvp_skill import training
writes = []
def killed_after_three(*arguments, write=training.write_state):
    write(*arguments)
    writes.append(1)
    if len(writes) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
training.write_state = killed_after_three
victim = tiny_victim({method!r}, {backbone!r}, training_templates="one")
training.train(victim, sentiment_data(), CONFIG, {folder!r}, state_every_seconds=0, progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["mlp_ft", "mvp", "lpft_dense"])
def test_a_killed_training_ends_as_if_it_had_not_been(tiny_backbone, data, method, tmp_path):
    """Killed in one process, resumed in another, compared with one that was not, bit by bit."""
    folder = tmp_path / "victim"
    program = PROGRAM.format(
        tests=str(Path(__file__).parent),
        method=method,
        backbone=str(tiny_backbone),
        folder=str(folder),
    )
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [path.name for path in folder.iterdir()] == [STATE_FILE]

    steps, step = [], training._step
    resumed = tiny_victim(method, tiny_backbone, training_templates="one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_step", lambda *a: (steps.append(a[2]), step(*a))[1])
        log = quiet(resumed, data, CONFIG, folder)
    assert steps == list(range(7, 18))  # the third evaluation was after 49 examples

    uninterrupted = tiny_victim(method, tiny_backbone, training_templates="one")
    expected = quiet(uninterrupted, data)
    assert log.history == expected.history and log.key == expected.key
    assert fingerprint(weights_of(resumed)) == fingerprint(weights_of(uninterrupted))
    assert fingerprint(weights_of(load_victim(folder))) == fingerprint(weights_of(uninterrupted))
    assert not (folder / STATE_FILE).exists()


def test_a_finished_victim_is_reused(tiny_backbone, data, tmp_path, monkeypatch):
    first, log = train_or_load(
        tmp_path, tiny_victim("mvp", tiny_backbone), data, CONFIG, progress=False
    )
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained again"))
    second, same = train_or_load(tmp_path, tiny_victim("mvp", tiny_backbone), data, CONFIG)
    assert second is not first and same == log
    texts = ["the film was wonderful", "awful"]
    assert second(texts).equal(first(texts))


def test_a_victim_of_other_parameters_is_not_reused(tiny_backbone, data, tmp_path, caplog):
    def run(**changes):
        config = dataclasses.replace(CONFIG, epochs=1, **changes)
        victim = tiny_victim("mlp_ft", tiny_backbone)
        return train_or_load(tmp_path, victim, data, config, progress=False)[1]

    first = run()
    assert not caplog.messages
    second = run(weight_decay=0.02)
    assert caplog.messages == [
        f"{tmp_path}: other config.weight_decay than the stored victim's; training anew"
    ]
    assert second.key != first.key
    assert json.loads((tmp_path / "training.json").read_text())["log"]["key"] == second.key


def test_the_state_of_another_training_is_ignored(tiny_backbone, data, tmp_path, caplog):
    def killed(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "save", killed)
        quiet(tiny_victim("mvp", tiny_backbone), data, CONFIG, tmp_path, state_every_seconds=0)
    assert (tmp_path / STATE_FILE).exists()
    other = dataclasses.replace(CONFIG, seed=8)
    victim, expected = tiny_victim("mvp", tiny_backbone), tiny_victim("mvp", tiny_backbone)
    quiet(victim, data, other, tmp_path)
    assert "other parameters and is ignored" in caplog.text
    quiet(expected, data, other)
    assert fingerprint(weights_of(victim)) == fingerprint(weights_of(expected))


def test_a_damaged_state_is_refused(tiny_backbone, data, tmp_path):
    (tmp_path / STATE_FILE).write_bytes(b"half a file")
    with pytest.raises(BadInput, match="training_state.safetensors is not a complete"):
        quiet(tiny_victim("mvp", tiny_backbone), data, CONFIG, tmp_path)


def test_everything_that_changes_the_outcome_changes_the_key(tiny_backbone, data):
    def key(data=data, config=CONFIG, method="mvp", weight=0.0, **options):
        victim = tiny_victim(method, tiny_backbone, **options)
        with torch.no_grad():
            next(victim.parameters())[3, 5] += weight
        splits = {
            name: training.encoded(victim, data[name], name) for name in ("train", "validation")
        }
        return training_key(training.training_parameters(victim, config, splits))

    changed = {
        "learning_rate": 4e-3, "batch_size": 9, "epochs": 4, "eval_every_examples": 17,
        "patience": 99, "weight_decay": 0.02, "clip": 2.0, "seed": 8, "autocast": "auto",
        "schedule": "constant",
        "objective": "perturbation",
    }  # fmt: skip
    assert set(changed) == {field.name for field in dataclasses.fields(TrainConfig)}
    keys = [key(config=dataclasses.replace(CONFIG, **{k: v})) for k, v in changed.items()]
    for split, column, value in (
        ("train", "label", 0), ("train", "texts", ["great"]), ("validation", "texts", ["great"]),
    ):  # fmt: skip
        rows = data[split].to_list()
        rows[1] = rows[1] | {column: value}
        other = dict(data) | {split: Dataset.from_list(rows, features=data[split].features)}
        keys.append(key(data=other))
    keys += [
        key(method="mlp_ft"), key(method="mlp_ft", seed=1), key(weight=1e-3), key(max_length=50),
        key(template_variant="one"), key(word_pooling="mean"), key(template_pooling="max"),
        key(training_templates="one"), key(),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert key() == keys[-1]


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
