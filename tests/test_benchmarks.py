"""The table of benchmarks: what is compared is the same, and the sides take turns."""

import pytest
from attack_cases import MIXED, ONE, BagOfWords, resources
from benchmarks import attacks, batch, growth, victims
from benchmarks.rows import met, row
from victim_cases import tiny_victim


def test_a_bar_is_met_or_not():
    assert (
        met(row("b", "w", 3.0, "x", ">= 3", 1)) == "yes" == met(row("b", "w", 1, "x", "<= 1.1", 1))
    )
    assert (
        met(row("b", "w", 2.99, "x", ">= 3", 1)) == "no" == met(row("b", "w", 2, "x", "<= 1.1", 1))
    )
    assert met(row("b", "w", 2.0, "s", None, 1)) == ""
    assert row("b", "w", 0.123456, "x", None, 1)["figure"] == 0.123


def test_both_sides_of_the_engines_benchmark_give_the_same_logs(capsys):
    case = victims.Case("bags", BagOfWords(), resources(), MIXED, ONE)
    sides = {"engine": attacks.engine_side(case), "serial": attacks.serial_side(case)}
    found = attacks.compared(sides, MIXED)
    assert found["different"] == {"engine": 0, "serial": 0}
    assert [len(took) for took in found["seconds"].values()] == [3, 3]
    assert found["ratios"]["engine"] == 1


def test_logs_that_differ_are_counted_and_sides_take_turns():
    asked = []

    def side(name, wrong=()):
        return lambda part: asked.append(name) or [(name in wrong, e) for e in part]

    sides = {"engine": side("engine"), "other": side("other", wrong=["other"])}
    found = attacks.compared(sides, list(range(8)))
    assert found["different"] == {"engine": 0, "other": 8}
    assert asked == ["engine", "other", "other", "engine", "engine", "other"]


def test_the_recorded_batch_by_notebook():
    whole, *notebooks = batch.recorded()
    assert whole["unit"] == "min" and whole["bar"] == batch.BAR
    assert sum(line["n"] for line in notebooks) == whole["n"]
    # Several runs at once, so the sum of their times is more than the time of the batch.
    assert sum(line["figure"] for line in notebooks) > 60 * whole["figure"]


@pytest.mark.slow
def test_textattacks_own_wrapper_has_the_same_victim(tiny_backbone):
    """Padded to the longest text of the model, so that its logits are the same but for noise."""
    import torch

    victim = tiny_victim("mlp_ft", tiny_backbone)
    model, tokenizer = victims.as_transformers(victim)
    texts = ["the film was great", "bad", "the story was very very good and the actor fine"]
    rows = tokenizer(texts, padding="max_length", max_length=64, return_tensors="pt")
    with torch.inference_mode():
        torch.testing.assert_close(model(**rows).logits, victim(texts), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_growth_and_model_side_rate_at_a_tiny_size(monkeypatch):
    rows = growth.measure(sizes=(3, 12), warm=6)
    assert [line["unit"] for line in rows] == ["s", "s", "MiB", "x"]
    assert rows[-1]["bar"] == "<= 1.1" and 0.5 < rows[-1]["figure"] < 2
    case = victims.mini_case("mlp_ft", 6)
    rate = attacks.model_side_rate(case)
    assert 0.1 < rate["figure"] < 3 and rate["n"] > 20
