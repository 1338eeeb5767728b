"""Released soft prompts: what is known of each, and a folder of them converted."""

import pandas
import pytest
import torch
from prompt_cases import checkpoint, released_table

from mvp_skill.errors import BadInput
from mvp_skill.prompt_similarity import FOUR_WAYS
from mvp_skill.released_prompts import (
    CONVERTED,
    KNOWN,
    convert_folder,
    known_facts,
    read_released,
    released_geometry,
)
from mvp_skill.soft_prompts import load_soft_prompts, used_rows
from mvp_skill.type_legends import TASK_TYPES, TYPE_OF

TRAINING = {  # rows of the training sets, as published
    "qqp": 363_846,
    "mrpc": 3_668,
    "qnli": 104_743,
    "sst2": 67_349,
    "imdb": 25_000,
    "movie_rationales": 1_600,
    "ethics_deontology": 18_164,
    "ethics_justice": 21_791,
    "mnli_binary": 261_802,  # MNLI without neutral
}
KNOWN_ROWS = pandas.read_csv(KNOWN, dtype=str, keep_default_na=False)


def released(root, folder: str, held: object = None, name: str = "task_prompt"):
    """A released folder with one file."""
    path = root / folder
    path.mkdir(parents=True, exist_ok=True)
    torch.save(released_table() if held is None else held, path / name)
    return path


# --- the reference file -------------------------------------------------------------------------


def test_every_row_of_the_reference_file_makes_sense():
    assert len(KNOWN_ROWS) == 9 * 2 + 2
    for row in KNOWN_ROWS.itertuples():
        known = known_facts(row.folder, row.kind, row.source or "ackermann")
        assert len(known.label_words) == len(known.label_ids) == int(known.class_scheme[0])
        assert TYPE_OF[known.task] in TASK_TYPES
        assert len(known.epochs) == (0 if row.source == "su" else 4)


@pytest.mark.parametrize(
    "row",
    list(KNOWN_ROWS[KNOWN_ROWS["source"] != "su"].itertuples()),
    ids=lambda r: f"{r.task}-{r.kind}",
)
def test_b1_steps_times_batch_size_is_the_training_set_of_all_but_roberta_on_sst2(row, tmp_path):
    model = {"roberta": "Roberta", "t5": "T5"}[row.kind]
    facts = read_released(released(tmp_path, f"seed_34/{row.folder}Prompt{model}")).facts
    least, most = facts.n_train
    as_published = least <= TRAINING[row.task] <= most
    flagged = (row.task, row.kind) == ("sst2", "roberta")
    assert as_published != flagged and bool(facts.contamination) == flagged
    assert facts.epoch == int(row.epochs.split("/")[1])
    assert facts.steps == facts.epoch * int(row.steps_per_epoch)


# --- what is known of one -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [33, 34, 35, 36])
def test_b1_sst2_prompts_of_roberta_are_flagged(tmp_path, seed):
    facts = read_released(released(tmp_path, f"seed_{seed}/SST2PromptRoberta")).facts
    assert facts.contamination.startswith("864 to 879 training examples")
    assert "872 sentences of the evaluation split" in facts.contamination


@pytest.mark.parametrize("folder", ["seed_su/SST2PromptRoberta", "seed_33/SST2PromptT5"])
def test_b1_other_sst2_prompts_are_not_flagged(tmp_path, folder):
    facts = read_released(released(tmp_path, folder)).facts
    assert facts.contamination == ""


def test_b3_mnli_prompts_have_the_classes_that_they_were_tuned_with(tmp_path):
    own = read_released(released(tmp_path, "seed_35/MNLIPromptRoberta")).facts
    su = read_released(released(tmp_path, "seed_su/MNLIPromptRoberta")).facts
    assert (own.class_scheme, own.label_words) == ("2 classes", ("no", "neutral"))
    assert (su.class_scheme, su.label_ids) == ("3 classes", (2362, 12516, 10932))
    assert (own.seed, own.source, su.seed, su.source) == (35, "ackermann", None, "su")
    assert su.epoch is None and su.steps is None and su.n_train is None


def test_p7_the_prompts_of_su_are_no_seed_among_others(tmp_path):
    """They differ from the four in more than their seed, so they are told apart by their source."""
    for folder in ("seed_su/SST2PromptRoberta", "seed_33/SST2PromptRoberta"):
        released(tmp_path / "released", folder)
    table = convert_folder(tmp_path / "released", tmp_path / "prompts")
    found = {
        prompt.facts.source: prompt.facts for prompt in load_soft_prompts(tmp_path / "prompts")
    }
    assert (found["su"].seed, found["ackermann"].seed) == (None, 33)
    assert found["su"].name != found["ackermann"].name and len(table) == 2
    assert table.set_index("source")["seed"].isna().to_dict() == {"su": True, "ackermann": False}


@pytest.mark.parametrize("task", ["ethicsdeontology", "ethicsjustice"])
def test_b19_released_ethics_prompts_keep_the_mistyped_token_897(tmp_path, task):
    facts = read_released(released(tmp_path, f"seed_33/{task}PromptRoberta")).facts
    assert facts.label_ids == (897, 32047) and "879" in facts.note
    assert read_released(released(tmp_path, f"seed_33/{task}PromptT5")).facts.label_ids[0] == 29452


def test_a_checkpoint_beside_the_table_says_epoch_and_steps(tmp_path):
    folder = released(tmp_path, "seed_33/IMDBPromptT5")
    released(
        tmp_path,
        "seed_33/IMDBPromptT5",
        checkpoint(released_table(), 9, 9 * 77),
        "9_task_prompt.pkl",
    )
    facts = read_released(folder).facts
    assert (facts.epoch, facts.steps, facts.n_train) == (9, 693, (77 * 16, 77 * 16 + 15))
    (folder / "task_prompt").unlink()
    assert read_released(folder).facts.epoch == 9  # alone, too


def test_an_entry_that_counts_from_0_is_the_epoch_of_the_name(tmp_path):
    held = checkpoint(released_table(), 8, 693)
    folder = released(tmp_path, "seed_33/IMDBPromptT5", held, "9_task_prompt.pkl")
    assert read_released(folder).facts.epoch == 9
    released(tmp_path, "seed_33/QQPPromptT5", held, "11_task_prompt.pkl")
    with pytest.raises(BadInput, match="of epoch 8, not 11"):
        read_released(tmp_path / "seed_33/QQPPromptT5")


def test_a_checkpoint_with_another_table_is_refused(tmp_path):
    folder = released(tmp_path, "seed_33/IMDBPromptT5")
    other = checkpoint(released_table(1.0), 9, 9)
    released(tmp_path, "seed_33/IMDBPromptT5", other, "9_task_prompt.pkl")
    with pytest.raises(BadInput, match="different tables"):
        read_released(folder)


@pytest.mark.parametrize(
    "folder",
    [
        "seed_33/SST2PromptRoberta_proj",
        "seed_su/SST2PromptBert",
        "seed_su/randomPromptRoberta",
        "seed_x/SST2PromptT5",
        "seed_33/laptopPromptT5",
    ],
)
def test_derived_tables_and_unknown_names_are_refused(tmp_path, folder):
    with pytest.raises(BadInput, match="not of the form|Nothing is known"):
        read_released(released(tmp_path, folder))


# --- a folder -----------------------------------------------------------------------------------


def test_a_folder_is_converted_and_what_cannot_be_is_listed_with_the_reason(tmp_path):
    root, target = tmp_path / "continuous_prompts", tmp_path / "out"
    for folder in ("seed_34/SST2PromptRoberta", "seed_33/SST2PromptT5", "seed_su/MNLIPromptT5"):
        released(root, folder)
    released(root, "seed_33/QQPPromptT5", torch.full((100, 768), float("nan")))
    released(root, "seed_33/SST2PromptT5_trained")
    (root / "seed_33" / "notes.py").write_text("print('never run')")
    table = convert_folder(root, target)
    assert list(table["status"] == CONVERTED).count(True) == 3 and len(table) == 5
    reasons = table.set_index("file")["status"]
    assert "not finite" in reasons["seed_33/QQPPromptT5"]
    assert "derived" in reasons["seed_33/SST2PromptT5_trained"]
    names = ["mnli-t5-base-su", "sst2-roberta-base-s34", "sst2-t5-base-s33"]
    assert [p.name for p in sorted(target.glob("*.safetensors"))] == [
        f"{n}.safetensors" for n in names
    ]
    assert len(pandas.read_csv(target / "prompts.csv")) == 5
    su, roberta, t5 = load_soft_prompts(target)
    assert torch.equal(t5.table, released_table()) and len(used_rows(roberta)) == 99
    assert roberta.facts.contamination and su.facts.class_scheme == "3 classes"
    assert len(roberta.facts.origin_sha256) == 64


def test_prompts_of_two_sizes_of_a_backbone_do_not_take_each_others_place(tmp_path):
    released(tmp_path / "in", "seed_su/QQPPromptT5")
    released(tmp_path / "in", "seed_su/QQPPromptT5Small", released_table(d_model=512))
    table = convert_folder(tmp_path / "in", tmp_path / "out")
    assert list(table["status"]) == [CONVERTED] * 2
    assert {p.table.shape[1] for p in load_soft_prompts(tmp_path / "out")} == {512, 768}


def test_a_folder_without_released_prompts_is_refused(tmp_path):
    (tmp_path / "SST2PromptRoberta").mkdir()
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(BadInput, match="no released soft prompts; give the folder that holds"):
            convert_folder(folder, tmp_path / "out")


# --- the real files -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(repository, tmp_path_factory):
    folder = repository.parent / "shared" / "data" / "prompts"
    if not folder.is_dir():
        pytest.skip(f"no real soft prompts at {folder}")
    target = tmp_path_factory.mktemp("converted")
    return convert_folder(folder, target), load_soft_prompts(target), folder


def test_the_real_files_are_converted(real):
    table, prompts, _ = real
    assert list(table["status"]) == [CONVERTED] * 24 and len(prompts) == 24
    assert {tuple(prompt.table.shape) for prompt in prompts} == {(100, 768)}
    assert len(set(table["origin_sha256"])) == 24
    flagged = table[table["contamination"] != ""]
    assert sorted(zip(flagged["task"], flagged["kind"], flagged["seed"], strict=True)) == [
        ("sst2", "roberta", 33),
        ("sst2", "roberta", 34),
    ]


def test_the_real_files_are_the_numbers_in_their_archives(real):
    """Read without torch: the member data/0 as little-endian float32."""
    import zipfile

    import numpy as np

    _, prompts, folder = real
    (mine,) = [p for p in prompts if (p.facts.name, p.facts.kind) == ("qqp-s34", "t5")]
    with zipfile.ZipFile(folder / "seed_34" / "QQPPromptT5" / "task_prompt") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/data/0")]
        numbers = np.frombuffer(archive.read(name), "<f4")
    assert np.array_equal(numbers.reshape(100, 768), mine.table.numpy())


def test_the_computed_geometry_says_that_it_is_not_the_papers():
    table = released_geometry()
    assert len(table) == 12 and table["origin"].str.contains("not in the paper").all()
    assert set(table["pair"]) == set(FOUR_WAYS)
