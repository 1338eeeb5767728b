"""Settings of torch inside a training, and as they were after it."""

import pytest
import torch

from mvp_skill.seeding import denormals_flushed


def tiny() -> float:
    """A number below the smallest normal one, after a multiplication."""
    return (torch.tensor([1e-40]) * 1.0).item()


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="this processor cannot flush")
@pytest.mark.parametrize("before", [False, True])
def test_tiny_numbers_are_flushed_inside_the_block_only(before):
    torch.set_flush_denormal(before)
    try:
        with pytest.raises(RuntimeError, match="on purpose"), denormals_flushed():
            assert tiny() == 0
            raise RuntimeError("on purpose")
        assert (tiny() == 0) is before
    finally:
        torch.set_flush_denormal(False)
