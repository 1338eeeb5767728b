"""LPFT starts where its probe ends: checked against a probe fitted here, one text at a time."""

import random
import warnings

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from sklearn.linear_model import LogisticRegression
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer
from victim_cases import FILLERS, tiny_victim

from mvp_skill import training
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import encoded
from mvp_skill.lpft import PROBED, best_probe, layer_of, start_from_probe
from mvp_skill.preflight import check_parameters
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import evaluate, train, train_or_load
from mvp_skill.victims import METHODS
from mvp_skill.weights import fingerprint, weights_of

TASKS = {2: "mini_films", 4: "mini_news"}
TOPICS = ("politics world", "sports player", "business company", "science technology")
# So small that the first evaluation still sees the weights at step 0.
AT_REST = TrainConfig(learning_rate=1e-12, batch_size=8, epochs=1, eval_every_examples=100)


def topics(n_classes, n_train=150, n_validation=40) -> DatasetDict:
    """Texts of odd lengths with one word of their class and sometimes one of another."""
    generator = random.Random(n_classes)

    def row(label):
        words = generator.choices(FILLERS, k=generator.randint(2, 11))
        told = [label] * 3 + [generator.randrange(n_classes)] * generator.randint(0, 3)
        words += [generator.choice(TOPICS[topic].split()) for topic in told]
        generator.shuffle(words)
        return {"texts": [" ".join(words)], "label": label}

    def split(n):
        return Dataset.from_list([row(generator.randrange(n_classes)) for _ in range(n)])

    return DatasetDict({"train": split(n_train), "validation": split(n_validation)})


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """Folder -> one with ten times the weights: `<s>` of a tiny model then tells texts apart."""
    folders = {}

    def make(folder):
        if folder not in folders:
            folders[folder] = tmp_path_factory.mktemp("loud")
            model = AutoModelForMaskedLM.from_pretrained(folder)
            with torch.no_grad():
                for weight in model.parameters():
                    weight *= 10 if weight.ndim > 1 else 1
            model.save_pretrained(folders[folder])
            AutoTokenizer.from_pretrained(folder).save_pretrained(folders[folder])
        return folders[folder]

    return make


def splits_of(victim, data):
    return {name: encoded(victim, data[name], name) for name in data}


def by_hand(victim, folder, rows):
    """What the last layer reads of each text, [batch, hidden], through the stock encoder."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    encoder = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    features = []
    for texts in rows["texts"]:
        with torch.no_grad():
            state = encoder(**tokenizer(texts[0], return_tensors="pt")).last_hidden_state[0, 0]
            if victim.settings.method == "lpft_dense":
                state = victim.dense(state)
        features.append(torch.tanh(state).tolist())
    return np.array(features)


@pytest.fixture
def fitted(monkeypatch):
    """What best_probe was given, and what it returned."""
    seen = []

    def spy(*given):
        seen[:] = [*given, best_probe(*given)]
        return seen[-1]

    monkeypatch.setattr("mvp_skill.lpft.best_probe", spy)
    return seen


@pytest.mark.parametrize("method", PROBED)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("backbone", ["tiny_backbone", "tiny_bert"])
def test_pitfall_04_and_22_step_0_equals_the_probe(
    request, loud, fitted, backbone, method, n_classes
):
    folder, data = loud(request.getfixturevalue(backbone)), topics(n_classes)
    victim = tiny_victim(method, folder, TASKS[n_classes])
    log = train(victim, data, AT_REST, progress=False)
    probe, features = fitted[-1], by_hand(victim, folder, data["validation"])
    accuracy = probe.score(features, data["validation"]["label"][:])
    assert log.history[0]["clean_acc"] == accuracy == evaluate(victim, data["validation"])
    # An inverted probe would be as far below a half as this is above it.
    assert 1 > accuracy > 0.65
    texts = [texts[0] for texts in data["validation"]["texts"]]
    assert victim(texts).argmax(dim=1).tolist() == probe.predict(features).tolist()


@pytest.mark.parametrize("method", PROBED)
def test_pitfall_05_and_06_features_are_what_the_layer_reads_in_order(
    loud, tiny_backbone, method, fitted
):
    """In evaluation mode though the victim is in training mode; rows of unlike lengths."""
    folder, data = loud(tiny_backbone), topics(2)
    victim = tiny_victim(method, folder).train()
    start_from_probe(victim, splits_of(victim, data))
    features, labels, validation_features, validation_labels, _ = fitted
    for split, found in (("train", features), ("validation", validation_features)):
        np.testing.assert_allclose(found, by_hand(victim, folder, data[split]), atol=1e-5)
    assert labels.tolist() == data["train"]["label"][:]
    assert validation_labels.tolist() == data["validation"]["label"][:]
    read = []
    victim.out_proj.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    for texts in data["validation"]["texts"]:
        victim([texts[0]])
    np.testing.assert_allclose(validation_features, torch.cat(read).numpy(), atol=1e-5)


@pytest.mark.parametrize("method", PROBED)
def test_pitfall_06_fitting_leaves_no_trace_and_repeats(tiny_backbone, method):
    weights = []
    for _ in range(2):
        victim = tiny_victim(method, tiny_backbone).train()
        start_from_probe(victim, splits_of(victim, topics(2)))
        assert victim.training and all(p.grad is None for p in victim.parameters())
        weights.append(victim.out_proj.weight)
    assert weights[0].equal(weights[1]) and weights[0].requires_grad


def test_a_probe_is_fitted_again_only_if_something_changed(tiny_backbone, monkeypatch):
    fits = []
    monkeypatch.setattr("mvp_skill.lpft.best_probe", lambda *a: (fits.append(1), best_probe(*a))[1])
    victim = tiny_victim("lpft_sparse", tiny_backbone)
    given = splits_of(victim, topics(2))

    def fitted_anew():
        before = len(fits)
        start_from_probe(victim, given)
        return len(fits) > before

    assert fitted_anew() and not fitted_anew()
    probe = victim.out_proj.weight.clone()
    with torch.no_grad():
        victim.out_proj.weight += 1
    assert fitted_anew() and victim.out_proj.weight.equal(probe)
    with torch.no_grad():
        for weight in victim.encoder.parameters():
            weight *= 1.5
    assert fitted_anew() and not victim.out_proj.weight.equal(probe)
    given["train"] = given["train"]._replace(labels=1 - given["train"].labels)
    assert fitted_anew() and not fitted_anew()


@pytest.mark.parametrize("name", ["lpft", "lpft_", "LPFT_dense"])
def test_pitfall_07_lpft_alone_is_refused(name):
    with pytest.raises(BadInput, match=f"Unknown method '{name}'.*lpft_sparse, lpft_dense"):
        tiny_victim(name, "nowhere")
    with pytest.raises(BadInput, match=f"Unknown method '{name}'.*lpft_sparse, lpft_dense"):
        check_parameters({"METHOD": name})


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_layer_predicts_what_its_probe_does(n_classes):
    generator = np.random.default_rng(n_classes)
    features, directions = generator.normal(size=(70, 5)), generator.normal(size=(5, n_classes))
    labels = (features @ directions + generator.normal(size=(70, n_classes))).argmax(axis=1)
    probe = best_probe(features[:50], labels[:50], features[50:], labels[50:])
    weight, bias = layer_of(probe)
    assert weight.shape == (n_classes, 5) and bias.shape == (n_classes,)
    scores = torch.tensor(features).float() @ weight.T + bias
    assert scores.argmax(dim=1).tolist() == probe.predict(features).tolist()
    assert probe.score(features, labels) > 0.6


def test_the_best_strength_on_validation_is_kept_and_the_first_of_equals():
    generator = np.random.default_rng(1)
    features = generator.normal(size=(60, 21))
    labels = (features[:, 0] + 2 * generator.normal(size=60) > 0).astype(int)
    given = features[:31], labels[:31], features[31:], labels[31:]
    slow = LogisticRegression(max_iter=500, warm_start=True)
    accuracies = {}
    for c in 10 ** np.linspace(-1, 2, 50):
        accuracies[c] = np.mean(slow.set_params(C=c).fit(*given[:2]).predict(given[2]) == given[3])
    assert len(set(accuracies.values())) > 2
    best = max(accuracies, key=accuracies.get)  # the first of the best
    probe = best_probe(*given)
    assert np.isclose(probe.C, best)
    assert probe.score(*given[2:]) == accuracies[best]


def test_the_strengths_are_the_papers(monkeypatch):
    tried, fit = [], LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *given: (tried.append(self.C), fit(self, *given))[1]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probe = best_probe(np.eye(2), np.array([0, 1]), np.eye(2), np.array([0, 1]))
    assert len(tried) == 50
    assert tried[0] == 0.1 and tried[-1] == 100
    assert probe.C == 0.1  # they are all right about everything
    assert np.allclose(np.diff(np.log10(tried)), 3 / 49)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(PROBED)))
def test_other_methods_have_no_probe(tiny_backbone, method):
    victim = tiny_victim(method, tiny_backbone)
    before = fingerprint(weights_of(victim))
    start_from_probe(victim, splits_of(victim, topics(2)))
    assert fingerprint(weights_of(victim)) == before


def test_a_class_without_examples_is_refused(tiny_backbone):
    victim, data = tiny_victim("lpft_sparse", tiny_backbone, "mini_news"), topics(2)
    with pytest.raises(BadInput, match="every class, and there is none of business, science; ask"):
        train(victim, data, AT_REST, progress=False)


@pytest.mark.parametrize("method", PROBED)
def test_the_probe_is_part_of_the_key_so_reuse_stays_correct(
    tiny_backbone, tmp_path, method, monkeypatch
):
    data = topics(2)
    config = TrainConfig(learning_rate=1e-3, batch_size=8, epochs=1, eval_every_examples=50)

    def run():
        victim = tiny_victim(method, tiny_backbone)
        return train_or_load(tmp_path, victim, data, config, progress=False)

    first, log = run()
    assert not first.out_proj.weight.equal(tiny_victim(method, tiny_backbone).out_proj.weight)
    with monkeypatch.context() as patch:
        patch.setattr(training, "train", lambda *_, **__: pytest.fail("trained again"))
        second, same = run()
    assert same == log and second(["a film"]).equal(first(["a film"]))
    # Another probe is another training.
    monkeypatch.setattr("mvp_skill.lpft.STRENGTHS", np.array([0.01]))
    assert run()[1].key != log.key
