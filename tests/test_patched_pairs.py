"""Adversarial texts with their originals' neurons."""

import numpy as np
import pytest
import torch
from neuron_cases import BAD, GOOD, Record, SmallModel, planted_model, planted_split, some_split
from torch.testing import assert_close

from mvp_skill import patched_pairs
from mvp_skill.activations import kept_activations
from mvp_skill.errors import BadInput
from mvp_skill.patched_pairs import patched_logits
from mvp_skill.suppression import patching

NEURONS = torch.arange(33).view(3, 11) % 4 == 1


@pytest.fixture(autouse=True)
def several_small_batches(monkeypatch):
    monkeypatch.setitem(patched_pairs.EVALUATION_TOKENS, "cpu", 300)


def test_it_equals_one_pair_at_a_time():
    model = SmallModel()
    records, clean = some_split(17).records, some_split(17, seed=8).records
    expected = []
    model.eval()
    for record, partner in zip(records, clean, strict=True):
        with torch.no_grad():
            kept = kept_activations(model, model.collate([partner]))
            with patching(model, NEURONS, kept):
                expected.append(model.logits(model.collate([record]))[0])
    found = patched_logits(model, records, clean, NEURONS)
    assert found.shape == (17, 2)
    assert_close(found, torch.stack(expected), atol=1e-5, rtol=1e-5)
    other = patched_logits(model, records, clean[1:] + clean[:1], NEURONS)
    assert (other - found).abs().amax(dim=1).min() > 1e-4


def test_a_record_that_is_its_own_partner_keeps_its_logits():
    model, records = SmallModel(), some_split(17).records
    found = patched_logits(model, records, records, NEURONS)
    with torch.no_grad():
        plain = [model.eval().logits(model.collate([record]))[0] for record in records]
    assert_close(found, torch.stack(plain), atol=1e-5, rtol=1e-5)


def test_the_planted_neuron_brings_accuracy_back():
    """Adversarial: GOOD and BAD exchanged. The clean state of the skill neuron repairs it."""
    model, split = planted_model(), planted_split(n_wrong=0)
    turned = {GOOD: BAD, BAD: GOOD}
    adversarial = [
        Record(np.array([turned.get(word, word) for word in record.ids]))
        for record in split.records
    ]
    skill = torch.zeros(3, 11, dtype=torch.bool)
    none = patched_logits(model, adversarial, split.records, skill)
    assert (none.argmax(dim=1) == split.labels).sum() == 0
    skill[1, 4] = True
    found = patched_logits(model, adversarial, split.records, skill)
    assert (found.argmax(dim=1) == split.labels).all()


def test_records_without_partners_are_refused():
    records = some_split(5).records
    with pytest.raises(BadInput, match="no pairs"):
        patched_logits(SmallModel(), records, records[:4], NEURONS)
