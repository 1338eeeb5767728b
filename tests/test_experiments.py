"""What the results notebook shows of an experiment."""

import base64

import pandas
import pytest

from mvp_skill.experiments import save_table, shown
from mvp_skill.files import write_json
from mvp_skill.results import claim


@pytest.fixture
def folder(tmp_path):
    """A finished run with one table, one figure and two claims."""
    folder = tmp_path / "15_why_does_mvp_help" / "mini-1"
    folder.mkdir(parents=True)
    columns = pandas.MultiIndex.from_tuples([("films", "clean"), ("films", "TextFooler")])
    table = pandas.DataFrame([["99.0", "–"]], index=["MLP-FT"], columns=columns)
    save_table(table, folder, "table", "n = 30 & 2 seeds")
    (folder / "figure.png").write_bytes(b"picture")
    claims = [claim("a < b", "interval above 0", False), claim("c", "d", None)]
    record = {"parameters": {"SCALE": "mini"}, "seconds": 12.4, "claims": claims}
    write_json(folder / "run.json", record)
    return folder


def test_a_table_is_saved_for_programs_for_papers_and_for_pages(folder):
    csv = pandas.read_csv(folder / "table.csv", index_col=0)
    assert list(csv.columns) == ["films, clean", "films, TextFooler"] and csv.iloc[0, 0] == 99.0
    assert "\\begin{tabular}" in (folder / "table.tex").read_text()
    assert "n = 30 &amp; 2 seeds" in (folder / "table.html").read_text()


def test_an_experiment_is_shown_with_its_tables_figures_and_verdicts(folder, tmp_path):
    page = shown(tmp_path, "15_why_does_mvp_help", "mini")
    assert "99.0" in page and base64.b64encode(b"picture").decode() in page
    assert "a &lt; b" in page and "does not hold" in page and "left open" in page
    assert "img" not in shown(tmp_path, "15_why_does_mvp_help", "mini", figures=False)


def test_without_a_run_at_the_scale_the_command_is_shown(folder, tmp_path):
    for notebook, scale in (("15_why_does_mvp_help", "paper"), ("16_templates", "mini")):
        assert f"--only {notebook[:2]}" in shown(tmp_path, notebook, scale)
    folder.rename(folder.with_name("mini-1.partial"))
    assert "--only 15" in shown(tmp_path, "15_why_does_mvp_help", "mini")
