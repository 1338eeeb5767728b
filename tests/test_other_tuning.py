"""BitFit and adapters: what trains, what stays, and that nothing else differs from a prompt."""

import pytest
import torch
from torch.testing import assert_close

from mvp_skill.errors import BadInput
from mvp_skill.other_tuning import (
    METHODS,
    Adapter,
    bitfit,
    load_tuned,
    with_adapters,
    without_prompt,
)
from mvp_skill.prompt_tuning import build_prompted
from mvp_skill.skill_neurons import random_neurons
from mvp_skill.suppression import suppression
from mvp_skill.tasks import load_task
from mvp_skill.train_config import TrainConfig
from mvp_skill.training import train, train_or_load
from mvp_skill.weights import copy_of, fingerprint, frozen_weights, weights_of

TEXTS = ["a good film", "terrible", "the story was wonderful and the people were not"]


@pytest.fixture
def bare(tiny_backbone):
    return without_prompt(build_prompted(str(tiny_backbone), "mini_films", n_prompt=7))


@pytest.fixture
def bare_t5(tiny_t5):
    return without_prompt(build_prompted(str(tiny_t5), "mini_films", n_prompt=7))


@pytest.fixture(scope="module")
def data():
    return load_task("mini_films", n_train=24, n_validation=10, n_test=10)


def config(**changes):
    given = {"learning_rate": 1e-2, "epochs": 1, "batch_size": 8, "eval_every_examples": 24}
    return TrainConfig(**given | {"weight_decay": 0.0, "schedule": "constant"} | changes)


def test_without_a_prompt_the_mask_stands_before_the_text(bare):
    """The embedding layer written out, and the full head of the library at position 0."""
    parts = bare.backbone.roberta.embeddings
    words, places = parts.word_embeddings.weight, parts.position_embeddings.weight
    rows = bare.collate(bare.encode(TEXTS[:1]))
    vectors = [words[bare.tokenizer.mask_token_id]]
    vectors += [words[i] + places[3 + n] for n, i in enumerate(rows.input_ids[0].tolist())]
    kind = parts.token_type_embeddings.weight[0]
    states = parts.LayerNorm(torch.stack(vectors) + kind)[None]
    states = bare.backbone.roberta.encoder(states).last_hidden_state
    full = bare.backbone.lm_head(states)[:, 0]  # [batch, vocab]
    assert_close(bare(TEXTS[:1]), full[:, list(bare.settings.word_ids)], atol=1e-5, rtol=1e-4)


def test_without_a_prompt_t5_reads_the_text_alone(bare_t5):
    rows = bare_t5.collate(bare_t5.encode(TEXTS))
    start = torch.full((len(TEXTS), 1), bare_t5.config.decoder_start_token_id)
    full = bare_t5.backbone(
        input_ids=rows.input_ids, attention_mask=rows.attention_mask, decoder_input_ids=start
    ).logits[:, 0]  # [batch, vocab]
    assert_close(bare_t5(TEXTS), full[:, list(bare_t5.settings.word_ids)], atol=1e-5, rtol=1e-4)


def test_bitfit_trains_biases_only(bare, data):
    tuned = bitfit(bare)
    before = copy_of(dict(tuned.named_parameters()))
    train(tuned, data, config(), progress=False)
    changed = {n for n, weights in tuned.named_parameters() if not weights.equal(before[n])}
    assert changed and all(name.endswith("bias") for name in changed)
    trains = {name for name, weights in tuned.named_parameters() if weights.requires_grad}
    assert trains == {name for name, _ in tuned.named_parameters() if name.endswith("bias")}
    assert any("LayerNorm.bias" in n for n in trains) and any("intermediate" in n for n in trains)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_adapters_start_as_the_identity(kind, bare, bare_t5):
    model = bare if kind == "roberta" else bare_t5
    assert torch.equal(with_adapters(model, 4)(TEXTS), model(TEXTS))
    states = torch.randn(2, 3, 10)
    assert torch.equal(Adapter(10, 3, seed=0)(states), states)


def test_an_adapter_is_its_formula():
    adapter, x = Adapter(5, 2, seed=1), torch.randn(3, 5)
    with torch.no_grad():
        adapter.up.weight.normal_()
        adapter.down.bias.normal_()
        hidden = (x @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
        assert_close(adapter(x), x + hidden @ adapter.up.weight.T + adapter.up.bias)


def test_adapters_read_what_a_feed_forward_network_gives_out(bare):
    tuned = with_adapters(bare, 8)
    with torch.no_grad():
        tuned.backbone.roberta.encoder.layer[1].output.dropout[1].up.bias.fill_(0.7)
    states = torch.randn(2, 3, 32)
    layer, changed = (m.backbone.roberta.encoder.layer[1].output for m in (bare, tuned))
    read = torch.randn(2, 3, 48)
    expected = layer.LayerNorm(layer.dense(read) + 0.7 + states)
    assert_close(changed(read, states), expected)


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_only_adapters_train(kind, bare, bare_t5, data):
    model = bare if kind == "roberta" else bare_t5
    tuned = with_adapters(model, 8, seed=2)
    frozen = fingerprint(frozen_weights(tuned))
    names = list(weights_of(tuned))
    n_layers = 2 if kind == "roberta" else 4  # of T5's encoder and decoder
    assert len(names) == 4 * n_layers and all(".dropout.1." in name for name in names)
    before = copy_of(weights_of(tuned))
    train(tuned, data, config(), progress=False)
    assert fingerprint(frozen_weights(tuned)) == frozen
    assert any(not weights.equal(before[name]) for name, weights in weights_of(tuned).items())


def test_the_shared_backbone_is_left_as_it_was(bare, data):
    before = fingerprint(frozen_weights(bare))
    for tuned in (bitfit(bare), with_adapters(bare, 8)):
        train(tuned, data, config(), progress=False)
        assert fingerprint(frozen_weights(bare)) == before
    assert not [name for name, weights in bare.named_parameters() if weights.requires_grad]


@pytest.mark.parametrize("method", METHODS["roberta"])
def test_a_trained_model_is_stored_and_found_again(method, bare, data, tmp_path):
    make = {"bitfit": bitfit, "adapter": lambda model: with_adapters(model, 5, seed=1)}[method]
    trained, log = train_or_load(tmp_path, make(bare), data, config(), progress=False)
    again, same = train_or_load(tmp_path, make(bare), data, config(), progress=False)
    assert again is not trained and same == log
    assert torch.equal(again(TEXTS), trained(TEXTS))
    assert again.settings == trained.settings and again.settings.method == method
    _, other = train_or_load(tmp_path, make(bare), data, config(seed=1), progress=False)
    assert other.key != log.key


def test_neurons_are_suppressed_as_in_a_prompt_tuned_model(bare):
    tuned = with_adapters(bare, 8)
    neurons = random_neurons((2, 48), 0.3, n_draws=1, seed=0)[0]
    with suppression(tuned, neurons):
        suppressed = tuned(TEXTS)
    for layer, out in enumerate(tuned.ffn):
        with torch.no_grad():
            out.weight[:, neurons[layer]] = 0
    assert_close(suppressed, tuned(TEXTS), atol=1e-5, rtol=1e-4)


def test_what_cannot_be_trained_is_refused(bare, bare_t5, tiny_backbone, tmp_path):
    with pytest.raises(BadInput, match="T5 has none"):
        bitfit(bare_t5)
    prompted = build_prompted(str(tiny_backbone), "mini_films", n_prompt=7)
    with pytest.raises(BadInput, match="without_prompt"):
        bitfit(prompted)
    with pytest.raises(BadInput, match="at most the model's width 32"):
        with_adapters(bare, 33)
    with pytest.raises(BadInput, match="holds no tuned model"):
        load_tuned(tmp_path)
