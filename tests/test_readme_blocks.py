"""The README's blocks: made from run files, and filled into the page."""

import re
from pathlib import Path

import pytest
from readme_cases import ROOT, TEXT, block
from run_records import write_attack, write_run

from mvp_skill import readme, readme_blocks
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.results import claim

# --- filling -----------------------------------------------------------------------------------

PAGE = "a 1\n<!-- results: x -->\nold\n<!-- end -->\nb\n<!-- results: y z -->\n<!-- end -->\n"


def test_filling_changes_the_blocks_alone_and_twice_is_once():
    filled = readme.fill(PAGE, {"x": "new \\1", "y z": "| a |"})
    assert filled == (
        "a 1\n<!-- results: x -->\nnew \\1\n<!-- end -->\nb\n"
        "<!-- results: y z -->\n| a |\n<!-- end -->\n"
    )
    assert readme.fill(filled, {"x": "new \\1", "y z": "| a |"}) == filled


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (PAGE.replace("results: x", "results: q"), "No block is called 'q'; there are x, y z"),
        (PAGE.replace("<!-- end -->\nb", "b"), "needs its own line `<!-- end -->`"),
        (PAGE + "<!-- end -->\n", "needs its own line `<!-- end -->`"),
    ],
)
def test_markers_that_do_not_fit_are_refused(page, said):
    with pytest.raises(BadInput, match=re.escape(said)):
        readme.fill(page, {"x": "1", "y z": "2"})


# --- from run files to the page ----------------------------------------------------------------


@pytest.fixture
def results(tmp_path) -> Path:
    """Finished runs: two seeds of one task, victims, a tour without a scale, half a run."""
    folder = tmp_path / "results"
    judged = [claim("survives | more", "p < 0.05", True)]
    for seed, (mlp_ft, mvp) in enumerate([(0.5, 0.6), (0.4, 0.7)]):
        write_attack(folder, "mini_films", seed, mlp_ft, mvp, claims=judged, seconds=100.0 + seed)
    for seed in range(3):
        parameters = {
            "SCALE": "mini",
            "TASK": "mini_films",
            "SEED": seed,
            "DATA_DIR": "/data/films",
        }
        write_run(folder, "11_train_victims", f"s{seed}", parameters, {"clean_acc": 0.9, "n": 9})
    write_run(folder, "00_tour", "s0", {"SEED": 0}, {"n": 1}, seconds=31.4)
    write_run(folder, "12_attack_victims", "begun.partial", {}, {"n": 1})
    return folder


@pytest.fixture
def recorded(tmp_path, results) -> Path:
    readme.record([results], tmp_path / "record")
    return tmp_path / "record"


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_record_is_the_run_files_without_folders_and_replaces_the_last_one(recorded, results):
    paths = sorted(path.parent.relative_to(recorded) for path in recorded.glob("*/*/run.json"))
    assert len(paths) == 6 and not any("partial" in str(path) for path in paths)
    copy = read_json(recorded / "11_train_victims/s1/run.json")
    original = read_json(results / "11_train_victims/s1/run.json")
    assert copy["parameters"].pop("DATA_DIR") == "films"
    assert original["parameters"].pop("DATA_DIR") == "/data/films" and copy == original
    write_json(recorded / "machine.json", {"install_seconds": 5})
    readme.record([results.parent / "results"], recorded)
    assert read_json(recorded / "machine.json") == {"install_seconds": 5}
    for path in (results / "11_train_victims").glob("*/run.json"):
        path.unlink()
    readme.record([results], recorded)
    assert len(list(recorded.glob("*/*/run.json"))) == 3


def test_nothing_finished_is_no_record(tmp_path, recorded):
    with pytest.raises(BadInput, match=r"No finished run in .*: start `python run_all.py` first"):
        readme.record([tmp_path / "empty"], recorded)
    assert len(list(recorded.glob("*/*/run.json"))) == 6


def test_results_and_claims_come_from_the_runs(recorded):
    table = plain(readme_blocks.results(recorded)).splitlines()
    assert table[0].startswith("Scale `mini` (mini-roberta)")
    assert "n = 300 clean, 200 attacked; seeds: 2" in table[0]
    assert table[4] == "| mini_films | MLP-FT | 95.0 ± 0.0 | 45.0 ± 7.1 | yes |"
    assert table[5] == "| mini_films | MVP | 95.0 ± 0.0 | 65.0 ± 7.1 | yes |"
    claims = readme_blocks.claims(recorded)
    assert "| MVP is more robust than MLP-FT on every task | 90 |" in claims
    assert "| survives \\| more | 13 | p < 0.05 | holds in 2 of 2 runs |" in claims


def test_other_backbones_have_a_table_and_a_claim_of_their_own(results, tmp_path):
    judged = [claim("survives | more", "p < 0.05", False)]
    given = {"others": {"freelb": 0.1}, "claims": judged}
    write_attack(results, "mini_films", 0, 0.6, 0.2, backbone="a-first-one", **given)
    readme.record([results], tmp_path / "record")
    main, others = plain(readme_blocks.results(tmp_path / "record")).split("Other backbones")
    assert main.startswith("Scale `mini` (mini-roberta)") and "45.0 ± 7.1" in main
    assert "FreeLB++" not in main and "20.0" not in main
    assert "| mini_films | a-first-one | MVP | 95.0 | 20.0 | yes |" in others
    assert others.index("mini-roberta") < others.index("a-first-one")
    assert "mini-roberta" in readme_blocks.figure(tmp_path / "record")
    claims = readme_blocks.claims(tmp_path / "record").splitlines()
    said = {line.split(" | ")[0]: line.split(" | ")[-1] for line in claims}
    assert said["| MVP is more robust than MLP-FT on every task"] == "holds |"
    assert said["| MVP is more robust than MLP-FT with every backbone"] == "does not hold |"
    assert "| survives \\| more | 13 | p < 0.05 | holds in 2 of 2 runs |" in claims


def test_the_map_says_how_often_and_how_long(recorded):
    lines = {line[3:5]: line for line in readme_blocks.notebooks(recorded).splitlines()[2:]}
    assert lines["13"].endswith("| – | 2 runs of 2 min |")
    assert lines["11"].endswith("| – | 3 runs of 2 min |") and lines["00"].endswith("| 31 s |")


def test_the_figure_has_the_same_bytes_each_time_and_goes_with_its_runs(recorded, tmp_path):
    first = readme_blocks.draw_figure(recorded, tmp_path / "a.png").read_bytes()
    assert first.startswith(b"\x89PNG") and len(first) < 100_000
    assert readme_blocks.draw_figure(recorded, tmp_path / "b.png").read_bytes() == first
    assert "seeds: 2" in readme_blocks.figure(recorded)
    assert readme_blocks.draw_figure(tmp_path / "nothing", tmp_path / "b.png") is None
    assert not (tmp_path / "b.png").exists()


def test_the_command_fills_a_page_from_results(tmp_path, results, monkeypatch):
    record, page = tmp_path / "record", tmp_path / "README.md"
    monkeypatch.setattr(readme, "RECORD", record)
    monkeypatch.setattr(readme, "record", lambda folders: RECORD_TO(folders, record))
    monkeypatch.setattr(readme, "draw_figure", lambda: None)
    monkeypatch.setattr(readme, "blocks", lambda: readme_blocks.blocks(record))
    monkeypatch.setattr(readme, "measured", lambda *given: {"n_tests": 3, "test_seconds": 70.2})
    page.write_text(TEXT, encoding="utf-8")
    assert readme.main([str(results), str(page)]) == 0
    filled = page.read_text(encoding="utf-8")
    assert "| the tests: 3 of them | 70 s | – |" in filled and "2 cores" in block(filled, "cost")
    assert "65.0 ± 7.1" in plain(block(filled, "table"))
    assert readme.main([str(page)]) == 0 and page.read_text(encoding="utf-8") == filled


RECORD_TO = readme.record


@pytest.mark.parametrize(
    ("words", "said"),
    [(["nowhere", "README.md"], "nowhere is no folder"), (["nothing.md"], "nothing.md is no file")],
)
def test_what_is_not_there_is_said_and_nothing_is_changed(capsys, words, said):
    assert readme.main(words) == 2
    assert said in capsys.readouterr().err
    assert (ROOT / "README.md").read_text(encoding="utf-8") == TEXT
