"""A folder given as PROMPTS: all that is fit for use, and why the rest is not."""

import os

import pytest
import torch
from prompt_cases import released_table, soft_prompt

from mvp_skill import prompt_preflight
from mvp_skill.errors import BadInput
from mvp_skill.preflight import check_parameters
from mvp_skill.prompt_folders import MOST_NAMED, read_prompts, say_refused
from mvp_skill.soft_prompts import save_soft_prompt

SST2 = ("roberta", 768, "sst2", 33)


class Program:
    """A pickle that would write a file if it was run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def released(root, folder: str, held: object = None):
    path = root / folder
    path.mkdir(parents=True)
    torch.save(released_table() if held is None else held, path / "task_prompt")
    return root


def asked(root, **given) -> dict:
    known = {"SCALE": "paper", "KINDS": "roberta", "SEEDS": "33", "PROMPTS": str(root)}
    return known | {"ROBERTA": "mini-roberta"} | given


@pytest.fixture
def backbone_is_there(monkeypatch):
    monkeypatch.setattr(prompt_preflight, "width_of", lambda backbone: 768)
    monkeypatch.setattr(prompt_preflight, "_check_task", lambda *given: None)
    monkeypatch.setattr(prompt_preflight, "_check_label_words", lambda *given: (33407, 22173))


def test_a_folder_may_hold_released_prompts_or_files_of_the_package(tmp_path):
    released(tmp_path / "in", "seed_su/SST2PromptT5")
    found = read_prompts(tmp_path / "in").find("t5", 768, "sst2", "su")
    assert torch.equal(found.table, released_table()) and found.facts.source == "su"
    save_soft_prompt(tmp_path / "own" / "a.safetensors", soft_prompt(seed=4))
    assert read_prompts(tmp_path / "own").find("roberta", 7, "sst2", 4).facts.seed == 4
    with pytest.raises(BadInput, match="width 7 for roberta, sst2 and seed 5; it has .* sst2-4"):
        read_prompts(tmp_path / "own").find("roberta", 7, "sst2", 5)
    with pytest.raises(BadInput, match="no released soft prompts"):
        read_prompts(tmp_path / "unused")


def test_a_second_folder_has_nothing_of_the_first(tmp_path):
    first = released(tmp_path / "first", "seed_33/SST2PromptRoberta")
    second = released(tmp_path / "second", "seed_34/QQPPromptRoberta")
    released(second, "seed_33/SST2PromptRoberta", Program(tmp_path / "was_run"))
    assert read_prompts(first).find(*SST2)
    folder = read_prompts(second)
    assert list(folder.prompts) == [("roberta", 768, "qqp", 34)]
    with pytest.raises(BadInput, match="seed_33/SST2PromptRoberta in PROMPTS is not used") as no:
        folder.find(*SST2)
    assert "\n" not in str(no.value) and not (tmp_path / "was_run").exists()


def test_a_changed_file_is_read_anew(tmp_path):
    root = released(tmp_path, "seed_33/SST2PromptRoberta")
    before = read_prompts(root).find(*SST2)
    torch.save(released_table(1.0), root / "seed_33/SST2PromptRoberta/task_prompt")
    assert not torch.equal(read_prompts(root).find(*SST2).table, before.table)


def test_a_refused_prompt_is_known_before_anything_runs(tmp_path, capsys, backbone_is_there):
    root = released(tmp_path / "in", "seed_33/IMDBPromptRoberta")
    released(root, "seed_33/SST2PromptRoberta", Program(tmp_path / "was_run"))
    with pytest.raises(BadInput, match=r"^seed_33/SST2PromptRoberta in PROMPTS is not used: \S"):
        check_parameters(asked(root, TASKS="imdb, sst2"))
    assert capsys.readouterr().err == ""
    for _ in range(2):
        check_parameters(asked(root, TASKS="imdb"))
    said = capsys.readouterr().err
    assert said.count("seed_33/SST2PromptRoberta in PROMPTS is not used") == 1  # and not twice
    assert not (tmp_path / "was_run").exists()


def test_a_prompt_that_is_not_there_is_known_before_anything_runs(tmp_path, backbone_is_there):
    root = released(tmp_path, "seed_33/SST2PromptRoberta")
    check_parameters(asked(root, TASKS="sst2"))
    for missing in ({"TASKS": "imdb"}, {"TASKS": "sst2", "SEEDS": "33, su"}):
        with pytest.raises(BadInput, match=f"has no soft prompt .* {missing['TASKS']} and seed"):
            check_parameters(asked(root, **missing))


def test_notebook_21_asks_for_no_prompt_and_names_what_is_refused(tmp_path, capsys):
    root = released(tmp_path / "in", "seed_33/IMDBPromptRoberta")
    released(root, "seed_33/SST2PromptRoberta", Program(tmp_path / "was_run"))
    check_parameters({"PROMPTS": str(root), "OUT": "x"})
    assert "seed_33/SST2PromptRoberta in PROMPTS is not used" in capsys.readouterr().err


def test_a_folder_of_nothing_but_refused_prompts_is_refused(tmp_path):
    root = released(tmp_path / "in", "seed_33/SST2PromptRoberta", Program(tmp_path / "was_run"))
    with pytest.raises(BadInput, match="seed_33/SST2PromptRoberta in PROMPTS is not used"):
        check_parameters({"PROMPTS": str(root)})


def test_prompts_for_other_label_tokens_are_known_before(tmp_path, backbone_is_there):
    root = released(tmp_path, "seed_33/QQPPromptRoberta")
    with pytest.raises(BadInput, match="qqp-s33 for roberta was tuned for the label tokens"):
        check_parameters(asked(root, TASKS="qqp"))
    released(root, "seed_33/SST2PromptRoberta")
    check_parameters(asked(root, TASKS="sst2"))


def test_of_many_refused_ones_the_first_are_named(tmp_path, capsys):
    root = released(tmp_path, "seed_33/SST2PromptRoberta")
    for number in range(MOST_NAMED + 2):
        released(root, f"seed_33/SST2PromptRoberta_{number}")
    say_refused(read_prompts(root))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST_NAMED + 1 and lines[-1] == "2 more in PROMPTS are not used."
