"""Soft prompts: round trip, refusals, and which rows are read."""

import dataclasses
import json

import pytest
import torch
from prompt_cases import soft_prompt
from safetensors.torch import save_file

from mvp_skill import __version__, soft_prompts
from mvp_skill.errors import BadInput
from mvp_skill.soft_prompts import (
    PromptFacts,
    SoftPrompt,
    listing,
    load_soft_prompt,
    load_soft_prompts,
    save_soft_prompt,
    soft_prompts_of_runs,
    used_rows,
)

FACTS = {
    "epoch": 74,
    "steps": 3996,
    "n_train": (864, 879),
    "label_words": ("negative", "positive"),
    "label_ids": (33407, 22173),
    "class_scheme": "2 classes",
    "contamination": "tuned on what it is evaluated on",
    "init": "normal",
    "origin_sha256": "ab" * 32,
}


def test_a_soft_prompt_comes_back_with_all_that_is_known_of_it(tmp_path):
    prompt = soft_prompt(**FACTS)
    path = save_soft_prompt(tmp_path / "a.safetensors", prompt)
    again = load_soft_prompt(path, d_model=7)
    assert torch.equal(again.table, prompt.table)
    assert again.facts == prompt.facts and again.facts.version == __version__
    assert again.facts.n_train == (864, 879)


def test_a_half_precision_parameter_is_stored_in_full_precision(tmp_path):
    prompt = soft_prompt()
    tuned = torch.nn.Parameter(prompt.table.half())
    path = save_soft_prompt(tmp_path / "a.safetensors", SoftPrompt(tuned, prompt.facts))
    table = load_soft_prompt(path).table
    assert table.dtype == torch.float32 and not table.requires_grad
    assert torch.equal(table, prompt.table.half().float())


def test_a_name_says_task_and_seed_or_source():
    assert soft_prompt("qqp", 34).facts.name == "qqp-s34"
    assert soft_prompt("qqp", None, source="su").facts.name == "qqp-su"


def test_row_0_is_read_by_t5_and_not_by_roberta():
    table = torch.arange(15.0).reshape(5, 3)
    assert used_rows(soft_prompt(kind="roberta", table=table)).tolist() == table[1:].tolist()
    assert torch.equal(used_rows(soft_prompt(kind="t5", table=table)), table)


def test_a_listing_has_a_row_per_prompt(tmp_path):
    for seed in (34, 33):
        save_soft_prompt(tmp_path / f"b{seed}.safetensors", soft_prompt(seed=seed, **FACTS))
    (tmp_path / "prompts.csv").write_text("not a prompt")
    table = listing(load_soft_prompts(tmp_path))
    assert list(table["name"]) == ["sst2-s33", "sst2-s34"] and set(table["d_model"]) == {7}
    assert list(listing([]).columns) == list(table.columns)


# --- what is refused ----------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path):
    return save_soft_prompt(tmp_path / "a.safetensors", soft_prompt())


def test_a_soft_prompt_of_another_width_is_refused(stored):
    with pytest.raises(BadInput, match=r"\[5, 7\].*not \[5, 768\].*tuned for this backbone"):
        load_soft_prompt(stored, d_model=768)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_numbers_that_are_not_finite_are_neither_written_nor_read(tmp_path, stored, number):
    prompt = soft_prompt()
    prompt.table[3, 2] = number
    with pytest.raises(BadInput, match="not finite"):
        save_soft_prompt(tmp_path / "b.safetensors", prompt)
    assert not (tmp_path / "b.safetensors").exists()
    facts = soft_prompts.read_tensors(stored)[1]
    save_file({"soft_prompt": prompt.table}, stored, metadata=facts)
    with pytest.raises(BadInput, match="not finite"):
        load_soft_prompt(stored)


@pytest.mark.parametrize("table", [torch.zeros(5), torch.zeros(6, 7), torch.zeros(5, 7).double()])
def test_a_table_of_another_shape_or_type_is_refused(stored, table):
    save_file({"soft_prompt": table}, stored, metadata=soft_prompts.read_tensors(stored)[1])
    with pytest.raises(BadInput, match=r"not \[5, .*\] of float32"):
        load_soft_prompt(stored)


def test_another_kind_of_backbone_is_refused(tmp_path):
    prompt = soft_prompt()
    gpt = SoftPrompt(prompt.table, dataclasses.replace(prompt.facts, kind="gpt2"))
    with pytest.raises(BadInput, match="'gpt2'; use roberta, t5"):
        save_soft_prompt(tmp_path / "a.safetensors", gpt)


def test_files_that_are_something_else_are_refused(tmp_path, stored):
    with pytest.raises(BadInput, match="does not exist"):
        load_soft_prompt(tmp_path / "none.safetensors")
    content = stored.read_bytes()
    stored.write_bytes(content[:-3])
    with pytest.raises(BadInput, match="truncated"):
        load_soft_prompt(stored)
    save_file({"weight": torch.zeros(3)}, stored)
    with pytest.raises(BadInput, match="no soft prompt of mvp_skill"):
        load_soft_prompt(stored)
    save_file({"soft_prompt": torch.zeros(5, 7)}, stored, metadata={"facts": '{"colour": "red"}'})
    with pytest.raises(BadInput, match="this version"):
        load_soft_prompt(stored)


def test_a_file_that_is_too_large_is_not_even_read(stored, monkeypatch):
    monkeypatch.setattr(soft_prompts, "MOST_BYTES", stored.stat().st_size - 1)
    monkeypatch.setattr(soft_prompts, "read_tensors", None)
    with pytest.raises(BadInput, match="no soft prompt is so large"):
        load_soft_prompt(stored)


def test_every_fact_is_documented_and_has_a_default_but_the_first_four():
    required = [f.name for f in dataclasses.fields(PromptFacts) if f.default is dataclasses.MISSING]
    assert required == ["task", "backbone", "kind", "n_prompt"]


def test_the_soft_prompts_of_finished_runs_are_found(tmp_path):
    def run(name: str, seeds: dict[str, int], finished: str):
        folder = tmp_path / "20_prompt_tuning" / name
        for file, seed in seeds.items():
            stored = soft_prompt(seed=seed, note=name)
            save_soft_prompt(folder / f"soft_prompt{file}.safetensors", stored)
        save_file({"weight": torch.zeros(3)}, folder / "model.safetensors")
        (folder / "run.json").write_text(json.dumps({"finished": finished}))

    run("a", {"": 0, "_b": 1}, "2026-11-21T11:00")
    run("later.partial", {"": 5}, "2026-11-21T12:00")
    assert [prompt.facts.seed for prompt in soft_prompts_of_runs(tmp_path)] == [0, 1]
    run("b", {"": 1}, "2026-11-21T10:00")
    assert [p.facts.note for p in soft_prompts_of_runs(tmp_path)] == ["a", "a"], "the last one wins"
    run("b", {"": 1}, "2026-11-21T13:00")
    assert {p.facts.seed: p.facts.note for p in soft_prompts_of_runs(tmp_path)} == {0: "a", 1: "b"}
    assert soft_prompts_of_runs(tmp_path / "nothing") == []
