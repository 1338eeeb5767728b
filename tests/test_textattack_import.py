"""Each case imports TextAttack in a fresh process: an import happens once per process."""

import json
import os
import subprocess
import sys
import zipfile
from types import ModuleType, SimpleNamespace

import pytest

from mvp_skill import textattack_import

# Reports, as one line of JSON, what the import did to the process and what it tried on the network.
IMPORT = """
import json, logging, os, sys

network = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo"):
        network.append(repr(args[:2]))
sys.addaudithook(watch)

loggers = [logging.getLogger("switched.on"), logging.getLogger("switched.off")]
if "EARLIER" in os.environ:
    __import__(os.environ["EARLIER"])
loggers[1].disabled = True
before = dict(os.environ)

from mvp_skill.textattack_import import VARIABLES, textattack
heavy = ("nltk", "textattack", "torch", "transformers")
loaded_early = [name for name in heavy if name in sys.modules]
ta = textattack()

import huggingface_hub.constants, matplotlib
print(json.dumps({
    "loaded_early": loaded_early,
    "network": network,
    "changed": [name for name in VARIABLES if os.environ.get(name) != before.get(name)],
    "nltk_data": os.environ.get("NLTK_DATA"),
    "loggers_disabled": [logger.disabled for logger in loggers],
    "cache": ta.shared.utils.path_in_cache.__globals__["TEXTATTACK_CACHE_DIR"],
    "public_cache": ta.shared.utils.TEXTATTACK_CACHE_DIR,
    "hub_home": huggingface_hub.constants.HF_HOME,
    "matplotlib_cache": matplotlib.get_cachedir(),
    "stop_words": sorted(ta.constraints.pre_transformation.StopwordModification().stopwords),
    "again": textattack() is ta and ta is sys.modules["textattack"],
}))
"""

STOP_WORDS = """
import json, nltk
from mvp_skill.textattack_import import _provide_stop_words
_provide_stop_words()
_provide_stop_words()
print(json.dumps({"words": nltk.corpus.stopwords.words("english"), "path": nltk.data.path}))
"""


def run_python(code, repository, tmp_path, **variables):
    """Run `code` in a process with an empty home and only `variables` set: its JSON, its stderr."""
    folders = {name: tmp_path / name for name in ("home", "tmp", "matplotlib")}
    for folder in folders.values():
        folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(repository),
        "OMP_NUM_THREADS": "1",
        "HOME": str(folders["home"]),
        "USERPROFILE": str(folders["home"]),
        "TMPDIR": str(folders["tmp"]),
        "MPLCONFIGDIR": str(folders["matplotlib"]),
        **{name: str(value) for name, value in variables.items()},
    }
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return SimpleNamespace(**json.loads(run.stdout), stderr=run.stderr)


def our_stop_words():
    file = textattack_import.NLTK_DATA / "corpora" / "stopwords" / "english"
    return file.read_text(encoding="utf-8").split()


@pytest.fixture
def user_nltk_data(tmp_path):
    """A user's NLTK folder whose stop words are zipped: NLTK looks for unpacked ones first."""
    folder = tmp_path / "user_nltk"
    (folder / "corpora").mkdir(parents=True)
    with zipfile.ZipFile(folder / "corpora" / "stopwords.zip", "w") as archive:
        archive.writestr("stopwords/", "")
        archive.writestr("stopwords/english", "aword\nbword\n")
    return folder


@pytest.mark.slow
def test_on_a_new_machine_without_network(repository, tmp_path):
    result = run_python(IMPORT, repository, tmp_path)
    home = tmp_path / "home"
    assert result.loaded_early == []
    assert result.network == []
    assert result.changed == []
    assert result.loggers_disabled == [False, True]
    assert result.cache == result.public_cache == str(home / ".cache" / "textattack")
    assert result.hub_home == str(home / ".cache" / "huggingface")
    assert result.stop_words == sorted(our_stop_words())
    assert result.again
    assert "textattack:" not in result.stderr and "nltk_data" not in result.stderr
    assert list(home.iterdir()) == []
    # torch makes a folder of its own there; TextAttack's cache folder of the import is gone.
    assert [x for x in (tmp_path / "tmp").iterdir() if "torch" not in x.name] == []


@pytest.mark.slow
def test_the_users_settings_are_honoured(repository, tmp_path, user_nltk_data):
    result = run_python(
        IMPORT,
        repository,
        tmp_path,
        NLTK_DATA=user_nltk_data,
        TA_CACHE_DIR=tmp_path / "user_textattack",
        HF_HOME=tmp_path / "user_hub",
        XDG_CACHE_HOME=tmp_path / "user_cache",
        TOKENIZERS_PARALLELISM="false",
        EARLIER="flair",
    )
    assert result.loggers_disabled == [False, True]
    assert result.stop_words == ["aword", "bword"]
    assert result.nltk_data == str(user_nltk_data)
    assert result.cache == result.public_cache == str(tmp_path / "user_textattack")
    assert result.hub_home == str(tmp_path / "user_hub")
    assert result.matplotlib_cache == str(tmp_path / "matplotlib")
    assert result.changed == []
    assert result.network == []
    assert not (tmp_path / "user_textattack").exists(), "a mark there would stop wanted downloads"
    assert list((tmp_path / "home").iterdir()) == []


def test_ours_serve_where_the_users_folder_has_no_stop_words(repository, tmp_path):
    user = tmp_path / "user_nltk"
    user.mkdir()
    result = run_python(STOP_WORDS, repository, tmp_path, NLTK_DATA=user)
    assert result.words == our_stop_words()
    assert result.path[0] == str(user)
    assert result.path.count(str(textattack_import.NLTK_DATA)) == 1


def test_the_users_zipped_stop_words_come_before_ours(repository, tmp_path, user_nltk_data):
    result = run_python(STOP_WORDS, repository, tmp_path, NLTK_DATA=user_nltk_data)
    assert result.words == ["aword", "bword"]
    assert str(textattack_import.NLTK_DATA) not in result.path


def test_our_stop_words_are_function_words_in_order_and_once():
    words = our_stop_words()
    assert words == sorted(set(words))
    assert {"the", "and", "not", "don't", "themselves", "with"} <= set(words)
    assert not {"film", "good", "bad", "great", "yes", "no one"} & set(words)


def test_variables_are_kept_also_after_an_error(monkeypatch):
    monkeypatch.setenv("HF_HOME", "mine")
    monkeypatch.delenv("WANDB_SILENT", raising=False)
    with pytest.raises(RuntimeError), textattack_import._environment_kept():
        os.environ["HF_HOME"] = "theirs"
        os.environ["WANDB_SILENT"] = "1"
        raise RuntimeError
    assert os.environ["HF_HOME"] == "mine"
    assert "WANDB_SILENT" not in os.environ


def test_the_class_that_transformers_5_dropped_is_there_only_while_flair_is_imported(monkeypatch):
    five = ModuleType("transformers")
    monkeypatch.setitem(sys.modules, "transformers", five)
    with textattack_import._flair_imports():
        assert isinstance(five.LayoutLMv2FeatureExtractor, type)
    assert not hasattr(five, "LayoutLMv2FeatureExtractor")


def test_a_class_that_transformers_has_is_left_alone(monkeypatch):
    four = ModuleType("transformers")
    four.LayoutLMv2FeatureExtractor = original = type("LayoutLMv2FeatureExtractor", (), {})
    monkeypatch.setitem(sys.modules, "transformers", four)
    with textattack_import._flair_imports():
        assert four.LayoutLMv2FeatureExtractor is original
    assert four.LayoutLMv2FeatureExtractor is original


@pytest.mark.parametrize(
    "text",
    [
        "",
        "don't",
        "a  b",
        "'quoted'",
        "x" * 200,
        "well-known, e.g. this",
        "ＡＢＣ",
        "電影好",
        "-_-",
    ],
)
def test_remembered_words_are_those_that_textattack_finds(text):
    shared = textattack_import.textattack().shared
    wanted = shared.utils.words_from_text(text)
    for _ in range(2):  # found, and remembered
        found = shared.attacked_text.words_from_text(text)
        assert found == wanted
        found.append("changed by the caller")
    ignored = shared.attacked_text.words_from_text(text, ["don't"])
    assert ignored == shared.utils.words_from_text(text, ["don't"])
