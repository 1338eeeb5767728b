"""The resources of each attack: made, replaced, checked before anything is loaded."""

import os
import subprocess
import sys
import types
from dataclasses import replace

import pytest
from attack_cases import (
    ONE,
    TAGS,
    BagOfWords,
    CountingEncoder,
    PlannedMaskedLM,
    fake_hub,
    neighbours,
    random_table,
)

from mvp_skill.attack_recipes import NEEDS, RECIPES, recipe_named
from mvp_skill.attack_resources import Resources, check_resources, resources_for
from mvp_skill.errors import BadInput
from mvp_skill.preflight import check_parameters
from mvp_skill.sentence_encoders import BackboneEncoder
from mvp_skill.taggers import LexiconTagger


def fake_mini(monkeypatch, folder):
    """The three parts of the mini world that the attack takes, in place of the real ones."""
    table = neighbours()
    parts = {
        "mvp_skill.mini.vectors": {"load": lambda: (table.words, table.vectors)},
        "mvp_skill.mini.lexicon": {"load": lambda: types.SimpleNamespace(tags=lambda: TAGS)},
        "mvp_skill.backbones": {"backbone_folder": lambda name: folder},
    }
    for name, content in parts.items():
        module = types.ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
        package, _, attribute = name.rpartition(".")
        if package in sys.modules:
            monkeypatch.setattr(sys.modules[package], attribute, module, raising=False)


def test_mini_resources(monkeypatch, tiny_backbone):
    import mvp_skill.mini.encoder  # noqa: F401

    fake_mini(monkeypatch, tiny_backbone)
    found = resources_for("mini", device="cpu")
    assert found.neighbours.words == neighbours().words and found.neighbours.k == 22
    assert isinstance(found.tagger, LexiconTagger) and isinstance(found.encoder, BackboneEncoder)
    assert set(found.fingerprints()) == {"neighbours", "tagger", "encoder"}


def test_resources_are_replaced_one_by_one(monkeypatch, tiny_backbone, tmp_path):
    path = random_table().save(tmp_path / "table.safetensors")
    fake_mini(monkeypatch, tiny_backbone)
    loaded = []
    fake_hub(monkeypatch, loaded.append)
    found = resources_for("paper", neighbours=path, tagger="mini")
    assert found.neighbours.words[0] == "word0" and isinstance(found.tagger, LexiconTagger)
    resources_for("mini", encoder="use:/models/use")
    assert loaded == ["https://tfhub.dev/google/universal-sentence-encoder/3", "/models/use"]
    found = resources_for("small", neighbours="mini", tagger="mini", encoder=tiny_backbone)
    assert found.encoder.folder == tiny_backbone


def test_unknown_tagger(monkeypatch, tiny_backbone):
    fake_mini(monkeypatch, tiny_backbone)
    with pytest.raises(BadInput, match="Unknown tagger 'flair'; the taggers are 'mini'"):
        resources_for("mini", tagger="flair")


@pytest.mark.parametrize("name", list(RECIPES))
def test_an_attack_gets_what_it_needs_and_nothing_else(monkeypatch, name):
    monkeypatch.setattr("mvp_skill.attack_resources._neighbours", lambda source: neighbours())
    monkeypatch.setattr("mvp_skill.attack_resources._tagger", lambda source: LexiconTagger(TAGS))
    monkeypatch.setattr("mvp_skill.attack_resources._encoder", lambda *_: CountingEncoder())
    monkeypatch.setattr("mvp_skill.attack_resources._masked_lm", lambda *_: PlannedMaskedLM())
    found = resources_for("mini", name)
    assert tuple(found.fingerprints()) == tuple(
        field for field in ("neighbours", "tagger", "encoder", "masked_lm") if field in NEEDS[name]
    )
    assert found.fingerprints(()) == {}
    recipe_named(name)(BagOfWords(), ONE, found)
    for missing in NEEDS[name]:
        with pytest.raises(BadInput, match=f"needs the resource {missing}, which was not made"):
            recipe_named(name)(BagOfWords(), ONE, replace(found, **{missing: None}))


def test_the_masked_lm_is_the_backbone_of_the_scale_or_the_one_given(monkeypatch):
    asked = []
    monkeypatch.setattr("mvp_skill.attack_resources._encoder", lambda *_: CountingEncoder())
    monkeypatch.setattr("mvp_skill.attack_resources._masked_lm", lambda *a: asked.append(a))
    resources_for("mini", "bert_attack", device="cpu")
    resources_for("paper", "bert_attack", masked_lm="models/bert")
    assert asked == [("mini-roberta", "cpu"), ("models/bert", None)]


@pytest.mark.parametrize(
    ("scale", "recipe", "given", "said"),
    [
        ("small", "textfooler", {}, "Real text needs word vectors"),
        ("mini", "textfooler", {"neighbours": "nothing.txt"}, "no file of word vectors at nothing"),
        ("mini", "textfooler", {"tagger": "flair"}, "Unknown tagger 'flair'"),
        ("mini", "textfooler", {"encoder": "nothing"}, "no sentence encoder in nothing"),
        ("mini", "textfooler", {"encoder": "use:nothing"}, "needs TensorFlow"),
        ("small", "textbugger", {"encoder": "mini"}, "Real text needs word vectors"),
        ("small", "textbugger_stock", {"neighbours": "mini"}, "needs TensorFlow"),
        ("mini", "bert_attack", {"masked_lm": "./nothing"}, "Unknown backbone './nothing'"),
        ("small", "bert_attack", {"masked_lm": "mini-roberta"}, "needs TensorFlow"),
        ("mini", "bert_attack", {"masked_lm": "mini-t5"}, "'t5' is no masked language model"),
        ("mini", "textbuger", {}, "Unknown attack 'textbuger'"),
    ],
)
def test_missing_resources_are_found_without_loading_any(monkeypatch, scale, recipe, given, said):
    monkeypatch.setitem(sys.modules, "tensorflow_hub", None)
    monkeypatch.setattr("mvp_skill.attack_resources.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=said):
        check_resources(scale, recipe, **given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"ATTACK": "textfoler"}, "Unknown attack 'textfoler'; the attacks are textfooler"),
        ({"ATTACK": "textfooler", "QUERY_BUDGET": 0}, "query_budget must be at least 1"),
        ({"ATTACK": "textfooler", "ENCODER": "nothing"}, "no sentence encoder in nothing"),
        ({"ATTACK": "textfooler", "SCALE": "small"}, "Real text needs word vectors"),
        ({"ATTACK": "bert_attack", "BACKBONE": "mini-t5"}, "no masked language model; give MASKED"),
    ],
)
def test_an_attack_is_checked_before_anything_starts(given, said):
    check_parameters({"SCALE": "mini", "ATTACK": "textfooler"})
    with pytest.raises(BadInput, match=said):
        check_parameters(given)


def test_the_masked_lm_of_a_run_is_its_backbone_unless_another_is_given():
    given = {"SCALE": "small", "ENCODER": "mini", "ATTACK": "bert_attack"}
    check_parameters({**given, "BACKBONE": "mini-roberta"})
    check_parameters({**given, "MASKED_LM": "mini-roberta"})


def test_misspelling_needs_no_resource_on_real_text(monkeypatch):
    monkeypatch.setattr("mvp_skill.attack_resources.find_spec", lambda name: None)
    check_parameters({"SCALE": "paper", "ATTACK": "misspelling"})
    assert resources_for("paper", "misspelling") == Resources()


def test_resources_that_are_there_pass(tiny_backbone, tmp_path):
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("a 1 0\nb 0 1\n")
    for name in RECIPES:
        check_resources("mini", name)
    check_resources("small", neighbours=vectors, tagger="mini", encoder=tiny_backbone)


def test_pitfall_20_an_attack_imports_no_library_it_has_no_need_of(tmp_path, repository):
    """Not even where they are installed: stand-ins that would be found are not looked at."""
    unwanted = ("tensorflow", "tensorflow_hub", "torch_scatter")
    for name in unwanted:
        (tmp_path / f"{name}.py").write_text("")
    code = (
        "import sys; from mvp_skill.attack_resources import resources_for;"
        "from mvp_skill.attack_recipes import textfooler; from mvp_skill.tasks import task_named;"
        "textfooler(None, task_named('mini_films'), resources_for('mini'));"
        f"sys.exit(', '.join({{*{unwanted}}} & set(sys.modules)) or 0)"
    )
    path = os.pathsep.join([str(repository), str(tmp_path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_anything_with_the_right_parts_is_a_resource():
    found = Resources(neighbours(), LexiconTagger(TAGS), CountingEncoder())
    assert found.fingerprints()["encoder"] == "counting"
