"""Values given by hand: their types, and what is refused before anything starts."""

import copy
import shutil
from pathlib import Path

import pytest
from tiny_notebooks import KNOBS, PARAMETERS, three_levels, three_notebooks, write_notebook

from mvp_skill import prompts
from mvp_skill.batch import Run, check, plan, typed_overrides
from mvp_skill.errors import BadInput


@pytest.fixture
def folders(tmp_path) -> tuple[Path, Path]:
    return three_notebooks(tmp_path)


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
