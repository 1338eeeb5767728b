"""The same attack again: seeds, a run that was killed, and logs of this attack or another."""

import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from attack_cases import MIXED, BagOfWords, CountingEncoder, examples, run, without_seconds

from mvp_skill.attack_log import AttackLog
from mvp_skill.attack_recipes import NEEDS, RECIPES
from mvp_skill.errors import BadInput
from mvp_skill.tasks import Task
from mvp_skill.textattack_import import textattack


@pytest.mark.parametrize("concurrency", [1, 3])
def test_each_example_has_its_own_seed_and_global_generators_are_given_back(
    monkeypatch, concurrency
):
    draws = {}

    def drawing(victim, task, resources, **options):
        made = RECIPES["textbugger_stock"](victim, task, resources, **options)

        class Drawing(textattack().transformations.WordSwap):
            def _get_replacement_words(self, word):
                draws.setdefault(word, []).append((random.random(), np.random.rand()))
                return [word + "x"]

        made.transformation = Drawing()
        return made

    monkeypatch.setitem(RECIPES, "drawing", drawing)
    monkeypatch.setitem(NEEDS, "drawing", ())
    rows = examples(("film good", 0), ("plot bad", 0), ("cast poor", 0))
    victim = BagOfWords({"zebra": 1.0})  # never changes its mind, so every word is tried
    options = {"recipe": "drawing", "concurrency": concurrency}
    random.seed(5)
    np.random.seed(5)
    before = random.getstate(), np.random.get_state()[1].tolist()
    run(victim, rows, **options)
    run(victim, rows[::-1], **options)
    run(victim, rows, seed=1, **options)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    assert len(draws) == 6 and all(len(drawn) == 3 for drawn in draws.values())
    assert all(first == second for first, second, _ in draws.values())
    for part in (0, 1):  # Python's and NumPy's: another number per word, example and seed
        assert len({d[part] for first, _, third in draws.values() for d in (first, third)}) == 12


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from attack_cases import BagOfWords, MIXED, run

class Dying(BagOfWords):
    def __call__(self, texts):
        if any(text.startswith("poor") for text in texts):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(texts)

run(Dying(), MIXED, log_path={path!r}, victim_key="v", concurrency={concurrency})
"""


@pytest.mark.parametrize(("concurrency", "ended"), [(1, [0, 1, 2, 3]), (3, [0, 2])])
def test_killed_in_another_process_and_resumed_here_gives_the_same_log(
    tmp_path, concurrency, ended
):
    path = tmp_path / "log.jsonl"
    tests = str(Path(__file__).parent)
    code = KILLED.format(tests=tests, path=str(path), concurrency=concurrency)
    root = str(Path(__file__).parent.parent)
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    killed = AttackLog.read(path)
    assert [record["index"] for record in killed.records] == ended  # the fifth example killed it

    with path.open("a") as file:
        file.write('{"index": 4, "label": 0, "cle')  # killed while writing
    resumed = run(BagOfWords(), MIXED, log_path=path, victim_key="v")
    whole = run(BagOfWords(), MIXED, log_path=tmp_path / "whole.jsonl", victim_key="v")
    assert [resumed.records[i] for i in ended] == killed.records  # taken over, seconds and all
    assert without_seconds(resumed.records) == without_seconds(whole.records)
    assert resumed.parameters == whole.parameters
    assert AttackLog.read(path).records == resumed.records


@pytest.mark.parametrize("concurrency", [1, 2, 64])
def test_an_interruption_loses_nothing_that_has_ended(tmp_path, concurrency):
    class Interrupted(BagOfWords):
        def __init__(self, most):
            super().__init__()
            self.most = most

        def __call__(self, texts):
            if len(self.asked) > self.most:
                raise KeyboardInterrupt
            return super().__call__(texts)

    path, rows = tmp_path / "log.jsonl", MIXED * 2
    found, interrupted_at = set(), []
    for n_texts in (20, 30, 60, 1000):
        try:
            victim = Interrupted(n_texts)
            log = run(victim, rows, log_path=path, victim_key="v", concurrency=concurrency)
        except KeyboardInterrupt:
            log = AttackLog.read(path)
            interrupted_at.append(len(log))
        assert found <= {record["index"] for record in log.records}
        found = {record["index"] for record in log.records}
    assert without_seconds(log.records) == without_seconds(run(BagOfWords(), rows).records)
    assert 0 < interrupted_at[0] < len(rows) == len(log)


def test_a_finished_log_is_not_attacked_again(tmp_path):
    options = {"log_path": tmp_path / "log.jsonl", "victim_key": "v"}
    first = run(BagOfWords(), MIXED, **options)
    victim = BagOfWords()
    assert run(victim, MIXED, **options).records == first.records
    assert len(victim.asked) == 2 * 2  # the check of the victim only


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"victim_key": "w"}, "victim: v there, w here"),
        ({"seed": 1}, "seed: 0 there, 1 here"),
        ({"recipe": "textbugger"}, "recipe: textfooler there, textbugger here"),
        ({"query_budget": 9}, "query_budget: None there, 9 here"),
        ({"rows": MIXED[:3]}, "examples: 7, sha256"),
        ({"encoder": CountingEncoder(fingerprint="other")}, "resources"),
        (
            {"task": Task("reviews", ("negative", "positive"), max_perturbed_fraction=0.2)},
            "0.3 there",
        ),
    ],
)
def test_a_log_of_another_attack_is_refused(tmp_path, options, named):
    base = {"log_path": tmp_path / "log.jsonl", "victim_key": "v", "rows": MIXED}
    run(BagOfWords(), **base)
    before = base["log_path"].read_bytes()
    with pytest.raises(BadInput, match="belongs to another attack") as caught:
        run(BagOfWords(), **{**base, **options})
    assert named in str(caught.value)
    assert base["log_path"].read_bytes() == before


def test_the_log_names_what_the_attack_was_made_of(tmp_path):
    run(BagOfWords(), MIXED, log_path=tmp_path / "log.jsonl", victim_key="v")
    header = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])["parameters"]
    assert header["recipe"] == "textfooler" and header["max_perturbed_fraction"] == 0.3
    assert set(header["resources"]) == {"neighbours", "tagger", "encoder"}
    assert {"textattack", "torch", "transformers", "mvp_skill"} <= set(header["versions"])
    assert "stop_words" not in header  # TextFooler's list is fixed

    options = {"recipe": "misspelling", "recipe_options": {"max_words": 2}}
    log = run(BagOfWords(), MIXED[:1], **options)
    assert log.parameters["max_words"] == 2 and log.parameters["resources"] == {}
    assert re.fullmatch(r"\d+ words, sha256 [0-9a-f]{16}", log.parameters["stop_words"])
