"""Similarities of soft prompts against slow references, and what they are grouped by."""

import math

import pytest
import torch
from prompt_cases import soft_prompt

from mvp_skill.errors import BadInput
from mvp_skill.prompt_similarity import (
    ALL_LAYERS,
    MEASURES,
    PAIRS,
    activated_overlap,
    by_pair,
    four_ways,
    layer_blocks,
    row_0_share,
    similarities,
)

TABLES = torch.randn(
    5, 7, 11, generator=torch.Generator().manual_seed(0)
)  # [table, prompt, d_model]


def slow_cosine(a: list[float], b: list[float]) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a)) / math.sqrt(sum(y * y for y in b))


def slow_distance(a: list[float], b: list[float]) -> float:
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def slow(name: str, a: torch.Tensor, b: torch.Tensor) -> float:
    """One pair, one number at a time."""
    flat = a.flatten().tolist(), b.flatten().tolist()
    rows = [(x.tolist(), y.tolist()) for x in a for y in b]
    if name == "cosine":
        return slow_cosine(*flat)
    if name == "token_cosine":
        return sum(slow_cosine(*pair) for pair in rows) / len(rows)
    if name == "euclid":
        return 1 / (1 + slow_distance(*flat))
    return 1 / (1 + sum(slow_distance(*pair) for pair in rows) / len(rows))


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_equals_the_slow_reference_on_all_pairs(name):
    found = MEASURES[name](TABLES)
    assert found.shape == (5, 5)
    for i in range(5):
        for j in range(5):
            assert found[i, j].item() == pytest.approx(slow(name, TABLES[i], TABLES[j]), abs=1e-7)


def test_a_table_is_most_similar_to_itself():
    for name in ("cosine", "euclid"):
        assert torch.allclose(MEASURES[name](TABLES).diagonal(), torch.ones(5, dtype=torch.double))
    twice = TABLES[[0, 0]]
    assert MEASURES["euclid"](twice)[0, 1] == 1  # exactly: no rounding of a product


def test_token_measures_do_not_depend_on_the_order_of_rows():
    shuffled = TABLES[:, [3, 1, 0, 2, 6, 5, 4]]
    both = torch.cat([TABLES[:1], shuffled[1:2]])
    for name, same in (("token_cosine", True), ("token_euclid", True), ("cosine", False)):
        found, of_order = MEASURES[name](TABLES)[0, 1], MEASURES[name](both)[0, 1]
        assert torch.isclose(found, of_order).item() == same


# --- pairs of prompts ---------------------------------------------------------------------------

PROMPTS = [
    soft_prompt("sst2", 33),
    soft_prompt("sst2", 34),
    soft_prompt("imdb", 33),
    soft_prompt("qqp", 34),
    soft_prompt("qqp", None, source="su"),
    soft_prompt("imdb", None, source="su"),
]


def test_pairs_are_named_by_task_type_and_seed():
    frame = similarities(PROMPTS).set_index(["first", "second"])
    assert len(frame) == 15
    pair = frame["pair"]
    assert pair["sst2-s33", "sst2-s34"] == "same task" and pair["qqp-s34", "qqp-su"] == "same task"
    assert (
        pair["sst2-s33", "imdb-s33"] == "same type" and pair["sst2-s33", "qqp-su"] == "other type"
    )
    assert frame.loc[("sst2-s34", "qqp-s34"), "same_seed"]
    assert frame.loc[("sst2-s34", "qqp-s34"), "seed"] == 34
    assert frame.loc[("qqp-su", "imdb-su"), "same_seed"]
    assert not frame.loc[("qqp-s34", "qqp-su"), "same_seed"]


def test_row_0_of_roberta_is_dropped_and_that_of_t5_is_not():
    """A row 0 that all share and that outweighs the rest must not make RoBERTa's prompts alike."""
    for kind in ("roberta", "t5"):
        prompts = [soft_prompt("sst2", seed, kind) for seed in (33, 34)]
        for prompt in prompts:
            prompt.table[0] = 1e4
        frame = similarities(prompts)
        kept = similarities(prompts, rows=lambda prompt: prompt.table)
        assert kept["cosine"].item() > 0.99
        dropped = slow("cosine", prompts[0].table[1:], prompts[1].table[1:])
        assert (frame["cosine"].item() == pytest.approx(dropped)) == (kind == "roberta")
        assert row_0_share(prompts[0]) > 0.99


def test_the_share_of_row_0_is_what_was_planted():
    prompt = soft_prompt(table=torch.ones(5, 7))
    assert row_0_share(prompt) == pytest.approx(1 / 5)
    prompt.table[0] = 4
    assert row_0_share(prompt) == pytest.approx(16 / 20)


def test_means_by_pair_are_those_of_a_loop():
    frame = similarities(PROMPTS)
    found = by_pair(frame, "cosine")
    assert list(found.index) == list(PAIRS)
    for pair in PAIRS:
        values = [row.cosine for row in frame.itertuples() if row.pair == pair]
        assert found.loc[pair, "mean"] == pytest.approx(sum(values) / len(values))
        assert found.loc[pair, "count"] == len(values)
    ways = four_ways(frame, "cosine")
    assert ways["count"].tolist() == [3, 4, 3, 9]
    both_seeds = [r.cosine for r in frame.itertuples() if not r.same_task and r.same_seed]
    assert ways.loc["different task, same seed", "mean"] == pytest.approx(sum(both_seeds) / 3)


def test_prompts_of_several_backbones_or_one_alone_are_refused():
    for prompts in (PROMPTS[:1], [PROMPTS[0], soft_prompt(kind="t5")], []):
        with pytest.raises(BadInput, match="two or more soft prompts of one backbone"):
            similarities(prompts)


def test_two_prompts_of_one_name_are_refused():
    with pytest.raises(BadInput, match="Two soft prompts are called sst2-s33"):
        similarities([*PROMPTS, soft_prompt("sst2", 33, table=torch.zeros(5, 7))])


# --- the neurons that they activate -------------------------------------------------------------


def slow_overlap(a: torch.Tensor, b: torch.Tensor, layers: range, selected: torch.Tensor) -> float:
    """Cosine of two lists of zeros and ones, one neuron at a time."""
    ones = [
        [
            float(x[layer, k] > 0)
            for layer in layers
            for k in range(x.shape[1])
            if selected[layer, k]
        ]
        for x in (a, b)
    ]
    return slow_cosine(*ones)


@pytest.mark.parametrize("which", ["all", "skill neurons"])
def test_overlap_equals_the_slow_reference(which):
    generator = torch.Generator().manual_seed(1)
    activations = torch.randn(4, 6, 29, generator=generator)  # [table, layer, neuron]
    activations[0, 2, 5] = 0  # exactly 0 is not activated
    selected = torch.rand(6, 29, generator=generator) < 0.6  # [layer, neuron]
    chosen = None if which == "all" else selected
    found = activated_overlap(activations, chosen)
    assert list(found) == ["layers 1 to 2", "layers 3 to 4", "layer 5", "layer 6", ALL_LAYERS]
    for name, layers in layer_blocks(6).items():
        for i in range(4):
            for j in range(4):
                every = torch.ones(6, 29, dtype=torch.bool)
                expected = slow_overlap(
                    activations[i], activations[j], layers, every if chosen is None else selected
                )
                assert found[name][i, j].item() == pytest.approx(expected, abs=1e-12)


def test_planted_overlaps():
    activations = -torch.ones(3, 4, 10)
    activations[0, :, :4] = 1
    activations[1, :, 2:6] = 1  # shares two of four
    overlap = activated_overlap(activations)[ALL_LAYERS]
    assert overlap[0, 1] == 0.5 and overlap[0, 0] == 1
    assert overlap[0, 2].isnan()  # the third activates nothing


def test_other_selected_neurons_are_refused():
    with pytest.raises(BadInput, match="do not fit"):
        activated_overlap(torch.zeros(2, 4, 10), torch.ones(4, 9))


@pytest.mark.parametrize(
    ("n_layers", "sizes"), [(12, [3, 3, 3, 3]), (4, [1, 1, 1, 1]), (6, [2, 2, 1, 1]), (2, [1, 1])]
)
def test_blocks_are_quarters_of_the_layers(n_layers, sizes):
    blocks = layer_blocks(n_layers)
    assert [len(layers) for layers in blocks.values()] == [*sizes, n_layers]
    assert [
        layer for name, layers in blocks.items() if name != ALL_LAYERS for layer in layers
    ] == list(range(n_layers))


# --- the released prompts -----------------------------------------------------------------------


def test_the_released_prompts_have_the_geometry_of_the_note(repository, tmp_path):
    """Row 0 of RoBERTa is huge, and pairs of one task are the most alike (24 of 90 prompts)."""
    from mvp_skill.released_prompts import convert_folder
    from mvp_skill.soft_prompts import load_soft_prompts

    folder = repository.parent / "shared" / "data" / "prompts"
    if not folder.is_dir():
        pytest.skip(f"no real soft prompts at {folder}")
    convert_folder(folder, tmp_path)
    prompts = load_soft_prompts(tmp_path)
    for kind in ("roberta", "t5"):
        own = [prompt for prompt in prompts if prompt.facts.kind == kind]
        means = four_ways(similarities(own), "cosine")["mean"]
        assert means.idxmax() == "same task, different seed"
        assert means.idxmin() == "different task, different seed"
    roberta = [prompt for prompt in prompts if prompt.facts.kind == "roberta"]
    assert max(map(row_0_share, roberta)) > 0.5
