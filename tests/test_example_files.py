"""Examples of the mini world on disk: those that would be generated, and never older ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mvp_skill import example_files
from mvp_skill.errors import BadInput
from mvp_skill.example_files import GENERATOR, cache_folder, examples_of, source_digest
from mvp_skill.mini import tasks

SIZES = {"n_train": 7, "n_validation": 3, "n_test": 5}


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MVP_SKILL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def generated(monkeypatch) -> list[tuple]:
    """What the generator was asked for."""
    calls, generate = [], tasks.generate

    def noted(task, **options):
        calls.append((task, options))
        return generate(task, **options)

    monkeypatch.setattr(tasks, "generate", noted)
    return calls


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("task", tasks.WRITERS)
def test_what_is_read_is_what_is_generated(task, cache, generated):
    wanted = tasks.generate(task, **SIZES, seed=3)
    generated.clear()
    assert examples_of(task, 3, **SIZES) == wanted
    assert examples_of(task, 3, **SIZES) == wanted
    assert len(generated) == len(files_in(cache)) == 1


def test_other_tasks_sizes_and_seeds_have_files_of_their_own(cache, generated):
    asked = [("mini_acts", 0, SIZES), ("mini_news", 0, SIZES), ("mini_acts", 1, SIZES)]
    asked += [("mini_acts", 0, SIZES | {"n_test": 6}), ("mini_acts", 0, SIZES | {"n_train": 8})]
    first = [examples_of(task, seed, **sizes) for task, seed, sizes in asked]
    assert [examples_of(task, seed, **sizes) for task, seed, sizes in asked] == first
    assert len(generated) == len(files_in(cache)) == len(asked)


@pytest.mark.parametrize("name", ["lexicon.txt", "patterns.yaml", "facts.py"])
def test_the_digest_changes_with_the_generator(name, tmp_path):
    copy = tmp_path / "mini"
    copy.mkdir()
    for path in GENERATOR.iterdir():
        if path.is_file():
            shutil.copy(path, copy)
    assert source_digest(copy) == source_digest()
    with (copy / name).open("a") as file:
        file.write("\n")
    assert source_digest(copy) != source_digest()


def test_a_changed_generator_reads_nothing_old(cache, generated, monkeypatch):
    examples_of("mini_acts", 0, **SIZES)
    monkeypatch.setattr(example_files, "RUNNING", "another")
    examples_of("mini_acts", 0, **SIZES)
    assert len(generated) == 2
    # The files on disk are no longer those that this process runs, so nothing is kept.
    assert len(files_in(cache)) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: b"",
        lambda content: content.replace(b"the", b"teh", 1),
        lambda content: b"\x80\x04N.",
    ],
)
def test_a_damaged_file_is_made_again(damage, cache, generated):
    wanted = examples_of("mini_films", 0, **SIZES)
    (file,) = files_in(cache)
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert file.read_bytes() != whole
    assert examples_of("mini_films", 0, **SIZES) == wanted
    assert file.read_bytes() == whole
    assert len(generated) == 2


def test_processes_at_once_leave_one_whole_file(cache, repository):
    code = "from mvp_skill.example_files import examples_of\nfor seed in range(8): "
    code += "print(examples_of('mini_films', seed, n_train=200, n_validation=20, n_test=20))"
    environment = os.environ | {"PYTHONPATH": str(repository)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert said[0] and said[0] == said[1] == said[2]
    assert [path.suffix for path in files_in(cache)] == [".jsonl"] * 8


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MVP_SKILL_CACHE", str(tmp_path / "file"))
    assert examples_of("mini_acts", 0, **SIZES) == tasks.generate("mini_acts", **SIZES)
    assert (tmp_path / "file").read_text() == "in the way"


def test_it_can_be_switched_off(monkeypatch, generated, tmp_path):
    monkeypatch.setenv("MVP_SKILL_CACHE", "off")
    monkeypatch.chdir(tmp_path)
    examples_of("mini_acts", 0, **SIZES)
    examples_of("mini_acts", 0, **SIZES)
    assert len(generated) == 2 and files_in(tmp_path) == []


def test_examples_lie_in_the_users_cache(tmp_path, monkeypatch):
    assert cache_folder() == Path(os.environ["MVP_SKILL_CACHE"])  # the tests have their own
    monkeypatch.delenv("MVP_SKILL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mvp_skill" / "examples"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "mvp_skill" / "examples"


def test_nothing_is_kept_of_a_refused_call(cache):
    with pytest.raises(BadInput, match="Unknown mini task 'mini_films2'"):
        examples_of("mini_films2", 0, **SIZES)
    assert files_in(cache) == []
