"""Published layouts, good and bad; every bad row must be named by file and line."""

import json

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.readers import (
    MRPC_HEADER,
    read_ag_news,
    read_amazon_polarity,
    read_boolq,
    read_dbpedia,
    read_mrpc,
    read_sst2,
)

HEADER = "sentence\tlabel\n"
MRPC = "\t".join(MRPC_HEADER) + "\n"


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def boolq_line(**changes):
    row = {"question": "is it so", "passage": "Title -- It is so.", "idx": 0, "label": True}
    return json.dumps(row | changes)


# --- good files --------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [HEADER, ""])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_sst2_in_all_its_forms(tmp_path, header, line_end, mark):
    lines = header + 'a "quoted thing \t1\ncaf\u00e9\u0085 noir\t0\n'
    path = write(tmp_path, "dev.tsv", mark + lines.replace("\n", line_end).encode("utf-8"))
    assert read_sst2(path) == [
        {"texts": ['a "quoted thing '], "label": 1},
        {"texts": ["caf\u00e9\u0085 noir"], "label": 0},
    ]


def test_ag_news(tmp_path):
    content = '"3","Oil up","Prices ""soar"", they say\\again"\n4,Chips,"New, small"\n"1","",""\n'
    assert read_ag_news(write(tmp_path, "test.csv", content)) == [
        {"texts": ['Oil up Prices "soar", they say\\again'], "label": 2},
        {"texts": ["Chips New, small"], "label": 3},
        {"texts": [" "], "label": 0},
    ]


def test_boolq(tmp_path):
    content = boolq_line() + "\n" + boolq_line(label=False, passage="No.") + "\n"
    original = '{"question": "is it", "title": "T", "answer": true, "passage": "Yes."}\n'
    assert read_boolq(write(tmp_path, "val.jsonl", content + original)) == [
        {"texts": ["Title -- It is so.", "is it so"], "label": 1},
        {"texts": ["No.", "is it so"], "label": 0},
        {"texts": ["Yes.", "is it"], "label": 1},
    ]


def test_dbpedia_and_amazon_polarity(tmp_path):
    """The text is the content alone; classes count from 1."""
    content = '"14","A (album)"," Content of ""A"" here.\\n"\n1,B,"it, too"\n'
    assert read_dbpedia(write(tmp_path, "test.csv", content)) == [
        {"texts": [' Content of "A" here.\\n'], "label": 13},
        {"texts": ["it, too"], "label": 0},
    ]
    content = '"2","Great","I love it"\n"1","Poor","I hate it"\n'
    assert read_amazon_polarity(write(tmp_path, "test.csv", content)) == [
        {"texts": ["I love it"], "label": 1},
        {"texts": ["I hate it"], "label": 0},
    ]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_mrpc_is_read_without_quoting(tmp_path, mark):
    lines = MRPC + '1\t70\t71\t"He said so ", he said .\tHe said " so .\n0\t7\t8\tcaf\u00e9\t"\n'
    assert read_mrpc(write(tmp_path, "train.txt", mark + lines.encode("utf-8"))) == [
        {"texts": ['"He said so ", he said .', 'He said " so .'], "label": 1},
        {"texts": ["caf\u00e9", '"'], "label": 0},
    ]


# --- bad files ---------------------------------------------------------------------------------

BAD = {
    "header with a wrong column": (read_sst2, "text\tlabel\nfine\t1\n", 1, "'text', 'label'"),
    "columns swapped": (read_sst2, "1\tfine\n0\tdull\n", 1, "'1', 'fine'"),
    "GLUE's test file": (read_sst2, "index\tsentence\n0\tfine\n", 1, "'index', 'sentence'"),
    "three fields": (read_sst2, HEADER + "fine\t1\nbad\t0\t0\n", 3, "'bad', '0', '0'"),
    "one field": (read_sst2, "fine\t1\nbad 0\n", 2, "'bad 0'"),
    "blank line": (read_sst2, "fine\t1\n\nbad\t0\n", 2, "['']"),
    "unknown label": (read_sst2, HEADER + "fine\t1\nmeh\t2\n", 3, "'2'; allowed are 0, 1"),
    "label in words": (read_sst2, "fine\t1\nmeh\tpositive\n", 2, "'positive'; allowed"),
    "latin-1": (read_sst2, b"fine\t1\ncaf\xe9\t0\n", 2, "not UTF-8"),
    "AG News class 5": (read_ag_news, '"1","a","b"\n"5","a","b"\n', 2, "'5'; allowed are 1, 2"),
    "AG News class 0": (read_ag_news, '"0","a","b"\n', 1, "'0'"),
    "AG News with a header": (read_ag_news, "class,title,description\n", 1, "'class'; allowed"),
    "AG News, two fields": (read_ag_news, '"1","a","b"\n"2","a"\n', 2, "['2', 'a']"),
    "AG News, open quote": (read_ag_news, '"1","a","b"\n"2","a","b\n"3","a","b"\n', 2, "CSV"),
    "AG News, late quote": (read_ag_news, '"1","a\nb","c"\n"2","a"x,"b"\n', 3, "CSV"),
    "DBpedia class 15": (read_dbpedia, '"14","a","b"\n"15","a","b"\n', 2, "'15'; allowed are 1, 2"),
    "DBpedia, two fields": (read_dbpedia, '"1","a"\n', 1, "['class', 'title', 'content']"),
    "Amazon class 3": (read_amazon_polarity, '"3","a","b"\n', 1, "'3'; allowed are 1, 2"),
    "MRPC without a header": (read_mrpc, "1\t7\t8\ta\tb\n", 1, "header ['Quality', '#1 ID'"),
    "MRPC, GLUE's test": (read_mrpc, MRPC.replace("Quality", "index"), 1, "found ['index', '#1"),
    "MRPC, four columns": (read_mrpc, MRPC + "1\t7\t8\ta\n", 2, "5 columns"),
    "MRPC, a tab too many": (read_mrpc, MRPC + "1\t7\t8\ta\tb\tc\n", 2, "5 columns"),
    "MRPC, a label in words": (read_mrpc, MRPC + "yes\t7\t8\ta\tb\n", 2, "'yes'; allowed are 0"),
    "MRPC, a blank line": (read_mrpc, MRPC + "\n1\t7\t8\ta\tb\n", 2, "5 columns"),
    "BoolQ, no JSON": (read_boolq, boolq_line() + "\n{question:\n", 2, "not valid JSON"),
    "BoolQ, a list": (read_boolq, "[1, 2]\n", 1, "JSON object"),
    "BoolQ, wrong key": (read_boolq, '{"query": "q", "passage": "p", "label": true}\n', 1, "query"),
    "BoolQ, no label": (read_boolq, '{"question": "q", "passage": "p"}\n', 1, "'passage'"),
    "BoolQ, text label": (read_boolq, boolq_line(label="true"), 1, "allowed are false, true"),
    "BoolQ, number label": (read_boolq, boolq_line(label=1), 1, "'1'; allowed are false, true"),
    "BoolQ, passage of numbers": (read_boolq, boolq_line(passage=7), 1, "keys"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_are_named(tmp_path, case):
    read, content, line, said = BAD[case]
    path = write(tmp_path, "data.txt", content)
    with pytest.raises(BadInput) as error:
        read(path)
    assert str(error.value).startswith(f"{path}, line {line}: ")
    assert said in str(error.value)


@pytest.mark.parametrize("read", [read_sst2, read_ag_news, read_dbpedia, read_boolq, read_mrpc])
@pytest.mark.parametrize("content", ["", "\n", "\n\n  \n"])
def test_empty_files_are_refused(tmp_path, read, content):
    with pytest.raises(BadInput, match="contains no rows"):
        read(write(tmp_path, "train.txt", content))


def test_a_header_alone_is_an_empty_file(tmp_path):
    for read, header in ((read_sst2, HEADER), (read_mrpc, MRPC)):
        with pytest.raises(BadInput, match="contains no rows"):
            read(write(tmp_path, "train.tsv", header))
