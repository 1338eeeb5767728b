"""The README: its numbers are those of the record, its commands and paths are real."""

import re
import shlex

import pytest
from readme_cases import ROOT, TEXT, block

import run_all
from mvp_skill import readme_blocks
from mvp_skill.conditions import names_of
from mvp_skill.files import read_json
from mvp_skill.run_ids import notebook_parameters
from mvp_skill.tasks import ADVERSARIAL, TASKS

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BLOCKS = readme_blocks.blocks()
COMMAND = "python -m mvp_skill.readme README.md"

# --- the page as it is -------------------------------------------------------------------------


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
