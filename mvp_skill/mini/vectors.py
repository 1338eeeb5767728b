"""Word vectors in which synonyms are close and opposites far apart, for the attack's neighbours.

They are made as the counter-fitted vectors of real TextFooler are: distributional vectors first
(positive pointwise mutual information with the words around, reduced by a singular value
decomposition; Levy & Goldberg 2014), then counter-fitting (Mrkšić et al. 2016): synonym
pairs attract, opposites repel, and every word stays near its old neighbours. As the published
lists do, ours know only part of the pairs: `KNOWN_SHARE` of them. So neighbours are no answer key:
some synonyms are missing, and some neighbours are no synonyms. Opposites are what a thesaurus
lists, not the antonym sets alone: repelled by those only, words of praise would have as many words
of blame among their neighbours as without counter-fitting.
"""

from collections.abc import Sequence
from importlib.resources import files

import numpy as np

from mvp_skill.mini import corpus, lexicon
from mvp_skill.mini.dice import digest
from mvp_skill.mini.oracle import words_of

FILE = "vectors.safetensors"
N_DOCUMENTS = 150_000
WINDOW = 4  # words to either side
DIMENSIONS = 300
LEAST_COUNT = 5  # a word that is rarer in the corpus has no vector
KNOWN_SHARE = 0.6
SYNONYM_MARGIN = 0.0  # cosine distance down to which synonyms attract
OPPOSITE_MARGIN = 1.0  # cosine distance up to which opposites repel
EPOCHS = 30
RATE = 0.1
PRESERVE_NEIGHBOURS = 10


def co_occurrence(texts: Sequence[Sequence[str]], words: Sequence[str]) -> np.ndarray:
    """How often two words stand within `WINDOW` words of each other, [word, word]."""
    number = {word: i for i, word in enumerate(words)}
    between = [-1] * WINDOW  # so that no window reaches from one text into the next
    flat = np.array([number.get(word, -1) for text in texts for word in (*text, *between)])
    counts = np.zeros(len(words) ** 2)
    for gap in range(1, WINDOW + 1):
        a, b = flat[:-gap], flat[gap:]
        known = (a >= 0) & (b >= 0)
        counts += np.bincount(a[known] * len(words) + b[known], minlength=len(counts))
    counts = counts.reshape(len(words), len(words))
    return counts + counts.T


def positive_pmi(counts: np.ndarray) -> np.ndarray:
    """max(0, log p(a, b) / p(a) p(b)), [word, word]."""
    total = counts.sum()
    margin = counts.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        pmi = np.log(counts * total / (margin @ margin.T))
    return np.maximum(pmi, 0.0)


def reduced(matrix: np.ndarray, dimensions: int) -> np.ndarray:
    """Leading singular vectors as columns, centred, rows at length one, [word, dimension].

    They are not weighted by their singular values: an eigenvalue weighting of 0
    (Levy et al. 2015), or else the few that tell nouns from verbs would drown the rest.
    """
    values, vectors = np.linalg.eigh(matrix)  # symmetric, so the eigenvectors are the singular ones
    largest = np.argsort(-np.abs(values))[:dimensions]
    return normalised(vectors[:, largest] - vectors[:, largest].mean(axis=0))


def normalised(vectors: np.ndarray) -> np.ndarray:
    """Rows at length one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def known_pairs(words: Sequence[str], relation: str) -> np.ndarray:
    """Index pairs of synonyms or opposites (a `Lexicon` method) that the lists know, [pair, 2]."""
    related = getattr(lexicon.load(), relation)
    number = {word: i for i, word in enumerate(words)}
    pairs = {
        (min(a, b), max(a, b))
        for a in words
        for b in related(a)
        if b in number and digest(f"{relation}/{min(a, b)}/{max(a, b)}") % 100 < 100 * KNOWN_SHARE
    }
    rows = [(number[a], number[b]) for a, b in sorted(pairs)]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def near_pairs(vectors: np.ndarray) -> np.ndarray:
    """Each word with its nearest neighbours, [pair, 2]."""
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -1.0)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :PRESERVE_NEIGHBOURS]
    first = np.repeat(np.arange(len(vectors)), PRESERVE_NEIGHBOURS)
    return np.stack([first, nearest.ravel()], axis=1)


def moved(vectors: np.ndarray, pairs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Sum over pairs of the step along the gradient of weight * cosine, [word, dimension].

    At unit length the gradient of the cosine of u and v with respect to u is v - cos(u, v) u.
    """
    step = np.zeros_like(vectors)
    u, v = vectors[pairs[:, 0]], vectors[pairs[:, 1]]
    cosine = (u * v).sum(axis=1, keepdims=True)
    np.add.at(step, pairs[:, 0], weight[:, None] * (v - cosine * u))
    np.add.at(step, pairs[:, 1], weight[:, None] * (u - cosine * v))
    return step


def counter_fitted(vectors: np.ndarray, synonyms: np.ndarray, opposites: np.ndarray) -> np.ndarray:
    """The vectors after counter-fitting (Mrkšić et al. 2016).

    vectors              [word, dimension] at length one
    synonyms, opposites  [pair, 2] indices
    """

    def distance(v: np.ndarray, pairs: np.ndarray) -> np.ndarray:
        return 1.0 - (v[pairs[:, 0]] * v[pairs[:, 1]]).sum(axis=1)

    near = near_pairs(vectors)
    near_before = distance(vectors, near)
    for _ in range(EPOCHS):
        attract = (distance(vectors, synonyms) > SYNONYM_MARGIN).astype(vectors.dtype)
        repel = -(distance(vectors, opposites) < OPPOSITE_MARGIN).astype(vectors.dtype)
        preserve = (distance(vectors, near) > near_before).astype(vectors.dtype)
        step = moved(vectors, synonyms, attract) + moved(vectors, opposites, repel)
        step += 0.1 * moved(vectors, near, preserve)
        vectors = normalised(vectors + RATE * step)
    return vectors


def make(n_documents: int = N_DOCUMENTS) -> tuple[list[str], np.ndarray]:
    """Words and counter-fitted vectors [word, dimension] from the corpus and the known pairs."""
    texts = [words_of(text) for text in corpus.documents(n_documents, seed=0)]
    flat = [word for text in texts for word in text if word.isalpha()]
    distinct, counts = np.unique(np.array(flat), return_counts=True)
    words = [str(word) for word in distinct[counts >= LEAST_COUNT]]
    vectors = reduced(positive_pmi(co_occurrence(texts, words)), DIMENSIONS).astype(np.float32)
    fitted = counter_fitted(
        vectors, known_pairs(words, "synonyms"), known_pairs(words, "opposites")
    )
    return words, fitted.astype(np.float32)


def load() -> tuple[list[str], np.ndarray]:
    """The words and vectors that the package ships, float32 [word, dimension]."""
    from safetensors import safe_open

    path = files(__package__).joinpath("weights").joinpath(FILE)
    with safe_open(str(path), framework="numpy") as file:
        words = file.metadata()["words"].split(" ")
        return words, file.get_tensor("vectors").astype(np.float32)


def save(words: list[str], vectors: np.ndarray, path) -> None:
    """Store as safetensors: `vectors` in half precision, the words in the header."""
    from safetensors.numpy import save as packed

    from mvp_skill.files import write_atomically

    compact = np.ascontiguousarray(vectors, dtype=np.float16)
    content = packed({"vectors": compact}, metadata={"words": " ".join(words)})
    write_atomically(path, content)
