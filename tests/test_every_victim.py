"""Each victim on each backbone: trained, stored, loaded, attacked; and what cannot be built."""

import copy

import pytest
import torch
from attack_cases import resources
from victim_cases import sentiment_data, tiny_victim

from mvp_skill import prompts
from mvp_skill.attacks import attack
from mvp_skill.errors import BadInput
from mvp_skill.tasks import Task
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train
from mvp_skill.training_state import training_parameters
from mvp_skill.victims import METHODS, UNTRAINED, build_victim, load_victim, save_victim
from mvp_skill.weights import fingerprint, weights_of

TEXTS = ["the film was good", "a bad plot but a decent cast", "", "poor film", "the story"]
PAIRS = [(text, "is the plot good ?") for text in TEXTS]
CONFIG = TrainConfig(learning_rate=1e-3, batch_size=8, epochs=1, eval_every_examples=24)
GPT2 = ["mlp_ft", "mvp"]
EVERY = [(method, name) for name in ("tiny_backbone", "tiny_bert") for method in METHODS]
EVERY += [(method, "tiny_gpt2") for method in GPT2]
WITH_AND_WITHOUT = [(*one, True) for one in EVERY]
WITH_AND_WITHOUT += [(*one, False) for one in EVERY if one[0] in UNTRAINED]
APPENDED = {"template_variant": "appended"}
SINGLE = Task("mini_films", ("negative", "positive"), max_perturbed_fraction=0.3)


@pytest.fixture(autouse=True)
def appended_templates(monkeypatch):
    """The tasks used here have templates that all backbones can read."""
    edited = copy.deepcopy(prompts.all_prompts())
    for task in ("mini_films", "mini_questions"):
        edited[task]["templates"]["appended"] = ["{text} overall it was [MASK]", "{text}[MASK]"]
    monkeypatch.setattr(prompts, "all_prompts", lambda: edited)


@pytest.mark.parametrize(("method", "backbone", "pretrained"), WITH_AND_WITHOUT)
def test_it_trains_saves_loads_and_is_attacked(request, tmp_path, method, backbone, pretrained):
    folder, data = request.getfixturevalue(backbone), sentiment_data(32, 16)
    victim = tiny_victim(method, folder, pretrained=pretrained, **APPENDED)
    before = {name: tensor.clone() for name, tensor in weights_of(victim).items()}
    log = train(victim, data, CONFIG, tmp_path, progress=False)
    moved = [name for name, tensor in weights_of(victim).items() if not tensor.equal(before[name])]
    assert len(moved) > 0.9 * len(before) and len(log.history) == 2
    loaded = load_victim(tmp_path)
    assert type(loaded) is type(victim) and loaded.settings == victim.settings
    logits = loaded(TEXTS)
    assert logits.equal(victim(TEXTS)) and logits.unique(dim=0).shape == (5, 2)
    # Labelled as predicted, so that the attack has something to turn.
    labels = logits.argmax(dim=1).tolist()
    rows = [{"texts": [TEXTS[i]], "label": labels[i]} for i in (0, 1)]
    records = attack(
        loaded.train(), rows, task=SINGLE, resources=resources(), progress=False
    ).records
    assert {record["outcome"] for record in records} <= {"succeeded", "failed"}
    for record, label in zip(records, labels, strict=False):
        assert record["clean_pred"] == label and record["n_queries"] > 3
        (attacked,) = record["attacked_texts"]
        assert loaded([attacked]).argmax().item() == record["attacked_pred"]


@pytest.mark.parametrize(("method", "backbone"), EVERY)
def test_pitfall_19_a_stored_victim_is_the_same_victim(request, tmp_path, method, backbone):
    folder = request.getfixturevalue(backbone)
    victim = tiny_victim(method, folder, "mini_questions", seed=4, **APPENDED)
    with torch.no_grad():
        for weight in weights_of(victim).values():
            weight += 0.01
    save_victim(victim, tmp_path)
    loaded = load_victim(tmp_path)
    assert loaded.settings == victim.settings and loaded(PAIRS).equal(victim(PAIRS))
    assert fingerprint(weights_of(loaded)) == fingerprint(weights_of(victim))


@pytest.mark.parametrize(("method", "backbone"), [x for x in EVERY if x[0] in UNTRAINED])
def test_untrained_victims_have_random_weights_that_follow_the_seed(
    request, tmp_path, method, backbone
):
    folder = request.getfixturevalue(backbone)

    def random_one(seed):
        torch.manual_seed(len(METHODS))
        return tiny_victim(method, folder, pretrained=False, seed=seed, **APPENDED)

    first, same, other = random_one(0), random_one(0), random_one(1)
    pretrained = tiny_victim(method, folder, **APPENDED)
    assert first.settings.pretrained is False and pretrained.settings.pretrained is True
    weights, known = weights_of(first), weights_of(pretrained)
    assert {n: w.shape for n, w in weights.items()} == {n: w.shape for n, w in known.items()}
    assert fingerprint(weights_of(same)) == fingerprint(weights)
    matrices = {name for name, weight in weights.items() if weight.ndim > 1}
    for elsewhere in (weights_of(other), known):
        equal = {name for name in matrices if weights[name].equal(elsewhere[name])}
        assert equal <= {"dense.weight", "out_proj.weight", "score.weight"}  # a head of one seed
    embeddings = next(w for n, w in weights.items() if "word_embeddings" in n or "wte" in n)
    assert abs(embeddings.std() - 0.02) < 0.002  # initializer_range, not 1
    save_victim(first, tmp_path)
    loaded = load_victim(tmp_path)
    assert loaded.settings == first.settings and loaded(TEXTS).equal(first(TEXTS))


def test_untrained_is_another_training(tiny_backbone):
    victim = tiny_victim("mvp", tiny_backbone, pretrained=False)
    assert training_parameters(victim, CONFIG, {})["victim"]["pretrained"] is False


def test_building_untrained_leaves_the_callers_random_numbers_alone(tiny_backbone):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    tiny_victim("mlp_ft", tiny_backbone, pretrained=False)
    assert torch.rand(4).equal(expected)


@pytest.mark.parametrize("method", sorted(set(METHODS) - set(UNTRAINED)))
def test_untrained_is_refused_where_it_means_nothing(method):
    sentence = f"Method '{method}' needs a pretrained backbone; .* use mlp_ft, mvp, clsprompt"
    with pytest.raises(BadInput, match=sentence) as refusal:
        build_victim(method, "nowhere", "mini_films", pretrained=False)
    assert "\n" not in str(refusal.value)
