"""The README: its numbers are those of the record, its commands and paths are real."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from run_records import write_attack, write_run

import run_all
from mvp_skill import measurements, readme, readme_blocks, readme_facts
from mvp_skill.conditions import names_of
from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_json
from mvp_skill.results import claim
from mvp_skill.run_ids import notebook_parameters
from mvp_skill.tasks import ADVERSARIAL, TASKS

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BLOCKS = readme_blocks.blocks()
COMMAND = "python -m mvp_skill.readme README.md"


# --- the page as it is -------------------------------------------------------------------------


def block(text: str, name: str) -> str:
    return re.search(rf"<!-- results: {name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)[1]


def test_the_readme_has_every_block_once():
    assert sorted(re.findall(r"<!-- results: ([\w ]+) -->", TEXT)) == sorted(BLOCKS)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_says_what_the_record_says(name):
    assert block(TEXT, name) == BLOCKS[name], f"changed by hand? run `{COMMAND}`"


@pytest.mark.parametrize("name", BLOCKS)
def test_a_number_changed_by_hand_is_noticed(name):
    numbers = [match.start() for match in re.finditer(r"\d", block(TEXT, name))]
    for place in numbers[:1] + numbers[-1:]:
        content = block(TEXT, name)
        other = f"{content[:place]}{(int(content[place]) + 1) % 10}{content[place + 1 :]}"
        assert block(TEXT.replace(content, other), name) != BLOCKS[name]


def test_the_figure_is_there_if_the_page_shows_it():
    shown = re.findall(r"!\[.*?\]\((.*?)\)", TEXT)
    assert all((ROOT / path).is_file() for path in shown)
    assert bool(shown) == (readme_blocks.figure(readme_blocks.RECORD) != readme_blocks.NOT_YET)


def test_the_record_holds_runs_and_no_folder_of_anybody():
    paths = sorted(readme_blocks.RECORD.glob("*/*/run.json"))
    for path in paths:
        assert (path.parent.parent.name, path.parent.name) == tuple(
            read_json(path)[name] for name in ("notebook", "run_id")
        )
        assert not re.search(r'"(/|~|[A-Z]:\\\\)\w', path.read_text(encoding="utf-8"))


def test_the_notebook_map_lists_every_notebook():
    listed = re.findall(r"\(notebooks/(.*?)\)", block(TEXT, "notebooks"))
    assert listed == [path.name for path in NOTEBOOKS]


# --- what a reader may type or open ------------------------------------------------------------


def run_all_lines() -> list[str]:
    text = TEXT.replace("\\\n", " ")  # a command over several lines
    lines = re.findall(r"python run_all\.py([^\n`]*)", text)
    return lines + re.findall(r"`(--[\w-]+[^`]*|-p [A-Z_]+ [^`]*)`", TEXT)


@pytest.mark.parametrize("line", run_all_lines())
def test_a_command_of_the_readme_is_understood(line):
    arguments = run_all.arguments_of(shlex.split(line)) if line != "--help" else None
    for name, _ in arguments.parameters if arguments else []:
        assert any(name in notebook_parameters(path) for path in NOTEBOOKS), name


def test_the_commands_for_real_data_choose_the_runs_on_these_tasks(monkeypatch):
    lines = [line for line in run_all_lines() if "DATA_DIR" in line and "PROMPTS" not in line]
    assert len(lines) == 3
    monkeypatch.setattr(run_all.batch, "check", lambda *given: None)  # the folders are examples
    for line, task in zip(lines, ("sst2", "ag_news", None), strict=True):
        arguments = run_all.arguments_of(shlex.split(line))
        chosen, _ = run_all.chosen_runs(arguments, ROOT / "results")
        stems = [run.source.stem for run in chosen]
        if task is None:
            assert stems == ["13_main_table"]
            assert len(names_of(chosen[0].parameters["TASKS"])) == 5
        else:
            assert stems == ["11_train_victims"] * 2 + ["12_attack_victims"]
            assert {run.parameters["TASK"] for run in chosen} == {task}
        given = {name for name, _ in arguments.parameters}
        assert given - {"TASKS"} == {"DATA_DIR", "BACKBONE", "NEIGHBOURS", "ENCODER"}


def test_the_command_for_released_prompts_tunes_nothing_and_runs_e1_to_e4(monkeypatch):
    (line,) = [line for line in run_all_lines() if "PROMPTS" in line and "--scale" in line]
    monkeypatch.setattr(run_all.batch, "check", lambda *given: None)  # the folders are examples
    chosen, _ = run_all.chosen_runs(run_all.arguments_of(shlex.split(line)), ROOT / "results")
    stems = [run.source.stem for run in chosen]
    assert set(stems) == {"20_prompt_tuning", "22_prompt_transfer", "23_adversarial_data"}
    for run in chosen:
        assert run.parameters["PROMPTS"].endswith("continuous_prompts")
        assert run.parameters["SEEDS"] == "33, 34, 35, 36, su" and run.parameters["T5"]


def test_the_record_was_made_by_one_clean_state_of_the_code():
    paths = (ROOT / "mvp_skill" / "recorded_runs").glob("*/*/run.json")
    made = [read_json(path)["environment"] for path in paths]
    assert made and not any(by["dirty"] for by in made)
    assert len({by["commit"] for by in made}) == 1


def test_modules_started_with_python_exist():
    started = set(re.findall(r"python -m (mvp_skill[\w.]*)", TEXT))
    assert started == {"mvp_skill.readme"}


def test_every_path_named_exists():
    named = re.findall(r"`((?:mvp_skill|notebooks|tests)/[\w./-]*)`", TEXT)
    named += re.findall(r"\]\(((?!http)[^)]+)\)", TEXT)
    named += re.findall(r"`((?!test_)[\w-]+\.(?:yml|txt|toml|py))`", TEXT)
    made = {"mvp_skill/recorded_runs/"}  # by the command that the page names
    made |= {"msr_paraphrase_train.txt", "msr_paraphrase_test.txt"}  # the reader's
    assert len(named) > 20
    assert [path for path in named if path not in made and not (ROOT / path).exists()] == []


def test_the_files_of_every_published_task_are_listed():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT, re.MULTILINE))
    rows["amazon_polarity"] += rows["dbpedia"]
    for name, task in TASKS.items():
        for layout in task.published.layouts if task.published else ():
            said = set(re.findall(r"`([^`]+)`", rows[name]))
            # One accepted name of each part is enough for a page; errors list all of them.
            assert all(said & set(names) for names in layout.files.values()), (name, str(layout))


def test_the_files_of_adversarial_sets_are_listed():
    (row,) = re.findall(r"^\| (`adv_.*) \| (.*) \|$", TEXT, re.MULTILINE)
    published = [name for name, task in ADVERSARIAL.items() if task.published]
    assert re.findall(r"`(\w+)`", row[0]) == published
    for name in published:
        (layout,) = ADVERSARIAL[name].published.layouts
        assert set(re.findall(r"`([^`]+)`", row[1])) <= set(layout.files["test"])


def pitfalls_tested() -> dict[str, set[str]]:
    """Number -> the files with tests whose names have it."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").glob("test_*.py"):
        names = re.findall(r"^def test_pitfall_([\d_and]+)_", path.read_text("utf-8"), re.MULTILINE)
        for number in re.findall(r"\d\d", " ".join(names)):
            found.setdefault(number, set()).add(path.name)
    return found


def test_the_table_of_pitfalls_names_the_tests_that_guard_against_them():
    rows = re.findall(r"^\| (\d\d) \|.*\|(.*)\|$", TEXT, re.MULTILINE)
    listed = {number: set(re.findall(r"`(\w+\.py)`", tests)) for number, tests in rows}
    assert [number for number, _ in rows] == [f"{i:02}" for i in range(1, 27)]
    assert listed == pitfalls_tested()


def test_notebooks_named_in_the_text_exist():
    stems = {path.stem for path in NOTEBOOKS}
    named = set(re.findall(r"`(\d\d_\w+)`", TEXT)) - {"12_attack"}
    assert named <= stems, named - stems


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


# --- measurements ------------------------------------------------------------------------------


@pytest.fixture
def outside_an_environment(monkeypatch):
    """So that the size of the one that runs the tests is not measured again and again."""
    monkeypatch.setattr("sys.base_prefix", sys.prefix)


def test_time_and_size_are_said_as_people_do():
    durations = {None: "–", 49.6: "50 s", 89: "89 s", 91: "2 min", 5000: "83 min", 9000: "2.5 h"}
    assert {given: readme_facts.duration(given) for given in durations} == durations
    sizes = {None: "–", 45_400_000: "45 MB", 2_149_000_000: "2.1 GB"}
    assert {given: readme_facts.size(given) for given in sizes} == sizes


def test_a_file_with_two_names_counts_once(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"x" * 1000)
    os.link(tmp_path / "folder" / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(b"x" * 7)
    (tmp_path / "d").symlink_to(tmp_path / "c")
    assert measurements.size_of(tmp_path) == 1007


def test_installation_is_timed_only_where_it_can_be(tmp_path):
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    for name in ("a-1.dist-info", "b-2.dist-info"):
        (site / name).mkdir(parents=True)
    (tmp_path / "pyvenv.cfg").write_text("")
    for path, time in ((tmp_path / "pyvenv.cfg", 1000), (site / "a-1.dist-info", 1010)):
        os.utime(path, (time, time))
    os.utime(site / "b-2.dist-info", (1180, 1180))
    assert measurements.install_seconds(tmp_path) == 180
    os.utime(tmp_path / "pyvenv.cfg", (1100, 1100))
    assert measurements.install_seconds(tmp_path) is None


def test_a_batch_is_timed_only_if_it_did_everything(tmp_path, outside_an_environment):
    runs = [{"label": "a", "status": "done"}, {"label": "b", "status": "done"}]
    write_json(tmp_path / "summary.json", {"seconds": 240.5, "runs": runs})
    found = measurements.measured(tmp_path)
    assert (found["batch_seconds"], found["batch_runs"]) == (240.5, 2)
    assert found["results_bytes"] == (tmp_path / "summary.json").stat().st_size
    runs[0]["status"] = "finished before"
    write_json(tmp_path / "summary.json", {"seconds": 2.5, "runs": runs})
    assert "batch_seconds" not in measurements.measured(tmp_path)


def test_pytest_reports_are_read(tmp_path, outside_an_environment):
    report = tmp_path / "report.xml"
    report.write_text('<testsuites><testsuite tests="812" time="301.5"/></testsuites>')
    found = measurements.measured(tests=report)
    assert (found["n_tests"], found["test_seconds"]) == (812, 301.5)
    report.write_text(json.dumps({}))
    with pytest.raises(BadInput, match="is no report of pytest"):
        measurements.measured(tests=report)
