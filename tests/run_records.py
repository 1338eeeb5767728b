"""Finished runs for tests, written as `save_run` writes them, without running a notebook."""

from pathlib import Path

import pandas

from mvp_skill.comparison import MAIN_TABLE
from mvp_skill.files import write_json
from mvp_skill.study_tables import ROWS_FILE

CLEAN = 0.95
GUESS = 0.5


def write_run(root: Path, notebook: str, run_id: str, parameters: dict, metrics, **record) -> Path:
    """One run folder with its `run.json`."""
    environment = {"cores": 2, "system": "Linux x86_64", "gpu": None, "python": "3.11.9"}
    content = {
        "notebook": notebook,
        "run_id": run_id,
        "key": "k",
        "parameters": parameters,
        "scale": {"backbone": "mini-roberta"},
        "settings": {},
        "metrics": metrics,
        "claims": [],
        "environment": environment | {"torch": "2.9"},
        "started": "2025-01-01T00:00:00.000+00:00",
        "finished": "2025-01-01T00:02:00.000+00:00",
        "seconds": 120.0,
    }
    folder = root / notebook / run_id
    write_json(folder / "run.json", content | record)
    return folder


def attack_row(method: str, robust_acc: float, n: int = 200, kept: float | None = 0.5) -> dict:
    """What 13_main_table records for one victim under one attack."""
    success = 1 - robust_acc / CLEAN
    return {
        "method": method,
        "n": n,
        "clean_acc": CLEAN,
        "robust_acc": robust_acc,
        "attack_success_rate": success,
        "mean_queries": 30.0,
        "perturbed_fraction": 0.1,
        "label_kept_share": kept,
        "label_kept_robust_acc": None if kept is None else CLEAN * (1 - success * kept),
    }


def whole_row(method: str, clean_acc: float = CLEAN, guess: float = GUESS) -> dict:
    """What 13_main_table records for one victim on its whole test split, nothing attacked."""
    row = {"method": method, "attack": "none", "n": 300, "clean_acc": clean_acc}
    return row | {"constant_guess": guess}


def write_attack(root: Path, task: str, seed: int, mlp_ft: float, mvp: float, **given) -> Path:
    """A run of 13_main_table on one task and seed.

    given     `others`: robust accuracies of other victims; `clean`: clean accuracies by victim on
              the whole test split; `half_width` of the recorded interval of the paired gain
    """
    scale = given.pop("scale", "mini")
    options = {name: given.pop(name) for name in ("n", "kept") if name in given}
    found = {"mlp_ft": mlp_ft, "mvp": mvp} | given.pop("others", {})
    clean, half = given.pop("clean", {}), given.pop("half_width", 0.05)
    keys = {"task": task, "seed": seed, "attack": "textfooler"}
    rows = [keys | whole_row(method, clean.get(method, CLEAN)) for method in found]
    rows += [keys | attack_row(method, robust, **options) for method, robust in found.items()]
    parameters = {"SCALE": scale, "TASKS": task, "SEEDS": seed}
    parameters |= {"BACKBONE": given.pop("backbone", None), "N_TRAIN": given.pop("n_train", None)}
    backbone = parameters["BACKBONE"] or "mini-roberta"
    run_id = f"{scale}-{task}-s{seed}-{parameters['N_TRAIN']}-{Path(backbone).name}"
    gain, name = mvp - mlp_ft, "robust_acc_gain_over_mlp_ft"
    pair = {"task": task, "method": "mvp", "attack": "all", name: gain, "n": 200, "n_seeds": 1}
    pair |= {f"{name}_low": gain - half, f"{name}_high": gain + half}
    folder = write_run(root, MAIN_TABLE, run_id, parameters, [*rows, pair], **given)
    columns = {"backbone": Path(backbone).name, "variant": ""}
    pandas.DataFrame(rows).assign(**columns).to_csv(folder / ROWS_FILE, index=False)
    return folder
