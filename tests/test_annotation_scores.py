"""Scores of filled sheets against loops and published examples, and sheets filled wrongly."""

import csv
import io
import random
from itertools import combinations
from math import isnan, nan

import numpy as np
import pytest
from annotation_cases import films, log_of

from mvp_skill.annotation import draw_sheet, write_sheet
from mvp_skill.annotation_scores import (
    COLUMNS,
    cohen_kappa,
    fleiss_kappa,
    read_answers,
    score_folder,
    score_sheets,
)
from mvp_skill.errors import BadInput
from mvp_skill.metrics import wilson_interval

LABELS = ("negative", "positive")


@pytest.fixture
def drawn(tmp_path):
    """A sheet with 7 clean and 7 adversarial texts, its file and its key."""
    sheet = draw_sheet([films(50)], 7, seed=1)
    return sheet, *write_sheet(sheet, tmp_path / "sheet.csv")


def fill(sheet, path, answer, **changes):
    """Write a filled copy: answer(item) -> label, manipulated, confidence."""
    content = io.StringIO()
    writer = csv.writer(content, delimiter=changes.get("delimiter", ","))
    writer.writerow(changes.get("header", ["id", "text", "label", "manipulated", "confidence"]))
    for item in sheet.items:
        writer.writerow([item.id, *item.texts, *answer(item)])
    path.write_bytes(content.getvalue().encode(changes.get("encoding", "utf-8-sig")))
    return path


def truth(item):
    return item.label, ("no", "yes")[item.manipulated], 5


def lines_of(path):
    return path.read_text(encoding="utf-8-sig").splitlines()


def values(frame, who):
    return frame[frame["who"] == who].set_index("measure")["value"].to_dict()


# --- scores ------------------------------------------------------------------------------------


def test_a_perfect_annotator(drawn, tmp_path):
    sheet, _, key = drawn
    frame = score_sheets(key, [fill(sheet, tmp_path / "ann.csv", truth)])
    assert tuple(frame.columns) == COLUMNS and set(frame["who"]) == {"ann"}
    assert values(frame, "ann") == {
        "accuracy_clean": 1,
        "accuracy_adversarial": 1,
        "detection_rate": 1,
        "false_alarm_rate": 0,
        "confidence_clean": 5,
        "confidence_adversarial": 5,
    }
    shares = frame[~frame["measure"].str.startswith("confidence")]
    assert list(shares["n"]) == [7] * 4
    assert [tuple(row) for row in shares[["low", "high"]].to_numpy()] == [
        wilson_interval(k, 7) for k in (7, 7, 7, 0)
    ]


def test_scores_of_three_annotators_against_loops(drawn, tmp_path):
    sheet, _, key = drawn
    generator = random.Random(0)
    said = {
        name: {
            item.id: (generator.choice(LABELS), generator.choice(["yes", "no"]), "")
            for item in sheet.items
        }
        for name in ("a", "b", "c")
    }
    paths = [
        fill(sheet, tmp_path / f"{name}.csv", lambda i, n=name: said[n][i.id]) for name in said
    ]
    frame = score_sheets(key, paths, confidence=0.8)
    found = {"all": []}
    for name in said:
        right = [said[name][i.id][0] == i.label for i in sheet.items]
        alarm = [said[name][i.id][1] == "yes" for i in sheet.items]
        attacked = [i.manipulated for i in sheet.items]
        k = [
            sum(r for r, m in zip(right, attacked, strict=True) if not m),
            sum(r for r, m in zip(right, attacked, strict=True) if m),
            sum(a for a, m in zip(alarm, attacked, strict=True) if m),
            sum(a for a, m in zip(alarm, attacked, strict=True) if not m),
        ]
        found[name] = k
    found["all"] = [sum(found[name][i] for name in said) / 3 for i in range(4)]
    for who, k in found.items():
        rows = frame[frame["who"] == who].iloc[:4]
        np.testing.assert_allclose(rows["value"], [x / 7 for x in k])
        expected = [wilson_interval(x, 7, 0.8) for x in k]
        np.testing.assert_allclose(rows[["low", "high"]], expected)
        assert list(rows["n"]) == [7] * 4
        assert isnan(values(frame, who)["confidence_clean"])
    assert len({tuple(k) for k in found.values()}) == 4
    labels = np.array([[said[n][i.id][0] for i in sheet.items] for n in said])
    alarms = np.array([[said[n][i.id][1] for i in sheet.items] for n in said])
    attacked = np.array([i.manipulated for i in sheet.items])
    kappas = frame[frame["who"] == "Fleiss' kappa"]
    assert values(kappas, "Fleiss' kappa") == pytest.approx(
        {
            "kappa_label": slow_fleiss(labels),
            "kappa_label_clean": slow_fleiss(labels[:, ~attacked]),
            "kappa_label_adversarial": slow_fleiss(labels[:, attacked]),
            "kappa_manipulated": slow_fleiss(alarms),
        }
    )
    assert list(kappas["n"]) == [14, 7, 7, 14]


def test_two_annotators_get_cohens_kappa(drawn, tmp_path):
    sheet, _, key = drawn
    paths = [
        fill(sheet, tmp_path / "a.csv", truth),
        fill(sheet, tmp_path / "b.csv", lambda item: ("positive", *truth(item)[1:])),
    ]
    found = values(score_sheets(key, paths), "Cohen's kappa")
    assert found["kappa_label"] == 0  # one of them always says the same
    assert found["kappa_manipulated"] == 1


# --- agreement ---------------------------------------------------------------------------------


def slow_cohen(first, second):
    n = len(first)
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    by_chance = sum(
        (list(first).count(c) / n) * (list(second).count(c) / n) for c in {*first, *second}
    )
    return (agreed - by_chance) / (1 - by_chance)


def slow_fleiss(answers):
    """From pairs of annotators, answer by answer."""
    items = list(zip(*answers, strict=True))
    pairs = [[a == b for a, b in combinations(item, 2)] for item in items]
    agreed = sum(sum(found) / len(found) for found in pairs) / len(pairs)
    everything = [answer for item in items for answer in item]
    by_chance = sum((everything.count(c) / len(everything)) ** 2 for c in set(everything))
    return (agreed - by_chance) / (1 - by_chance)


def test_kappas_against_loops():
    generator = random.Random(1)
    for n_annotators, n_classes in ((2, 2), (2, 3), (3, 2), (5, 4)):
        answers = np.array(
            [[generator.randrange(n_classes) for _ in range(17)] for _ in range(n_annotators)]
        )
        assert fleiss_kappa(answers) == pytest.approx(slow_fleiss(answers))
        assert cohen_kappa(*answers[:2]) == pytest.approx(slow_cohen(*answers[:2]))


def test_kappas_of_textbook_examples():
    """Two readers of 50 grant applications: 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: 0.40."""
    first, second = [1] * 25 + [0] * 25, [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(first, second) == pytest.approx(0.4)
    # 14 annotators, 10 items, 5 classes: the table of the usual worked example; 0.210.
    table = [
        (0, 0, 0, 0, 14),
        (0, 2, 6, 4, 2),
        (0, 0, 3, 5, 6),
        (0, 3, 9, 2, 0),
        (2, 2, 8, 1, 1),
        (7, 7, 0, 0, 0),
        (3, 2, 6, 3, 0),
        (2, 5, 3, 2, 2),
        (6, 5, 2, 1, 0),
        (0, 2, 2, 3, 7),
    ]
    answers = np.array([np.repeat(range(5), counts) for counts in table]).T
    assert fleiss_kappa(answers) == pytest.approx(0.210, abs=5e-4)


def test_kappa_without_any_variety_is_not_a_number():
    assert isnan(cohen_kappa([1, 1, 1], [1, 1, 1]))
    assert isnan(fleiss_kappa(np.ones((3, 4))))
    assert cohen_kappa([0, 1, 0, 1], [1, 0, 1, 0]) == -1


# --- what spreadsheets make of a sheet -----------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_other_delimiters_and_encodings_are_read(tmp_path, delimiter, encoding):
    examples = [
        ("succeeded", i % 2, [f'"café", {i}; \t it'], [f"bar {i}, déjà; vu"]) for i in range(8)
    ]
    sheet = draw_sheet([log_of(examples)], 4)
    path = tmp_path / "filled.csv"
    fill(sheet, path, truth, delimiter=delimiter, encoding=encoding)
    answers = read_answers(path, sheet)
    assert [LABELS[answer.label] for answer in answers] == [item.label for item in sheet.items]
    assert [bool(answer.manipulated) for answer in answers] == [i.manipulated for i in sheet.items]


def test_capitals_other_order_and_blank_lines_are_read(drawn, tmp_path):
    sheet, _, _ = drawn
    path = fill(sheet, tmp_path / "a.csv", lambda i: (f" {i.label.upper()} ", "Yes", " 2 "))
    header, *lines = lines_of(path)
    path.write_text("\n".join([header.title(), "", *reversed(lines), ",,,,", "", ","]))
    answers = read_answers(path, sheet)
    assert [LABELS[answer.label] for answer in answers] == [item.label for item in sheet.items]
    assert {answer[1:] for answer in answers} == {(1, 2.0)}


def test_the_confidence_column_may_be_missing(drawn, tmp_path):
    sheet, _, key = drawn
    header = ["id", "text", "label", "manipulated"]
    path = fill(sheet, tmp_path / "a.csv", lambda item: truth(item)[:2], header=header)
    assert values(score_sheets(key, [path]), "a") == pytest.approx(
        {
            "accuracy_clean": 1,
            "accuracy_adversarial": 1,
            "detection_rate": 1,
            "false_alarm_rate": 0,
            "confidence_clean": nan,
            "confidence_adversarial": nan,
        },
        nan_ok=True,
    )


# --- sheets filled wrongly -----------------------------------------------------------------------

WRONG = {
    "unknown label": ((",positive,yes", ",good,yes"), "label is 'good'; allowed are negative, pos"),
    "no label": ((",positive,yes", ",,yes"), "label is empty; allowed are negative, positive"),
    "manipulated in words": ((",yes,", ",perhaps,"), "manipulated is 'perhaps'; allowed are no, y"),
    "manipulated empty": ((",yes,", ",,"), "manipulated is empty; allowed are no, yes"),
    "confidence": (
        (",yes,5", ",yes,9"),
        "confidence is '9'; allowed are 1, 2, 3, 4, 5, or nothing",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answers_are_named_with_their_line(drawn, tmp_path, case):
    sheet, _, key = drawn
    change, said = WRONG[case]
    path = fill(sheet, tmp_path / "a.csv", truth)
    lines = lines_of(path)
    number = max(i for i, line in enumerate(lines) if change[0] in line)
    lines[number] = lines[number].replace(*change)
    path.write_text("\n".join(lines))
    with pytest.raises(BadInput) as error:
        score_sheets(key, [path])
    assert str(error.value).startswith(f"{path}, line {number + 1}: {said}")


def test_unknown_repeated_and_missing_rows_are_named(drawn, tmp_path):
    sheet, _, _ = drawn
    path = fill(sheet, tmp_path / "a.csv", truth)
    lines = lines_of(path)
    cases = [
        ([*lines, "zzzz-001,text,positive,no,"], "line 16: the id 'zzzz-001' is not in the key"),
        ([*lines, lines[4]], f"line 16: the id {sheet.items[3].id} stands in line 5 as well"),
        (lines[:3] + lines[4:], f"lacks the rows {sheet.items[2].id} (line 4 as drawn); every"),
        (lines[:9], f"lacks the rows {sheet.items[8].id} (line 10 as drawn), "),
        (lines[:9], "and 3 more; every text must be answered"),
        (lines[1:], "line 1: there is no column 'id'"),
        ([], "line 1: there is no column 'id'"),
    ]
    for content, said in cases:
        path.write_text("\n".join(content))
        with pytest.raises(BadInput) as error:
            read_answers(path, sheet)
        assert said in str(error.value) and str(path) in str(error.value)


def test_a_sheet_with_the_key_of_another_is_refused(drawn, tmp_path):
    _, _, key = drawn
    other = draw_sheet([films(50)], 7, seed=2)
    with pytest.raises(BadInput, match="is not in the key, so it may be of another sheet"):
        score_sheets(key, [fill(other, tmp_path / "a.csv", truth)])


def test_no_sheets_and_two_of_one_name_are_refused(drawn, tmp_path):
    sheet, path, key = drawn
    (tmp_path / "other").mkdir()
    paths = [fill(sheet, folder / "a.csv", truth) for folder in (tmp_path, tmp_path / "other")]
    for filled in ([], paths):
        with pytest.raises(BadInput, match="under different names, at least one"):
            score_sheets(key, filled)
    with pytest.raises(BadInput, match="no filled sheet at .*nobody.csv"):
        score_sheets(key, [tmp_path / "nobody.csv"])
    with pytest.raises(BadInput, match=r"line 2: label is empty"):
        score_sheets(key, [path])  # as drawn, nothing filled in


# --- a folder of sheets ------------------------------------------------------------------------


def test_a_folder_is_scored_by_its_key_without_the_sheet_as_drawn(drawn, tmp_path):
    sheet, path, key = drawn  # both are in tmp_path
    one, two = (fill(sheet, tmp_path / f"{name}.csv", truth) for name in ("b", "a"))
    assert score_folder(tmp_path).equals(score_sheets(key, [two, one]))


def test_a_sheet_with_a_single_answer_is_no_blank_one(drawn, tmp_path):
    sheet, path, _ = drawn
    fill(sheet, tmp_path / "a.csv", truth)
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",,,", ",yes,,", 1))
    with pytest.raises(BadInput, match=f"{path.name}, line 2: label is 'yes'"):
        score_folder(tmp_path)


def test_a_folder_without_filled_sheets_or_with_two_keys_is_refused(drawn, tmp_path):
    _, _, key = drawn
    with pytest.raises(BadInput, match="no filled sheet"):
        score_folder(tmp_path)
    with pytest.raises(BadInput, match="exactly one .key.json file.*there is none"):
        score_folder(tmp_path / "nowhere")
    (tmp_path / "other.key.json").write_bytes(key.read_bytes())
    with pytest.raises(BadInput, match="other.key.json, sheet.key.json"):
        score_folder(tmp_path)
