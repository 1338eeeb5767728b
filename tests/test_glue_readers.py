"""GLUE's pairs and ETHICS in their published files, good and bad; bad lines are named."""

import json

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.ethics import read_deontology, read_justice
from mvp_skill.glue_readers import (
    MOST_BROKEN,
    read_mnli_binary,
    read_qnli,
    read_qqp,
    read_rte,
    read_rte_json,
)

QNLI = "index\tquestion\tsentence\tlabel\n"
QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
RTE = "index\tsentence1\tsentence2\tlabel\n"
MNLI = "sentence1\tsentence2\tgold_label\n"


def write(tmp_path, content, name="data.tsv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


# --- good files --------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_qnli_is_flipped_and_read_without_quoting(tmp_path, mark):
    """GLUE numbers entailment 0; here it is 1."""
    lines = QNLI + '0\tWho "is it?\tIt is é.\tentailment\n7\tWhy?\tSo " it\tnot_entailment\n'
    assert read_qnli(write(tmp_path, mark + lines.encode("utf-8"))) == [
        {"texts": ['Who "is it?', "It is é."], "label": 1},
        {"texts": ["Why?", 'So " it'], "label": 0},
    ]


def test_qqp_in_glues_columns_or_in_three(tmp_path):
    whole = QQP + "1\t2\t3\tA a?\tB?\t1\n4\t5\t6\tC?\tD?\t0\n"
    short = "question1\tquestion2\tis_duplicate\nA a?\tB?\t1\nC?\tD?\t0\n"
    expected = [{"texts": ["A a?", "B?"], "label": 1}, {"texts": ["C?", "D?"], "label": 0}]
    assert read_qqp(write(tmp_path, whole)) == read_qqp(write(tmp_path, short)) == expected


def test_torn_lines_of_qqp_are_left_out_and_counted(tmp_path, caplog):
    """A question with a line break in it makes two lines of one."""
    lines = QQP + "1\t2\t3\tA?\tB?\t1\n4\t5\t6\tIs it\nso?\tD?\t0\n7\t8\t9\tE?\tF?\t0\n"
    path = write(tmp_path, lines)
    assert [row["texts"] for row in read_qqp(path)] == [["A?", "B?"], ["E?", "F?"]]
    assert "2 lines with fewer fields than the header are left out, the first is line 3" in (
        caplog.text
    )


def test_a_file_that_is_torn_all_over_is_refused(tmp_path):
    content = QQP + "1\t2\t3\tA?\tB?\t1\n" + "torn\n" * (MOST_BROKEN + 1)
    path = write(tmp_path, content)
    with pytest.raises(BadInput, match=f"line 3: has fewer fields .* have {MOST_BROKEN} other"):
        read_qqp(path)
    fewer = write(tmp_path, content.removesuffix("torn\n"))
    assert len(read_qqp(fewer)) == 1


def test_mnli_loses_its_neutral_rows_and_the_hypothesis_comes_first(tmp_path):
    lines = MNLI + "P1\tH1\tneutral\nP2\tH2\tcontradiction\nP3\tH3\tentailment\n"
    expected = [{"texts": ["H2", "P2"], "label": 0}, {"texts": ["H3", "P3"], "label": 1}]
    assert read_mnli_binary(write(tmp_path, lines)) == expected
    columns = "index sentence1_parse sentence1 sentence2 label1 gold_label".split()
    rows = ["0 x P1 H1 neutral neutral", "1 x P2 H2 entailment contradiction"]
    rows += ["2 x P3 H3 neutral entailment"]
    glue = "\n".join(["\t".join(columns), *("\t".join(row.split()) for row in rows)]) + "\n"
    assert read_mnli_binary(write(tmp_path, glue)) == expected


def test_rte_from_glue_and_superglue(tmp_path):
    expected = [{"texts": ["H1", "P1"], "label": 1}, {"texts": ["H2", "P2"], "label": 0}]
    lines = RTE + "0\tP1\tH1\tentailment\n1\tP2\tH2\tnot_entailment\n"
    assert read_rte(write(tmp_path, lines)) == expected
    rows = [
        {"premise": "P1", "hypothesis": "H1", "label": "entailment", "idx": 0},
        {"premise": "P2", "hypothesis": "H2", "label": "not_entailment", "idx": 1},
    ]
    assert read_rte_json(write(tmp_path, "\n".join(map(json.dumps, rows)))) == expected


def test_ethics(tmp_path):
    content = 'label,scenario,excuse\n1,"Do it, will you?", No because\n0,Why?,"But ""no"""\n'
    assert read_deontology(write(tmp_path, content)) == [
        {"texts": ["Do it, will you?", " No because"], "label": 1},
        {"texts": ["Why?", 'But "no"'], "label": 0},
    ]
    assert read_justice(write(tmp_path, "label,scenario\n0,I deserve it.\n")) == [
        {"texts": ["I deserve it."], "label": 0}
    ]


# --- bad files ---------------------------------------------------------------------------------

RTE_JSON = '{"premise": "P", "hypothesis": "H", "label": "entailment"}\n'
BAD = {
    "no header": (read_qnli, "0\tQ\tS\tentailment\n", 1, "['question', 'sentence', 'label']"),
    "GLUE's test, without labels": (read_qnli, "index\tquestion\tsentence\n0\tQ\tS\n", 1, "header"),
    "a line too short": (read_qnli, QNLI + "0\tQ\tentailment\n", 2, "as many fields as the header"),
    "a line too long": (read_qnli, QNLI + "0\tQ\tS\tx\tentailment\n", 2, "4 columns"),
    "a number as label": (read_qnli, QNLI + "0\tQ\tS\t1\n", 2, "'1'; allowed are not_entailment"),
    "a blank line": (read_qnli, QNLI + "\n0\tQ\tS\tentailment\n", 2, "as many fields"),
    "latin-1": (read_qnli, QNLI.encode() + b"0\tQ\xe9\tS\tentailment\n", 2, "not UTF-8"),
    "QQP, label in words": (read_qqp, QQP + "1\t2\t3\tA\tB\tyes\n", 2, "'yes'; allowed are 0, 1"),
    "QQP, one field too many": (read_qqp, QQP + "1\t2\t3\tA\tB\t1\t1\n", 2, "6 columns"),
    "MNLI, no gold label": (read_mnli_binary, MNLI + "P\tH\t-\n", 2, "'-'; allowed are contrad"),
    "RTE, MNLI's label": (read_rte, RTE + "0\tP\tH\tneutral\n", 2, "'neutral'; allowed"),
    "RTE, JSON without premise": (
        read_rte_json,
        RTE_JSON + '{"label": "entailment"}',
        2,
        "strings",
    ),
    "RTE, JSON with a number": (
        *(read_rte_json, RTE_JSON.replace('"entailment"', "1"), 1),
        "expected strings as ['premise', 'hypothesis', 'label']",
    ),
    "RTE, JSON with another label": (read_rte_json, RTE_JSON.replace("ent", "x", 1), 1, "allowed"),
    "ETHICS without a header": (read_justice, "1,It is fair\n", 1, "header ['label', 'scenario']"),
    "ETHICS, the other set": (read_justice, "label,scenario,excuse\n1,a,b\n", 1, "header"),
    "ETHICS, a column too few": (read_deontology, "label,scenario,excuse\n1,a\n", 2, "columns"),
    "ETHICS, label 2": (read_justice, "label,scenario\n1,a\n2,b\n", 3, "'2'; allowed are 0, 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named(tmp_path, case):
    read, content, line, said = BAD[case]
    path = write(tmp_path, content)
    with pytest.raises(BadInput) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, line {line}: ")
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("read", "header"),
    [
        (read_qnli, QNLI),
        (read_qqp, QQP),
        (read_rte, RTE),
        (read_mnli_binary, MNLI),
        (read_mnli_binary, MNLI + "P\tH\tneutral\n"),
        (read_rte_json, "\n"),
        (read_deontology, "label,scenario,excuse\n"),
        (read_justice, ""),
    ],
)
def test_files_without_a_row_are_refused(tmp_path, read, header):
    with pytest.raises(BadInput, match="contains no rows"):
        read(write(tmp_path, header))
