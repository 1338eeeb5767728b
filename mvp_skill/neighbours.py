"""Word neighbours: a table of word vectors with every word's nearest words by cosine similarity."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from mvp_skill.errors import BadInput
from mvp_skill.files import write_atomically
from mvp_skill.textattack_import import textattack

if TYPE_CHECKING:
    from textattack.shared import WordEmbedding

WHERE_TO_GET = (
    "download word_vectors/counter-fitted-vectors.txt.zip from github.com/nmrksic/counter-fitting, "
    "unzip it and give the path of the .txt file as NEIGHBOURS"
)
CHECKED_LINES = 1000  # of a text file, before a run starts
BLOCK_BYTES = 64 * 2**20  # memory for one block of similarities; all pairs at once would be 16 GiB


class Neighbours:
    """The word neighbours of an attack.

        words     [word]          distinct, lower case
        vectors   [word, d]       float32
        nearest   [word, 1 + k]   indices; first the word itself, then its k nearest, nearest first

    `k` is 50 in TextFooler (Jin et al. 2020; the code of the MVP paper uses the same). `nearest` is
    always present, because TextAttack's own search for neighbours without such a table raises.
    It is computed unless given: at once for some thousand words, about a minute for the 65,713 of
    the counter-fitted vectors, so `save` keeps it.
    """

    def __init__(
        self,
        words: Sequence[str],
        vectors: np.ndarray,
        k: int = 50,
        nearest: np.ndarray | None = None,
    ):
        self.words = list(words)
        self.vectors = np.ascontiguousarray(vectors, dtype=np.float32)
        _check_table(self.words, self.vectors, k)
        self.k = min(k, len(self.words) - 1)
        if nearest is None:
            nearest = nearest_words(self.vectors, self.k)
        _check_nearest(nearest, len(self.words), self.k)
        self.nearest = np.ascontiguousarray(nearest[:, : 1 + self.k], dtype=np.int64)
        self._embedding: WordEmbedding | None = None

    def embedding(self) -> "WordEmbedding":
        """The TextAttack object, one per table: transformation and constraint share its memory."""
        if self._embedding is None:
            index = {word: i for i, word in enumerate(self.words)}
            self._embedding = textattack().shared.WordEmbedding(
                self.vectors, index, self.words, nn_matrix=self.nearest
            )
        return self._embedding

    @property
    def fingerprint(self) -> str:
        """Changes when a word, a number, or a neighbour changes."""
        digest = hashlib.sha256("\n".join(self.words).encode("utf-8"))
        digest.update(self.vectors.tobytes())
        digest.update(self.nearest.tobytes())
        return f"{len(self.words)} words, k={self.k}, sha256 {digest.hexdigest()[:16]}"

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file: `vectors`, `nearest`, and the words as JSON in its header."""
        from safetensors.numpy import save

        tensors = {"vectors": self.vectors, "nearest": self.nearest.astype(np.int32)}
        metadata = {"words": json.dumps(self.words, ensure_ascii=False)}
        return write_atomically(path, save(tensors, metadata))

    @classmethod
    def from_file(cls, path: str | Path, k: int = 50) -> Self:
        """Read a table from a .safetensors file of `save`, or from text lines `word v1 v2 ...`.

        raises   BadInput if the file is missing (says where to get one), damaged or no such table
        """
        path = Path(path)
        if not path.is_file():
            raise BadInput(f"There is no file of word vectors at {path}; {WHERE_TO_GET}.")
        if path.suffix == ".safetensors":
            words, vectors, nearest = _read_safetensors(path)
            wide_enough = nearest is not None and nearest.shape[-1] >= min(1 + k, len(words))
            return cls(words, vectors, k, nearest if wide_enough else None)
        return cls(*_read_text(path), k)


def nearest_words(vectors: np.ndarray, k: int) -> np.ndarray:
    """Indices of each word itself and of its `k` nearest words by cosine, nearest first.

        vectors   [word, d]
        returns   [word, 1 + k]   int64; equal similarities in the order of the words

    Works through blocks of words, so that memory stays bounded for any number of words.
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    n = len(unit)
    block = max(1, BLOCK_BYTES // (4 * n))
    nearest = np.empty((n, 1 + k), dtype=np.int64)
    for start in range(0, n, block):
        rows = np.arange(start, min(start + block, n))
        similarity = unit[rows] @ unit.T  # [block, word]
        # A word comes first among its own neighbours even if another word has the same vector:
        # TextAttack skips the first column without looking.
        similarity[rows - start, rows] = np.inf
        nearest[rows] = _largest(similarity, 1 + k)
    return nearest


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """Columns of the `count` largest values of each row, largest first, equal ones by column."""
    first = values.shape[1] - count
    columns = np.sort(np.argpartition(values, first, axis=1)[:, first:], axis=1)  # [row, count]
    order = np.argsort(-np.take_along_axis(values, columns, axis=1), axis=1, kind="stable")
    return np.take_along_axis(columns, order, axis=1)


def _check_table(words: list[str], vectors: np.ndarray, k: int) -> None:
    if k < 1:
        raise BadInput(f"A word needs at least one neighbour, not k={k}; TextFooler takes k=50.")
    if vectors.ndim != 2 or len(words) != len(vectors) or len(words) < 2:
        raise BadInput(
            f"A neighbour table needs one vector for each of at least two words, not {len(words)} "
            f"words and vectors of shape {list(vectors.shape)}; check the file of word vectors."
        )
    word, count = Counter(words).most_common(1)[0]
    if count > 1:
        raise BadInput(f"The word {word!r} has {count} vectors; keep one vector per word.")
    finite = np.isfinite(vectors).all(axis=1)  # [word]
    if not finite.all():
        word = words[int(np.flatnonzero(~finite)[0])]
        raise BadInput(f"The vector of {word!r} is not finite; get the file of word vectors again.")


def _check_nearest(nearest: np.ndarray, n: int, k: int) -> None:
    """A wrong table would make TextAttack skip a true neighbour or stop in mid-run."""
    fits = nearest.ndim == 2 and len(nearest) == n and nearest.shape[1] >= 1 + k
    in_range = fits and nearest.min() >= 0 and nearest.max() < n
    if not (in_range and np.array_equal(nearest[:, 0], np.arange(n))):
        raise BadInput(
            f"The stored neighbours do not belong to these {n} words (expected [word, 1 + {k}] "
            "indices with the word itself first); leave them out and they are computed."
        )


def _read_safetensors(path: Path) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            words = json.loads((file.metadata() or {})["words"])
            nearest = file.get_tensor("nearest") if "nearest" in file.keys() else None  # noqa: SIM118
            return words, file.get_tensor("vectors"), nearest
    except (SafetensorError, KeyError, ValueError) as error:
        raise BadInput(
            f"{path} is not a neighbour table (a safetensors file with the tensor 'vectors' and "
            f"'words' in its header): {error}; write it again with Neighbours.save, "
            f"or {WHERE_TO_GET}."
        ) from error


def check_vector_file(path: str | Path) -> None:
    """What is wrong with a file of word vectors, as far as its beginning shows.

    raises   BadInput if the file is missing, cut off (safetensors) or no table of word vectors
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"There is no file of word vectors at {path}; {WHERE_TO_GET}.")
    if path.suffix == ".safetensors":
        _read_safetensors(path)
    else:
        _read_text(path, n_lines=CHECKED_LINES)


def _read_text(path: Path, n_lines: int | None = None) -> tuple[list[str], np.ndarray]:
    words: list[str] = []
    rows: list[np.ndarray] = []
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(islice(file, n_lines), start=1):
            word, row = _read_line(line)
            if len(row) == 0 or (rows and len(row) != len(rows[0])):
                wanted = f"{len(rows[0])} numbers" if rows else "numbers"
                raise BadInput(
                    f"Line {number} of {path} is not 'word v1 v2 ...' with {wanted}; "
                    f"{WHERE_TO_GET}."
                )
            words.append(word)
            rows.append(row)
    if not rows:
        raise BadInput(f"{path} is empty; {WHERE_TO_GET}.")
    return words, np.stack(rows)


def _read_line(line: str) -> tuple[str, np.ndarray]:
    """The word and its numbers; no numbers if the line is not made of one word and numbers."""
    word, _, numbers = line.strip().partition(" ")
    try:
        return word, np.array(numbers.split(), dtype=np.float32)
    except ValueError:
        return word, np.empty(0, dtype=np.float32)
