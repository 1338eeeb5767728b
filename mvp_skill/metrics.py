"""Numbers from attack logs: accuracies, success rate, intervals, and a paired test.

All take the frame of `AttackLog.to_frame()` (or any with its columns) and give shares in [0, 1],
unrounded. Definitions are TextAttack's, as the MVP paper's code uses them: robust accuracy counts
*all* attacked examples, and `robust_acc = clean_acc * (1 - attack_success_rate)`.

An example whose attack raised has no outcome. No function passes over it silently: the single ones
refuse, and `summary` says how many there are.
"""

from collections.abc import Sequence
from math import comb, isnan, nan, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from pandas import DataFrame


class McNemar(NamedTuple):
    """The exact test of two victims on the same examples."""

    b: int
    """Examples on which only the first victim is right."""
    c: int
    """Examples on which only the second victim is right."""
    p: float
    """Two-sided probability of a split at least as uneven, if both were equally good."""


def clean_accuracy(frame: "DataFrame") -> float:
    """Share of the attacked examples that the victim had right before the attack."""
    counts = _counts(frame)
    return _share(counts["succeeded"] + counts["failed"], len(frame))


def robust_accuracy(frame: "DataFrame") -> float:
    """Share of *all* attacked examples still right after the attack (accuracy under attack)."""
    return _share(_counts(frame)["failed"], len(frame))


def attack_success_rate(frame: "DataFrame") -> float:
    """Share of the examples right before the attack that it turned; NaN if none was right."""
    counts = _counts(frame)
    return _share(counts["succeeded"], counts["succeeded"] + counts["failed"])


def mean_queries(frame: "DataFrame") -> float:
    """Mean queries per example that was attacked (not skipped); NaN if none was."""
    _counts(frame)
    return float(frame.loc[frame["outcome"] != "skipped", "n_queries"].astype(float).mean())


def mean_perturbed_fraction(frame: "DataFrame") -> float:
    """Mean share of words changed over the successful attacks; NaN if none succeeded."""
    _counts(frame)
    succeeded = frame["outcome"] == "succeeded"
    return float(frame.loc[succeeded, "perturbed_fraction"].astype(float).mean())


def label_kept_share(frame: "DataFrame") -> float:
    """Share of the judged successful attacks whose label still holds, so the oracle says.

    The rest is "changed" (the attack made another example of it) or "undecidable"; NaN if the
    oracle judged none.
    """
    _counts(frame)
    verdicts = frame.loc[frame["outcome"] == "succeeded", "oracle"].dropna()
    return _share(int((verdicts == "kept").sum()), len(verdicts))


def label_kept_robust_accuracy(frame: "DataFrame") -> float:
    """Robust accuracy if an attack only counts when, so the oracle says, the label still holds.

    Share of all attacked examples whose attack failed, or "succeeded" with a text whose label is
    "changed" or "undecidable". An upper bound: the attack stopped there and tried no further. NaN
    if the oracle was not asked about every success.
    """
    counts = _counts(frame)
    verdicts = frame.loc[frame["outcome"] == "succeeded", "oracle"]
    if verdicts.isna().any():
        return nan
    return _share(counts["failed"] + int((verdicts != "kept").sum()), len(frame))


def wilson_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a share of which `k` of `n` was seen (Wilson 1927, no continuity correction).

    Unlike the share plus or minus two standard errors it stays in [0, 1] and has width at 0 and n.
    """
    if not 0 <= k <= n or n < 1 or not 0 < confidence < 1:
        raise BadInput(
            f"No interval for {k} of {n} at confidence {confidence}; it needs 0 <= k <= n, n >= 1 "
            "and a confidence between 0 and 1."
        )
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, spread = k / n, z * z / n
    centre = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * sqrt(share * (1 - share) / n + spread / (4 * n))
    # Exactly 0 and 1 at the ends, where rounding would miss them by 1e-17.
    return (0.0 if k == 0 else centre - half, 1.0 if k == n else centre + half)


def mcnemar_exact(right_a: Sequence[bool], right_b: Sequence[bool]) -> McNemar:
    """Exact McNemar test of two victims; `right_a[i]` and `right_b[i]` are about the same example.

    Only the examples on which the victims differ speak: under the null hypothesis each falls to
    either side with probability one half.
    """
    if len(right_a) != len(right_b):
        raise BadInput(
            f"A paired test needs pairs, not {len(right_a)} and {len(right_b)} examples."
        )
    b = sum(bool(x) and not y for x, y in zip(right_a, right_b, strict=True))
    c = sum(bool(y) and not x for x, y in zip(right_a, right_b, strict=True))
    tail = sum(comb(b + c, i) for i in range(min(b, c) + 1))
    return McNemar(b, c, min(1.0, 2 * tail / 2 ** (b + c)))


def compare_robustness(frame_a: "DataFrame", frame_b: "DataFrame") -> McNemar:
    """`mcnemar_exact` on "right after the attack", of two victims on the same examples."""
    for column in ("index", "label", "texts"):
        if list(frame_a[column]) != list(frame_b[column]):
            raise BadInput(
                f"The two attacks were not run on the same examples ({column} differs); attack "
                "both victims on the same examples."
            )
    _counts(frame_a), _counts(frame_b)
    return mcnemar_exact(frame_a["outcome"] == "failed", frame_b["outcome"] == "failed")


def summary(frame: "DataFrame", confidence: float = 0.95) -> dict[str, int | float | None]:
    """All metrics of one attack, with their numbers of examples.

    n            examples with an outcome; the metrics are over these
    n_errors     examples whose attack raised, left out of everything else
    *_low/_high  Wilson intervals of clean and robust accuracy
    A metric without anything to average is None.
    """
    whole = len(frame)
    frame = frame[frame["outcome"] != "error"]
    counts = _counts(frame)
    verdicts = frame.loc[frame["outcome"] == "succeeded", "oracle"]
    metrics = {
        "n": len(frame),
        "n_errors": whole - len(frame),
        **{f"n_{outcome}": count for outcome, count in counts.items()},
        "clean_acc": clean_accuracy(frame),
        "robust_acc": robust_accuracy(frame),
        "attack_success_rate": attack_success_rate(frame),
        "mean_queries": mean_queries(frame),
        "perturbed_fraction": mean_perturbed_fraction(frame),
        "label_kept_share": label_kept_share(frame),
        "label_kept_robust_acc": label_kept_robust_accuracy(frame),
        **{f"n_{v}": int((verdicts == v).sum()) for v in ("kept", "changed", "undecidable")},
    }
    n_right = {"clean_acc": counts["succeeded"] + counts["failed"], "robust_acc": counts["failed"]}
    for name, k in n_right.items():
        low, high = wilson_interval(k, len(frame), confidence) if len(frame) else (nan, nan)
        metrics |= {f"{name}_low": low, f"{name}_high": high}
    return {k: None if isinstance(v, float) and isnan(v) else v for k, v in metrics.items()}


def _counts(frame: "DataFrame") -> dict[str, int]:
    """Examples per outcome; BadInput if there are some without."""
    known = ("succeeded", "failed", "skipped")
    counts = {outcome: int((frame["outcome"] == outcome).sum()) for outcome in known}
    n_other = len(frame) - sum(counts.values())
    if n_other:
        raise BadInput(
            f"{n_other} of {len(frame)} examples have no outcome because their attack raised (see "
            "`error`); mend the cause and attack again, or use `summary`, which reports them."
        )
    return counts


def _share(k: int, n: int) -> float:
    return k / n if n else nan
