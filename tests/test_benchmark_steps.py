"""The benchmark of training steps: it runs, and its rows can be put into one table."""

import pytest
from benchmarks.steps import BASE, MEASURED, main


@pytest.mark.slow
def test_steps_give_tidy_rows(tiny_backbone):
    sizes = {"N_TRAIN": 9, "N_VALIDATION": 3, "N_TEST": 3, "BATCH_SIZE": 3}
    given = {"BACKBONE": str(tiny_backbone), "ROBERTA": str(tiny_backbone)}
    rows = main(["freelb", "mvp"], ["roberta"], rounds=2, **sizes, **given)
    assert [row["what"] for row in rows] == [BASE, "freelb", "mvp", "prompt tuning, roberta"]
    assert {tuple(row) for row in rows} == {("benchmark", "what", "figure", "unit", "bar", "n")}
    assert [row["unit"] for row in rows] == ["ms"] + 3 * [f"x {BASE}"]
    assert all(row["figure"] > 0 and row["n"] == 2 for row in rows)
    assert rows[1]["figure"] > 1.5  # five passes for one


def test_all_pretrained_victims_are_measured():
    assert {"mvp", "mvp_adv", "freelb", "infobert", "amda", "lpft_dense"} < set(MEASURED)
    assert not any(name.endswith("untrained") for name in MEASURED)
