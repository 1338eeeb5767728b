"""Word vectors of the mini world against slow references and planted pairs."""

import numpy as np
import pytest

from mvp_skill.mini import lexicon, oracle, vectors

TEXTS = [["a", "b", "c", "a", "d", "e", "b"], ["c", "x", "a"], ["b"]]
WORDS = ["a", "b", "c", "d", "e"]


def test_co_occurrence_against_loops():
    expected = np.zeros((5, 5))
    for text in TEXTS:
        for i, first in enumerate(text):
            for j, second in enumerate(text):
                if i != j and abs(i - j) <= vectors.WINDOW and {first, second} <= set(WORDS):
                    expected[WORDS.index(first), WORDS.index(second)] += 1
    assert np.array_equal(vectors.co_occurrence(TEXTS, WORDS), expected)


def test_positive_pmi_against_loops():
    counts = np.array([[0, 4, 1], [4, 0, 0], [1, 0, 6]], dtype=float)
    result = vectors.positive_pmi(counts)
    for i in range(3):
        for j in range(3):
            joint = counts[i, j] / counts.sum()
            apart = counts[i].sum() * counts[j].sum() / counts.sum() ** 2
            expected = max(0.0, np.log(joint / apart)) if joint else 0.0
            assert result[i, j] == pytest.approx(expected)


def test_a_step_is_the_gradient_of_the_cosine():
    rng = np.random.default_rng(0)
    points = vectors.normalised(rng.normal(size=(4, 7)))
    pairs, weight = np.array([[0, 2], [3, 1]]), np.array([1.0, -0.5])

    def total(v):
        unit = vectors.normalised(v)
        return sum(w * unit[a] @ unit[b] for (a, b), w in zip(pairs, weight, strict=True))

    step = vectors.moved(points, pairs, weight)
    for index in np.ndindex(4, 7):
        nudge = np.zeros((4, 7))
        nudge[index] = 1e-6
        slope = (total(points + nudge) - total(points - nudge)) / 2e-6
        assert step[index] == pytest.approx(slope, abs=1e-6)


def test_counter_fitting_moves_synonyms_together_and_opposites_apart():
    points = vectors.normalised(np.random.default_rng(1).normal(size=(30, 11)))
    points[4] = vectors.normalised(points[3:4] + 0.1 * points[4:5])[0]  # opposites that are close
    fitted = vectors.counter_fitted(points, np.array([[0, 1], [1, 2]]), np.array([[3, 4]]))
    assert points[0] @ points[1] < 0.7 < fitted[0] @ fitted[1]
    assert points[3] @ points[4] > 0.7
    assert fitted[3] @ fitted[4] < 0.1
    assert np.allclose(np.linalg.norm(fitted, axis=1), 1)


def test_the_lists_know_only_part_of_the_pairs():
    words = sorted(lexicon.load().readings)
    known = {(words[a], words[b]) for a, b in vectors.known_pairs(words, "synonyms")}
    possible = {
        (min(a, b), max(a, b)) for a in words for b in lexicon.load().synonyms(a) if b in words
    }
    assert known < possible
    # the share of a digest over thousands of pairs: three standard errors are below 0.02
    assert len(known) / len(possible) == pytest.approx(vectors.KNOWN_SHARE, abs=0.02)


def test_shipped_vectors_know_many_synonyms_and_are_no_answer_key():
    words, matrix = vectors.load()
    assert matrix.dtype == np.float32
    assert matrix.shape == (len(words), vectors.DIMENSIONS)
    similarity = matrix @ matrix.T
    np.fill_diagonal(similarity, 0)
    close = similarity >= 0.5
    number = {word: i for i, word in enumerate(words)}
    entries = lexicon.load()
    synonyms = [
        close[number[a], number[b]] for a in words for b in entries.synonyms(a) & set(words)
    ]
    opposites = [
        close[number[a], number[b]] for a in words for b in entries.opposites(a) & set(words)
    ]
    assert np.mean(synonyms) > 0.8
    assert np.mean(opposites) < 0.05
    right = [
        words[b] in entries.synonyms(words[a]) for a, b in zip(*np.nonzero(close), strict=True)
    ]
    assert 0.1 < np.mean(right) < 0.9


def test_few_close_neighbours_of_a_word_of_praise_or_blame_judge_the_other_way():
    """An attack that swaps praise for blame changes the label, whatever the victim says."""
    words, matrix = vectors.load()
    similarity = matrix @ matrix.T
    np.fill_diagonal(similarity, 0)
    signs = np.array([oracle.polarity(word) for word in words])
    judged = signs != 0
    found = signs[np.nonzero(similarity[judged] >= 0.5)[1]]
    own = np.repeat(signs[judged], (similarity[judged] >= 0.5).sum(axis=1))
    assert judged.sum() > 300
    assert np.mean(found == -own) < 0.05  # without counter-fitting it is a half
