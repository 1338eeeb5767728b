"""From rows of a study to the paper's layout."""

from math import nan, sqrt

import pandas
import pytest

from mvp_skill.files import write_json
from mvp_skill.metrics import wilson_interval
from mvp_skill.study_tables import (
    cells,
    counted,
    load_rows,
    robustness_table,
    save_rows,
    tall_table,
    usual,
)


def row(task, method, seed, attack, clean, robust=nan, n=40, variant=""):
    common = {"task": task, "method": method, "seed": seed, "attack": attack, "variant": variant}
    return common | {"backbone": "b", "clean_acc": clean, "robust_acc": robust, "n": n}


ROWS = pandas.DataFrame(
    [
        row("films", "mlp_ft", 0, "none", 0.9, n=400),
        row("films", "mlp_ft", 1, "none", 1.0, n=400),
        row("films", "mlp_ft", 0, "textfooler", 0.9, 0.5),
        row("films", "mlp_ft", 1, "textfooler", 1.0, 0.7),
        row("films", "mvp", 0, "none", 0.8, n=400),
        row("news", "mvp", 0, "textfooler", 0.8, 0.8, n=30),
    ]
)


def test_a_cell_is_the_mean_and_the_spread_over_seeds():
    found = cells(ROWS).set_index(["task", "method", "attack"])
    clean = found.loc[("films", "mlp_ft", "none")]
    assert clean["value"] == pytest.approx(0.95) and clean["std"] == pytest.approx(0.1 / sqrt(2))
    robust = found.loc[("films", "mlp_ft", "textfooler")]
    assert robust["value"] == pytest.approx(0.6)  # robust, not clean, accuracy
    assert (robust["n"], robust["n_seeds"]) == (40, 2)
    assert (robust["low"], robust["high"]) == pytest.approx(wilson_interval(24, 40))
    one = found.loc[("films", "mvp", "none")]
    assert one["std"] != one["std"] and one["n_seeds"] == 1


def test_the_table_has_victims_down_and_tasks_with_attacks_across():
    table = robustness_table(cells(ROWS))
    assert list(table.index) == ["MLP-FT", "MVP"]
    assert list(table.columns) == [
        ("films", "clean"),
        ("films", "TextFooler"),
        ("news", "TextFooler"),
    ]
    assert table.loc["MLP-FT", ("films", "TextFooler")] == "60.0\u00a0±\u00a014.1"
    assert table.loc["MVP", ("films", "clean")] == "80.0"  # one seed has no spread
    assert table.loc["MVP", ("films", "TextFooler")] == "–"


def test_another_metric_under_attack_can_be_asked_for_and_gaps_are_no_cells():
    rows = ROWS.assign(label_kept_robust_acc=[nan, nan, 0.9, nan, nan, 0.95])
    found = cells(rows, "label_kept_robust_acc").set_index(["task", "method", "attack"])
    assert found.loc[("films", "mlp_ft", "textfooler"), ["value", "n_seeds"]].tolist() == [0.9, 1]
    assert found.loc[("films", "mlp_ft", "none"), "value"] == pytest.approx(0.95)
    assert len(cells(ROWS, "label_kept_robust_acc")) == 2  # nobody was asked: clean cells only


def test_the_tall_table_has_a_row_per_task_and_victim():
    table = tall_table(cells(ROWS))
    assert list(table.columns) == ["task", "method", "clean", "TextFooler"]
    assert table.to_numpy().tolist() == [
        ["films", "MLP-FT", "95.0\u00a0±\u00a07.1", "60.0\u00a0±\u00a014.1"],
        ["films", "MVP", "80.0", "–"],
        ["news", "MVP", "–", "80.0"],
    ]


def test_rows_with_the_constant_guess_say_who_has_learnt_the_task():
    rows = ROWS.assign(constant_guess=[0.5, 0.5, 0.5, 0.5, 0.81, nan])
    found = cells(rows)
    films = found[found["task"] == "films"].groupby("method")["learnt"].first()
    assert films.to_dict() == {"mlp_ft": True, "mvp": False}  # 0.80 where 0.81 are of one class
    table = robustness_table(found)
    assert [c for c in table if c[0] == "films"] == [
        ("films", "clean"),
        ("films", "TextFooler"),
        ("films", "learnt"),
    ]
    assert table[("films", "learnt")].tolist() == ["yes", "no"]
    tall = tall_table(found)
    assert list(tall.columns) == ["task", "method", "clean", "TextFooler", "learnt"]
    assert tall["learnt"].tolist() == ["yes", "no", "–"]  # no clean accuracy: nobody knows


def test_rows_of_variants_are_rows_of_their_own():
    more = pandas.concat(
        [ROWS, pandas.DataFrame([row("films", "mvp", 0, "none", 0.3, variant="x=1")])]
    )
    table = robustness_table(cells(more), down=("variant", "method"))
    assert list(table.index) == [("", "MLP-FT"), ("", "MVP"), ("x=1", "MVP")]
    assert table.loc[("x=1", "MVP"), ("films", "clean")] == "30.0"


def test_the_caption_counts_examples_and_seeds():
    assert counted(cells(ROWS)) == "n = 400 clean, 30 to 40 attacked; seeds: 1 to 2"


def test_rows_are_found_again_in_finished_runs_of_the_notebook(tmp_path):
    for notebook, run in (("13_main_table", "a"), ("13_main_table", "b"), ("14_other", "a")):
        folder = tmp_path / notebook / run
        folder.mkdir(parents=True)
        save_rows(ROWS, folder)
        by_hand = {"N_TRAIN": 9, "ENCODER": "a/minilm"} if run == "b" else {}
        by_hand |= {
            "DATA_DIR": "data",
            "NEIGHBOURS": "vectors.txt",
        }  # of files
        write_json(folder / "run.json", {"parameters": {"SCALE": "mini"} | by_hand})
    unfinished = tmp_path / "13_main_table" / "c.partial"
    unfinished.mkdir()
    save_rows(ROWS, unfinished)
    found = load_rows(tmp_path, "13_main_table")
    assert len(found) == 2 * len(ROWS) and set(found["run_id"]) == {"a", "b"}
    assert set(found["scale"]) == {"mini"}
    assert set(found.loc[found["run_id"] == "a", "variant"]) == {""}
    assert set(found.loc[found["run_id"] == "b", "variant"]) == {"encoder=minilm n_train=9"}
    both = cells(found)
    assert set(usual(both)["variant"]) == {""}
    assert set(usual(both[both["variant"] != ""])["variant"]) == {"encoder=minilm n_train=9"}
    assert load_rows(tmp_path, "15_nothing").empty
