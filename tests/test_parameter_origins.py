"""Counts of random, probed and pretrained parameters, against what the seed really changes."""

import pytest
from victim_cases import tiny_victim

from mvp_skill.parameter_origins import ORIGINS, origin, origins
from mvp_skill.victims import METHODS, UNTRAINED


@pytest.mark.parametrize("method", METHODS)
def test_what_the_seed_changes_is_what_counts_as_fresh(tiny_backbone, method):
    one, other = (tiny_victim(method, tiny_backbone, "mini_news", seed=seed) for seed in (0, 1))
    others = dict(other.named_parameters())
    for name, weights in one.named_parameters():
        changed = not weights.equal(others[name])
        fresh = origin(one, name) != "pretrained"
        assert changed == (fresh and weights.ndim > 1), name  # fresh biases are 0 for every seed


def test_the_counts_of_each_method(tiny_backbone):
    victims = {method: tiny_victim(method, tiny_backbone, "mini_news") for method in METHODS}
    hidden = victims["mvp"].config.hidden_size
    dense, linear = hidden * hidden + hidden, 4 * hidden + 4
    expected = {
        "mlp_ft": (dense + linear, 0),
        "lpft_dense": (dense, linear),
        "projectcls": (linear, 0),
        "lpft_sparse": (0, linear),
        "clsprompt": (0, 0),
        "mvp": (0, 0),
    }
    for method, (random, probe) in expected.items():
        found = origins(victims[method])
        assert (found["random"], found["probe"]) == (random, probe), method
        assert list(found) == list(ORIGINS)
        whole = sum(weights.numel() for weights in victims[method].parameters())
        assert sum(found.values()) == whole


@pytest.mark.parametrize("method", UNTRAINED)
def test_without_pretraining_everything_is_random(tiny_backbone, method):
    victim = tiny_victim(method, tiny_backbone, pretrained=False)
    whole = sum(weights.numel() for weights in victim.parameters())
    assert origins(victim) == {"random": whole, "probe": 0, "pretrained": 0}
