"""What is stored of a training: killed ones go on, finished ones are reused, others start anew."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from victim_cases import CONFIG, quiet, sentiment_data, tiny_victim

from mvp_skill import training
from mvp_skill.errors import BadInput
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train_or_load
from mvp_skill.training_state import STATE_FILE, training_key
from mvp_skill.victims import load_victim
from mvp_skill.weights import fingerprint, weights_of


@pytest.fixture(scope="module")
def data():
    return sentiment_data()


PROGRAM = """
import sys
import os, signal
sys.path.insert(0, {tests!r})
from victim_cases import CONFIG, sentiment_data, tiny_victim
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
        "schedule": "constant", "enough": 0.9, "give_up_below": 0.6,
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
