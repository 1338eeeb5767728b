"""What two soft prompts have left of one start: planted, and against a slow reference."""

import pytest
import torch
from prompt_cases import soft_prompt

from mvp_skill.prompt_similarity import similarities
from mvp_skill.prompt_starts import normal_start
from mvp_skill.shared_starts import start_in_common, with_starts

N, D = 30, 40


def slow(a: torch.Tensor, b: torch.Tensor, deviation: float) -> float:
    """One pair of rows at a time."""
    same = [float(x @ y) for x, y in zip(a, b, strict=True)]
    other = [float(a[i] @ b[j]) for i in range(len(a)) for j in range(len(b)) if i != j]
    return (sum(same) / len(same) - sum(other) / len(other)) / (a.shape[1] * deviation**2)


def test_the_estimate_equals_the_slow_reference():
    tables = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0)).double()
    common, error = start_in_common(tables, 0.3)
    for i in range(4):
        for j in range(4):
            assert common[i, j].item() == pytest.approx(slow(tables[i], tables[j], 0.3))
            expected = tables[i].norm() * tables[j].norm() / (7 * 5 * 0.09) / 35**0.5
            assert error[i, j].item() == pytest.approx(expected.item())


def starts(shared: bool, kind: str, n: int = 2) -> list[torch.Tensor]:
    return [normal_start(kind, N, D, 0 if shared else seed) for seed in range(n)]


@pytest.mark.parametrize(("kind", "deviation"), [("t5", 1.0), ("roberta", 0.02)])
@pytest.mark.parametrize("shared", [True, False])
def test_a_planted_common_start_is_found_under_what_was_learnt(kind, deviation, shared):
    """Each adds numbers of its own, and the same vector to all of its rows."""
    tables = starts(shared, kind)
    generator = torch.Generator().manual_seed(9)
    direction = 5 * deviation * torch.randn(D, generator=generator)
    learnt = [t + direction + deviation * torch.randn(N, D, generator=generator) for t in tables]
    common, error = start_in_common(torch.stack(learnt), deviation)
    assert abs(common[0, 1] - float(shared)) < 0.15
    flat = torch.stack(learnt).flatten(1)
    assert torch.cosine_similarity(flat[0], flat[1], dim=0) > 0.8


def test_a_start_of_which_each_kept_half_counts_a_quarter():
    (table,) = starts(True, "t5", 1)
    generator = torch.Generator().manual_seed(4)
    halves = [table / 2 + 0.3 * torch.randn(N, D, generator=generator) for _ in range(2)]
    assert start_in_common(torch.stack(halves), 1.0)[0][0, 1].item() == pytest.approx(
        0.25, abs=0.03
    )


def test_the_error_is_the_spread_of_unrelated_tables():
    generator = torch.Generator().manual_seed(5)
    tables = 3 * torch.randn(60, 12, 9, generator=generator)
    common, error = start_in_common(tables, 1.0)
    off = ~torch.eye(60, dtype=torch.bool)
    assert common[off].std().item() == pytest.approx(error[off].mean().item(), rel=0.1)
    assert abs(common[off].mean().item()) < 0.05


def test_the_columns_belong_to_the_pairs_of_the_table():
    table = normal_start("roberta", 8, 6, 0)
    prompts = [
        soft_prompt("sst2", 33, table=table.clone()),
        soft_prompt("qqp", 33, table=normal_start("roberta", 8, 6, 1)),
        soft_prompt("sst2", 34, table=table.clone()),
    ]
    frame = with_starts(similarities(prompts), prompts, 0.02).set_index(["first", "second"])
    found = frame["start_in_common"]
    assert found["sst2-s33", "sst2-s34"] == pytest.approx(
        slow(table[1:], table[1:], 0.02), rel=1e-5
    )
    assert found["sst2-s33", "sst2-s34"] > 0.6 > found["sst2-s33", "qqp-s33"]
    assert (frame["start_error"] > 0).all()
