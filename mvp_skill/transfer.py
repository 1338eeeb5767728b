"""Transfer: victims trained on one domain read the test texts of all of them.

rows = unseen_by_others({name: study.data(name) for name in domains})
read = read_domains(study, domains, "mvp", seeds=(0, 1, 2), rows=rows)
transfer_gain(read, read_domains(study, domains, "mlp_ft", seeds=(0, 1, 2), rows=rows)).low > 0

Source: Raman et al. 2023, five sentiment data sets, each tried on the other four; the residual is
that of Taori et al. 2020.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvp_skill.conditions import Condition
from mvp_skill.domains import TEMPLATE_VARIANTS, unseen_rows
from mvp_skill.effective_robustness import comparable, fit_line, log_odds, vertical_gaps
from mvp_skill.gains import Gain, paired_gain
from mvp_skill.study_tables import in_per_cent

if TYPE_CHECKING:
    from datasets import DatasetDict
    from pandas import DataFrame

    from mvp_skill.studies import Study

Read = dict[tuple[str, str], np.ndarray]
"""(source, target) to right or not, [seed, example]; in (source, source) the whole test split."""


def unseen_by_others(data: Mapping[str, "DatasetDict"]) -> dict[str, list[int]]:
    """Per domain, the test rows whose text no other domain's training rows contain (`unseen`)."""
    kept = {}
    for target, splits in data.items():
        others = [
            unseen_rows(splits["test"], data[name]["train"]) for name in data if name != target
        ]
        kept[target] = sorted(set.intersection(*map(set, others)))
    return kept


def read_domains(
    study: "Study",
    domains: Sequence[str],
    victim: str,
    *,
    seeds: Sequence[int],
    rows: Mapping[str, Sequence[int]],
) -> Read:
    """What a kind of victim has right, trained on each domain and tried on each.

    rows   per target, the test rows that victims of other domains are tried on
    """
    read: dict[tuple[str, str], list[np.ndarray]] = {}
    for source in domains:
        for seed in seeds:
            variant = TEMPLATE_VARIANTS[source]
            condition = Condition(source, victim, seed, template_variant=variant)
            for target in domains:
                right = study.right(condition, target)  # [example]
                kept = right if target == source else right[list(rows[target])]
                read.setdefault((source, target), []).append(kept)
    return {pair: np.stack(found) for pair, found in read.items()}


def mean_accuracy(read: Read, own: bool = False) -> np.ndarray:
    """Clean accuracy on the other domains, [seed]; each pair of domains counts alike.

    own   on the domain that the victim was trained on instead
    """
    pairs = [pair for pair in read if (pair[0] == pair[1]) == own]
    return np.mean([read[pair].mean(axis=1) for pair in pairs], axis=0)


def transfer_gain(read: Read, reference: Read) -> Gain:
    """Mean gain in accuracy on the other domains, with its interval.

    All sources are tried on the same texts of a target. So a target is one setting of
    `paired_gain`, and an example is drawn with what victims of all sources and seeds made of it.
    """
    pairs = [(_on(target, read), _on(target, reference)) for target in _targets(read)]
    n_seeds = min(len(next(iter(one.values()))) for one in (read, reference))
    return paired_gain(pairs)._replace(n_seeds=n_seeds)


def mean_residual(read: Read, reference: Read) -> tuple[float, int]:
    """Accuracy on other domains minus the reference's line at equal accuracy at home: mean, points.

    A point is a pair of domains with a seed. Only points are counted whose accuracy at home the
    reference reaches, too; (nan, 0) if there are none, or the reference's are all alike.
    """
    home, away, n_home, n_away = _points(reference)
    line = fit_line(log_odds(home, n_home), log_odds(away, n_away))
    inside = comparable(_points(read)[0], home) & (np.ptp(home) > 0)  # [point]
    gaps = vertical_gaps(*_points(read)[:2], line, n_home, n_away)[inside]
    return (float(gaps.mean()), len(gaps)) if len(gaps) else (float("nan"), 0)


def transfer_rows(
    reads: Mapping[str, Read], *, seeds: Sequence[int], backbone: str, n_train: int
) -> "DataFrame":
    """One row per victim, source, target and seed: `clean_acc` and its `n`.

    As in the rows of a study, `task` is the source; `variant` names the target.
    """
    import pandas

    found = [
        {"task": source, "method": method, "seed": seed, "backbone": backbone, "attack": "none"}
        | {"source": source, "target": target, "variant": f"target={target}", "n_train": n_train}
        | {"n": right.shape[1], "clean_acc": float(of_seed.mean())}
        for method, read in reads.items()
        for (source, target), right in read.items()
        for seed, of_seed in zip(seeds, right, strict=True)
    ]
    return pandas.DataFrame(found)


def transfer_table(rows: "DataFrame") -> "DataFrame":
    """Source and victim down, target across: "92.1 ± 0.3" in per cent, ± over seeds.

    rows   `transfer_rows(...)`
    """
    groups = rows.groupby(["method", "source", "target"], sort=False)["clean_acc"]
    cells = groups.agg(["mean", "std"]).reset_index()
    cells["text"] = [in_per_cent(m, s) for m, s in zip(cells["mean"], cells["std"], strict=True)]
    wide = cells.set_index(["source", "method", "target"])["text"].unstack("target")
    order = [(s, m) for s in rows["source"].unique() for m in rows["method"].unique()]
    return wide.reindex(index=order, columns=list(rows["target"].unique()))


def _targets(read: Read) -> list[str]:
    return list(dict.fromkeys(target for _, target in read))


def _on(target: str, read: Read) -> np.ndarray:
    """All victims of other domains on a target's texts, [source * seed, example]."""
    return np.concatenate([read[pair] for pair in read if pair[1] == target != pair[0]])


def _points(read: Read) -> tuple[np.ndarray, ...]:
    """Accuracy at home and away, and their numbers of examples, each [pair * seed]."""
    pairs = [pair for pair in read if pair[0] != pair[1]]
    columns = []
    for chosen in ([(source, source) for source, _ in pairs], pairs):
        columns.append(np.concatenate([read[pair].mean(axis=1) for pair in chosen]))
        columns.append(np.concatenate([np.full(len(read[p]), read[p].shape[1]) for p in chosen]))
    home, n_home, away, n_away = columns
    return home, away, n_home, n_away
