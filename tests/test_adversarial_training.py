"""The loop with every objective: what it leaves of clean training, resuming, selection."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from perturbation_cases import WRITTEN_OUT, gradients
from victim_cases import sentiment_data, tiny_victim

from mvp_skill import training
from mvp_skill.amda import AMDA
from mvp_skill.batching import training_batches
from mvp_skill.embedding_perturbation import AS_RELEASED, EmbeddingPerturbation
from mvp_skill.evaluation import encoded
from mvp_skill.freelb import FreeLB
from mvp_skill.infobert import InfoBERT
from mvp_skill.objectives import Clean
from mvp_skill.seeding import derived_seed, repeatable
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import evaluate, train
from mvp_skill.training_state import STATE_FILE, training_key, training_parameters
from mvp_skill.victims import load_victim
from mvp_skill.weights import copy_of, fingerprint, weights_of

CONFIG = TrainConfig(
    learning_rate=5e-3, batch_size=8, epochs=3, eval_every_examples=16, patience=100, seed=7
)
# Each with a method that it is defined for.
DEFENCES = [
    ("mlp_ft", EmbeddingPerturbation()),
    ("mvp", EmbeddingPerturbation(norm="linf", epsilon=0.05, steps=2)),
    ("mvp", AS_RELEASED),
    ("mlp_ft", FreeLB(steps=2)),
    ("mlp_ft", InfoBERT(steps=2, critic_size=9)),
    ("mlp_ft", AMDA(num_adv=6)),
]
each_defence = pytest.mark.parametrize(("method", "objective"), DEFENCES, ids=str)


@pytest.fixture(scope="module")
def data():
    return sentiment_data()


class Swapping:
    """An attacker whose every text succeeds; which word it adds depends on the victim's weights."""

    parameters = {"name": "swapping"}

    def __call__(self, victim, examples, seed):
        words = "film movie story actor team".split()
        logits = victim([example["texts"][0] for example in examples])
        chosen = [int(1e4 * abs(value)) % len(words) for value in logits[:, 0].tolist()]
        return [
            {"texts": [f"{example['texts'][0]} {words[word]}"], "label": example["label"]}
            for example, word in zip(examples, chosen, strict=True)
        ]


def trained(method, folder, data, objective, *arguments, config=CONFIG, **options):
    victim = tiny_victim(
        method, folder, **({"training_templates": "one"} if method == "mvp" else {})
    )
    config = dataclasses.replace(config, objective=objective)
    if objective.name == "amda":
        options["attacker"] = Swapping()
    return victim, train(victim, data, config, *arguments, progress=False, **options)


@pytest.mark.parametrize("method", WRITTEN_OUT)
def test_clean_training_is_a_plain_loop_bit_for_bit(tiny_backbone, data, method):
    """The whole of clean training written out by hand gives identical weights."""
    config = dataclasses.replace(CONFIG, eval_every_examples=1000)
    by_loop, _ = trained(method, tiny_backbone, data, Clean(), config=config)

    by_hand = tiny_victim(
        method, tiny_backbone, **({"training_templates": "one"} if method == "mvp" else {})
    )
    records, labels = encoded(by_hand, data["train"], "train")
    matrices = [p for p in by_hand.parameters() if p.ndim > 1]
    vectors = [p for p in by_hand.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": 0.01},
        {"params": vectors, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=5e-3, fused=True)
    by_hand.train()
    step, n_steps = 0, 3 * math.ceil(41 / 8)
    with repeatable():
        for epoch in range(3):
            for batch in training_batches([r.length for r in records], 8, seed=7, epoch=epoch):
                for group in optimizer.param_groups:
                    group["lr"] = 5e-3 * (1 - step / n_steps)
                torch.manual_seed(derived_seed(7, "dropout", step))
                generator = np.random.default_rng(derived_seed(7, "templates", step))
                rows = by_hand.collate([records[index] for index in batch], generator)
                optimizer.zero_grad()
                F.cross_entropy(by_hand.logits(rows), labels[batch]).backward()
                torch.nn.utils.clip_grad_norm_(by_hand.parameters(), 1.0)
                optimizer.step()
                step += 1
    assert fingerprint(weights_of(by_loop)) == fingerprint(weights_of(by_hand))


@pytest.mark.slow
@each_defence
def test_a_killed_defence_ends_as_if_it_had_not_been(
    tiny_backbone, data, method, objective, tmp_path
):
    """Stopped after each of two writings, resumed in a new victim, compared bit by bit."""
    arguments = (method, tiny_backbone, data, objective)
    expected, log = trained(*arguments)
    for stop_after in (3, 2):  # within the second epoch, then within the third
        writes = []

        def killed(*state, write=training.write_state, writes=writes, last=stop_after):
            write(*state)
            writes.append(1)
            if len(writes) == last:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(training, "write_state", killed)
            trained(*arguments, tmp_path, state_every_seconds=0)
        assert (tmp_path / STATE_FILE).exists()
    steps, step = [], training._step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "_step", lambda *a: (steps.append(a[2]), step(*a))[1])
        resumed, same = trained(*arguments, tmp_path)
    assert steps[0] > 6 and steps == list(range(steps[0], steps[-1] + 1))
    assert same.history == log.history and same.n_added == log.n_added
    assert same.key == log.key
    assert fingerprint(weights_of(resumed)) == fingerprint(weights_of(expected))
    assert fingerprint(weights_of(load_victim(tmp_path))) == fingerprint(weights_of(expected))
    if objective.name == "amda":
        assert log.n_added == [6, 6]


@each_defence
def test_pitfall_03_selection_is_on_clean_texts(
    tiny_backbone, data, method, objective, monkeypatch
):
    """Validation never sees a perturbation, and leaves the gradients of training as they are."""
    seen, clean_accuracy = [], training.clean_accuracy

    def watched(victim, split):
        before = gradients(victim)
        assert not any(module._forward_hooks for module in victim.modules())
        found = clean_accuracy(victim, split)
        after = gradients(victim)
        assert before.keys() == after.keys()
        assert all(before[name].equal(after[name]) for name in before)
        seen.append((found, copy_of(weights_of(victim))))
        return found

    monkeypatch.setattr(training, "clean_accuracy", watched)
    victim, log = trained(method, tiny_backbone, data, objective)
    best = max(range(len(seen)), key=lambda index: seen[index][0])
    assert log.best == log.history[best] and log.best["clean_acc"] == seen[best][0]
    assert fingerprint(weights_of(victim)) == fingerprint(seen[best][1])
    assert evaluate(victim, data["validation"]) == seen[best][0]
    fresh = tiny_victim(method, tiny_backbone)  # with the same weights, and no history at all
    with torch.no_grad():
        for parameter, weight in zip(fresh.parameters(), victim.parameters(), strict=True):
            parameter.copy_(weight)
    assert evaluate(fresh, data["validation"]) == seen[best][0]
    assert not gradients(fresh)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "objective"),
    [
        ("mlp_ft", EmbeddingPerturbation(epsilon=0.01)),  # the tiny word vectors are 0.1 long
        ("mvp", EmbeddingPerturbation(norm="linf", epsilon=0.0003, steps=2)),
        ("mvp", dataclasses.replace(AS_RELEASED, epsilon=0.005)),
        ("mlp_ft", FreeLB(steps=2, step_size=0.01, init_magnitude=0.01)),
        ("mlp_ft", InfoBERT(steps=2, step_size=0.01, init_magnitude=0.01, beta=1e-5)),
        ("mlp_ft", AMDA(num_adv=6)),
    ],
    ids=str,
)
def test_defences_learn(tiny_backbone, method, objective):
    data = sentiment_data(n_train=200, n_validation=60)
    # One label is wrong, so that never all are right, which would end the training.
    first, *others = data["validation"]["label"][:]
    wrong = data["validation"].remove_columns("label").add_column("label", [1 - first, *others])
    data["validation"] = wrong
    config = dataclasses.replace(CONFIG, epochs=8, eval_every_examples=200)
    victim, log = trained(method, tiny_backbone, data, objective, config=config)
    assert evaluate(victim, data["validation"]) >= 0.9, log.history
    assert log.history[-1]["train_loss"] < 0.9 * log.history[0]["train_loss"]


def test_the_objective_changes_the_training(tiny_backbone, data):
    config = dataclasses.replace(CONFIG, epochs=1)
    objectives = [Clean(), AS_RELEASED, *(o for method, o in DEFENCES if method == "mlp_ft")]
    outcomes = {
        fingerprint(weights_of(trained("mlp_ft", tiny_backbone, data, objective, config=config)[0]))
        for objective in objectives
    }
    assert len(outcomes) == len(objectives) == 6


def test_no_attack_for_an_epoch_that_does_not_come(tiny_backbone, monkeypatch):
    """Patience ends training with the last step of the first epoch."""
    data = sentiment_data(n_train=40)
    monkeypatch.setattr(training, "clean_accuracy", lambda *_: 0.5)
    monkeypatch.setattr(Swapping, "__call__", lambda *_: pytest.fail("attacked"))
    config = dataclasses.replace(CONFIG, patience=1, eval_every_examples=20)
    _, log = trained("mlp_ft", tiny_backbone, data, AMDA(), config=config)
    assert log.n_added == [] and [row["n_examples"] for row in log.history] == [24, 40]


def test_every_setting_of_every_objective_changes_the_key(tiny_backbone, data):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    splits = {name: encoded(victim, data[name], name) for name in ("train", "validation")}

    def key(objective, attacker=None):
        config = dataclasses.replace(CONFIG, objective=objective)
        return training_key(training_parameters(victim, config, splits, attacker))

    changed = {
        Clean: {},
        EmbeddingPerturbation: {
            "norm": "linf", "epsilon": 2.0, "steps": 2, "step_size": 1.5,
            "accumulate_inner_grad": True,
        },
        FreeLB: {"steps": 6, "step_size": 0.1, "init_magnitude": 0.1},
        InfoBERT: {
            "steps": 4, "step_size": 0.1, "init_magnitude": 0.1, "beta": 0.1, "alpha": 0.1,
            "anchors_from": 0.4, "anchors_to": 0.8, "critic_size": 30,
        },
        AMDA: {"num_adv": 7, "mixup": "sentmix", "alpha": 2.0, "mix_layers": (1,)},
    }  # fmt: skip
    keys = [key(AMDA(), Swapping())]
    for objective, settings in changed.items():
        names = {field.name for field in dataclasses.fields(objective) if field.init}
        assert names == set(settings)
        keys += [key(objective(**{name: value})) for name, value in settings.items()]
        keys.append(key(objective()))
    assert len(set(keys)) == len(keys)
    assert key("freelb") == key(FreeLB())
