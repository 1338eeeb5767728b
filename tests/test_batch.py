"""The batch: the plan, its checks, what is still to do, and runs that are killed on the way."""

import copy
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from tiny_notebooks import PARAMETERS, seeds, three_levels, write_notebook

from mvp_skill import prompts, summary
from mvp_skill.batch import PlannedRun, Run, check, pending, plan, select, typed_overrides
from mvp_skill.errors import BadInput
from mvp_skill.execution import DONE, FAILED, Outcome, execute
from mvp_skill.run_folders import partial

KNOBS = """SCALE = "mini"
TASK = None
METHOD = "mvp"
SEED = 0
EPOCHS = None
LEARNING_RATE = None
SHARE = 0.5
WORDS = ("a", "b")
FAST = False
AUTOCAST = None
N_TEST = None
N_ATTACKED = None
ATTACK = "textfooler"
DATA_DIR = None
OUT = "../results"
"""


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    """Folders notebooks, with three notebooks, and results."""
    write_notebook(tmp_path / "notebooks", "11_train")
    write_notebook(tmp_path / "notebooks", "12_attack")
    write_notebook(tmp_path / "notebooks", "13_knobs", parameters=KNOBS)
    return tmp_path / "notebooks", tmp_path / "results"


def pretend(run: PlannedRun, started: str, finished: str) -> None:
    """Leave a finished run."""
    run.finished.mkdir(parents=True)
    record = {"key": run.key, "started": started, "finished": finished, "seconds": 1.0}
    (run.finished / "run.json").write_text(json.dumps(record))


# --- the plan --------------------------------------------------------------------------------


def test_a_plan_has_every_parameter_and_the_labels_of_what_a_run_needs(folders):
    planned = three_levels(folders)
    assert [run.label for run in planned] == [
        "11_train/mini-s0",
        "11_train/mini-s1",
        "12_attack/mini-s0",
        "12_attack/mini-s1",
    ]
    assert planned[3].needs == ("11_train/mini-s1",)
    assert set(planned[0].parameters) == {"SCALE", "TASK", "SEED", "SECONDS", "OUT"}
    assert planned[0].parameters["OUT"] == str(folders[1])
    assert len({run.key for run in planned}) == 4


def test_runs_that_overrides_make_equal_are_run_once(folders):
    train = seeds("11_train", 3)
    planned = plan([*train, Run("12_attack", needs=tuple(train))], *folders, {"SEED": 5})
    assert [run.label for run in planned] == ["11_train/mini-s5", "12_attack/mini-s5"]
    assert planned[1].needs == ("11_train/mini-s5",)


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run("11_trian"), "no notebook 11_trian in .* .did you mean 11_train.*12_attack"),
        (Run("11_train", {"SEEED": 1}), "11_train has no parameter SEEED .did you mean SEED"),
    ],
)
def test_a_plan_with_a_wrong_name_is_refused(folders, run, said):
    with pytest.raises(BadInput, match=said):
        plan([run], *folders)


def test_every_notebook_must_say_where_its_results_go(folders):
    write_notebook(folders[0], "14_homeless", parameters="SEED = 0")
    with pytest.raises(BadInput, match="has no parameter OUT"):
        plan([Run("14_homeless")], *folders)


@pytest.mark.parametrize(
    ("patterns", "expected", "matched"),
    [
        ([], 4, 4),
        (["12_attack"], 4, 2),
        (["12*s1"], 2, 1),
        (["11_train/mini-s0"], 1, 1),
        (["11*s0", "12*s1"], 3, 2),
    ],
)
def test_only_takes_what_matches_and_what_that_needs(folders, patterns, expected, matched):
    selected, labels = select(three_levels(folders), patterns)
    assert (len(selected), len(labels)) == (expected, matched)
    with pytest.raises(BadInput, match="'99' matches no run of the plan.*11_train, 12_attack"):
        select(three_levels(folders), [*patterns, "99"])


def test_pending_is_what_is_missing_forced_or_older_than_what_it_needs(folders):
    planned = three_levels(folders)
    train_0, train_1, attack_0, attack_1 = planned
    assert pending(planned) == {run.label for run in planned}
    pretend(train_0, "T01", "T02")
    pretend(train_1, "T01", "T05")
    pretend(attack_0, "T03", "T06")
    pretend(attack_1, "T03", "T06")  # begun before the run it needs had ended
    assert pending(planned) == {attack_1.label}
    assert pending(planned, force={train_0.label}) == {
        train_0.label,
        attack_0.label,
        attack_1.label,
    }
    train_0.source.write_text(train_0.source.read_text().replace("getpid", "getppid"))
    assert pending(three_levels(folders)) == {run.label for run in planned}


def test_runs_that_other_code_has_made_are_pointed_out(folders, monkeypatch):
    runs = three_levels(folders)[:3]
    same = {"commit": "a", "dirty": False}
    for run, made in zip(runs, (same | {"commit": "b"}, same | {"dirty": True}, same), strict=True):
        pretend(run, "2026-01-01T00:00:00", "2026-01-01T00:00:01")
        path = run.finished / "run.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"environment": made}))
    monkeypatch.setattr(summary, "commit", lambda folder: same)
    assert summary.made_by_other_code(runs).startswith("2 of the finished runs")
    assert summary.made_by_other_code(runs[2:]) == ""
    monkeypatch.setattr(summary, "commit", lambda folder: {"commit": None, "dirty": None})
    assert summary.made_by_other_code(runs) == ""  # no git, nothing to compare


def test_a_partial_or_damaged_run_is_pending(folders):
    planned = three_levels(folders)[:1]
    pretend(planned[0], "T01", "T02")
    assert pending(planned) == set()
    (planned[0].finished / "run.json").write_text('{"key": "cut o')
    assert pending(planned) == {planned[0].label}
    (planned[0].finished / "run.json").unlink()
    partial(planned[0].finished).mkdir()
    (partial(planned[0].finished) / "run.json").write_text(json.dumps({"key": planned[0].key}))
    assert pending(planned) == {planned[0].label}


# --- values from the command line ------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SEED", "3", 3),
        ("METHOD", "3", "3"),
        ("EPOCHS", "3", 3),
        ("EPOCHS", "None", None),
        ("TASK", "mini_news", "mini_news"),
        ("LEARNING_RATE", "1e-5", 1e-5),
        ("SHARE", "1", 1.0),
        ("WORDS", "('c',)", ("c",)),
        ("FAST", "true", True),
    ],
)
def test_an_override_has_the_type_of_the_default(folders, name, text, value):
    planned = plan([Run("13_knobs")], *folders)
    typed = typed_overrides([(name, text)], planned, Path())
    assert typed == {name: value} and type(typed[name]) is type(value)


@pytest.mark.parametrize("turned", [False, True])
def test_a_list_of_seeds_fits_though_one_notebook_has_a_single_number(folders, turned):
    for name, default in (("16_one", "0"), ("17_more", '"0, 1"'), ("18_any", "None")):
        write_notebook(folders[0], name, parameters=PARAMETERS + f"\nSEEDS = {default}")
    runs = [Run("17_more"), Run("18_any"), Run("16_one")]
    planned = plan(runs[::-1] if turned else runs, *folders)
    for text in ("0,1,2", "2"):
        assert typed_overrides([("SEEDS", text)], planned, Path()) == {"SEEDS": text}


def test_folders_are_meant_from_where_they_were_typed(folders, tmp_path):
    planned = plan([Run("13_knobs")], *folders)
    typed = typed_overrides([("DATA_DIR", "data/../sst2")], planned, tmp_path)
    assert typed == {"DATA_DIR": str(tmp_path.resolve() / "sst2")}


def test_files_are_meant_from_where_they_were_typed_and_names_stay_names(folders, tmp_path):
    write_notebook(folders[0], "16_attack", parameters=PARAMETERS + "\nNEIGHBOURS = None")
    (tmp_path / "vectors.txt").write_text("a 1 0")
    planned = plan([Run("16_attack")], *folders)
    for text, meant in (("vectors.txt", str(tmp_path.resolve() / "vectors.txt")), ("mini", "mini")):
        assert typed_overrides([("NEIGHBOURS", text)], planned, tmp_path) == {"NEIGHBOURS": meant}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("SEDE", "1", "no notebook of this plan has such a parameter .did you mean SEED.*METHOD"),
        ("SEED", "one", r"-p SEED one: SEED takes a value like 0 \(int\)"),
        ("SEED", "1.5", r"SEED takes a value like 0 \(int\)"),
        ("FAST", "1", r"FAST takes a value like False \(bool\)"),
        ("SCALE", "paper", "use --scale"),
        ("OUT", "x", "use --results"),
    ],
)
def test_an_override_of_another_kind_is_refused(folders, name, text, said):
    with pytest.raises(BadInput, match=said):
        typed_overrides([(name, text)], plan([Run("13_knobs")], *folders), Path())


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"TASK": "mini_flims"}, "Unknown task 'mini_flims'; use .*mini_films"),
        ({"METHOD": "mvpp"}, "Unknown method 'mvpp' .did you mean mvp..: use mlp_ft, mvp"),
        ({"SCALE": "huge"}, "Unknown scale 'huge'"),
        ({"EPOCHS": 0}, "EPOCHS must be a whole number of at least 1"),
        ({"LEARNING_RATE": "x"}, "LEARNING_RATE must be a number"),
        ({"SEED": -1}, "SEED must be a whole number of at least 0"),
        ({"AUTOCAST": "maybe"}, "Unknown autocast 'maybe'; use off, auto"),
        ({"N_TEST": 10, "N_ATTACKED": 50}, "N_ATTACKED is 50, but there are 10 test examples"),
        ({"TASK": "sst2", "DATA_DIR": "nowhere"}, "nowhere"),
        ({"TASK": "mini_films", "DATA_DIR": "."}, "DATA_DIR"),
    ],
)
def test_bad_values_are_found_before_anything_starts(folders, parameters, said):
    with pytest.raises(BadInput, match=said):
        check(plan([Run("13_knobs", parameters)], *folders))


def test_a_label_word_of_several_tokens_is_found_before_anything_starts(folders, monkeypatch):
    edited = copy.deepcopy(prompts.all_prompts())
    words = edited["mini_films"]["label_words"]
    words["odd"] = words["default"] | {"negative": ["quizzaciously"]}  # not one seen before
    monkeypatch.setattr(prompts, "all_prompts", lambda: edited)
    more = "\nBACKBONE = None\nLABEL_WORDS = 'odd'"
    write_notebook(folders[0], "15_model", parameters=PARAMETERS + more)
    with pytest.raises(BadInput, match="single tokens .*'quizzaciously'"):
        check(plan([Run("15_model", {"TASK": "mini_films"})], *folders))


def test_a_truncated_backbone_is_found_before_anything_starts(folders, tmp_path, tiny_backbone):
    broken = tmp_path / "backbone"
    broken.mkdir()
    for file in tiny_backbone.iterdir():
        content = file.read_bytes()
        short = len(content) - 100 if file.suffix == ".safetensors" else len(content)
        (broken / file.name).write_bytes(content[:short])
    write_notebook(folders[0], "15_model", parameters=PARAMETERS + "\nBACKBONE = None")
    with pytest.raises(BadInput, match="is truncated"):
        check(plan([Run("15_model", {"BACKBONE": str(broken)})], *folders))
    with pytest.raises(BadInput, match="nothing. is no local folder|no such folder"):
        check(plan([Run("15_model", {"BACKBONE": str(tmp_path / "nothing")})], *folders))


def test_damaged_files_of_an_attack_are_found_before_anything_starts(
    folders, tmp_path, tiny_backbone
):
    encoder, vectors = tmp_path / "encoder", tmp_path / "vectors.txt"
    shutil.copytree(tiny_backbone, encoder)
    weights = encoder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    knobs = KNOBS + "NEIGHBOURS = None\nENCODER = None\n"
    write_notebook(folders[0], "16_attack", parameters=knobs)
    with pytest.raises(BadInput, match="model.safetensors is truncated"):
        check(plan([Run("16_attack", {"ENCODER": str(encoder)})], *folders))
    for content, said in (("", "is empty"), ("foo bar baz\n", "Line 1 of .*not 'word v1 v2")):
        vectors.write_text(content)
        with pytest.raises(BadInput, match=said):
            check(plan([Run("16_attack", {"NEIGHBOURS": str(vectors)})], *folders))


def test_an_override_that_reaches_no_chosen_run_is_refused(folders):
    selected = three_levels(folders)
    with pytest.raises(BadInput, match="-p METHOD: no chosen run .* SECONDS, SEED, TASK"):
        check(selected, by_hand=["METHOD"])


# --- one run ---------------------------------------------------------------------------------


def run_one(folders, work="", **options) -> tuple[Outcome, PlannedRun]:
    write_notebook(folders[0], "20_one", work, **options)
    (planned,) = plan([Run("20_one")], *folders)
    return execute(planned, [], threads=3), planned


@pytest.mark.slow
def test_a_list_by_hand_reaches_the_notebook_as_a_list(folders, tmp_path):
    """papermill would make the text "(0, 1)" of a tuple."""
    write_notebook(
        folders[0], "20_one", "assert SEEDS == [0, 1]", parameters=PARAMETERS + "\nSEEDS = None"
    )
    planned = plan([Run("20_one")], *folders)
    given = typed_overrides([("SEEDS", "0,1")], planned, tmp_path)
    (planned,) = plan([Run("20_one")], *folders, given)
    outcome = execute(planned, [])
    assert (outcome.status, outcome.error) == (DONE, "")


@pytest.mark.slow
def test_a_run_leaves_its_folder_and_nothing_else(folders, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    before = dict(os.environ), Path.cwd()
    names = ["OMP_NUM_THREADS", "HF_HUB_OFFLINE", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"]
    work = f"import json\nnames = {names}\n"
    work += "seen = {name: os.environ[name] for name in names}\n"
    work += "assert 'MALLOC_TRIM_THRESHOLD_' not in os.environ\n"
    work += "seen |= {'python': sys.executable, 'cwd': os.getcwd()}\n"
    work += "(run.folder / 'seen.json').write_text(json.dumps(seen))"
    outcome, planned = run_one(folders, work)
    assert (outcome.status, outcome.error) == (DONE, "")
    assert outcome.notebook == str(planned.finished / "executed.ipynb")
    assert {path.name for path in planned.finished.iterdir()} == {
        "run.json",
        "executed.ipynb",
        "seen.json",
        "pid",
        "attempt.json",
    }
    seen = json.loads((planned.finished / "seen.json").read_text())
    assert seen["OMP_NUM_THREADS"] == "3" and seen["HF_HUB_OFFLINE"] == "1"
    assert seen["cwd"] == str(folders[0].resolve())
    assert os.path.samefile(seen["python"], sys.executable)
    assert not Path(seen["JUPYTER_RUNTIME_DIR"]).exists() and seen["IPYTHONDIR"].startswith("/")
    assert (dict(os.environ), Path.cwd()) == before
    assert [path.suffix for path in folders[0].iterdir()] == [".ipynb"] * 4
    assert pending([planned]) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "record", "said"),
    [
        ("raise KeyError('two\\nlines')", None, r"cell \[4\]: KeyError: 'two\\nlines'"),
        ("sys.exit(0)", None, "ended without a record"),
        ("", "pass", "ended without a record"),
    ],
    ids=["exception", "sys.exit", "no record"],
)
def test_a_run_that_fails_says_why_in_one_line_and_is_not_finished(folders, work, record, said):
    options = {} if record is None else {"record": record}
    outcome, planned = run_one(folders, work, **options)
    assert outcome.status == FAILED and "\n" not in outcome.error
    assert re.search(said, outcome.error)
    assert Path(outcome.notebook).exists() and not planned.finished.exists()


@pytest.mark.slow
def test_a_kernel_that_is_killed_gets_one_more_chance(folders):
    suicide = "import signal\nkilled = run.folder / 'killed'\nif not killed.exists():\n"
    suicide += "    killed.touch()\n    os.kill(os.getpid(), signal.SIGKILL)"
    outcome, planned = run_one(folders, suicide)
    assert (outcome.status, outcome.error) == (DONE, "")
    always = "import signal\nos.kill(os.getpid(), signal.SIGKILL)"
    outcome, planned = run_one(folders, always)
    assert outcome.status == FAILED and "the kernel died 2 times" in outcome.error
    assert pending([planned]) == {planned.label}  # the first one's result, with another key, stays
