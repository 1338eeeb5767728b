"""Annotation sheets: blinded, balanced, repeatable, and safe to open in a spreadsheet."""

import csv
import io
import json
from collections import Counter

import pytest
from annotation_cases import OUTCOMES, films, log_of

from mvp_skill.annotation import (
    ANSWERS,
    FORMULA_STARTS,
    _quotas,
    draw_sheet,
    read_key,
    write_sheet,
)
from mvp_skill.errors import BadInput


def number(text):
    return int(text.split()[1])


@pytest.fixture(scope="module")
def sheet():
    return draw_sheet([films(100)], 13, seed=3)


# --- what is drawn -----------------------------------------------------------------------------


def test_as_many_clean_as_adversarial_texts(sheet):
    kinds = Counter(item.manipulated for item in sheet.items)
    assert kinds == {False: 13, True: 13}
    for item in sheet.items:
        assert item.texts[0].endswith("bad") is item.manipulated
        assert number(item.texts[0]) == item.index
        assert item.label == ("negative", "positive")[item.index // 5 % 2]


def test_no_example_is_there_twice(sheet):
    assert len({item.index for item in sheet.items}) == 26
    whole = draw_sheet([films(100)], 20)  # every success is in it, once
    assert sorted(item.index for item in whole.items) == [
        i for i in range(100) if OUTCOMES[i % 5] == "succeeded"
    ]


def test_no_example_is_there_twice_over_several_logs():
    """Two victims attacked on the same examples: 40 texts, 80 successes."""
    logs = [films(100, "bad", victim="a"), films(100, "awful", victim="b")]
    sheet = draw_sheet(logs, 20)
    assert len({number(item.texts[0]) for item in sheet.items}) == 40
    ends = Counter(item.texts[0].split()[-1] for item in sheet.items)
    assert ends == {"good": 20, "bad": 10, "awful": 10}  # both attacks are in it alike
    for item in sheet.items:
        if item.manipulated:
            assert item.texts[0].endswith(("bad", "awful")[item.log])
    assert [log["victim"] for log in sheet.logs] == ["a", "b"]
    with pytest.raises(BadInput, match="need 42 different examples .* there are 40; .* up to 20"):
        draw_sheet(logs, 21)


def test_only_successful_attacks_are_drawn_from(sheet):
    assert {OUTCOMES[item.index % 5] for item in sheet.items} == {"succeeded"}


def test_classes_are_equal_in_each_kind(sheet):
    counts = Counter((item.manipulated, item.label) for item in sheet.items)
    assert sorted(counts.values()) == [6, 6, 7, 7]
    assert Counter(item.label for item in sheet.items) == {"negative": 13, "positive": 13}


@pytest.mark.parametrize(("n", "expected"), [(4, (4, 4)), (6, (8, 4)), (18, (32, 4))])
def test_a_rare_class_is_used_up(n, expected):
    labels = (0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    sheet = draw_sheet([films(100, labels=labels)], n)
    counts = Counter(item.label for item in sheet.items)
    assert (counts["negative"], counts["positive"]) == expected
    rare = Counter(item.manipulated for item in sheet.items if item.label == "positive")
    assert rare == {False: 2, True: 2}


@pytest.mark.parametrize(
    ("available", "total", "quotas"),
    [([9, 9], 5, [3, 2]), ([1, 9, 9], 8, [1, 4, 3]), ([0, 2, 9], 11, [0, 2, 9]), ([3], 2, [2])],
)
def test_quotas(available, total, quotas):
    assert _quotas(available, total) == quotas


def test_the_same_seed_gives_the_same_sheet(sheet):
    assert draw_sheet([films(100)], 13, seed=3) == sheet
    other = draw_sheet([films(100)], 13, seed=4)
    assert {item.index for item in other.items} != {item.index for item in sheet.items}
    assert not {item.id for item in other.items} & {item.id for item in sheet.items}


def test_the_order_tells_nothing():
    """Over many seeds every place is as often manipulated, and of either class, as the other."""
    log, n_seeds = films(60), 200
    sheets = [draw_sheet([log], 5, seed=seed) for seed in range(n_seeds)]
    for place in range(10):
        manipulated = sum(sheet.items[place].manipulated for sheet in sheets)
        positive = sum(sheet.items[place].label == "positive" for sheet in sheets)
        assert abs(manipulated - n_seeds / 2) < 36 and abs(positive - n_seeds / 2) < 36  # 5 sd
    shown = Counter(item.index for sheet in sheets for item in sheet.items if item.manipulated)
    assert len(shown) == 24  # every success is shown attacked under some seed


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_bad_sizes_are_refused(n):
    with pytest.raises(BadInput, match="n must be a whole number"):
        draw_sheet([films(50)], n)


def test_logs_of_several_tasks_are_refused():
    with pytest.raises(BadInput, match="one task, here are mini_films, mini_news"):
        draw_sheet([films(50), log_of([], "mini_news")], 2)
    with pytest.raises(BadInput, match="one task, here are none"):
        draw_sheet([], 2)
    with pytest.raises(BadInput, match="Unknown task 'films'"):
        draw_sheet([log_of([], "films")], 2)


# --- files -------------------------------------------------------------------------------------


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def test_the_sheet_shows_nothing_of_the_key(sheet, tmp_path):
    path, key = write_sheet(sheet, tmp_path / "new" / "sheet.csv")
    header, *rows = rows_of(path)
    assert header == ["id", "text", "label", "manipulated", "confidence"]
    assert [row[2:] for row in rows] == [["", "", ""]] * 26
    assert [(row[0], row[1]) for row in rows] == [(item.id, *item.texts) for item in sheet.items]
    code = {row[0][:4] for row in rows}
    assert len(code) == 1 and not set("aeiou0123456789") & set(code.pop())
    assert [row[0][4:] for row in rows] == [f"-{i:03}" for i in range(1, 27)]
    assert key == tmp_path / "new" / "sheet.key.json"


def test_the_key_gives_the_sheet_back(tmp_path):
    pair = ("succeeded", 1, ["passage é", "is it?"], ["changed é", "is it?"])
    log = log_of([pair, (*pair[:2], ["other", "why?"], ["else", "why?"])], "mini_questions")
    sheet = draw_sheet([log], 1)
    path, key = write_sheet(sheet, tmp_path / "sheet.csv")
    assert read_key(key) == sheet
    assert rows_of(path)[0] == ["id", "passage", "question", *ANSWERS]
    write_sheet(sheet, path)  # the same again is no harm
    key.write_text(json.dumps({"items": []}))
    with pytest.raises(BadInput, match="is not the key of an annotation sheet"):
        read_key(key)


def test_a_filled_sheet_and_its_key_are_never_overwritten(sheet, tmp_path):
    path, key = write_sheet(sheet, tmp_path / "sheet.csv")
    other = draw_sheet([films(100)], 13, seed=4)
    path.write_bytes(path.read_bytes() + b"x")
    for drawn in (sheet, other):
        with pytest.raises(BadInput, match=r"sheet\.csv exists and is not of this sheet"):
            write_sheet(drawn, path)
    path.unlink()  # handed out
    with pytest.raises(BadInput, match=r"sheet\.key\.json exists and is not of this sheet"):
        write_sheet(other, path)
    assert read_key(key) == sheet


def test_spreadsheets_see_utf8_and_no_formulas(tmp_path):
    texts = [f"{start}cmd('x') café №{i}" for i, start in enumerate(FORMULA_STARTS)]
    texts += ['say "no", twice', "two\nlines\x85of\u2028it", "'quoted"]
    texts += [f"plain {i}" for i in range(len(texts) % 2)]
    examples = [("succeeded", i % 2, [text], [text + "!"]) for i, text in enumerate(texts)]
    sheet = draw_sheet([log_of(examples)], len(texts) // 2)
    path, _ = write_sheet(sheet, tmp_path / "sheet.csv")
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfid,text,label")
    assert content.count(b"\n") == content.count(b"\r\n") == 1 + len(texts)  # a line a text
    cells = [row[1] for row in rows_of(path)[1:]]
    assert not [cell for cell in cells if cell.startswith(FORMULA_STARTS)]
    shown = [item.texts[0] for item in sheet.items]
    expected = [f"'{text}" if text.startswith(FORMULA_STARTS) else text for text in shown]
    assert cells == expected
    assert sum(cell.startswith("'") for cell in cells) == len(FORMULA_STARTS) + 1
    assert {"two lines of it", "two lines of it!"} & set(cells)


def test_instructions_name_the_answers(sheet):
    said = sheet.instructions
    assert "negative or positive" in said and "yes or no" in said
    assert "13" not in said and "half" not in said
