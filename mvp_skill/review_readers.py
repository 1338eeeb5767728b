"""Sentiment data in the files their authors publish: whole reviews, and single sentences of them.

Every reader raises BadInput naming file and line, and refuses a file or folder without rows.
"""

import re
from pathlib import Path

from mvp_skill.errors import BadInput
from mvp_skill.records import Row, json_objects, label_of, not_empty, short, wrong

CLASSES = ("neg", "pos")  # index = label


def read_reviews(path: Path) -> list[Row]:
    """IMDB: the folders `neg` and `pos` of aclImdb, a text file per review, or JSON lines.

    A JSON line has `text` and `label` (0 negative, 1 positive). The reviews keep their line breaks
    ("<br />"), as in the hub's copy.
    """
    if path.is_dir():
        return not_empty(path, [row for _, row in _review_files(path)])
    return not_empty(path, [row for _, row in _review_lines(path)])


def read_polarity(path: Path) -> list[Row]:
    """The movie reviews of "polarity dataset v2.0": its folders `neg` and `pos`, or JSON lines.

    A row has its published fold as well, "fold": 0 to 9. It is the hundreds digit of the file's
    number (cv000_29416.txt), which JSON lines have as `id`.
    """
    found = list(_review_files(path) if path.is_dir() else _review_lines(path))
    for number, (name, row) in enumerate(found, start=1):
        fold = re.match(r"cv([0-9])[0-9]{2}_", name)
        if fold is None:
            what = f"{short(name)} is no id of a review such as cv000_29416"
            raise BadInput(f"{path}: {what}.") if path.is_dir() else wrong(path, number, what)
        row["fold"] = int(fold[1])
    return not_empty(path, [row for _, row in found])


def read_rationales(path: Path) -> list[Row]:
    """Movie rationales (ERASER): JSON lines with `annotation_id` and `classification`, NEG or POS.

    The review is the file of that name in the folder `docs` beside. Rationales are not read.
    """
    rows = []
    for number, fields in json_objects(path):
        name, label = fields.get("annotation_id"), fields.get("classification")
        if not isinstance(name, str) or not isinstance(label, str) or Path(name).name != name:
            keys = ["annotation_id", "classification"]
            raise wrong(path, number, f"expected the keys {keys}, found {short(fields)}")
        review = path.parent / "docs" / name
        if not review.is_file():
            raise wrong(path, number, f"names {name}, but {review.parent} has no such file")
        label = label_of(path, number, label, ("NEG", "POS"))
        rows.append({"texts": [_decoded(review)], "label": label})
    return not_empty(path, rows)


def read_rotten_tomatoes(path: Path) -> list[Row]:
    """Rotten Tomatoes: a sentence a line; the file's ending, .neg or .pos, is the label.

    The published files are cp1252: read as UTF-8 they break, as Latin-1 they get control
    characters for dashes and dots (so does the hub's copy). A copy that was saved as UTF-8 is
    recognised.
    """
    label = CLASSES.index(path.suffix[1:])
    text = _decoded(path).rstrip()
    sentences = [line.strip() for line in text.split("\n")] if text else []
    if "" in sentences:
        raise wrong(path, sentences.index("") + 1, "is blank; every line must be a sentence")
    return not_empty(path, [{"texts": [sentence], "label": label} for sentence in sentences])


def _review_files(folder: Path) -> list[tuple[str, Row]]:
    """File name and row of each review in the folders of the two classes."""
    found = []
    for label, name in enumerate(CLASSES):
        if not (folder / name).is_dir():
            raise BadInput(f"{folder} has no folder {name}; it must hold {' and '.join(CLASSES)}.")
        for path in sorted((folder / name).glob("*.txt")):
            found.append((path.name, {"texts": [_decoded(path)], "label": label}))
    return found


def _review_lines(path: Path) -> list[tuple[str, Row]]:
    """`id` (or "") and row of each JSON line."""
    found = []
    for number, fields in json_objects(path):
        text, label = fields.get("text"), fields.get("label")
        if not isinstance(text, str) or not isinstance(label, int) or isinstance(label, bool):
            raise wrong(path, number, f"expected a text and a label 0 or 1, found {short(fields)}")
        label = label_of(path, number, str(label), ("0", "1"))
        found.append((str(fields.get("id", "")), {"texts": [text], "label": label}))
    return found


def _decoded(path: Path) -> str:
    """A file's text: UTF-8 or, where it is none, cp1252; line ends are "\\n".

    Text in cp1252 with a letter beyond ASCII is practically never valid UTF-8.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as error:
            number = content[: error.start].count(b"\n") + 1
            what = "is neither UTF-8 nor cp1252 text; save the file as UTF-8"
            raise wrong(path, number, what) from error
    return text.replace("\r\n", "\n")
