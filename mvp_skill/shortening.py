"""How much of a text or pair stays in a row that is too short for it."""

import numpy as np


def shortened(
    n_first: np.ndarray, n_second: np.ndarray, room: np.ndarray, frozen: frozenset[int]
) -> tuple[np.ndarray, np.ndarray]:
    """How many tokens of each member of a pair stay where `room` tokens have place.

    Only the editable member loses tokens (BoolQ: the passage, never the question). If both are
    editable, the longer one loses until they are equal, then both alike. A frozen member is cut
    only where it is longer than the row by itself. A single text has `n_second` = 0.

        n_first, n_second, room   [batch * template]
        frozen                    indices (0, 1) of members that an attack may not edit
        returns                   two arrays [batch * template]
    """
    if frozen == {1}:
        second = np.minimum(n_second, room)
        return np.minimum(n_first, room - second), second
    first = n_first if frozen == {0} else np.maximum(room - n_second, room - room // 2)
    first = np.minimum(np.minimum(n_first, first), room)
    return first, np.minimum(n_second, room - first)
