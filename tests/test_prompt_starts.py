"""Where soft prompts start: the same for a seed, another for another, and of the right size."""

import subprocess
import sys

import pytest
import torch
from prompt_cases import soft_prompt

from mvp_skill.errors import BadInput
from mvp_skill.prompt_starts import normal_start, prompt_start, vocabulary_start
from mvp_skill.seeding import derived_seed


@pytest.mark.parametrize(("kind", "deviation"), [("roberta", 0.02), ("t5", 1.0)])
def test_normal_numbers_have_the_deviation_of_the_kind(kind, deviation):
    table = normal_start(kind, 100, 768, seed=3)
    assert table.shape == (100, 768) and table.dtype == torch.float32
    assert table.std().item() == pytest.approx(deviation, rel=0.02)
    assert abs(table.mean().item()) < 0.02 * deviation


def test_t5_rows_start_as_long_as_the_released_ones_began():
    assert normal_start("t5", 100, 768, 0).norm(dim=1).mean().item() == pytest.approx(27.7, abs=0.3)


def test_a_seed_decides_in_every_process():
    program = "from mvp_skill.prompt_starts import *; print(normal_start('t5', 3, 4, 5).tolist())"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(normal_start("t5", 3, 4, 5).tolist())
    assert not torch.equal(normal_start("t5", 3, 4, 6), normal_start("t5", 3, 4, 5))


def test_p8_tasks_with_one_seed_start_alike_unless_the_seed_is_derived():
    """Prompts of one seed are not independent of each other if they begin with one table."""
    assert torch.equal(normal_start("t5", 3, 4, 33), normal_start("t5", 3, 4, 33))
    seeds = [derived_seed(33, task) for task in ("sst2", "qqp")]
    assert not torch.equal(*(normal_start("t5", 3, 4, seed) for seed in seeds))


def test_drawing_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    normal_start("roberta", 3, 4, 0)
    vocabulary_start(torch.rand(9, 4, generator=torch.Generator()), range(9), 3, 0)
    assert torch.equal(torch.rand(3), expected)


def test_words_are_drawn_from_those_allowed_without_replacement():
    embeddings = torch.nn.Parameter(torch.arange(11.0)[:, None] * torch.ones(3))  # [vocab, d_model]
    table = vocabulary_start(embeddings, range(4, 10), 6, seed=0)
    assert sorted(table[:, 0].tolist()) == [4, 5, 6, 7, 8, 9] and table.shape == (6, 3)
    assert not table.requires_grad
    few = [vocabulary_start(embeddings, range(4, 10), 2, seed)[:, 0].tolist() for seed in range(20)]
    assert len(set(map(tuple, few))) > 5  # of 30 ordered pairs
    assert torch.equal(
        vocabulary_start(embeddings, range(11), 5, 7), vocabulary_start(embeddings, range(11), 5, 7)
    )


@pytest.mark.parametrize("ids", [[1, 2], [1, 2, 2], [1, 2, 11], [-1, 2, 3]])
def test_too_few_or_unknown_words_are_refused(ids):
    with pytest.raises(BadInput, match="different words|must lie in 0 to 10"):
        vocabulary_start(torch.zeros(11, 4), ids, 3, 0)


def test_another_prompt_is_copied_and_stays_as_it_was():
    prompt = soft_prompt()
    start = prompt_start(prompt, "roberta", 5, 7)
    assert torch.equal(start, prompt.table)
    start += 1
    assert not torch.equal(start, prompt.table)


@pytest.mark.parametrize("wanted", [("t5", 5, 7), ("roberta", 6, 7), ("roberta", 5, 8)])
def test_a_prompt_of_another_kind_or_size_is_refused(wanted):
    with pytest.raises(BadInput, match="same backbone"):
        prompt_start(soft_prompt(), *wanted)


def test_an_unknown_kind_is_refused():
    with pytest.raises(BadInput, match="roberta, t5"):
        normal_start("gpt2", 3, 4, 0)
