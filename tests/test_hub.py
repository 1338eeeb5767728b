"""The hub: pinned files from the cache, and quick, clear failure without a network."""

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import constants

from mvp_skill import hub
from mvp_skill.errors import BadInput
from mvp_skill.hub import HubSource, hub_name, hub_rows, hub_unreachable
from mvp_skill.splits import drawn

SOURCE = HubSource(
    "someone/questions",
    "0123456789abcdef0123456789abcdef01234567",
    {"train": ("data/train.parquet",), "held_out": ("data/validation.parquet",)},
    ("passage", "question"),
    "answer",
    {"train": (2, 1), "held_out": (1, 1)},
)


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
    """Not told to be offline: the hub is probed, at an address of the test's choice."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


def put_in_cache(cache, file, answers, columns=("question", "passage", "answer")):
    folder = cache / "datasets--someone--questions" / "snapshots" / SOURCE.revision
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    numbers = range(len(answers))
    values = ([f"Q{i}" for i in numbers], [f"P{i}" for i in numbers], list(answers))
    pyarrow.parquet.write_table(pyarrow.table(dict(zip(columns, values, strict=True))), path)
    return path


@pytest.fixture
def cached(cache):
    """The two files of SOURCE, as the hub's library would have stored them."""
    put_in_cache(cache, "data/train.parquet", [True, False, False])
    put_in_cache(cache, "data/validation.parquet", [False, True])
    return cache


@contextmanager
def silent_server():
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def refusing_server():
    """Answers every request with 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_error(404)

        def log_message(self, *_):
            pass

    with running(Handler) as address:
        yield address


@contextmanager
def running(handler):
    """A server in a thread; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def unused_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


# --- cached files ------------------------------------------------------------------------------


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


# --- out of reach ------------------------------------------------------------------------------


def test_offline_variable_is_named(cache):
    with pytest.raises(BadInput, match="HF_HUB_OFFLINE is set.*give a folder"):
        hub_rows(SOURCE, "give a folder")


def test_a_hub_that_answers_anything_is_reachable(online, monkeypatch):
    with refusing_server() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        assert hub_unreachable() is None


def test_a_closed_port_is_unreachable_at_once(online, monkeypatch):
    address = unused_address()
    monkeypatch.setattr(constants, "ENDPOINT", address)
    start = time.perf_counter()
    assert address in hub_unreachable()
    assert time.perf_counter() - start < 1


def test_a_silent_server_is_given_up_on(online, monkeypatch):
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.3)
    with silent_server() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        start = time.perf_counter()
        assert address in hub_unreachable()
        assert time.perf_counter() - start < 1.5


def test_a_stuck_name_lookup_is_given_up_on(online, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(hub, "_probe", lambda endpoint: release.wait(20))
    start = time.perf_counter()
    assert "no answer from" in hub_unreachable()
    assert time.perf_counter() - start < 1.5
    release.set()


def test_an_unreachable_hub_stops_before_the_library_tries(online, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", unused_address())
    with pytest.raises(BadInput, match="^The thing is not cached, and the hub is out of reach"):
        hub._fetch("The thing", lambda: pytest.fail("a download was tried"), "do without")


def test_a_failed_download_is_one_sentence(online, monkeypatch):
    def download():
        raise OSError("disk full\ndetails")

    with refusing_server() as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        with pytest.raises(BadInput) as error:
            hub._fetch("The thing", download, "do without")
    sentence = "The thing could not be fetched from the hub (disk full); do without."
    assert str(error.value) == sentence


LOAD = """
import time
from mvp_skill.backbones import load_backbone
from mvp_skill.errors import BadInput
from mvp_skill.tasks import load_task
for load, name in ((load_task, "sst2"), (load_backbone, "someone/some-model")):
    start = time.perf_counter()
    try:
        load(name)
    except BadInput as error:
        print(round(time.perf_counter() - start, 1), error)
"""


@pytest.mark.slow
def test_without_a_network_in_under_five_seconds(tmp_path, repository, monkeypatch):
    """The whole call, in a fresh process, with a hub that never answers."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    with silent_server() as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        command = [sys.executable, "-c", LOAD]
        run = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    data, backbone = run.stdout.splitlines()
    for line, thing, remedy in (
        (data, "nyu-mll/glue", "train.tsv and dev.tsv as DATA_DIR"),
        (backbone, "someone/some-model", "folder as BACKBONE"),
    ):
        assert thing in line and remedy in line and address in line
        assert float(line.split()[0]) < 5


# --- a hub that works ----------------------------------------------------------------------------

FETCH = """
import sys
from mvp_skill.backbones import backbone_folder
from mvp_skill.hub import HubSource, hub_rows
source = HubSource("someone/questions", "0123456789abcdef0123456789abcdef01234567",
                   {"train": ("train.parquet",)}, ("passage",), "answer", {"train": (2, 1)})
print(hub_rows(source, "")["train"])
folder = backbone_folder("someone/tiny")
print(sorted(path.name for path in folder.iterdir()))
"""


def serving(files, api):
    """A handler that gives files and API answers as the hub does, with its headers."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.respond(with_body=False)

        def do_GET(self):
            self.respond(with_body=True)

        def respond(self, with_body):
            path = self.path.split("?")[0]
            name = path.rpartition("/")[2]
            body = api.get(path) or (files.get(name) if "/resolve/" in path else None)
            if path != "/" and body is None:
                return self.send_error(404)
            body = body or b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", SOURCE.revision)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


@pytest.mark.slow
def test_rows_and_backbones_are_fetched(tmp_path, tiny_backbone, repository, monkeypatch):
    """The library's own requests against a server that answers like the hub, then without it."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    rows = put_in_cache(tmp_path, "train.parquet", [True, False, False])
    files = {path.name: path.read_bytes() for path in tiny_backbone.iterdir()}
    listing = [{"rfilename": name} for name in (*files, "tf_model.h5")]
    about = {"id": "someone/tiny", "sha": SOURCE.revision, "siblings": listing}
    tree = [{"type": "file", "path": n, "size": len(b), "oid": "0" * 40} for n, b in files.items()]
    api = {
        "/api/models/someone/tiny/revision/main": json.dumps(about).encode(),
        f"/api/models/someone/tiny/tree/{SOURCE.revision}": json.dumps(tree).encode(),
    }
    command = [sys.executable, "-c", FETCH]
    options = {"cwd": repository, "capture_output": True, "text": True, "timeout": 120}
    with running(serving(files | {"train.parquet": rows.read_bytes()}, api)) as address:
        monkeypatch.setenv("HF_ENDPOINT", address)
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        fetched = subprocess.run(command, **options)
    assert fetched.returncode == 0, fetched.stderr
    expected = [{"texts": [f"P{i}"], "label": int(i == 0)} for i in range(3)]
    assert fetched.stdout.splitlines() == [str(expected), str(sorted(files))]
    cached = subprocess.run(command, **options)  # the server is gone
    assert cached.stdout == fetched.stdout, cached.stderr
