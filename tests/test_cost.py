"""Costs: planted times, counted rows, and no step that needs vocabulary x length."""

import time

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
from victim_cases import sentiment_data, tiny_victim

from mvp_skill.conditions import VICTIMS
from mvp_skill.cost import busy_seconds, counted, interleaved, next_step, ratios
from mvp_skill.errors import BadInput
from mvp_skill.evaluation import encoded
from mvp_skill.masked_lm import last_hidden_state
from mvp_skill.memory import Memory
from mvp_skill.objectives import Batch, cross_entropy
from mvp_skill.train_config import TrainConfig, objective_named
from mvp_skill.training import train
from mvp_skill.victims import METHODS
from mvp_skill.weights import weights_of

BATCH = 5
READOUTS = [(method, name) for name in ("tiny_backbone", "tiny_bert") for method in METHODS]
READOUTS += [("mlp_ft", "tiny_gpt2"), ("mvp", "tiny_gpt2")]


class PlantedClock:
    """Stands still but for what actions add to it."""

    def __init__(self):
        self.now, self.order = 0.0, []

    def __call__(self):
        return self.now

    def action(self, name, seconds):
        left = iter(seconds)

        def act():
            self.now += next(left)
            self.order.append(name)

        return act


def test_planted_times_come_back_without_the_first_round():
    clock = PlantedClock()
    planted = {"a": [50, 1, 2, 4], "b": [70, 3, 3, 3], "c": [0, 5, 20, 8]}
    actions = {name: clock.action(name, seconds) for name, seconds in planted.items()}
    found = interleaved(actions, 3, clock)
    assert {name: list(seconds) for name, seconds in found.items()} == {
        name: seconds[1:] for name, seconds in planted.items()
    }
    # medians of 3, 1.5, 0.75 and of 5, 10, 2: not ratios of medians, which are 1.5 and 4
    assert ratios(found, "a") == {"a": 1.0, "b": 1.5, "c": 5.0}
    assert "".join(clock.order) == "cba" + "abc" + "cba" + "abc"


def test_nothing_is_compared_with_what_was_not_measured():
    with pytest.raises(BadInput, match="'mlp_ft' was not measured"):
        ratios({"mvp": np.ones(3)}, "mlp_ft")
    with pytest.raises(BadInput, match="rounds must be a whole number of at least 1"):
        interleaved({}, 0)


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a GPU the clock is the wall's")
def test_the_clock_counts_computing_and_not_waiting():
    started = busy_seconds()
    time.sleep(0.3)
    waited = busy_seconds() - started
    started, until = busy_seconds(), time.monotonic() + 60
    while busy_seconds() - started < 0.2:
        assert time.monotonic() < until  # it stands still
    assert waited < 0.1


def test_a_measured_step_is_the_step_of_the_training(tiny_backbone):
    data, config = sentiment_data(BATCH, 4), TrainConfig(1e-3, batch_size=BATCH, epochs=1)
    trained, measured = (tiny_victim("mvp", tiny_backbone) for _ in range(2))
    train(trained, data, config, progress=False)  # one step
    next_step(measured, encoded(measured, data["train"], "train"), config)()
    found, start = weights_of(measured), weights_of(tiny_victim("mvp", tiny_backbone))
    for name, weight in weights_of(trained).items():
        assert weight.equal(found[name]), name
    assert not all(weight.equal(start[name]) for name, weight in found.items())


def test_all_victims_get_the_same_batches_again_and_again(tiny_backbone, monkeypatch):
    data, config = sentiment_data(12, 4), TrainConfig(batch_size=BATCH, epochs=1)
    asked = {}
    for method in ("mlp_ft", "mvp"):
        victim, given = tiny_victim(method, tiny_backbone), []
        split = encoded(victim, data["train"], "train")
        where = {id(record): index for index, record in enumerate(split.records)}
        collate = victim.collate
        victim.collate = lambda records, *rest, c=collate, g=given, w=where: (
            g.append([w[id(record)] for record in records]) or c(records, *rest)
        )
        step = next_step(victim, split, config)
        for _ in range(4):  # an epoch has 3
            step()
        asked[method] = given
    assert asked["mlp_ft"] == asked["mvp"] and asked["mvp"][3] == asked["mvp"][0]
    assert sorted(sum(asked["mvp"][:3], [])) == list(range(12))


@pytest.mark.parametrize(
    ("name", "passes", "rows_per_text"),
    [
        ("mlp_ft", 1, 1),
        ("clsprompt", 1, 1),
        ("mvp", 1, 4),
        ("mvp_sampled", 1, 1),
        ("mlp_ft_adv", 2, 2),
        ("mvp_adv", 2, 8),
        ("freelb", 5, 5),
        ("infobert", 3, 3),
    ],
)
def test_what_a_step_reads(tiny_backbone, name, passes, rows_per_text):
    making = VICTIMS[name]
    templates = {"training_templates": making.training_templates}
    victim = tiny_victim(making.method, tiny_backbone, **templates)
    config = TrainConfig(batch_size=BATCH, objective=objective_named(making.objective))
    split = encoded(victim, sentiment_data(BATCH, 4)["train"], "train")
    step = next_step(victim, split, config)
    with counted(victim) as read:
        step()
        step()
    step()  # after the block nothing counts
    assert (read.passes, read.rows) == (2 * passes, 2 * rows_per_text * BATCH)
    lengths = [record.length for record in split.records]
    assert read.tokens % read.rows == 0  # equally wide rows, as the batch is the same
    assert read.tokens >= 2 * rows_per_text * BATCH * (max(lengths) + 2)


def test_a_text_is_read_once_per_template(tiny_backbone):
    victim = tiny_victim("mvp", tiny_backbone)
    with counted(victim) as read:
        victim(["good film", "bad film", "good film"])
    assert read.rows == 2 * 4


def test_peak_bytes_are_those_of_the_formula():
    x, weight = torch.randn(5, 7), torch.randn(7, 3)
    with Memory() as memory:
        for _ in range(2):  # one after the other: the memory of one
            out = (x @ weight).exp()  # two tensors [5, 3], the first is gone afterwards
            del out
    assert memory.peak_bytes == 4 * 2 * 5 * 3 and memory.shapes == {(5, 3)}
    with Memory() as memory:
        both = [(x @ weight).exp() for _ in range(2)]
        both[0].mul_(2)
        both[1].t().detach()[0]
        x.view(35)
    assert memory.peak_bytes == 4 * 3 * 5 * 3  # in place and as a view nothing is made


def test_backward_passes_count():
    x, weight = torch.randn(5, 7), torch.randn(7, 3, requires_grad=True)
    with Memory() as memory:
        x.matmul(weight).sum().backward()
    assert memory.shapes == {(5, 3), (), (7, 3)}
    assert memory.peak_bytes == 4 * (7 * 3 + 2)  # the product is gone; sum, its gradient, weight's


def test_a_sparse_gradient_counts_by_its_parts():
    weight, ids = torch.randn(50, 7, requires_grad=True), torch.tensor([3, 41])
    with Memory() as memory:
        torch.nn.functional.embedding(ids, weight, sparse=True).sum().backward()
    assert weight.grad.is_sparse and (2, 7) in memory.shapes and (50, 7) not in memory.shapes


def vocabulary_doubled(folder, to):
    """The backbone with as many words again that nobody uses."""
    auto = AutoModelForCausalLM if "gpt2" in folder.name else AutoModelForMaskedLM
    model = auto.from_pretrained(folder)
    n_words = model.config.vocab_size
    with torch.random.fork_rng(devices=[]):
        model.resize_token_embeddings(2 * n_words, mean_resizing=False)
    model.save_pretrained(to)
    AutoTokenizer.from_pretrained(folder).save_pretrained(to)
    return to


def memory_of_step(victim, n_words, loss_of=cross_entropy):
    """Memory of one training step on texts of n words."""
    texts = [" ".join(["good film"] * n_words)[: 5 * n_words - 1]] * BATCH
    batch = Batch(victim.collate(victim.encode(texts)), torch.zeros(BATCH, dtype=int), seed=0)
    victim.train()
    torch.manual_seed(0)
    with Memory() as memory:
        loss_of(victim, batch).backward()
    return memory, batch.rows.input_ids.numel()


def head_everywhere(victim, batch):
    """MVP as the authors' code computes it: the whole head at every position."""
    encoder = getattr(victim.backbone, victim.encoder_name)
    hidden = last_hidden_state(encoder, batch.rows)  # [batch * template, position, hidden]
    scores = victim.backbone.lm_head(hidden)  # [batch * template, position, vocab]
    row = torch.arange(len(scores))
    at_mask = scores[row, batch.rows.mask_position.flatten()]  # [batch * template, vocab]
    return at_mask[:, victim.word_ids].logsumexp(dim=1).mean()


def two_vocabularies(folder, to, method, **options):
    """A victim, and one with twice the words."""
    doubled = vocabulary_doubled(folder, to / folder.name)
    return [tiny_victim(method, path, **options) for path in (folder, doubled)]


@pytest.mark.parametrize(("method", "backbone"), READOUTS)
def test_pitfall_16_memory_per_step_does_not_grow_with_vocabulary_times_length(
    request, tmp_path, method, backbone
):
    folder = request.getfixturevalue(backbone)
    options = {"template_variant": "gpt2"} if backbone == "tiny_gpt2" else {}
    peaks = {}
    for victim in two_vocabularies(folder, tmp_path, method, **options):
        n_words = victim.config.vocab_size
        for length in (5, 10):
            memory, n_tokens = memory_of_step(victim, length)
            peaks[n_words, length] = memory.peak_bytes
            # Of the tensors with an axis of the vocabulary, those of weights are the largest.
            largest = max(np.prod(shape) for shape in memory.shapes if n_words in shape)
            assert largest == n_words * victim.config.hidden_size
    (short, long), (short_2, long_2) = (
        [peaks[n, length] for length in (5, 10)] for n in sorted({n for n, _ in peaks})
    )
    assert short < long
    assert long_2 - short_2 <= long - short, "bytes for length grow with the vocabulary"


def test_the_head_at_every_position_would_be_noticed(tiny_backbone, tmp_path):
    for victim in two_vocabularies(tiny_backbone, tmp_path, "mvp"):
        memory, n_tokens = memory_of_step(victim, 5, head_everywhere)
        n_words = victim.config.vocab_size
        of_every_token = [shape for shape in memory.shapes if shape[-1:] == (n_words,)]
        assert max(map(np.prod, of_every_token)) == n_tokens * n_words
        assert memory.peak_bytes > memory_of_step(victim, 5)[0].peak_bytes + 4 * n_tokens * n_words
