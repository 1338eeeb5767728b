"""Batches of examples of similar length, so that little is padded."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from mvp_skill.errors import BadInput
from mvp_skill.seeding import derived_seed

CHUNK = 50  # batches sorted together: long enough to save padding, short enough to stay random
LANES = 16  # numbers of 32 bits that a processor adds at once (AVX-512; a multiple for others)


def training_batches(
    lengths: Sequence[int], batch_size: int, *, seed: int, epoch: int
) -> list[np.ndarray]:
    """One epoch: every example once, in batches of `batch_size` (the last may be smaller).

    The examples are shuffled and cut into chunks of CHUNK batches; a chunk is sorted by length and
    cut into batches; the batches of the epoch are shuffled. So an example meets others of about its
    length, but different ones in every epoch, and the order of lengths is random.

        lengths   tokens of each example
        returns   arrays of indices into `lengths`; the same for the same seed and epoch, in every
                  process
        raises    BadInput for no examples or a batch size below 1
    """
    _check(lengths, "batch_size", batch_size)
    lengths = np.asarray(lengths)
    generator = np.random.default_rng(derived_seed(seed, "order", epoch))
    order = generator.permutation(len(lengths))
    batches = []
    for chunk in _slices(order, CHUNK * batch_size):
        batches += _slices(chunk[np.argsort(lengths[chunk], kind="stable")], batch_size)
    return [batches[index] for index in generator.permutation(len(batches))]


def evaluation_batches(lengths: Sequence[int], max_tokens: int) -> list[np.ndarray]:
    """All examples, longest first, in batches of at most `max_tokens` tokens with padding.

    An example that is longer than `max_tokens` is a batch of its own. Longest first, because a
    batch that does not fit into memory then fails at once.

        lengths   tokens of each example, all its rows together
        returns   arrays of indices into `lengths`
        raises    BadInput for no examples or a budget below 1
    """
    _check(lengths, "max_tokens", max_tokens)
    lengths = np.asarray(lengths)
    order = np.argsort(-lengths, kind="stable")
    batches, start = [], 0
    while start < len(order):
        n = max(1, max_tokens // max(1, lengths[order[start]]))
        batches.append(order[start : start + n])
        start += n
    return batches


def steady_batches(
    lengths: Sequence[int], n_rows: int, max_tokens: Callable[[int], int]
) -> Iterator[np.ndarray]:
    """All examples, longest first, in batches that do not change what is computed for an example.

    Padding adds exact zeros to a sum, but where a row crosses a multiple of LANES tokens, the sum
    is taken in another order and its last bits differ. So only rows that lie between the same
    multiples share a batch; with them, on a processor, an example's numbers do not depend on its
    company, nor on the size of the batch.

        lengths      tokens of the longest row of each example
        n_rows       rows of each example, all of them padded to the same length
        max_tokens   (tokens that wait) -> tokens of the next batch, with padding; an example with
                     more is a batch of its own
        returns      arrays of indices into `lengths`
        raises       BadInput for no examples
    """
    _check(lengths, "n_rows", n_rows)
    lengths = np.asarray(lengths)
    order = np.argsort(-lengths, kind="stable")
    span = lengths[order] // LANES  # [batch], falls along the order
    waiting = np.cumsum(lengths[order][::-1])[::-1] * n_rows  # [batch], tokens from here on
    start = 0
    while start < len(order):
        n = max(1, max_tokens(int(waiting[start])) // (n_rows * max(1, lengths[order[start]])))
        n = min(n, int(np.searchsorted(-span, -span[start], side="right")) - start)
        yield order[start : start + n]
        start += n


def _slices(array: np.ndarray, size: int) -> list[np.ndarray]:
    return [array[start : start + size] for start in range(0, len(array), size)]


def _check(lengths: Sequence[int], name: str, value: int) -> None:
    if not len(lengths):
        raise BadInput("There are no examples to make batches of.")
    if value < 1:
        raise BadInput(f"{name} must be a whole number of at least 1, not {value!r}.")
