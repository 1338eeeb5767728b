"""Patched runs of a study equal pairs one at a time."""

import numpy as np
import pytest
import torch
from prompt_study_cases import tiny_study

from mvp_skill import adversarial, patching_studies
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import Split
from mvp_skill.files import write_atomically
from mvp_skill.mini.adversarial_sets import write_set
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.patched_pairs import each_patched_logits, patched_logits
from mvp_skill.patching_studies import Patched, PatchingStudy, originals, other_examples, sets_of
from mvp_skill.prediction import predict_records
from mvp_skill.right_tables import as_text
from mvp_skill.skill_neurons import skill_neurons
from mvp_skill.suppression import patching

DATA = "mini_adv_films"


@pytest.fixture(scope="module")
def neurons(tiny_backbone, tiny_t5, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patched")
    words = ("great", "awful", "fine", "boring", "good", "bad", "dull")
    records = [
        {
            "texts": [f" the film was {word[::-1]} in part {number} ."],
            "label": number % 2,
            "original_texts": [f"the film was {word} in part {number} . "],
        }
        for number, word in enumerate(words)
    ]
    write_set(folder, DATA, "mini_films", records, {"made": "by hand"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial, "MINI_FOLDER", folder)
        yield NeuronStudy(tiny_study(folder, tiny_backbone, tiny_t5, TASKS="mini_films"))


def test_originals_are_those_of_the_texts_in_any_order(neurons):
    texts = neurons.prompts.data(DATA)["test"]["texts"][:]
    found = originals(DATA, texts[::-1])
    assert [pair[0].split()[3] for pair in found] == [
        text[0].split()[3][::-1] for text in texts[::-1]
    ]
    assert originals("adv_sst2", texts) is None, "AdvGLUE's file does not say"
    assert originals("mini_films", texts) is None


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_rows_equal_one_pair_at_a_time(neurons, kind):
    study = PatchingStudy(neurons, (10, 40), n_draws=2)
    rows = study.rows([Patched(kind, "mini_films", 1, DATA)])
    assert list(rows["which"]) == ["none", "clean", *["skill", "random", "random"] * 2, "all"]
    model = neurons.prompts.prompted(kind, "mini_films", 1)
    split, clean = study.pairs(model, DATA)
    skill = skill_neurons(neurons.predictivity(kind, "mini_films"), 0.4)
    expected = {
        ("none", 0): [predict_records(model, [r]) for r in split.records],
        ("clean", 0): [predict_records(model, [r]) for r in clean.records],
        ("skill", 40): [
            patched_logits(model, [r], [c], skill)
            for r, c in zip(split.records, clean.records, strict=True)
        ],
    }
    for (which, rate), logits in expected.items():
        right = torch.cat(logits).argmax(dim=1) == split.labels
        found = rows[(rows["which"] == which) & (rows["rate"] == rate)]["right"]
        assert list(found) == [as_text(right)], which


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_b6_no_pair_is_made_from_a_text_that_ranked_neurons(neurons, kind, monkeypatch):
    model = neurons.prompts.prompted(kind, "mini_films", 0)
    all_pairs = PatchingStudy(neurons, (10,)).pairs(model, DATA)
    clean = all_pairs[1].records
    halves = {part: neurons.part(model, "mini_films", part) for part in ("ranking", "measuring")}
    planted = {"ranking": [clean[4], clean[0]], "measuring": [clean[2]]}

    def part(prompted, data, name="measuring"):
        found = halves.get(name) if data == "mini_films" else None
        if found is None:
            return NeuronStudy.part(neurons, prompted, data, name)
        return Split([*found.records, *planted[name]], found.labels)

    monkeypatch.setattr(neurons, "part", part)
    split, kept = PatchingStudy(neurons, (10,)).pairs(model, DATA)
    expected = [1, 2, 3, 5, 6]  # 0 and 4 were planted in the ranking half
    for found, whole in zip((split, kept), all_pairs, strict=True):
        assert [r.ids.tolist() for r in found.records] == [
            whole.records[place].ids.tolist() for place in expected
        ]
        assert found.labels.tolist() == whole.labels[expected].tolist()
    planted["ranking"] = clean
    with pytest.raises(BadInput, match="All of mini_adv_films was made from texts that rank"):
        PatchingStudy(neurons, (10,)).pairs(model, DATA)


def test_several_selections_at_once_equal_one_at_a_time(neurons):
    model = neurons.prompts.prompted("t5", "mini_films", 0)
    split, clean = PatchingStudy(neurons, (10,)).pairs(model, DATA)
    shape = neurons.predictivity("t5", "mini_films").shape
    chosen = [torch.rand(shape, generator=torch.Generator().manual_seed(s)) < 0.4 for s in (0, 1)]
    both = each_patched_logits(model, split.records, clean.records, chosen)
    assert both.shape == (2, 7, 2) and not torch.equal(both[0], both[1])
    for one, neurons_ in zip(both, chosen, strict=True):
        assert torch.equal(one, patched_logits(model, split.records, clean.records, neurons_))


def test_the_mean_is_one_state_for_all_texts(neurons):
    study = PatchingStudy(neurons, (40,), n_draws=0)
    rows = study.rows([Patched("roberta", "mini_films", 0, DATA, "mean")])
    model = neurons.prompts.prompted("roberta", "mini_films", 0)
    split, _ = study.pairs(model, DATA)
    skill = skill_neurons(neurons.predictivity("roberta", "mini_films"), 0.4)
    with patching(model, skill, neurons.thresholds("roberta", "mini_films", 0).mean):
        right = predict_records(model, split.records).argmax(dim=1) == split.labels
    assert list(rows[rows["which"] == "skill"]["right"]) == [as_text(right)]


def test_runs_are_made_once_and_plain_ones_not_for_other_examples(neurons, monkeypatch):
    cells = [Patched("t5", "mini_films", 0, DATA, d) for d in ("same class", "other class")]
    first = PatchingStudy(neurons, (10,), n_draws=1).rows(cells)
    assert list(first["which"]) == ["skill", "random", "all"] * 2
    monkeypatch.setattr(patching_studies, "each_patched_logits", None)
    assert PatchingStudy(neurons, (10,), n_draws=1).rows(cells).equals(first)
    with pytest.raises(TypeError):
        PatchingStudy(neurons, (20,), n_draws=1).rows(cells)


@pytest.mark.parametrize("same_class", [True, False])
def test_other_examples_are_never_the_same_one(same_class):
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0, 0, 1])
    for seed in range(5):
        found = other_examples(labels, same_class, seed)
        assert (found != np.arange(9)).all()
        assert ((labels[found] == labels) == same_class).all()
        if same_class:
            assert sorted(found) == list(range(9)), "each lends once"
    with pytest.raises(BadInput, match="Class"):
        other_examples(torch.tensor([0, 0, 1] if same_class else [1, 1]), same_class, 0)


def test_a_set_without_originals_needs_another_donor(neurons, monkeypatch):
    monkeypatch.setattr(patching_studies, "originals", lambda *_: None)
    study = PatchingStudy(neurons, (10,), n_draws=1)
    with pytest.raises(BadInput, match="donor 'mean'"):
        study.rows([Patched("t5", "mini_films", 1, DATA)])
    rows = study.rows([Patched("t5", "mini_films", 1, DATA, "mean")])
    assert list(rows["which"]) == ["none", "skill", "random", "all"]
    with pytest.raises(BadInput, match="donor"):
        study.rows([Patched("t5", "mini_films", 1, DATA, "another")])


def test_a_changed_set_is_another_file(neurons):
    study, cell = PatchingStudy(neurons, (10,)), Patched("t5", "mini_films", 0, DATA)
    before, path = study._path(cell), adversarial.MINI_FOLDER / f"{DATA}.jsonl"
    content = path.read_text(encoding="utf-8")
    try:
        write_atomically(path, content.replace("was great", "is great"))
        assert PatchingStudy(neurons, (10,))._path(cell) != before
    finally:
        write_atomically(path, content)


def test_sets_of_tasks():
    found = sets_of(["mini_acts", "mini_films", "sst2"])
    assert found == {"mini_films": "mini_adv_films", "sst2": "adv_sst2"}
    with pytest.raises(BadInput, match="mini_duplicates"):
        sets_of(["mini_acts"])
