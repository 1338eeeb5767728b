"""Notebooks that are given a folder of soft prompts tune none, and say what they leave out.

The prompts are made here: untuned tables, that of one task marked as contaminated.
"""

from dataclasses import replace
from pathlib import Path

import nbformat
import pandas
import pytest

from mvp_skill.batch import Run, plan
from mvp_skill.execution import DONE, execute
from mvp_skill.files import read_json
from mvp_skill.prompt_studies import PromptStudy
from mvp_skill.prompt_tuning import soft_prompt_of
from mvp_skill.soft_prompts import SoftPrompt, save_soft_prompt
from run_all import NOTEBOOKS

SIZES = {"N_TRAIN": 24, "N_VALIDATION": 12, "N_TEST": 30, "N_PROMPT": 4, "KINDS": "roberta"}
TASKS = ("mini_films", "mini_restaurants", "mini_duplicates")
GIVEN = SIZES | {"TASKS": "mini_films, mini_restaurants", "SEEDS": "33"}
MORE = {
    "20_prompt_tuning": {},
    "22_prompt_transfer": {"TASKS": ", ".join(TASKS), "N_TRANSFER": 8},
    "23_adversarial_data": {},
    "24_skill_neurons": {"N_THRESHOLD": 24, "N_PERMUTATIONS": 3},
    "25_suppression": {"RATES": "0, 15", "N_DRAWS": 1},
}
WHY = "RoBERTa on mini_films, it has seen the evaluation split"
NOTES = {
    "22_prompt_transfer": "RoBERTa, mini_films (in no claim)",
    "23_adversarial_data": WHY.replace(",", " and its set,"),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def prompts(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    study = PromptStudy(SIZES | {"OUT": str(folder)})
    for task in TASKS:
        table, facts = soft_prompt_of(study.start("roberta", task)).__dict__.values()
        facts = replace(facts, seed=33, source="ackermann")
        if task == "mini_films":
            facts = replace(facts, contamination="it has seen the evaluation split")
        save_soft_prompt(folder / f"{task}.safetensors", SoftPrompt(table, facts))
    return folder


@pytest.mark.notebooks
@pytest.mark.parametrize("name", MORE)
def test_a_notebook_takes_the_prompts_that_it_is_given(name, prompts, results):
    parameters = GIVEN | MORE[name] | {"PROMPTS": str(prompts)}
    (planned,) = plan([Run(name, parameters)], NOTEBOOKS, results)
    outcome = execute(planned, [])
    assert outcome.status == DONE, f"{name}: {outcome.error}"
    assert not [*(results / "prompts").rglob("*.safetensors")], "nothing is tuned"
    (note,) = [line for line in said(planned.finished).splitlines() if "in no claim" in line]
    assert note.endswith(NOTES.get(name, WHY))
    if name == "20_prompt_tuning":
        (claim,) = read_json(planned.finished / "run.json")["claims"]
        assert "on every task of 1; the worst: mini_restaurants" in claim["criterion"]
    if name == "22_prompt_transfer":
        rows = pandas.read_csv(planned.finished / "transfer.csv")
        assert set(rows["source"]) == set(TASKS) and set(rows["seed"]) == {33}
    if name == "23_adversarial_data":
        table = pandas.read_csv(planned.finished / "table_adversarial.csv")
        assert list(table["set"]) == ["mini_adv_films *"]
    if name == "24_skill_neurons":
        rows = pandas.read_csv(planned.finished / "neurons.csv").set_index("task")
        assert not rows.loc["mini_films", "learnt"]


def said(folder: Path) -> str:
    """What the cells of a run have printed."""
    cells = nbformat.read(folder / "executed.ipynb", as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)
