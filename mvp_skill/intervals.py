"""Intervals of an accuracy: exact from two numbers, and by drawing the examples anew.

Wilson's is in `metrics.py`. The exact one never covers too little, which counts where examples are
few and a claim is "below chance".
"""

import numpy as np

from mvp_skill.checks import check_number
from mvp_skill.errors import BadInput
from mvp_skill.gains import N_DRAWS


def exact_interval(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a share of which `k` of `n` was seen (Clopper and Pearson 1934).

    Ends at the shares that would give k or more, or k or fewer, with probability
    (1 - confidence) / 2; at 0 and 1 where none would.

        raises   BadInput unless 0 <= k <= n, n >= 1 and 0 < confidence < 1
    """
    from scipy.special import betaincinv

    check_number("confidence", confidence, "between 0 and 1", 0, 1)
    if not 0 <= k <= n or n < 1:
        raise BadInput(f"No interval for {k} of {n}; it needs 0 <= k <= n and n >= 1.")
    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else float(betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(betaincinv(k + 1, n - k, 1 - tail))
    return low, high


def bootstrap_interval(
    right: np.ndarray, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Interval for an accuracy, mean over seeds, if other examples had been drawn.

    Percentile bootstrap over examples, each with what all seeds made of it. It does not say how
    much other seeds would change.

        right     right or not, [seed, example] or [example]
        raises    BadInput for no examples, or a confidence outside (0, 1)
    """
    check_number("confidence", confidence, "between 0 and 1", 0, 1)
    shares = np.atleast_2d(np.asarray(right)).mean(axis=0)  # [example]
    if not shares.size:
        raise BadInput("An interval of an accuracy needs at least one example.")
    values, counts = np.unique(shares, return_counts=True)
    # Equal examples are drawn together: few numbers however many examples.
    generator, n = np.random.default_rng(seed), len(shares)
    drawn = generator.multinomial(n, counts / n, size=N_DRAWS) @ values / n  # [draw]
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
