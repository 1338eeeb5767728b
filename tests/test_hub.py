"""The hub's files in the cache: pinned, counted, and taken without a network."""

from dataclasses import replace

import pytest
from hub_cases import SOURCE, allow_network, put_in_cache
from huggingface_hub import constants

from mvp_skill import hub
from mvp_skill.errors import BadInput
from mvp_skill.hub import hub_name, hub_rows
from mvp_skill.splits import drawn


@pytest.mark.parametrize(
    ("backbone", "name"),
    [
        ("FacebookAI/RoBERTa-base", "roberta-base"),
        ("roberta-base@refs/pr", "roberta-base"),
        ("mini-t5", "mini-t5"),
        ("~/models/roberta-base", None),
        ("../roberta-base", None),
        ("models/copies/roberta-base", None),
    ],
)
def test_the_name_of_a_backbone_of_the_hub(backbone, name):
    assert hub_name(backbone) == name


def test_a_folder_has_no_name_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub_name("models/roberta-base") == "roberta-base"
    (tmp_path / "models" / "roberta-base").mkdir(parents=True)
    assert hub_name("models/roberta-base") is None


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the hub's library."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def online(monkeypatch):
    allow_network(monkeypatch)


@pytest.fixture
def cached(cache):
    """The two files of SOURCE, as the hub's library would have stored them."""
    put_in_cache(cache, "data/train.parquet", [True, False, False])
    put_in_cache(cache, "data/validation.parquet", [False, True])
    return cache


def test_rows_come_from_the_cache_without_a_network(cached):
    rows = hub_rows(SOURCE, "")
    assert rows["train"] == [
        {"texts": ["P0", "Q0"], "label": 1},
        {"texts": ["P1", "Q1"], "label": 0},
        {"texts": ["P2", "Q2"], "label": 0},
    ]
    assert [row["label"] for row in rows["held_out"]] == [0, 1]


def test_the_cache_is_enough_when_the_hub_is_out_of_reach(cached, online, monkeypatch):
    monkeypatch.setattr(hub, "hub_unreachable", lambda: pytest.fail("the hub was probed"))
    assert len(hub_rows(SOURCE, "")["train"]) == 3


def test_another_revision_in_the_cache_is_not_taken(cached):
    other = replace(SOURCE, revision="f" * 40)
    with pytest.raises(BadInput, match="not cached"):
        hub_rows(other, "give a folder")


def test_offline_variable_is_named(cache):
    with pytest.raises(BadInput, match="HF_HUB_OFFLINE is set.*give a folder"):
        hub_rows(SOURCE, "give a folder")


@pytest.mark.parametrize(
    "answers", [[True, False], [True, True, False], [True, False, False, True]]
)
def test_wrong_counts_are_refused(cached, answers):
    put_in_cache(cached, "data/train.parquet", answers)
    with pytest.raises(BadInput, match=r"expected 3 rows \(\(2, 1\) per class\), found"):
        hub_rows(SOURCE, "")


def test_hidden_labels_are_refused(cached):
    """-1, as GLUE marks the labels that it does not give away."""
    put_in_cache(cached, "data/train.parquet", [1, 0, 0, -1])
    with pytest.raises(BadInput, match="expected 3 rows .* found 4"):
        hub_rows(SOURCE, "")


def test_damaged_files_are_refused(cached):
    path = put_in_cache(cached, "data/train.parquet", [True, False, False])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BadInput, match=r"train\.parquet is damaged"):
        hub_rows(SOURCE, "")
    put_in_cache(cached, "data/train.parquet", [True, False, False], ("q", "passage", "answer"))
    with pytest.raises(BadInput, match=r"train\.parquet is damaged or not someone/questions"):
        hub_rows(SOURCE, "")


def test_a_part_may_have_several_files(cached):
    put_in_cache(cached, "data/more.parquet", [True, True, False])
    files = {"train": ("data/train.parquet", "data/more.parquet")}
    source = replace(SOURCE, files=files, label_counts={"train": (3, 3)})
    rows = hub_rows(source, "")["train"]
    assert [row["label"] for row in rows] == [1, 0, 0, 1, 1, 0]
    assert [row["texts"][1] for row in rows] == ["Q0", "Q1", "Q2"] * 2
    with pytest.raises(BadInput, match=r"train\.parquet, data/more\.parquet: expected 5 rows"):
        hub_rows(replace(source, label_counts={"train": (3, 2)}), "")


def test_training_rows_beyond_the_cap_are_counted_but_not_kept(cached):
    answers = [i % 3 == 0 for i in range(30)]
    put_in_cache(cached, "data/train.parquet", answers)
    source = replace(SOURCE, label_counts={"train": (20, 10), "held_out": (1, 1)})
    rows = hub_rows(source, "", train_cap=7)
    chosen = list(drawn(30, 7))
    assert [row["texts"] for row in rows["train"]] == [[f"P{i}", f"Q{i}"] for i in chosen]
    assert [row["label"] for row in rows["train"]] == [answers[i] for i in chosen]
    assert len(rows["held_out"]) == 2
    assert hub_rows(source, "", train_cap=30) == hub_rows(source, "")
    with pytest.raises(BadInput, match="expected 3 rows"):
        hub_rows(SOURCE, "", train_cap=3)


def test_numbered_classes_are_read_as_they_are(cached):
    """As those of MRPC, IMDB and the other sets whose label is no truth value."""
    put_in_cache(cached, "data/train.parquet", [2, 0, 2, 1])
    files = {"train": ("data/train.parquet",)}
    source = replace(SOURCE, files=files, label_counts={"train": (1, 1, 2)})
    assert [row["label"] for row in hub_rows(source, "")["train"]] == [2, 0, 2, 1]


def test_classes_are_renumbered_and_rows_without_one_left_out(cached):
    put_in_cache(cached, "data/train.parquet", [2, 0, 2, 1])
    source = replace(
        SOURCE,
        files={"train": ("data/train.parquet",)},
        label_counts={"train": (1, 1, 2)},
        classes=(1, None, 0),
    )
    rows = hub_rows(source, "")["train"]
    assert [(row["texts"][0], row["label"]) for row in rows] == [("P0", 0), ("P1", 1), ("P2", 0)]
    assert source.n_rows("train") == 3 and source.n_rows("held_out") is None
    flipped = replace(source, classes=(0, 2, 1))
    assert [row["label"] for row in hub_rows(flipped, "")["train"]] == [1, 0, 1, 2]
    capped = hub_rows(source, "", train_cap=2)["train"]  # of the rows that are kept
    assert capped == [rows[i] for i in drawn(3, 2)]


@pytest.mark.parametrize("labels", [[0, 1, 1], [0, 1, 1, 0, 1], [0, 1, 1, -1], [0, 1, 1, 2]])
def test_where_only_the_number_of_rows_is_known_it_and_the_classes_are_checked(cached, labels):
    files = {"train": ("data/train.parquet",)}
    source = replace(SOURCE, files=files, label_counts={"train": 4}, classes=(1, 0))
    put_in_cache(cached, "data/train.parquet", [0, 1, 1, 1])
    assert [row["label"] for row in hub_rows(source, "")["train"]] == [1, 0, 0, 0]
    assert source.n_rows("train") == 4
    put_in_cache(cached, "data/train.parquet", labels)
    with pytest.raises(BadInput, match="expected 4 rows, found"):
        hub_rows(source, "")
