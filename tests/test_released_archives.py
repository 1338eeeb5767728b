"""Archives from elsewhere: both kinds are read, nothing in them runs, and the rest is refused."""

import hashlib
import io
import os
import pickle
import struct
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from prompt_cases import checkpoint, released_table, rewritten

from mvp_skill import released_archives
from mvp_skill.errors import BadInput
from mvp_skill.released_archives import read_archive


@pytest.fixture
def bare(tmp_path):
    path = tmp_path / "task_prompt"
    torch.save(released_table(), path)
    return path


def program_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        return archive.read(name)


# --- what is read -------------------------------------------------------------------------------


def test_a_bare_table_is_read(bare):
    found = read_archive(bare, 768)
    assert torch.equal(found.table, released_table())
    assert (found.epoch, found.steps) == (None, None)
    assert found.sha256 == hashlib.sha256(bare.read_bytes()).hexdigest()


def test_a_checkpoint_is_read_with_its_epoch_and_steps(tmp_path):
    path = tmp_path / "74_task_prompt.pkl"
    torch.save(checkpoint(released_table(), 74, 3996), path)
    found = read_archive(path)
    assert torch.equal(found.table, released_table())
    assert (found.epoch, found.steps) == (74, 3996)


def test_the_half_precision_table_of_t5_xxl_is_read(tmp_path):
    path = tmp_path / "latest.pt"
    torch.save(released_table(d_model=96).half()[None], path)
    found = read_archive(path, 96)
    assert found.table.shape == (100, 96) and found.table.dtype == torch.float32


def test_a_view_into_a_larger_table_is_read_as_the_view(tmp_path):
    path = tmp_path / "task_prompt"
    larger = torch.randn(100, 40)
    torch.save(larger.T[:, :].T[:, :], path)
    assert torch.equal(read_archive(path).table, larger)


# --- programs that are not loaded ---------------------------------------------------------------


class Malicious:
    def __reduce__(self):
        return os.mkdir, (str(Path(self.folder) / "ran"),)


@pytest.mark.parametrize("inside", ["alone", "in a checkpoint"])
def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path, inside):
    path, what = tmp_path / "task_prompt", Malicious()
    what.folder = tmp_path
    held = what if inside == "alone" else checkpoint(released_table(), 1, 2) | {"extra": what}
    torch.save(held, path)
    with pytest.raises(BadInput, match=r"asks for '(posix|nt)\.mkdir'.*not loaded"):
        read_archive(path)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickle.dumps(what))  # it would have: the test can fail
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "held",
    [
        torch.nn.Parameter(released_table()),  # torch._utils._rebuild_parameter
        released_table().double(),  # torch.DoubleStorage
        released_table().to(torch.bfloat16),
        torch.nn.Linear(2, 2),
        {"model": released_table(), "when": complex(1, 2)},
    ],
    ids=["parameter", "double", "bfloat16", "module", "complex"],
)
def test_extra_globals_are_refused_though_torch_would_allow_some(tmp_path, held):
    path = tmp_path / "task_prompt"
    torch.save(held, path)
    with pytest.raises(BadInput, match=r"asks for .*allowed: collections\.OrderedDict, torch\."):
        read_archive(path)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "SHORT_BINUNICODE"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02(i__builtin__\neval\n.", "INST"),
        (b"\x80\x02ccollections\nOrderedDict\n)R}b.", "BUILD"),
        (b"\x80\x02cos\nsystem\n.", "asks for 'os.system'"),
        (b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.x\n.", "asks for"),
        (b"\x80\x02ctorch\n\xd0\xa4\n.", "damaged data.pkl"),
        (b"\x80\x02", "damaged data.pkl"),
        (b"", "damaged data.pkl"),
        (b"\x80\x02N.", "neither a table nor a checkpoint"),
        (b"\x80\x02}.", "neither a table nor a checkpoint"),
        (b"\x80\x02(K\x01K\x02u.", "cannot be read as tensors"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_other_programs_are_refused_in_one_sentence(bare, program, said):
    with pytest.raises(BadInput, match=said):
        read_archive(rewritten(bare, data_pkl=program))


def test_a_plain_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "task_prompt"
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(BadInput, match="no PyTorch archive.*never loaded"):
        read_archive(path)
    torch.save(released_table(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(BadInput, match="no PyTorch archive"):
        read_archive(path)


# --- archives that are not opened ---------------------------------------------------------------


def archive_of(path: Path, members: dict[str, bytes], **look: int) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", **look) as archive:
        warnings.simplefilter("ignore")  # of names that are there twice
        for name, content in members.items():
            archive.writestr(name.rstrip("#"), content)
    return path


@pytest.mark.parametrize(
    "name",
    ["../x", "a/../data.pkl", "/etc/x", "a\\data.pkl", "a/code/x.py", "data.pkl", "a/data/1/2"]
    + ["a/constants.pkl", ".a/data.pkl", "a/data/\N{ARABIC-INDIC DIGIT ONE}"],
)
def test_members_with_odd_names_are_refused(tmp_path, name):
    members = {"a/data.pkl": b"\x80\x02N.", name: b"x"}
    with pytest.raises(BadInput, match="which no archive of a soft prompt does"):
        read_archive(archive_of(tmp_path / "x", members))


def test_members_that_are_there_twice_or_in_two_folders_are_refused(tmp_path):
    for second in ("a/data.pkl#", "b/data.pkl"):
        members = {"a/data.pkl": b"\x80\x02N.", second: b"\x80\x02cos\nsystem\n."}
        with pytest.raises(BadInput, match="twice, or two archives"):
            read_archive(archive_of(tmp_path / "x", members))


def test_a_compression_bomb_is_not_unpacked(tmp_path, monkeypatch):
    members = {"a/data.pkl": b"\x80\x02N.", "a/data/0": bytes(50_000_000)}
    path = archive_of(tmp_path / "x", members, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(zipfile.ZipFile, "read", None)
    with pytest.raises(BadInput, match="compressed members"):
        read_archive(path)


def test_members_that_overlap_do_not_make_more_of_a_small_file(tmp_path):
    """Twenty entries of the directory that point to one member of 700 kB."""
    path = archive_of(tmp_path / "x", {"a/data/0": bytes(700_000)})
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entry = content[start:end]
    entries = [entry.replace(b"a/data/0", b"a/data/%d" % i) for i in range(10)]
    entries += [entry.replace(b"a/data/0", b"b/data/%d" % i) for i in range(4)]
    directory = b"".join(entries)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 14, 14, len(directory), start, 0)
    path.write_bytes(content[:start] + directory + tail)
    assert path.stat().st_size < 800_000
    with pytest.raises(BadInput, match="two archives|more than a soft prompt needs"):
        read_archive(path)


def test_too_much_is_refused_before_it_is_read(bare, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(released_archives, "MOST_BYTES", 307_000)
        patch.setattr(Path, "read_bytes", None)
        with pytest.raises(BadInput, match="307,000 at most"):
            read_archive(bare)
    with monkeypatch.context() as patch:
        patch.setattr(released_archives, "MOST_MEMBERS", 2)
        with pytest.raises(BadInput, match="more than a soft prompt needs"):
            read_archive(bare)
    monkeypatch.setattr(released_archives, "MOST_PROGRAM_BYTES", 50)
    with pytest.raises(BadInput, match="too long"):
        read_archive(bare)


def test_an_oversized_file_is_refused(tmp_path):
    path = tmp_path / "task_prompt"
    torch.save(torch.zeros(100, 20_100), path)
    with pytest.raises(BadInput, match=r"has 8,0.* bytes; a released soft prompt has 8,000,000"):
        read_archive(path)


@pytest.mark.parametrize("kept", [0, 3, 4, 200, 150_000, -100, -10])
def test_truncated_files_are_refused(bare, kept):
    content = bare.read_bytes()
    bare.write_bytes(content[:kept])
    with pytest.raises(BadInput, match="truncated|no PyTorch archive|damaged"):
        read_archive(bare)


def test_a_flipped_bit_is_found(bare):
    content = bytearray(bare.read_bytes())
    content[len(content) // 2] ^= 1
    bare.write_bytes(content)
    with pytest.raises(BadInput, match="damaged zip archive"):
        read_archive(bare)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BadInput, match="does not exist"):
            read_archive(path)


# --- tables that are not taken ------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [(99, 768), (100,), (100, 2, 8), (2, 100, 8), (100, 0), (), (100, 9000)]
)
def test_a_table_of_the_wrong_shape_is_refused(tmp_path, shape):
    path = tmp_path / "task_prompt"
    torch.save(torch.zeros(shape), path)
    with pytest.raises(BadInput, match=r"not \[100, (768|d_model)\]|other numbers"):
        read_archive(path, 768 if shape == (99, 768) else None)


def test_a_table_for_another_backbone_is_refused(bare):
    with pytest.raises(BadInput, match=r"\[100, 768\], not \[100, 1024\]"):
        read_archive(bare, 1024)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(tmp_path, number):
    table = released_table()
    table[7, 11] = number
    torch.save(table, tmp_path / "x")
    with pytest.raises(BadInput, match="not finite"):
        read_archive(tmp_path / "x")


def test_fewer_numbers_than_the_program_says_are_refused_before_they_are_read(bare):
    """torch takes the program's word for it, and would read memory behind the numbers."""
    shorter = rewritten(bare, **{"data/0": bytes(400)})
    with pytest.raises(BadInput, match="other numbers than|cannot be read"):
        read_archive(shorter)


def test_a_size_beyond_the_numbers_is_refused_without_memory_for_it(bare):
    """Of [100, 768] make [25600, 196608]: 20 GB if anything were made for it."""
    program = program_of(bare)
    size = b"KdM\x00\x03\x86"  # (100, 768)
    assert program.count(size) == 1
    larger = program.replace(size, b"J\x00\x64\x00\x00J\x00\x00\x03\x00\x86")
    with pytest.raises(BadInput, match="cannot be read as tensors|other numbers"):
        read_archive(rewritten(bare, data_pkl=larger))


def test_the_other_byte_order_is_refused(bare):
    with pytest.raises(BadInput, match="byte order"):
        read_archive(rewritten(bare, byteorder=b"big"))


def test_torch_reads_the_checked_bytes_and_no_others(bare, monkeypatch):
    """The archive given to torch is written anew, so two directories in one file gain nothing."""
    given = []
    load = torch.load
    monkeypatch.setattr(torch, "load", lambda file, **how: given.append(file) or load(file, **how))
    read_archive(bare)
    assert isinstance(given[0], io.BytesIO)
    with zipfile.ZipFile(given[0]) as archive:
        assert archive.read("archive/data.pkl") == program_of(bare)
