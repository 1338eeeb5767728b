"""Every prompt of a small study reads every task; which similarity foretells how well."""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas
import pytest
import torch
from prompt_study_cases import tiny_study, write_adversarial_films

from mvp_skill import adversarial
from mvp_skill.errors import BadInput
from mvp_skill.gains import Gain
from mvp_skill.prompt_activations import label_activations
from mvp_skill.prompt_similarity import activated_overlap, cosine
from mvp_skill.prompt_transfer import accuracies
from mvp_skill.rank_correlation import spearman
from mvp_skill.soft_prompts import used_rows
from mvp_skill.transfer_study import (
    LEAST_TARGETS,
    OVERLAP,
    adversarial_targets,
    indicators,
    measures_of,
    required_sets,
    rho_gain,
    scores,
    targets_of,
    told_by_targets,
    transfer_rows,
)

TASKS = ("mini_duplicates", "mini_films", "mini_restaurants")


@pytest.fixture(scope="module")
def study(loud_backbone, tmp_path_factory):
    """Of adversarial sets, that of films is there, that of duplicates is not."""
    folder = tmp_path_factory.mktemp("transfer")
    write_adversarial_films(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adversarial, "MINI_FOLDER", folder)
        yield tiny_study(folder, loud_backbone, TASKS=", ".join(TASKS), N_TRANSFER=12)


def test_adversarial_sets_that_are_not_there_are_told_in_a_sentence(study):
    there, missing = adversarial_targets(study)
    assert there == {"mini_adv_films": "mini_films"}
    (sentence,) = missing
    assert sentence.startswith("mini_adv_duplicates is read from mini_adv_duplicates.jsonl")
    assert targets_of(study, there) == (*TASKS, "mini_adv_films")
    assert targets_of(study, {}) == TASKS


def with_tasks(study, *tasks):
    """The same study with other tasks."""
    other = copy(study)
    other.scale = replace(study.scale, tasks=tasks)
    return other


def test_where_sets_are_required_one_that_is_missing_stops(study):
    with pytest.raises(BadInput, match=r"mini_adv_duplicates\.jsonl, which this copy"):
        required_sets(study)
    with pytest.raises(BadInput, match="None of mini_restaurants has an adversarial set; give"):
        required_sets(with_tasks(study, "mini_restaurants"))
    found = required_sets(with_tasks(study, "mini_films", "mini_restaurants"))
    assert found == {"mini_adv_films": "mini_films"}


def test_a_cell_is_the_targets_model_behind_the_sources_prompt(study):
    rows = transfer_rows(study, (*TASKS, "mini_adv_films"), progress=False)
    assert len(rows) == 4 * 3 * 2
    assert dict(zip(rows["target"], rows["n"], strict=True)) == dict.fromkeys(TASKS, 12) | {
        "mini_adv_films": 13  # never cut
    }
    for beside in ("seed", "source"):  # who takes another prompt is found out
        n_values = rows.groupby(["target", beside])["acc"].nunique()
        assert (n_values > 1).mean() > 0.5, beside
    for row in rows.itertuples():
        task = "mini_films" if row.target == "mini_adv_films" else row.target
        prompted = study.prompted("roberta", task, row.seed)
        with torch.no_grad():
            prompted.soft_prompt.copy_(study.soft_prompt("roberta", row.source, row.seed).table)
        examples = study.data(row.target)["test"]
        logits = prompted([tuple(texts) for texts in examples["texts"][: row.n]])
        right = logits.argmax(dim=1) == torch.tensor(examples["label"][: row.n])
        assert row.acc == pytest.approx(right.float().mean().item())


def test_without_a_number_all_examples_are_read(study):
    whole = copy(study)
    whole.scale = replace(study.scale, n_transfer=None)
    assert set(transfer_rows(whole, TASKS[:1], progress=False)["n"]) == {31}


def test_indicators_are_of_pairs_of_one_seed_in_the_right_order(study):
    frame = indicators(study, "roberta")
    assert len(frame) == 3 * 2 and not frame["same_task"].any()
    assert measures_of(frame)[:4] == ["cosine", "token_cosine", "euclid", "token_euclid"]
    assert measures_of(frame)[4:] == ["overlap, layer 1", "overlap, layer 2", OVERLAP]
    assert frame["cosine"].nunique() == frame[OVERLAP].nunique() == 6, "an order can be seen"
    reader = study.start("roberta", "mini_films")
    for row in frame.to_dict("records"):
        pair = [
            study.soft_prompt("roberta", row[which], row["seed"])
            for which in ("first_task", "second_task")
        ]
        tables = torch.stack([prompt.table for prompt in pair])
        by_hand = cosine(torch.stack([used_rows(prompt) for prompt in pair]))[0, 1].item()
        assert row["cosine"] == pytest.approx(by_hand)
        active = label_activations(reader, tables) > 0  # [table, layer, neuron]
        for name, layers in (("layer 1", [0]), ("layer 2", [1]), ("all layers", [0, 1])):
            a, b = (set(map(tuple, one[layers].nonzero().tolist())) for one in active)
            overlap = len(a & b) / (len(a) * len(b)) ** 0.5
            assert row[f"overlap, {name}"] == pytest.approx(overlap)


def test_t5_is_read_behind_an_empty_text_of_a_sentiment_task(loud_t5, tmp_path):
    study = tiny_study(tmp_path, t5=loud_t5, TASKS=", ".join(TASKS[:2]), SEEDS="0")
    tables = torch.stack([study.soft_prompt("t5", task, 0).table for task in TASKS[:2]])
    films, duplicates = (
        activated_overlap(label_activations(study.start("t5", task), tables))["all layers"][0, 1]
        for task in ("mini_films", "mini_duplicates")
    )
    (found,) = indicators(study, "t5")[OVERLAP]
    assert found == pytest.approx(films.item()) and films != duplicates


def planted(tasks: int = 7, seeds: int = 2):
    """Transfer that is the column "overlap, …" and only noise to "cosine"."""
    generator, names = np.random.default_rng(0), [f"task{i}" for i in range(tasks)]
    likeness, rows = [], []
    for seed in range(seeds):
        for i in range(tasks):
            for j in range(i + 1, tasks):
                known, noise = generator.random(2)
                pair = {"first_task": names[i], "second_task": names[j], "seed": seed}
                likeness.append(pair | dict.fromkeys(("token_cosine", "euclid"), noise))
                likeness[-1] |= {"token_euclid": noise, "cosine": noise, OVERLAP: known}
                for source, target in ((i, j), (j, i)):
                    row = {"source": names[source], "target": names[target], "seed": seed}
                    rows.append(row | {"acc": 0.2 + known / 2, "n": 10})
        rows += [{"source": n, "target": n, "seed": seed, "acc": 0.9, "n": 10} for n in names]
    return accuracies(pandas.DataFrame(rows)), pandas.DataFrame(likeness)


def test_the_measure_that_transfer_was_made_from_foretells_it():
    found, frame = planted()
    table = scores(found, frame)
    assert np.allclose(table[OVERLAP], 1) and table["cosine"].abs().max() < 1
    gain = rho_gain(found, frame, OVERLAP, "cosine")
    assert gain.n == 7 and gain.n_seeds == 2
    assert gain.mean == pytest.approx(1 - table["cosine"].mean())
    assert told_by_targets(gain) is True
    assert told_by_targets(rho_gain(found, frame, "cosine", OVERLAP)) is False


def test_a_rho_is_spearmans_over_the_other_tasks():
    found, frame = planted(5, 1)
    row = scores(found, frame).iloc[2]
    others = [i for i in range(5) if found.targets[i] != row["target"]]
    target = found.targets.index(row["target"])
    pairs = frame.set_index(["first_task", "second_task"])["cosine"]
    alike = [
        pairs[tuple(sorted((found.sources[i], row["target"])))] for i in others
    ]  # names sort as numbers
    assert row["cosine"] == pytest.approx(spearman(alike, found.values[0, others, target]))


def test_too_few_targets_are_left_open():
    found, frame = planted(LEAST_TARGETS - 1)
    assert told_by_targets(rho_gain(found, frame, OVERLAP, "cosine")) is None
    assert told_by_targets(Gain(0.2, 0.1, 0.3, LEAST_TARGETS, 3)) is True
    assert told_by_targets(Gain(0.2, -0.1, 0.3, LEAST_TARGETS, 3)) is None
    assert told_by_targets(None) is None


def test_two_tasks_have_no_rank_correlation():
    found, frame = planted(2)
    assert rho_gain(found, frame, OVERLAP, "cosine") is None
