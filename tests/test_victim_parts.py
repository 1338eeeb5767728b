"""The parts of victims that adversarial training hooks into."""

import pytest
from victim_cases import tiny_victim

from mvp_skill.errors import BadInput
from mvp_skill.hooks import record
from mvp_skill.victim_parts import text_encoder, word_embeddings
from mvp_skill.victims import METHODS


@pytest.mark.parametrize("method", METHODS)
def test_word_embeddings_are_called_once_per_pass_with_the_rows(tiny_backbone, method):
    """MVP's head uses the same weight, which must not trigger a hook on the module."""
    victim = tiny_victim(method, tiny_backbone)
    rows = victim.collate(victim.encode(["a film", "the story was great"]))
    with record(word_embeddings(victim)) as seen:
        victim.logits(rows)
    assert len(seen) == 1
    assert seen[0].equal(word_embeddings(victim).weight[rows.input_ids])


def test_the_text_encoder_of_mlp_ft(tiny_backbone):
    victim = tiny_victim("mlp_ft", tiny_backbone)
    encoder = text_encoder(victim, "amda")
    assert encoder is victim.encoder and len(encoder.encoder.layer) == 2


def test_a_victim_with_templates_has_no_text_encoder(tiny_backbone):
    with pytest.raises(BadInput, match="'amda' is for victims that read a bare text.* not mvp on"):
        text_encoder(tiny_victim("mvp", tiny_backbone), "amda")
