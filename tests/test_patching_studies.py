"""Patched runs of a study equal pairs one at a time."""

from itertools import combinations, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from prompt_study_cases import tiny_study, write_adversarial_films

from mvp_skill import adversarial, patching_studies
from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.patched_pairs import each_patched_logits, patched_logits
from mvp_skill.patching_studies import Patched, PatchingStudy, other_examples
from mvp_skill.prediction import predict_records
from mvp_skill.right_tables import as_text
from mvp_skill.skill_neurons import skill_neurons
from mvp_skill.suppression import patching

DATA = "mini_adv_films"


@pytest.fixture(scope="module")
def neurons(loud_backbone, loud_t5, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patched")
    write_adversarial_films(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial, "MINI_FOLDER", folder)
        yield NeuronStudy(tiny_study(folder, loud_backbone, loud_t5, TASKS="mini_films"))


@pytest.fixture
def runs(monkeypatch):
    """What the study hands over to be patched, cell by cell."""
    kept, given = [], patching_studies.each_patched_logits

    def keep(model, records, donors, selections):
        kept.append(SimpleNamespace(donors=donors, selections=selections))
        return given(model, records, donors, selections)

    monkeypatch.setattr(patching_studies, "each_patched_logits", keep)
    return kept


def right_of(logits, split):
    return as_text(logits.argmax(dim=1) == split.labels)


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
        found = rows[(rows["which"] == which) & (rows["rate"] == rate)]["right"]
        assert list(found) == [right_of(torch.cat(logits), split)], which
    assert rows["right"].nunique() > 3, "what is patched makes a difference"


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_donors_are_of_the_class_they_are_called_by(neurons, kind, runs):
    study = PatchingStudy(neurons, (10,), n_draws=0, seed=7)
    donors = "own original", "same class", "other class"
    cells = [Patched(kind, "mini_films", 0, DATA, donor) for donor in donors]
    rows = study.rows(cells)
    model = neurons.prompts.prompted(kind, "mini_films", 0)
    split, clean = study.pairs(model, DATA)
    numbers = {record.ids.tobytes(): number for number, record in enumerate(clean.records)}
    own, same, other = (
        np.array([numbers[record.ids.tobytes()] for record in run.donors]) for run in runs
    )
    assert (own == np.arange(13)).all() and not (same == own).any()
    assert torch.equal(split.labels[same], split.labels)
    assert torch.equal(split.labels[other], 1 - split.labels)
    assert (same == other_examples(split.labels, True, seed=7)).all()
    assert (other == other_examples(split.labels, False, seed=7)).all()
    assert (same != other_examples(split.labels, True, seed=0)).any()
    every = torch.ones_like(neurons.predictivity(kind, "mini_films"), dtype=torch.bool)
    logits = [patched_logits(model, split.records, run.donors, every) for run in runs]
    right = [right_of(found, split) for found in logits]
    assert list(rows[rows["which"] == "all"]["right"]) == right
    for a, b in combinations(logits, 2):
        assert not torch.allclose(a, b, atol=0.01), "whose activations they are matters"


@pytest.mark.parametrize("kind", ["roberta", "t5"])
def test_b6_neurons_are_ranked_on_the_ranking_half_of_clean_data(neurons, kind, runs):
    PatchingStudy(neurons, (20,), n_draws=0, seed=1).rows([Patched(kind, "mini_films", 0, DATA)])
    ranking, measuring, whole = (
        skill_neurons(neurons.predictivity(kind, "mini_films", part=part), 0.2)
        for part in ("ranking", "measuring", "all")
    )
    skill, every = runs[0].selections
    assert torch.equal(skill, ranking) and every.all()
    assert not torch.equal(ranking, measuring) and not torch.equal(ranking, whole)


def test_b15_every_soft_prompt_has_random_neurons_of_its_own(neurons, runs, monkeypatch):
    seeds, given = [], patching_studies.selections
    monkeypatch.setattr(patching_studies, "selections", lambda *a: seeds.append(a[-1]) or given(*a))
    cells = [Patched("t5", "mini_films", seed, DATA) for seed in (0, 1)]
    others = [Patched("roberta", "mini_films", 0, DATA)]
    PatchingStudy(neurons, (20,), n_draws=2, seed=3).rows([*cells, *others])
    PatchingStudy(neurons, (20,), n_draws=2, seed=4).rows(cells)
    assert len(seeds) == len(set(seeds)) == 5
    t5 = *runs[:2], *runs[-2:]
    draws = [one for run in t5 for one in run.selections[1:-1]]  # after skill, before all
    assert len(draws) == 8
    for a, b in combinations(draws, 2):
        assert not torch.equal(a, b)


def test_several_selections_at_once_equal_one_at_a_time(neurons):
    model = neurons.prompts.prompted("t5", "mini_films", 0)
    split, clean = PatchingStudy(neurons, (10,)).pairs(model, DATA)
    shape = neurons.predictivity("t5", "mini_films").shape
    chosen = [torch.rand(shape, generator=torch.Generator().manual_seed(s)) < 0.4 for s in (0, 1)]
    both = each_patched_logits(model, split.records, clean.records, chosen)
    assert both.shape == (2, 13, 2) and not torch.equal(both[0], both[1])
    for one, neurons_ in zip(both, chosen, strict=True):
        assert torch.equal(one, patched_logits(model, split.records, clean.records, neurons_))


@pytest.mark.parametrize("kind", ["roberta", "t5"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_mean_is_one_state_for_all_texts_and_of_that_seed(neurons, seed, kind, monkeypatch):
    read, given = [], patching_studies.predict_records
    monkeypatch.setattr(
        patching_studies, "predict_records", lambda *a: read.append(given(*a)) or read[-1]
    )
    study = PatchingStudy(neurons, (40,), n_draws=0)
    rows = study.rows([Patched(kind, "mini_films", seed, DATA, "mean")])
    skill = skill_neurons(neurons.predictivity(kind, "mini_films"), 0.4)
    expected = {}
    for prompt_of, mean_of in product((0, 1), (0, 1)):
        model = neurons.prompts.prompted(kind, "mini_films", prompt_of)
        split, _ = study.pairs(model, DATA)
        with patching(model, skill, neurons.thresholds(kind, "mini_films", mean_of).mean):
            one_by_one = [predict_records(model, [record]) for record in split.records]
        expected[prompt_of, mean_of] = torch.cat(one_by_one)
    assert list(rows["which"]) == ["skill", "all"] and len(read) == 2
    for of, logits in expected.items():  # who takes those of another seed is found out
        assert torch.allclose(read[0], logits, atol=0.001) == (of == (seed, seed)), of
    assert rows["right"][0] == right_of(expected[seed, seed], split)


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
