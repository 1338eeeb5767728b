"""Adversarial texts go where their originals are, so that none is tested by what ranked neurons."""

from types import SimpleNamespace

import pytest
import torch
from prompt_study_cases import tiny_study, write_adversarial_films

from mvp_skill import adversarial, neuron_studies
from mvp_skill.carry_over import accuracies, carried_over
from mvp_skill.errors import BadInput
from mvp_skill.mini.adversarial_sets import write_set
from mvp_skill.neuron_studies import NeuronStudy
from mvp_skill.originals import originals
from mvp_skill.patching_studies import PatchingStudy
from mvp_skill.subsamples import halves
from mvp_skill.suppression_studies import Curve, SuppressionStudy
from mvp_skill.task_types import sets_of

FILMS, DATA = "mini_films", "mini_adv_films"
STRANGE = ("a text of no split .", "another one .")


@pytest.fixture
def neurons(tiny_backbone, tiny_t5, tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial, "MINI_FOLDER", tmp_path)
    return NeuronStudy(tiny_study(tmp_path, tiny_backbone, tiny_t5, TASKS=FILMS))


@pytest.fixture(params=["roberta", "t5"])
def case(request, neurons, tmp_path):
    """A set made from every second test text and two others, in another order than they have."""
    rows = neurons.prompts.data(FILMS)["test"]
    made_from = [texts[0] for texts in rows["texts"][::-2]] + list(STRANGE)
    labels = [*rows["label"][::-2], 0, 1]
    texts = [f"{number} {text[::-1]}" for number, text in enumerate(made_from)]
    records = [
        {"texts": [text], "label": label, "original_texts": [f" {original} "]}
        for text, label, original in zip(texts, labels, made_from, strict=True)
    ]
    write_set(tmp_path, DATA, FILMS, records, {"made": "by hand"})
    model = neurons.prompts.prompted(request.param, FILMS, 0)
    return SimpleNamespace(kind=request.param, model=model, made_from=made_from, texts=texts)


def numbers(neurons, case, part):
    """Which adversarial texts are in a part: places in the file."""
    ids = [tuple(record.ids) for record in case.model.encode([(text,) for text in case.texts])]
    return [ids.index(tuple(r.ids)) for r in neurons.part(case.model, DATA, part).records]


def test_originals_are_those_of_the_texts_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(adversarial, "MINI_FOLDER", tmp_path)
    write_adversarial_films(tmp_path)
    texts = [(" the film was taerg and awful . ",), ("the film was tseb and worst .",)]
    expected = [("the film was great and awful .",), ("the film was best and worst .",)]
    assert originals(DATA, texts) == expected
    assert originals(DATA, texts[::-1]) == expected[::-1]
    assert originals("adv_sst2", texts) is None, "AdvGLUE's file does not say"
    assert originals(FILMS, texts) is None


def test_b6_an_adversarial_text_is_in_the_half_of_its_original(neurons, case):
    rows = neurons.prompts.data(FILMS)["test"]["texts"]
    clean = {
        part: {tuple(r.ids) for r in neurons.part(case.model, FILMS, part).records}
        for part in ("ranking", "measuring")
    }
    encoded = dict(zip((t[0] for t in rows), case.model.encode(rows), strict=True))
    expected = {"ranking": [], "measuring": []}
    for place, original in enumerate(case.made_from):
        ranks = original in encoded and tuple(encoded[original].ids) in clean["ranking"]
        expected["ranking" if ranks else "measuring"].append(place)
    assert all(len(places) > 4 for places in expected.values())
    for part, places in expected.items():
        assert sorted(numbers(neurons, case, part)) == places
    assert numbers(neurons, case, "apart") == numbers(neurons, case, "measuring")
    assert sorted(numbers(neurons, case, "all")) == list(range(len(case.texts)))
    assert neurons.part(case.model, FILMS, "apart") == neurons.part(case.model, FILMS, "measuring")


def test_b6_what_clean_neurons_are_tested_on_is_apart_from_what_ranked_them(neurons, case):
    apart = neurons.part(case.model, DATA, "apart")
    n = len(apart.labels)
    assert n < len(case.texts)
    found = carried_over(neurons, case.kind, FILMS, n_control=2)
    assert found.n.tolist() == apart.labels.bincount().tolist()
    assert accuracies(neurons, case.kind, FILMS)["n_adversarial"] == n
    split, clean = PatchingStudy(neurons, (10,)).pairs(case.model, DATA)
    assert split == apart and len(clean.records) == n
    made_from = [case.made_from[place] for place in numbers(neurons, case, "apart")]
    for record, text in zip(clean.records, made_from, strict=True):
        assert record.ids.tolist() == case.model.encode([(text,)])[0].ids.tolist()
    curve = Curve(case.kind, FILMS, 0, data=DATA)
    assert SuppressionStudy(neurons).measured(curve).records == apart.records


def test_a_set_that_does_not_say_what_it_was_made_from_is_cut_at_random(neurons, case, monkeypatch):
    monkeypatch.setattr(neuron_studies, "originals", lambda *given: None)
    whole = neurons.part(case.model, DATA, "all")
    assert not neurons.from_ranking(case.model, DATA).any()
    assert neurons.part(case.model, DATA, "apart") == whole
    for part, half in zip(("ranking", "measuring"), halves(whole, seed=0), strict=True):
        found = neurons.part(case.model, DATA, part)
        assert found.records == half.records and torch.equal(found.labels, half.labels)


def test_a_set_made_from_nothing_but_ranking_texts_is_refused(neurons, case, monkeypatch):
    ranking = neurons.part(case.model, FILMS, "ranking").records
    monkeypatch.setattr(type(case.model), "encode", lambda self, texts: [ranking[0] for _ in texts])
    with pytest.raises(BadInput, match="All of mini_adv_films was made from texts that rank"):
        neurons.from_ranking(case.model, DATA)


def test_sets_of_tasks():
    found = sets_of(["mini_acts", FILMS, "sst2"])
    assert found == {FILMS: DATA, "sst2": "adv_sst2"}
    with pytest.raises(BadInput, match="None of mini_acts has .* mini_duplicates"):
        sets_of(["mini_acts"])
