"""The hub over a network: quick, clear failure out of reach, and a fetch where it answers."""

import hashlib
import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hub_cases import SOURCE, allow_network, put_in_cache
from huggingface_hub import constants

from mvp_skill import hub
from mvp_skill.errors import BadInput
from mvp_skill.hub import hub_unreachable


@pytest.fixture
def online(monkeypatch):
    allow_network(monkeypatch)


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


# --- out of reach ------------------------------------------------------------------------------


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
