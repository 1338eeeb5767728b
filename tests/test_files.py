import json
import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_atomically, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_text_is_utf8_with_its_own_line_ends(tmp_path):
    path = write_atomically(tmp_path / "a.txt", "naïve\nfilm\r\n")
    assert path.read_bytes() == b"na\xc3\xafve\nfilm\r\n"


def test_bytes_folders_and_string_paths(tmp_path):
    path = write_atomically(str(tmp_path / "new" / "folder" / "a.bin"), b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert names(path.parent) == ["a.bin"]


def test_an_existing_file_is_replaced(tmp_path):
    path = tmp_path / "a.txt"
    write_atomically(path, "a long first version")
    write_atomically(path, "second")
    assert path.read_text() == "second"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step, error):
    def fail(*args):
        raise error

    path = write_atomically(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(error):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_the_content_is_on_the_disk_before_the_file_gets_its_name(tmp_path, monkeypatch):
    path = write_atomically(tmp_path / "a.txt", "old")
    seen = []
    fsync = os.fsync

    def look(descriptor):
        fsync(descriptor)
        seen.append((path.read_text(), os.fstat(descriptor).st_size))

    monkeypatch.setattr(os, "fsync", look)
    write_atomically(path, "longer")
    assert seen == [("old", 6)]


def test_writers_at_the_same_time_never_mix(tmp_path):
    path = tmp_path / "a.txt"
    contents = [letter * 50_000 for letter in "abcdefgh"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda content: write_atomically(path, content), contents))
    assert path.read_text() in contents
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_are_those_of_an_ordinary_new_file(tmp_path):
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    written = write_atomically(tmp_path / "written", "x")
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


def test_content_of_another_type_is_refused_before_anything_is_touched(tmp_path):
    with pytest.raises(TypeError, match="not dict"):
        write_atomically(tmp_path / "folder" / "a.json", {"a": 1})
    assert names(tmp_path) == []


def test_json_round_trip_keeps_order_and_letters(tmp_path):
    value = {"z": [1, 2.5, None], "a": "naïve"}
    path = write_json(tmp_path / "a.json", value)
    assert read_json(path) == value
    assert list(read_json(path)) == ["z", "a"]
    assert "naïve" in path.read_text(encoding="utf-8")
    assert path.read_text(encoding="utf-8").endswith("}\n")


def test_json_default_is_used_for_unknown_objects(tmp_path):
    path = write_json(tmp_path / "a.json", {"folder": tmp_path}, default=str)
    assert read_json(path) == {"folder": str(tmp_path)}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object()])
def test_what_is_not_json_is_refused_and_the_old_file_stays(tmp_path, value):
    path = write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises((TypeError, ValueError)):
        write_json(path, {"a": value})
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe\x00"])
def test_a_damaged_json_file_is_bad_input_that_names_it(tmp_path, content):
    path = write_atomically(tmp_path / "run.json", content)
    with pytest.raises(BadInput, match=re.escape(str(path)) + " is not valid JSON"):
        read_json(path)


def test_a_missing_json_file_is_bad_input_that_names_it(tmp_path):
    path = tmp_path / "run.json"
    with pytest.raises(BadInput, match=re.escape(str(path)) + " does not exist"):
        read_json(path)


def test_bad_input_is_a_value_error():
    assert issubclass(BadInput, ValueError)
