"""Pretraining of the mini models: settings, killed runs, second rounds, and what is stored."""

import json

import pytest
import torch
from mini_model_cases import KINDS, TINY

from mvp_skill.backbones import DROPOUTS, load_backbone
from mvp_skill.errors import BadInput
from mvp_skill.mini import model_card, pretraining
from mvp_skill.mini.language_models import PretrainConfig
from mvp_skill.weights import weights_of


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_continues_to_the_same_weights(kind, tmp_path, monkeypatch):
    config = PretrainConfig(kind, 6, **TINY)
    whole = pretraining.pretrain(config, tmp_path / "whole", measure_every=2, progress=False)
    step = pretraining.Pretraining.train_step

    def dies(run):
        if run.step == 5:
            raise KeyboardInterrupt
        return step(run)

    monkeypatch.setattr(pretraining.Pretraining, "train_step", dies)
    with pytest.raises(KeyboardInterrupt):
        pretraining.pretrain(config, tmp_path / "killed", measure_every=2, progress=False)
    monkeypatch.undo()
    resumed = pretraining.Pretraining(config, tmp_path / "killed", [])
    assert resumed.step == 4
    again = pretraining.pretrain(config, tmp_path / "killed", measure_every=2, progress=False)
    expected = weights_of(whole.model)
    for name, weight in weights_of(again.model).items():
        assert torch.equal(weight, expected[name]), name
    assert [row["loss"] for row in again.curve] == [row["loss"] for row in whole.curve]


def test_a_folder_with_other_settings_is_refused(tmp_path):
    pretraining.pretrain(PretrainConfig("roberta", 1, **TINY), tmp_path, progress=False)
    with pytest.raises(BadInput, match="other settings"):
        pretraining.pretrain(PretrainConfig("roberta", 2, **TINY), tmp_path, progress=False)


def test_a_second_round_goes_on_from_a_model(tmp_path):
    first = pretraining.pretrain(PretrainConfig("bert", 2, **TINY), tmp_path / "a", progress=False)
    pretraining.save_model(first, tmp_path / "model")
    config = PretrainConfig("bert", 2, **TINY, start=str(tmp_path / "model"))
    second = pretraining.Pretraining(config, tmp_path / "b", [])
    expected = weights_of(first.model)
    for name, weight in weights_of(second.model).items():  # stored in half precision
        assert torch.allclose(weight, expected[name], rtol=2e-3, atol=1e-6), name
    assert second.tokenizer.get_vocab() == first.tokenizer.get_vocab()
    narrow = PretrainConfig("bert", 2, **(TINY | {"width": 8}), start=str(tmp_path / "model"))
    with pytest.raises(BadInput, match="does not hold the weights of this model"):
        pretraining.Pretraining(narrow, tmp_path / "c", [])


def test_the_card_of_a_second_round_names_both(tmp_path):
    curve = [{"step": 1, "loss": 3.0, "seconds": 2.0}, {"step": 7, "loss": 1.5, "seconds": 9.0}]
    values = dict.fromkeys(model_card.BARS["bert"], 0.9) | {"n_test": 5}
    for name, config in {
        "first": PretrainConfig("bert", 7, **TINY),
        "second": PretrainConfig("bert", 5, **TINY, start=str(tmp_path / "first")),
    }.items():
        (tmp_path / name).mkdir()
        model_card.write_card(tmp_path / name, config, curve, values)
    stored = json.loads((tmp_path / "second" / "quality.json").read_text(encoding="utf-8"))
    assert [settings["steps"] for settings in stored["rounds"]] == [7, 5]
    card = (tmp_path / "second" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card.index("steps 7") < card.index("Then: kind bert, steps 5")
    assert str(tmp_path) not in card + json.dumps(stored)


def test_plain_text_can_take_the_place_of_the_corpus(tmp_path):
    (tmp_path / "book.txt").write_text("call me a reader.\nit is a good book.\n" * 40, "utf-8")
    config = PretrainConfig("roberta", 3, **TINY)
    files = [tmp_path / "book.txt"]
    run = pretraining.pretrain(config, tmp_path / "run", files=files, progress=False)
    assert run.tokenizer(" book", add_special_tokens=False)["input_ids"]
    assert run.curve[-1]["step"] == 3


def test_unknown_kind_and_impossible_sizes():
    with pytest.raises(BadInput, match="'elmo'.*roberta or bert or gpt2 or t5"):
        PretrainConfig("elmo", 1)
    with pytest.raises(BadInput, match="'school'.*documents or comparing"):
        PretrainConfig("bert", 1, curriculum="school")
    with pytest.raises(BadInput, match="steps"):
        PretrainConfig("t5", 0)


def test_learning_rate_rises_and_falls_to_zero():
    config = PretrainConfig("roberta", 100, **TINY)
    shares = [pretraining.learning_rate_share(step, config) for step in range(101)]
    assert shares[4] == max(shares) == 1.0
    assert shares[0] == pytest.approx(0.2)
    assert shares[100] == pytest.approx(0.0)
    assert all(a >= b for a, b in zip(shares[5:-1], shares[6:], strict=True))


def test_the_learning_rate_is_held_until_the_last_stage():
    config = PretrainConfig("roberta", 100, held_until=60, **TINY)
    shares = [pretraining.learning_rate_share(step, config) for step in range(101)]
    assert shares[4:61] == [1.0] * 57
    assert all(a > b for a, b in zip(shares[60:-1], shares[61:], strict=True))
    assert shares[80] == pytest.approx(0.5)
    assert shares[100] == pytest.approx(0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_pretrained_without_dropout_is_stored_with_it(kind, tmp_path):
    config = PretrainConfig(kind, 1, dropout=0.0, **TINY)
    run = pretraining.pretrain(config, tmp_path / "run", progress=False)
    pretraining.save_model(run, tmp_path / "model")
    stored = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    for name in DROPOUTS[kind]:
        assert getattr(run.model.config, name) == 0.0
        assert stored[name] == 0.1
    assert "eager" not in json.dumps(stored)


def test_the_stored_model_is_the_trained_one(tmp_path):
    run = pretraining.pretrain(PretrainConfig("t5", 2, **TINY), tmp_path / "run", progress=False)
    pretraining.save_model(run, tmp_path / "model")
    model, tokenizer = load_backbone(str(tmp_path / "model"), kind="seq2seq")
    for name, weight in weights_of(model).items():
        expected = weights_of(run.model)[name]
        assert torch.allclose(weight, expected, rtol=2e-3, atol=1e-6), name  # half precision
    assert tokenizer("a film")["input_ids"] == run.tokenizer("a film")["input_ids"]
