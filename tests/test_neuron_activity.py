"""How often neurons are active, against the activations of one example at a time."""

import torch
from neuron_cases import SmallModel, activations_of, some_split

from mvp_skill.neuron_activity import active_share


def test_shares_equal_counting_example_by_example():
    model, split = SmallModel(), some_split(13)
    n_prompt = model.settings.n_prompt
    seen = torch.stack([activations_of(model, record)[:, :n_prompt] for record in split.records])
    expected = (seen > 0).double().mean(dim=(0, 2))  # [layer, neuron]
    assert torch.allclose(active_share(model, split.records), expected)
    assert 0 < expected.min() < expected.max() < 1 or expected.max() == 1


def test_p12_a_silent_neuron_is_never_active():
    model, split = SmallModel(), some_split(13)
    with torch.no_grad():
        model.into[1].weight[4] = 0
        model.into[1].bias[4] = -1  # GELU gives about -0.16: not zero, and not active
    found = active_share(model, split.records)
    assert found[1, 4] == 0 and (found[1] > 0).sum() > 5
