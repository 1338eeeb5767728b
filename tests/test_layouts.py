"""Folders of published files: names, patterns, sub-folders, and what is said if one is missing."""

import pytest

from mvp_skill.catalogue import AG_NEWS, BOOLQ, DBPEDIA, SST2
from mvp_skill.errors import BadInput
from mvp_skill.layouts import Layout, find_files, read_folder
from mvp_skill.reviews import IMDB, MOVIE_RATIONALES


def write(tmp_path, name, content=""):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path


def test_published_names_win_over_samples(tmp_path):
    for name in ("train_sample.csv", "test.csv"):
        write(tmp_path, name)
    assert find_files(AG_NEWS.layouts, tmp_path)[1]["train"] == [tmp_path / "train_sample.csv"]
    write(tmp_path, "train.csv")
    layout, files = find_files(AG_NEWS.layouts, str(tmp_path))
    assert layout is AG_NEWS.layouts[0]
    assert files == {"train": [tmp_path / "train.csv"], "held_out": [tmp_path / "test.csv"]}


def test_a_pattern_stands_for_all_its_files_and_a_slash_for_a_folder(tmp_path):
    parts = [write(tmp_path, f"train.part{i}.jsonl") for i in (2, 1)]
    write(tmp_path, "test_sample.jsonl")
    files = find_files(IMDB.layouts, tmp_path)[1]
    assert files == {"train": sorted(parts), "held_out": [tmp_path / "test_sample.jsonl"]}
    write(tmp_path, "test")  # a file of a folder's name is not it
    assert find_files(IMDB.layouts, tmp_path)[1] == files
    (tmp_path / "train").mkdir()
    assert find_files(IMDB.layouts, tmp_path)[1]["train"] == [tmp_path / "train"]


def test_the_first_complete_layout_is_taken(tmp_path):
    write(tmp_path, "test.csv")
    assert find_files(DBPEDIA.layouts, tmp_path)[0] is DBPEDIA.layouts[1]
    write(tmp_path, "train.csv")
    assert find_files(DBPEDIA.layouts, tmp_path)[0] is DBPEDIA.layouts[0]


def test_the_parts_of_the_files_become_those_of_the_data_set(tmp_path):
    for name in ("b.txt", "a1.txt", "a2.txt"):
        write(tmp_path, name)
    layout = Layout(
        {"a": ("a*.txt",), "b": ("b.txt",)},
        read=lambda path: [path.stem],
        divide=lambda parts: {"both": parts["b"] + parts["a"]},
        note="careful",
    )
    found = read_folder([layout], tmp_path)
    paths = [tmp_path / name for name in ("a1.txt", "a2.txt", "b.txt")]
    assert found == ({"both": ["b", "a1", "a2"]}, paths, "careful")


def test_a_missing_folder_names_what_belongs_there(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere does not exist.*train\.jsonl and val\.jsonl"):
        find_files(BOOLQ.layouts, tmp_path / "nowhere")
    path = write(tmp_path, "dev.tsv")
    with pytest.raises(BadInput, match=r"dev\.tsv is a file; give a folder"):
        find_files(SST2.layouts, path)
    with pytest.raises(BadInput, match=r"train\.csv and test\.csv, or test\.csv"):
        find_files(DBPEDIA.layouts, path)


def test_a_missing_file_names_expected_and_found(tmp_path):
    with pytest.raises(BadInput, match=r"train\.tsv or .* contains nothing"):
        find_files(SST2.layouts, tmp_path)
    write(tmp_path, "train.tsv")
    with pytest.raises(BadInput, match=r"no file dev\.tsv or glue_dev\.tsv; .* train\.tsv"):
        find_files(SST2.layouts, tmp_path)
    with pytest.raises(BadInput, match=r"no file train\.jsonl, nor polarity_v2\.jsonl; .* train\."):
        find_files(MOVIE_RATIONALES.layouts, tmp_path)
    for number in range(20):
        write(tmp_path, f"x{number:02}")
    with pytest.raises(BadInput, match="and 13 more"):
        find_files(SST2.layouts, tmp_path)
