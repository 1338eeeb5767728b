"""Several backbones in one results folder: none slips into the tables of another."""

import pandas
import pytest
from run_records import write_attack

from mvp_skill import comparison, other_backbones, reported
from mvp_skill.results import load_runs
from mvp_skill.study_tables import cells, load_rows

OWN = "mini-roberta"


def write_backbones(root, bert=(0.5, 0.6), gpt2=(0.4, 0.6), **given):
    """Films with three backbones, news with the scale's own alone."""
    write_attack(root, "mini_films", 0, 0.6, 0.8, others={"freelb": 0.7})
    write_attack(root, "mini_news", 0, 0.7, 0.6)
    write_attack(root, "mini_films", 0, *bert, backbone="/data/mini-bert", **given)
    write_attack(root, "mini_films", 0, *gpt2, backbone="mini-gpt2", **given)


def gains_of(root):
    runs = load_runs(root)
    means = comparison.over_seeds(comparison.attacked_victims(runs))
    return other_backbones.backbone_gains(runs, means, OWN)


def test_the_own_backbone_is_the_scales_or_else_the_commonest():
    series = pandas.Series(["mini-bert", "mini-bert", "mini-roberta", None])
    assert comparison.own_backbone(series, "mini") == OWN
    assert comparison.own_backbone(series[:2], "mini") == "mini-bert"
    assert comparison.own_backbone(series[:0], "mini") == OWN
    hub = pandas.Series(["x/bert-base", "FacebookAI/roberta-base"])
    assert comparison.own_backbone(hub, "paper") == "roberta-base"
    mine = pandas.Series(["/a/my-roberta", "/a/my-roberta", "/a/my-bert"])
    assert comparison.own_backbone(mine, "paper") == "my-roberta"


def test_runs_are_told_apart_by_backbone(tmp_path):
    write_backbones(tmp_path)
    runs = load_runs(tmp_path)
    runs.loc[len(runs)] = {"notebook": "00_tour", "run_id": "x", "backbone": None}
    assert set(comparison.runs_with(runs, "mini-bert")["run_id"]) == {
        "mini-mini_films-s0-None-mini-bert",
        "x",
    }


def test_cells_beside_each_other_are_of_the_same_tasks_and_victims(tmp_path):
    write_backbones(tmp_path)
    found = cells(load_rows(tmp_path, comparison.MAIN_TABLE))
    beside = other_backbones.backbone_cells(found, "mini")
    assert set(beside["task"]) == {"mini_films"} and set(beside["method"]) == {"mlp_ft", "mvp"}
    table = other_backbones.backbone_table(beside)
    assert list(table.index) == [
        (backbone, victim)
        for backbone in (OWN, "mini-bert", "mini-gpt2")
        for victim in ("MLP-FT", "MVP")
    ]
    assert list(table.columns) == [
        ("mini_films", column) for column in ("clean", "TextFooler", "learnt")
    ]
    assert table.loc[("mini-gpt2", "MVP"), ("mini_films", "TextFooler")] == "60.0"


def test_without_another_backbone_there_is_nothing_beside(tmp_path):
    write_attack(tmp_path, "mini_films", 0, 0.6, 0.8)
    found = cells(load_rows(tmp_path, comparison.MAIN_TABLE))
    assert other_backbones.backbone_cells(found, "mini").empty
    assert other_backbones.backbone_cells(pandas.DataFrame(), "mini").empty
    gains = gains_of(tmp_path)
    assert gains.empty and other_backbones.backbone_claim(gains, OWN)["holds"] is None
    nothing = gains_of(tmp_path / "nothing")
    assert nothing.empty and other_backbones.backbone_claim(nothing, OWN)["holds"] is None


def test_gains_are_those_that_the_runs_recorded_the_own_backbone_first(tmp_path):
    write_backbones(tmp_path, half_width=0.15)
    found = gains_of(tmp_path)
    assert list(found["backbone"]) == [OWN, "mini-bert", "mini-gpt2"]
    assert set(found["task"]) == {"mini_films"} and found["learnt"].all()
    gain = found["gain"][1]
    assert (gain.mean, gain.low, gain.high) == pytest.approx((0.1, -0.05, 0.25))
    assert (gain.n, gain.n_seeds) == (200, 1)


@pytest.mark.parametrize(
    ("bert", "gpt2", "given", "expected"),
    [
        ((0.5, 0.6), (0.4, 0.6), {}, True),
        ((0.5, 0.54), (0.4, 0.6), {}, None),  # of one it holds zero, and much more
        ((0.5, 0.6), (0.4, 0.3), {}, False),
        ((0.5, 0.6), (0.4, 0.6), {"clean": {"mvp": 0.52}}, None),  # nobody has learnt it
    ],
)
def test_the_claim_needs_every_backbone_that_has_learnt(tmp_path, bert, gpt2, given, expected):
    write_backbones(tmp_path, bert, gpt2, **given)
    assert other_backbones.backbone_claim(gains_of(tmp_path), OWN)["holds"] is expected


def test_a_backbone_that_has_not_learnt_does_not_count(tmp_path):
    write_attack(tmp_path, "mini_films", 0, 0.5, 0.8, backbone="mini-bert")
    write_attack(tmp_path, "mini_films", 0, 0.5, 0.5, backbone="mini-gpt2", clean={"mlp_ft": 0.51})
    found = gains_of(tmp_path)
    assert dict(zip(found["backbone"], found["learnt"], strict=True)) == {
        "mini-bert": True,
        "mini-gpt2": False,
    }
    assert other_backbones.backbone_claim(found, OWN)["holds"] is True


def test_the_papers_claims_are_about_the_own_backbone_once_it_is_chosen(tmp_path):
    write_backbones(tmp_path, bert=(0.6, 0.1))
    means = comparison.over_seeds(comparison.attacked_victims(load_runs(tmp_path)))
    gain = comparison.gains(means[means["backbone"] == OWN])
    assert gain["robust_gain"].tolist() == pytest.approx([0.2, -0.1])
    substantial = reported.paper_claims(means[means["backbone"] == OWN])[1]
    assert substantial["holds"] is True  # 0.05 on average; -0.5 of the other one would undo it
