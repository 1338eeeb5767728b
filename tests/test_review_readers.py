"""Reviews in their published files: encodings, folders, folds; bad rows and files are named."""

import json

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.review_readers import (
    read_polarity,
    read_rationales,
    read_reviews,
    read_rotten_tomatoes,
)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def json_lines(path, *objects):
    return write(path, "".join(json.dumps(o) + "\n" for o in objects))


# --- good files --------------------------------------------------------------------------------


def test_reviews_from_folders(tmp_path):
    write(tmp_path / "train" / "pos" / "1_10.txt", "Good.<br /><br />Very é.")
    write(tmp_path / "train" / "pos" / "0_9.txt", "Fine.")
    write(tmp_path / "train" / "neg" / "3_1.txt", "Bad\r\nit is.")
    write(tmp_path / "train" / "unsup" / "0_0.txt", "Not labelled.")
    write(tmp_path / "train" / "labeledBow.feat", "9 0:9")
    assert read_reviews(tmp_path / "train") == [
        {"texts": ["Bad\nit is."], "label": 0},
        {"texts": ["Fine."], "label": 1},
        {"texts": ["Good.<br /><br />Very é."], "label": 1},
    ]


def test_reviews_from_json_lines(tmp_path):
    rows = [
        {"id": "x", "label": 1, "rating": 9, "text": "Good é\u2028\n."},
        {"label": 0, "text": "B"},
    ]
    assert read_reviews(json_lines(tmp_path / "test.jsonl", *rows)) == [
        {"texts": ["Good é\u2028\n."], "label": 1},
        {"texts": ["B"], "label": 0},
    ]


def test_polarity_has_folds(tmp_path):
    rows = [
        {"id": "cv000_29416", "label": 0, "text": "a"},
        {"id": "cv899_1", "label": 1, "text": "b"},
        {"id": "cv900_2", "label": 0, "text": "c"},
    ]
    expected = [
        {"texts": ["a"], "label": 0, "fold": 0},
        {"texts": ["b"], "label": 1, "fold": 8},
        {"texts": ["c"], "label": 0, "fold": 9},
    ]
    assert read_polarity(json_lines(tmp_path / "polarity_v2.jsonl", *rows)) == expected
    for row in rows:
        folder = tmp_path / "txt_sentoken" / ("neg", "pos")[row["label"]]
        write(folder / f"{row['id']}.txt", row["text"])
    found = read_polarity(tmp_path / "txt_sentoken")
    assert sorted(found, key=lambda row: row["texts"]) == expected


def test_rationales_are_read_with_their_documents(tmp_path):
    write(tmp_path / "docs" / "negR_000.txt", "bad film .\nvery bad .\n")
    write(tmp_path / "docs" / "posR_001.txt", "good film .\n")
    rows = [
        {"annotation_id": "posR_001.txt", "classification": "POS", "evidences": [[]]},
        {"annotation_id": "negR_000.txt", "classification": "NEG", "evidences": [[]]},
    ]
    assert read_rationales(json_lines(tmp_path / "train.jsonl", *rows)) == [
        {"texts": ["good film .\n"], "label": 1},
        {"texts": ["bad film .\nvery bad .\n"], "label": 0},
    ]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig"])
def test_rotten_tomatoes_in_its_own_encoding_or_in_utf8(tmp_path, encoding):
    """0x85 and 0x97 are an ellipsis and a dash in cp1252, control characters in Latin-1."""
    text = "caf\u00e9 noir \u2014 a film\u2026 \r\nvery good . \n"
    path = write(tmp_path / "rt-polarity.pos", text.encode(encoding))
    assert read_rotten_tomatoes(path) == [
        {"texts": ["caf\u00e9 noir \u2014 a film\u2026"], "label": 1},
        {"texts": ["very good ."], "label": 1},
    ]
    path = write(tmp_path / "rt-polarity.neg", "a \x1c b\x0bc\n")  # no line end among them
    assert read_rotten_tomatoes(path) == [{"texts": ["a \x1c b\x0bc"], "label": 0}]


# --- bad files ---------------------------------------------------------------------------------

GOOD = {"id": "cv000_1", "label": 1, "text": "fine"}
BAD_LINES = {
    "no text": (read_reviews, {"label": 1}, "a text and a label 0 or 1"),
    "text of numbers": (read_reviews, GOOD | {"text": 7}, "a text and a label 0 or 1"),
    "label true": (read_reviews, GOOD | {"label": True}, "a text and a label 0 or 1"),
    "label in words": (read_reviews, GOOD | {"label": "pos"}, "a text and a label 0 or 1"),
    "label 2": (read_reviews, GOOD | {"label": 2}, "has the label '2'; allowed are 0, 1"),
    "no fold": (read_polarity, GOOD | {"id": "train/pos/0_9"}, "is no id of a review such as cv"),
    "no id": (read_polarity, {"label": 1, "text": "fine"}, "'' is no id of a review such as cv"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_bad_json_lines_are_named(tmp_path, case):
    read, row, said = BAD_LINES[case]
    path = json_lines(tmp_path / "reviews.jsonl", GOOD, GOOD, row)
    with pytest.raises(BadInput) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, line 3: ") and said in str(error.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"annotation_id": "posR_001.txt"}, "expected the keys"),
        ({"annotation_id": "posR_001.txt", "classification": "pos"}, "'pos'; allowed are NEG, POS"),
        ({"annotation_id": "posR_002.txt", "classification": "POS"}, "has no such file"),
        ({"annotation_id": "../posR_001.txt", "classification": "POS"}, "expected the keys"),
    ],
)
def test_bad_rationales_are_named(tmp_path, row, said):
    for name in ("docs/posR_001.txt", "posR_001.txt"):
        write(tmp_path / name, "good")
    good = {"annotation_id": "posR_001.txt", "classification": "POS"}
    path = json_lines(tmp_path / "val.jsonl", good, row)
    with pytest.raises(BadInput) as error:
        read_rationales(path)
    assert str(error.value).startswith(f"{path}, line 2: ") and said in str(error.value)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("good\n\nbad\n", 2, "is blank"),
        ("\ngood\n", 1, "is blank"),
        (b"good\nbad\nf\x81n\xe9\n", 3, "neither UTF-8 nor cp1252"),
    ],
)
def test_bad_sentences_are_named(tmp_path, content, line, said):
    path = write(tmp_path / "rt-polarity.neg", content)
    with pytest.raises(BadInput) as error:
        read_rotten_tomatoes(path)
    assert str(error.value).startswith(f"{path}, line {line}: ") and said in str(error.value)


def test_folders_without_a_class_or_with_foreign_files_are_refused(tmp_path):
    write(tmp_path / "train" / "pos" / "0_9.txt", "Fine.")
    with pytest.raises(BadInput, match="train has no folder neg; it must hold neg and pos"):
        read_reviews(tmp_path / "train")
    (tmp_path / "train" / "neg").mkdir()
    with pytest.raises(BadInput, match=r"train: '0_9\.txt' is no id of a review"):
        read_polarity(tmp_path / "train")


@pytest.mark.parametrize("read", [read_reviews, read_polarity, read_rationales])
def test_empty_files_are_refused(tmp_path, read):
    with pytest.raises(BadInput, match="contains no rows"):
        read(write(tmp_path / "train.jsonl", "\n"))


def test_empty_folders_and_sentence_files_are_refused(tmp_path):
    for name in ("neg", "pos"):
        (tmp_path / name).mkdir()
    for read, path in (
        (read_reviews, tmp_path),
        (read_rotten_tomatoes, write(tmp_path / "rt-polarity.pos", "\n \n")),
    ):
        with pytest.raises(BadInput, match="contains no rows"):
            read(path)
