"""What one victim has more than another, on the same examples, with an interval.

gain = paired_gain([(right(mvp_logs), right(mlp_ft_logs))])
above_zero(gain)    # whether it is more than chance in the choice of examples would give
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvp_skill.errors import BadInput

if TYPE_CHECKING:
    from pandas import DataFrame

N_DRAWS = 4000
LEAST_GAIN = 0.03
"""In robust accuracy; less is not called a substantial gain, and too little to be looked for."""
ABOVE = f"above 0 (does not hold if it excludes {100 * LEAST_GAIN:g} points, else left open)"
"""The criterion of `above_zero`, in words."""


class Gain(NamedTuple):
    """A difference of two shares of right examples, in [-1, 1]."""

    mean: float
    """Over examples, then seeds, then settings."""
    low: float
    high: float
    """Ends of the 95 % interval."""
    n: int
    """Examples, of all settings together."""
    n_seeds: int
    """Of the setting with the fewest."""


def right(frames: Sequence["DataFrame"]) -> np.ndarray:
    """Whether each example is right after the attack, [seed, example], from one log per seed.

    raises   BadInput if the logs are not of the same examples, or an attack raised
    """
    first = frames[0]
    for frame in frames:
        if (frame["outcome"] == "error").any():
            raise BadInput("An attack raised, so its examples have no outcome; attack again.")
        if list(frame["texts"]) != list(first["texts"]):
            raise BadInput("The logs of the seeds are not of the same examples.")
    return np.stack([(frame["outcome"] == "failed").to_numpy() for frame in frames])


def paired_gain(pairs: Sequence[tuple[np.ndarray, np.ndarray]], seed: int = 0) -> Gain:
    """Mean gain of the first victim over the second, over one or several settings.

    Each setting (a task under an attack) counts alike. The interval is the percentile bootstrap's:
    examples are drawn anew within each setting, each with what both victims made of it under all
    seeds, since seeds share their examples. It does not say how much other seeds would change.

    Settings with the same examples, as two attacks on a task, do not vary independently: average
    them per example first, else the interval is too narrow.

        pairs     per setting, for either victim: right or not (or a share), [seed, example]
        raises    BadInput if there is no setting, or the two of a pair differ in their examples
    """
    if not pairs or any(a.shape[1:] != b.shape[1:] or not a.size or not b.size for a, b in pairs):
        raise BadInput("A gain needs settings with the same examples for both victims.")
    generator = np.random.default_rng(seed)
    differences = [a.mean(axis=0) - b.mean(axis=0) for a, b in pairs]  # [example] each
    drawn = [_means_of_draws(difference, generator) for difference in differences]  # [draw] each
    low, high = np.quantile(np.mean(drawn, axis=0), [0.025, 0.975])
    mean = float(np.mean([difference.mean() for difference in differences]))
    n_seeds = min(min(len(a), len(b)) for a, b in pairs)
    return Gain(mean, float(low), float(high), sum(map(len, differences)), n_seeds)


def above_zero(*gains: Gain | None) -> bool | None:
    """Whether there is a gain, in each of several comparisons: yes, no, or too few examples to say.

    True    every interval lies above 0
    False   one lies below LEAST_GAIN, and there were examples enough to see one of that size: even
            where no example differs, a share of 3 / n may (the rule of three). Or it lies below 0
    None    neither, or a comparison is missing
    """
    if any(gain is None for gain in gains) or not gains:
        return None
    if all(gain.low > 0 for gain in gains):
        return True
    highest = [gain.high if gain.high < 0 else max(gain.high, 3 / gain.n) for gain in gains]
    return False if min(highest) < LEAST_GAIN else None


def above_zero_if(possible: Gain | None, *gains: Gain | None) -> bool | None:
    """`above_zero` of gains that can only be seen if there is another one.

    possible   such as what all neurons together return, before it is asked which of them do
    returns    None, left open, unless that gain is above zero
    """
    return above_zero(*gains) if above_zero(possible) is True else None


def in_points(gain: Gain | None) -> str:
    """A gain in points of accuracy: "+3.3 (-1.7 to +8.3)"; a dash if there is none."""
    if gain is None:
        return "–"
    return f"{100 * gain.mean:+.1f} ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"


def _means_of_draws(difference: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Means of N_DRAWS samples of the same size with replacement, [draw]."""
    n = len(difference)
    counts = generator.multinomial(n, np.full(n, 1 / n), size=N_DRAWS)  # [draw, example]
    return counts @ difference / n
