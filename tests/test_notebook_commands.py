"""The commands that notebooks name are understood, and lack nothing but files and a network."""

import re
import shlex

import nbformat
import pytest

import run_all
from mvp_skill import attack_resources, backbones, neuron_preflight, preflight, prompt_preflight
from mvp_skill.prompt_folders import PromptFolder


def commands() -> list[tuple[str, str]]:
    """Notebook and command line of each `python run_all.py ...` in a text cell."""
    found = []
    for path in sorted(run_all.NOTEBOOKS.glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        found += [(path.stem, line) for line in re.findall(r"python run_all\.py([^`\n]*)`", text)]
    return [(stem, line) for stem, line in found if "…" not in line]


@pytest.fixture
def everything_is_there(monkeypatch):
    """Files that are named exist, and so does what the hub has."""
    monkeypatch.setattr(preflight, "_check_data", lambda *given: None)
    monkeypatch.setattr(preflight, "_check_tokens", lambda *given: None)
    monkeypatch.setattr(neuron_preflight, "_check_set", lambda *given: None)
    for module in (preflight, prompt_preflight):
        monkeypatch.setattr(module, "read_prompts", lambda folder: PromptFolder(folder, {}, []))
    for name in ("_check_task", "_check_label_words", "_check_prompts"):
        monkeypatch.setattr(prompt_preflight, name, lambda *given: None)
    roberta = backbones.SHIPPED["mini-roberta"]
    monkeypatch.setattr(backbones, "backbone_folder", lambda name: roberta)
    monkeypatch.setattr(attack_resources, "check_vector_file", lambda path: None)
    monkeypatch.setattr(attack_resources, "_check_tagger", lambda name: None)
    monkeypatch.setattr(attack_resources, "find_spec", lambda name: True)


@pytest.mark.parametrize(("notebook", "line"), commands())
def test_a_command_of_a_notebook_starts_it(notebook, line, everything_is_there, tmp_path):
    arguments = run_all.arguments_of([*shlex.split(line), "--results", str(tmp_path)])
    runs, _ = run_all.chosen_runs(arguments, tmp_path)
    assert notebook in {run.source.stem for run in runs}


def test_every_experiment_names_a_command_for_more_and_one_for_the_papers_scale():
    lines = commands()
    for path in sorted(run_all.NOTEBOOKS.glob("1[3-9]_*.ipynb")):
        own = [line for stem, line in lines if stem == path.stem]
        assert {("--scale paper" in line) for line in own} == {False, True}, path.stem
