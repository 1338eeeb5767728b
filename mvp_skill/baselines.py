"""What a task gives away without being understood: baselines that only count words.

A task on which they do well has a shortcut, and robustness measured on it says little: an attack
that exchanges single words breaks the shortcut, not the understanding.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

WORD = re.compile(r"\w+")
STRENGTHS = (0.01, 0.1, 1.0, 10.0)  # inverse regularisation, chosen on validation


def constant_guess(labels: Sequence[int]) -> float:
    """Accuracy of always guessing the most frequent label."""
    return Counter(labels).most_common(1)[0][1] / len(labels)


def bag_of_words(data: "DatasetDict") -> float:
    """Clean accuracy on the test split of a logistic regression on word counts.

    Each column of a pair has its own counts, so word order and word pairs are out of its sight.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=_words)
    counter.fit(data["train"]["texts"])
    return _best_regression(data, lambda split: counter.transform(split["texts"]))  # [batch, word]


def _words(texts: Sequence[str]) -> list[str]:
    """The words of all columns, each with the number of its column."""
    return [f"{i} {word}" for i, text in enumerate(texts) for word in WORD.findall(text.lower())]


def word_overlap(data: "DatasetDict") -> float:
    """Clean accuracy on the test split, for pairs, of a logistic regression that sees four numbers:
    how many words both texts have, their share of all words, and the length of each text.
    """
    return _best_regression(data, lambda split: np.array([_overlap(*t) for t in split["texts"]]))


def _overlap(first: str, second: str) -> tuple[float, ...]:
    a, b = set(WORD.findall(first.lower())), set(WORD.findall(second.lower()))
    return len(a & b), len(a & b) / max(1, len(a | b)), len(a), len(b)


def _best_regression(data: "DatasetDict", features: Callable[["Dataset"], Any]) -> float:
    """Test accuracy of the regularisation with the best validation accuracy."""
    from sklearn.linear_model import LogisticRegression

    found = {name: (features(data[name]), data[name]["label"][:]) for name in data}
    models = [LogisticRegression(C=c, max_iter=2000).fit(*found["train"]) for c in STRENGTHS]
    best = max(models, key=lambda model: model.score(*found["validation"]))
    return float(best.score(*found["test"]))
