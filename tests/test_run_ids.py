"""Ids and keys of runs, and the notebook's parameters and code that they are made of."""

import copy
import json
import os
import shutil
from pathlib import Path

import papermill
import pytest
from run_cases import values, working_folder
from tiny_notebooks import write_notebook

from mvp_skill import prompts, run_ids
from mvp_skill.errors import BadInput
from mvp_skill.run_ids import (
    code_hash,
    notebook_parameters,
    run_id,
    run_key,
    scale_settings,
    variant,
)
from mvp_skill.scales import SCALES, STUDIES


@pytest.fixture
def notebooks(tmp_path, monkeypatch) -> Path:
    return working_folder(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "mini_films-mvp-s0"),
        ({"SEED": 12}, "mini_films-mvp-s12"),
        ({"OUT": "/elsewhere"}, "mini_films-mvp-s0"),
        ({"SCALE": "paper", "TASK": "sst2"}, "paper-sst2-mvp-s0"),
        ({"BACKBONE": "roberta-base", "ATTACK": "textfooler"}, "mini_films-mvp-roberta-base-text"),
        ({"N_TRAIN": 50}, "mini_films-mvp-s0-n_train50"),
        ({"TASK": None, "METHOD": None}, "mini-s0"),
    ],
)
def test_run_ids_are_readable(changes, expected):
    assert run_id(values(**changes)).startswith(expected)
    assert len(expected) > 20 or run_id(values(**changes)) == expected


def test_different_parameters_have_different_ids():
    changes = [
        {"BACKBONE": "a/model"},
        {"BACKBONE": "b/model"},
        {"BACKBONE": "model"},
        {"N_TRAIN": 50},
        {"N_TRAIN": 51},
        {"LEARNING_RATE": 1e-5},
        {"TEXT": "a long sentence with spaces / and slashes, of more than thirty characters"},
        {"TEXT": "a long sentence with spaces / and slashes, of more than thirty characters!"},
        {"TEXT": "a b"},
        {"TEXT": "a_b"},
        {"SEED": 1},
        {},
    ]
    ids = [run_id(values(**change)) for change in changes]
    assert len(set(ids)) == len(ids)
    assert all(set(name) <= set(map(chr, range(45, 123))) and "/" not in name for name in ids)


def test_variant_names_what_was_set_by_hand():
    assert variant(values()) == ""
    assert variant(values(N_TRAIN=50, EPOCHS=1)) == "epochs=1 n_train=50"


def test_the_key_covers_parameters_scale_code_and_version_but_not_text(notebooks, monkeypatch):
    source = notebooks / "11_train.ipynb"
    key = run_key(source, values())
    assert key == run_key(source, values(OUT="/elsewhere"))
    assert key != run_key(source, values(N_TRAIN=50))
    assert key != run_key(source, values(SCALE="small"))
    source.write_text(source.read_text().replace("does it run?", "does it work?"))
    source.write_text(source.read_text().replace("N_TRAIN = None", "N_TRAIN = 3"))
    assert key == run_key(source, values())
    monkeypatch.setattr("mvp_skill.run_ids.__version__", "9")
    assert key != run_key(source, values())
    monkeypatch.undo()
    source.write_text(source.read_text().replace("os.getpid()", "os.getppid()"))
    assert key != run_key(source, values())


@pytest.mark.parametrize("scale", SCALES)
def test_the_settings_of_a_study_are_recorded_as_its_own(scale):
    study, single = ({"SCALE": scale, name: None} for name in ("SEEDS", "SEED"))
    assert scale_settings(study)["seeds"] == list(STUDIES[scale].seeds) == [0, 1, 2]
    assert scale_settings(study)["n_train"] == STUDIES[scale].n_train
    assert scale_settings(single)["n_train"] == SCALES[scale].n_train
    assert scale_settings(single)["tasks"] == list(SCALES[scale].tasks)
    assert scale_settings({"SEEDS": None}) is None


def test_the_key_covers_the_files_that_a_run_reads(notebooks, monkeypatch, tmp_path):
    source = notebooks / "11_train.ipynb"
    key = run_key(source, values(TASK="mini_films"))
    real = run_key(source, values(TASK="sst2", SCALE="small"))
    edited = copy.deepcopy(prompts.all_prompts())
    edited["mini_films"]["templates"]["default"][0] = "it was [MASK]. {text}"
    monkeypatch.setattr(prompts, "all_prompts", lambda: edited)
    assert key != run_key(source, values(TASK="mini_films"))
    assert real == run_key(source, values(TASK="sst2", SCALE="small"))  # another task's templates
    monkeypatch.setattr("mvp_skill.run_ids._mini_digest", lambda: "other weights")
    assert run_key(source, values(TASK=None)) != key
    assert real == run_key(source, values(TASK="sst2", SCALE="small"))

    data = tmp_path / "sst2"
    data.mkdir()
    (data / "train.tsv").write_text("good\t1\n")
    given = values(TASK="sst2", SCALE="small") | {"DATA_DIR": str(data)}
    before = run_key(source, given)
    assert before == run_key(source, given)
    (data / "train.tsv").write_text("good\t0\n")
    os.utime(data / "train.tsv", (1, 1))  # a changed label leaves the size as it was
    assert before != run_key(source, given)


def test_the_digest_of_the_mini_world_covers_lexicon_patterns_weights_and_no_code(
    tmp_path, monkeypatch
):
    package = tmp_path / "mvp_skill"
    shutil.copytree(run_ids.PACKAGE / "mini", package / "mini")
    monkeypatch.setattr(run_ids, "PACKAGE", package)
    digest = run_ids._mini_digest.__wrapped__
    before = digest()
    with (package / "mini" / "tasks.py").open("a") as code:
        code.write("# mended")
    assert digest() == before
    for name in ("lexicon.txt", "patterns.yaml", "weights/vectors.safetensors"):
        path, content = package / "mini" / name, (package / "mini" / name).read_bytes()
        path.write_bytes(content + b" ")
        assert digest() != before, name
        path.write_bytes(content)


def test_outputs_do_not_change_the_code_hash(notebooks):
    source = notebooks / "11_train.ipynb"
    content = json.loads(source.read_text())
    before = code_hash(source)
    content["cells"][2] |= {"execution_count": 3, "outputs": [{"output_type": "stream"}]}
    content["cells"][2]["source"] = content["cells"][2]["source"].splitlines(keepends=True)
    source.write_text(json.dumps(content))
    assert code_hash(source) == before


def test_parameters_are_read_as_papermill_reads_them(notebooks):
    source = notebooks / "11_train.ipynb"
    assert notebook_parameters(source) == values()
    assert set(papermill.inspect_notebook(source)) == set(values())


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("N = 3 * 4", "N in the parameters cell .* must be a literal"),
        ("import os", "may only assign, not 'import os'"),
        ("N = = 3", "no valid Python"),
    ],
)
def test_a_parameters_cell_of_another_kind_is_refused(tmp_path, cell, said):
    with pytest.raises(BadInput, match=said):
        notebook_parameters(write_notebook(tmp_path, "x", parameters=cell))


def test_a_file_that_is_no_notebook_is_refused(tmp_path):
    (tmp_path / "x.ipynb").write_text('{"worksheets": []}')
    with pytest.raises(BadInput, match="is not a Jupyter notebook of format 4"):
        notebook_parameters(tmp_path / "x.ipynb")
    with pytest.raises(BadInput, match=r"y\.ipynb does not exist"):
        notebook_parameters(tmp_path / "y.ipynb")
