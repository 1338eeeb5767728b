"""Every notebook runs from start to end at tiny parameters, and looks as the others do.

Numbers at this size mean nothing; that every cell runs, and that the last one records, does. Each
notebook runs in a process of its own, as in the batch. A notebook that reads the runs of others
finds them in NEEDS; all share one folder of results, so that nothing runs twice.
"""

import json
import re
from pathlib import Path

import nbformat
import pandas
import pytest

from mvp_skill.attack_log import AttackLog
from mvp_skill.batch import Run, plan
from mvp_skill.execution import DONE, execute
from mvp_skill.project_runs import METHODS
from mvp_skill.run_folders import finished_record
from run_all import NOTEBOOKS

VICTIMS = {
    "TASK": "mini_films",
    "N_TRAIN": 48,
    "N_VALIDATION": 24,
    "N_TEST": 24,
    "EPOCHS": 1,
    "EVAL_EVERY_EXAMPLES": 48,
    "TEMPLATE_VARIANT": "one",
}

STUDY = {name: VICTIMS[name] for name in VICTIMS if name not in ("TASK", "TEMPLATE_VARIANT")}
UNATTACKED = STUDY.copy()
STUDY |= {"N_ATTACKED": 3}

# Of soft prompts: the same in all notebooks, which share them.
PROMPTS = {
    **{"SEEDS": "0", "N_TRAIN": 32, "N_VALIDATION": 16, "N_TEST": 40, "N_PROMPT": 4},
    **{"EPOCHS": 1, "EVAL_EVERY_EXAMPLES": 32},
}

# Notebook: parameters at which it takes seconds. A new notebook needs a line here.
TINY: dict[str, dict] = {
    "00_tour": {"N_TRAIN": 48, "N_TEST": 16, "EPOCHS": 1},
    "01_pretrain_mini_models": {
        "STEPS": 4,
        "BATCH_SIZE": 8,
        "WIDTH": 32,
        "LAYERS": 1,
        "VOCABULARY_SIZE": 3000,
        "TOKENIZER_DOCUMENTS": 3000,
        "MEASURE_EVERY": 2,
        "N_MEASURED": 12,
        "N_TEST": 12,
        "N_TEXTS": 40,
    },
    "10_templates_and_verbalizers": {"N_TRAIN": 40, "N_VALIDATION": 24, "N_TEST": 20},
    "11_train_victims": VICTIMS,
    "12_attack_victims": {**VICTIMS, "N_ATTACKED": 3},
    "13_main_table": {
        **STUDY,
        "TASKS": "mini_films",
        "VICTIMS": "mlp_ft, mvp, mvp_adv, freelb",
        "SEEDS": "0, 1",
    },
    "14_adversarial_training": {**STUDY, "BATCH_SIZE": 16},
    "15_why_does_mvp_help": {
        **STUDY,
        "TASKS": "mini_films",
        "UNTRAINED_TASKS": "mini_films",
        "SEEDS": "0",
        "UNTRAINED_EPOCHS": 1,
    },
    "16_templates_and_label_words": {
        **STUDY,
        "TASKS": "mini_films",
        "VARIATIONS": "as usual, both random, several words",
    },
    "17_sample_efficiency": {**STUDY, "SIZES": "24, 48", "SEEDS": "0"},
    "18_other_attacks": {**STUDY, "N_TWO_TYPOS": 1},
    "19_out_of_distribution": {**UNATTACKED, "SEEDS": "0"},
    "30_what_does_it_cost": {
        **STUDY,
        "TASKS": "mini_films",
        "VICTIMS": "mlp_ft, mvp, mvp_sampled",
        "ROUNDS": 1,
    },
    "20_prompt_tuning": {**PROMPTS, "KINDS": "roberta", "TASKS": "mini_films, mini_duplicates"},
    "21_prompt_geometry": {"N_DRAWS": 20},
    "22_prompt_transfer": {
        **PROMPTS,
        "TASKS": "mini_duplicates, mini_paraphrases, mini_films, mini_restaurants",
        "N_TRANSFER": 8,
    },
    "23_adversarial_data": {**PROMPTS, "TASKS": "mini_films"},
    "24_skill_neurons": {
        **PROMPTS,
        "TASKS": "mini_films, mini_restaurants, mini_acts",
        "N_THRESHOLD": 24,
        "N_PERMUTATIONS": 3,
    },
    "25_suppression": {
        **PROMPTS,
        "TASKS": "mini_films, mini_acts",
        "RATES": "0, 5, 15",
        "SEEDS": "0, 1",
        "N_DRAWS": 1,
    },
    "26_neurons_on_adversarial_data": {
        **PROMPTS,
        "TASKS": "mini_films",
        "N_TEST": 320,
        "N_THRESHOLD": 24,
        "N_PERMUTATIONS": 3,
        "N_CONTROL": 3,
    },
    "27_patching": {
        **PROMPTS,
        "TASKS": "mini_duplicates, mini_films",
        "RATES": "5, 15",
        "N_DRAWS": 1,
    },
    "28_flaws_of_the_reference": {
        **{"N_TRAIN": 32, "N_VALIDATION": 16, "N_TEST": 24, "EPOCHS": 1, "N_EXAMPLES": 60},
        **{"N_ADVERSARIAL": 30, "N_PROMPT": 8, "N_NEURONS": 20, "N_RANKED": 100},
    },
    "29_pruning_and_other_tuning": {
        **{"N_TRAIN": 64, "N_VALIDATION": 24, "N_TEST": 60, "EPOCHS": 1, "N_PROMPT": 6},
        **{"KEPT": "0.02, 0.3", "SUPPRESSED": "0.1", "N_DRAWS": 2, "ROUNDS": 1},
    },
    "90_results": {},
    "91_skill_neuron_results": {},
}

# Notebook: the runs whose results it reads, as (notebook, parameters beside the tiny ones).
NEEDS: dict[str, list[tuple[str, dict]]] = {
    "12_attack_victims": [("11_train_victims", {"METHOD": method}) for method in METHODS],
    "91_skill_neuron_results": [("24_skill_neurons", {}), ("28_flaws_of_the_reference", {})],
    # Two prompts of one seed: fewer than some of its tables want.
    "21_prompt_geometry": [("20_prompt_tuning", {})],
    "90_results": [("13_main_table", {}), ("10_templates_and_verbalizers", {})],
}

PATHS = sorted(NOTEBOOKS.glob("*.ipynb"))
LONGEST_CELL = 25
PATH_LINES = 'import sys\n\nsys.path.insert(0, "..")\n'

every_notebook = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """The results folder of this module."""
    return tmp_path_factory.mktemp("results")


def run(name: str, results: Path, **parameters: object) -> Path:
    """The folder of a notebook's finished run; first runs what it needs, and nothing twice."""
    if name not in TINY:
        pytest.fail(f"{name} has no tiny parameters: add a line to TINY in {Path(__file__).name}")
    for needed, given in NEEDS.get(name, []):
        run(needed, results, **given)
    (planned,) = plan([Run(name, TINY[name] | parameters)], NOTEBOOKS, results)
    if not finished_record(planned.finished, planned.key):
        outcome = execute(planned, [])
        assert outcome.status == DONE, f"{name}: {outcome.error}"
    return planned.finished


def cells(path: Path, cell_type: str) -> list[nbformat.NotebookNode]:
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == cell_type]


@pytest.mark.notebooks
@every_notebook
def test_a_notebook_runs_and_records(path, results):
    folder = run(path.stem, results)
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["notebook"] == path.stem
    metrics = record["metrics"]
    assert metrics and all([metrics] if isinstance(metrics, dict) else metrics)
    executed = cells(folder / "executed.ipynb", "code")
    assert all(cell.execution_count for cell in executed if cell.source.strip())
    said = "".join(
        output.get("text", "")
        for cell in executed
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    )
    assert not re.findall(r".*Warning:.*", said), "a reader would see this warning"


@pytest.mark.notebooks
@pytest.mark.parametrize("name", ["bert_attack", "misspelling"])  # other searches than the default
def test_pitfall_22_the_attack_notebook_runs_the_attack_asked_for(name, results):
    folder = run("12_attack_victims", results, ATTACK=name, N_ATTACKED=1)
    logs = [AttackLog.read(path) for path in folder.glob("attack_*.jsonl")]
    assert [log.parameters["recipe"] for log in logs] == [name] * 2


@pytest.mark.notebooks
def test_the_results_notebook_sets_backbones_side_by_side(results, tiny_gpt2):
    run("90_results", results)  # before there is another one
    run("13_main_table", results, BACKBONE=str(tiny_gpt2), VICTIMS="mlp_ft, mvp", SEEDS="0")
    (planned,) = plan([Run("90_results", {})], NOTEBOOKS, results)
    outcome = execute(planned, [])
    assert outcome.status == DONE, outcome.error
    main = pandas.read_csv(planned.finished / "table.csv", index_col=0)
    beside = pandas.read_csv(planned.finished / "table_backbones.csv", index_col=[0, 1])
    assert list(main["method"]) == ["MLP-FT", "MVP", "MVP + Adv", "FreeLB++"]
    assert [backbone for backbone, _ in beside.index] == ["mini-roberta"] * 2 + [tiny_gpt2.name] * 2
    claims = json.loads((planned.finished / "run.json").read_text(encoding="utf-8"))["claims"]
    assert claims[-1]["claim"].endswith("with every backbone")


@pytest.mark.notebooks
def test_the_training_notebook_takes_a_third_method(results):
    folder = run("11_train_victims", results, METHOD="lpft_dense")
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["settings"]["victim"]["method"] == "lpft_dense"
    assert record["claims"][0]["claim"].startswith("DenseLPFT has learnt")


def test_the_table_of_tiny_parameters_names_existing_notebooks():
    named = set(TINY) | set(NEEDS) | {needed for runs in NEEDS.values() for needed, _ in runs}
    assert named <= {path.stem for path in PATHS}


@every_notebook
def test_a_notebook_is_laid_out_as_the_others(path):
    code = [cell.source for cell in cells(path, "code")]
    assert code[0].startswith(PATH_LINES), "the first code cell begins with the path line"
    assert [source for source in code if len(source.splitlines()) > LONGEST_CELL] == []
    assert not re.search(r"import \*", "\n".join(code))
    assert cells(path, "markdown")[0].source.startswith(f"# {path.stem[:2]} ")
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    generated = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){0,4}")  # what editors give new cells
    assert [name for name in ids if generated.match(name)] == []
