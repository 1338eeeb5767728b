"""A soft prompt whose tuning resists begins again from another table."""

from dataclasses import replace

import pytest
import torch
from prompt_study_cases import tiny_study

from mvp_skill import prompt_studies
from mvp_skill.prompt_tuning import PROMPT_FILE, soft_prompt_of
from mvp_skill.soft_prompts import load_soft_prompt
from mvp_skill.training_state import TrainLog


@pytest.fixture
def tunings(monkeypatch):
    """Tunings that end with the accuracies that a test gives: what each was asked for."""
    given, asked = [], []

    def tune(folder, model, data, splits, config):
        asked.append((folder.name, model.settings.seed, config))
        model.soft_prompt.data.fill_(len(asked))
        row = {"n_examples": 24, "train_loss": 0.5, "clean_acc": given[len(asked) - 1]}
        return soft_prompt_of(model), TrainLog(f"key {len(asked)}", [row], 10.0 * len(asked))

    monkeypatch.setattr(prompt_studies, "tune_or_load", tune)
    return given, asked


@pytest.mark.parametrize(
    ("accuracies", "n_tried", "kept", "seconds"),
    [
        ([0.75, 0.9, 1.0], 1, 1, 10.0),  # 12 validation texts, six of each class: 0.7 is enough
        ([0.6, 0.7, 1.0], 2, 2, 30.0),
        ([0.6, 0.65, 0.5], 3, 2, 60.0),
        ([0.6, 0.55, 0.6], 3, 1, 60.0),  # of equals the first
    ],
)
def test_a_start_that_resists_is_given_up_for_another(
    tiny_backbone, tmp_path, tunings, accuracies, n_tried, kept, seconds
):
    given, asked = tunings
    given += accuracies
    study = tiny_study(tmp_path, tiny_backbone, N_STARTS=3)
    prompt, log = study.tuned("roberta", "mini_films", 1)
    assert study.starts == {("roberta", "mini_films", 1): n_tried} and len(asked) == n_tried
    assert (prompt.table == kept).all() and log.key == f"key {kept}" and log.seconds == seconds
    assert prompt.facts.seed == 1, "whatever the number of the start"
    assert len({name for name, _, _ in asked}) == len({seed for _, seed, _ in asked}) == n_tried
    assert asked[0][1] == 1
    last = None if n_tried == 3 else pytest.approx(0.7)
    assert [config.give_up_below for *_, config in asked] == [
        *[pytest.approx(0.7)] * (n_tried - 1),
        last,
    ]
    assert {config.seed for *_, config in asked} == {1}


def test_another_start_has_other_numbers_and_is_found_again(tiny_backbone, tmp_path):
    """The tiny backbone learns nothing in one epoch, so every prompt resists."""
    study = tiny_study(tmp_path, tiny_backbone, N_STARTS=2)
    prompt, log = study.tuned("roberta", "mini_films", 0)
    folders = sorted((tmp_path / "prompts").glob("roberta-mini_films-s0-*"))
    assert study.starts["roberta", "mini_films", 0] == len(folders) == 2
    again = tiny_study(tmp_path, tiny_backbone, N_STARTS=2).tuned("roberta", "mini_films", 0)
    assert torch.equal(again[0].table, prompt.table) and again[1] == log
    tables = [load_soft_prompt(folder / PROMPT_FILE).table for folder in folders]
    assert not torch.equal(*tables) and any(torch.equal(prompt.table, table) for table in tables)


def test_the_scale_says_how_many_starts_there_are(tiny_backbone, tmp_path):
    scale = tiny_study(tmp_path, tiny_backbone, N_STARTS=None).scale
    assert (scale.n_starts, scale.enough) == (2, 0.99)
    assert replace(scale, n_starts=1) == tiny_study(tmp_path, tiny_backbone).scale
    paper = prompt_studies.prompt_settings("paper")
    assert (paper.n_starts, paper.enough) == (1, 1.0), "as the paper's"
