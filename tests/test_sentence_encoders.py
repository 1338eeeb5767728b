"""Sentence encoders: against slow references, and with missing or damaged models."""

import json
import sys
from pathlib import Path

import pytest
import torch
from attack_cases import fake_hub

from mvp_skill.errors import BadInput
from mvp_skill.sentence_encoders import BackboneEncoder, UniversalSentenceEncoder
from mvp_skill.token_budgets import TokenBudget

SENTENCES = [
    "the film was great",
    "a bad story",
    "the film was great",
    "who said that ? just the actor , never the people of the city",
    "",
    "zyzzyva",
    "what a match for the team in the world",
]


def encoded_slowly(folder, sentence):
    from transformers import AutoTokenizer, RobertaForMaskedLM

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = RobertaForMaskedLM.from_pretrained(folder).roberta.eval()
    ids = tokenizer(sentence)["input_ids"]
    with torch.no_grad():
        hidden = model(torch.tensor([ids])).last_hidden_state[0]  # [position, d_model]
    return sum(hidden[i] for i in range(len(ids))) / len(ids)


def test_backbone_encoder_against_a_slow_reference(tiny_backbone):
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    encoder.budget = TokenBudget((24,))  # several batches
    vectors = encoder.encode(SENTENCES)
    assert vectors.shape == (7, 32) and vectors.dtype == torch.float32
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        # Padding that leaked into the mean would be off by more than a hundredth.
        torch.testing.assert_close(
            vector, encoded_slowly(tiny_backbone, sentence), atol=1e-5, rtol=0
        )
    assert encoder.encode([]).shape == (0, 32)


def test_backbone_encoder_builds_no_graph_and_cuts_long_texts(tiny_backbone):
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    assert not encoder.model.training and not encoder.encode(["a film"]).requires_grad
    long = "the film " * 200
    torch.testing.assert_close(encoder.encode([long]), encoder.encode([long + "was bad"]))


def test_a_long_text_is_read_up_to_the_last_position(tiny_backbone, tiny_bert):
    """RoBERTa's first positions are not for tokens; BERT's are."""
    for folder, unused in ((tiny_backbone, 2), (tiny_bert, 0)):
        encoder = BackboneEncoder(folder, "cpu")
        config = encoder.model.config
        assert encoder.max_length == config.max_position_embeddings - unused
        text = "good " * 2 * config.max_position_embeddings
        assert encoder.encode([text]).isfinite().all()


def test_backbone_encoder_fingerprint_follows_the_weights(tiny_backbone):
    encoder = BackboneEncoder(tiny_backbone, device="cpu")
    before = encoder.fingerprint
    assert BackboneEncoder(tiny_backbone, device="cpu").fingerprint == before
    with torch.no_grad():
        encoder.model.encoder.layer[1].output.dense.weight[3, 4] += 0.5
    assert encoder.fingerprint != before


def test_no_encoder_in_the_folder(tmp_path):
    with pytest.raises(BadInput, match="no config.json.*all-MiniLM-L6-v2"):
        BackboneEncoder(tmp_path)


def test_a_damaged_encoder(tiny_backbone, tmp_path):
    import shutil

    folder = Path(shutil.copytree(tiny_backbone, tmp_path / "copy"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(BadInput, match="does not hold a BERT- or RoBERTa-like encoder"):
        BackboneEncoder(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "nothing"}))
    with pytest.raises(BadInput, match="does not hold a BERT- or RoBERTa-like encoder"):
        BackboneEncoder(folder)


def test_universal_sentence_encoder_without_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    with pytest.raises(BadInput, match="pip install tensorflow tensorflow_hub.*ENCODER"):
        UniversalSentenceEncoder()


def test_universal_sentence_encoder_out_of_reach(monkeypatch):
    def load(location):
        raise OSError(f"no {location}")

    fake_hub(monkeypatch, load)
    with pytest.raises(BadInput, match="cannot be loaded from nowhere .*use:FOLDER"):
        UniversalSentenceEncoder("nowhere")


@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: {"outputs": v}])
def test_universal_sentence_encoder(monkeypatch, wrap):
    table = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    asked = []
    fake_hub(monkeypatch, lambda location: lambda s: asked.append((location, s)) or wrap(table))
    encoder = UniversalSentenceEncoder()
    assert torch.equal(encoder.encode(["a", "b"]), table)
    assert asked == [("https://tfhub.dev/google/universal-sentence-encoder/3", ["a", "b"])]
