"""The README's tables on the second paper, from recorded tables of the notebooks."""

import pandas as pd
import pytest

from mvp_skill.experiments import save_table
from mvp_skill.files import write_json
from mvp_skill.readme_prompts import NOT_YET, TABLES, soft_prompts


def record_table(record, notebook, name, table, scale="mini", run="run"):
    folder = record / notebook / run
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"parameters": {"SCALE": scale}})
    save_table(table, folder, name)


def test_nothing_recorded_is_said(tmp_path):
    assert soft_prompts(tmp_path) == NOT_YET
    record_table(tmp_path, *TABLES[0][:2], pd.DataFrame({"a": ["1"]}), scale="paper")
    assert soft_prompts(tmp_path) == NOT_YET  # the README shows the mini scale


@pytest.mark.parametrize(("notebook", "name", "lead"), TABLES)
def test_each_table_stands_under_its_lead_without_row_numbers(tmp_path, notebook, name, lead):
    table = pd.DataFrame({"task": ["films", "acts"], "best_neuron": ["9.50", "a|b"]})
    record_table(tmp_path, notebook, name, table)
    said = soft_prompts(tmp_path).splitlines()
    assert said[0] == f"{lead}:" and said[2] == "| task | best neuron |"
    assert said[4:] == ["| films | 9.50 |", "| acts | a\\|b |"]


def test_names_of_rows_are_kept_and_levels_of_columns_joined(tmp_path):
    columns = pd.MultiIndex.from_tuples([("RoBERTa", "skill"), ("T5", "random")])
    table = pd.DataFrame([["1", "2"]], index=["films"], columns=columns)
    record_table(tmp_path, *TABLES[0][:2], table)
    said = soft_prompts(tmp_path).splitlines()
    assert said[2] == "|  | RoBERTa, skill | T5, random |" and said[4] == "| films | 1 | 2 |"


def test_runs_of_one_notebook_stand_beside_each_other(tmp_path):
    rows, shared = ["films", "acts"], {"n": ["7", "9"]}
    for kind, values in {"RoBERTa": ["1", "2"], "T5": ["3", "4"]}.items():
        table = pd.DataFrame({kind: values, **shared}, index=rows)
        record_table(tmp_path, *TABLES[0][:2], table, run=kind)
    assert soft_prompts(tmp_path).splitlines()[2:] == [
        "|  | RoBERTa | T5 | n |",
        "| --- | --- | --- | --- |",
        "| films | 1 | 3 | 7 |",
        "| acts | 2 | 4 | 9 |",
    ]


def test_an_index_of_several_columns_has_no_made_up_name(tmp_path):
    index = pd.MultiIndex.from_tuples([("RoBERTa", "films"), ("", "acts")])
    record_table(tmp_path, *TABLES[0][:2], pd.DataFrame({"p": ["1", "2"]}, index=index))
    assert soft_prompts(tmp_path).splitlines()[2] == "|  |  | p |"
