"""Small prompt-tuned models, data and counts for the tests of neurons."""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from mvp_skill.evaluation import Split
from mvp_skill.neuron_counts import FiringCounts

GOOD, BAD, PAD = 1, 2, 0
N_WORDS = 23


class Record(NamedTuple):
    ids: np.ndarray

    @property
    def length(self):
        return len(self.ids)


class Rows(NamedTuple):
    input_ids: torch.Tensor
    attention_mask: torch.Tensor

    def to(self, device):
        return Rows(*(tensor.to(device) for tensor in self))


class SmallModel(nn.Module):
    """Prompt positions, then the text; every position reads itself and the mean of all."""

    def __init__(self, n_layers=3, n_prompt=5, n_neurons=11, width=7, n_classes=2, seed=0):
        super().__init__()
        names = tuple(f"class {number}" for number in range(n_classes))
        self.settings = SimpleNamespace(n_prompt=n_prompt, label_names=names)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.soft_prompt = nn.Parameter(torch.randn(n_prompt, width))
            self.words = nn.Embedding(N_WORDS, width)
            self.into = nn.ModuleList(nn.Linear(width, n_neurons) for _ in range(n_layers))
            self.out = nn.ModuleList(nn.Linear(n_neurons, width) for _ in range(n_layers))
            self.head = nn.Linear(width, n_classes)
            self.dropout = nn.Dropout(0.5)
        self.n_heads_computed = 0

    @property
    def ffn(self):
        return list(self.out)

    def label_logits(self, rows):
        return self.logits(rows)

    def up_to_neurons(self, layer):
        return [*self.into[: layer + 1], *self.out[:layer]]

    def encode(self, texts):
        return [Record(np.array([int(word) for word in text.split()])) for text in texts]

    def collate(self, records, generator=None):
        n_text = max(record.length for record in records)
        ids = np.full((len(records), n_text), PAD)
        real = np.zeros((len(records), self.settings.n_prompt + n_text), dtype=np.int64)
        for row, record in enumerate(records):
            ids[row, : record.length] = record.ids
            real[row, : self.settings.n_prompt + record.length] = 1
        return Rows(torch.from_numpy(ids), torch.from_numpy(real))

    def logits(self, rows):
        prompt = self.soft_prompt.expand(len(rows.input_ids), -1, -1)
        states = torch.cat([prompt, self.words(rows.input_ids)], dim=1)
        real = rows.attention_mask[:, :, None].float()
        for into, out in zip(self.into, self.out, strict=True):
            mean = (states * real).sum(dim=1, keepdim=True) / real.sum(dim=1, keepdim=True)
            read = torch.nn.functional.gelu(into(self.dropout(states + 2 * mean)))
            states = states + out(read)
        self.n_heads_computed += 1
        return self.head(states[:, 0])


def some_split(n=37, n_classes=2, seed=0, labels=None):
    """Random texts of odd lengths; labels that have nothing to do with them, unless given."""
    generator = np.random.default_rng(seed)
    records = [
        Record(generator.integers(3, N_WORDS, size=generator.integers(1, 9))) for _ in range(n)
    ]
    if labels is None:
        labels = torch.from_numpy(generator.permutation(np.arange(n) % n_classes))
    return Split(records, labels)


def planted_model(layer=1, neuron=4):
    """A SmallModel with one neuron that reads the word GOOD or BAD, and a head that reads it.

    No other neuron sees the hidden unit in which these two words differ.
    """
    model = SmallModel(seed=1)
    with torch.no_grad():
        for into in model.into:
            into.weight[:, 0] = 0
        model.soft_prompt[:, [0, 6]] = 0
        model.words.weight[:, [0, 6]] = 0
        model.words.weight[GOOD] = torch.tensor([9.0, 0, 0, 0, 0, 0, 0])
        model.words.weight[BAD] = torch.tensor([-9.0, 0, 0, 0, 0, 0, 0])
        for out in model.out:
            out.weight[[0, 6]] = 0
            out.bias[[0, 6]] = 0
        model.into[layer].weight[neuron] = torch.tensor([2.0, 0, 0, 0, 0, 0, 0])
        model.into[layer].bias[neuron] = 0
        model.out[layer].weight[6, neuron] = 1
        model.head.weight.zero_()
        model.head.weight[1, 6] = 1
        model.head.bias.copy_(torch.tensor([0.1, 0.0]))
    return model


def planted_split(n=41, n_wrong=4, seed=0):
    """Texts with the word GOOD or BAD; the labels of a few, the last ones, are wrong."""
    split = some_split(n, seed=seed)
    records = [
        Record(np.append(record.ids, GOOD if label else BAD))
        for record, label in zip(split.records, split.labels.tolist(), strict=True)
    ]
    labels = split.labels.clone()
    labels[n - n_wrong :] = 1 - labels[n - n_wrong :]
    return Split(records, labels)


def accuracy_of(model, split):
    """One example at a time."""
    model.eval()
    with torch.no_grad():
        right = [
            model.logits(model.collate([record])).argmax().item() == label
            for record, label in zip(split.records, split.labels.tolist(), strict=True)
        ]
    return sum(right) / len(right)


def activations_of(model, record):
    """The activations of one example, [layer, position, neuron], by a hook of its own."""
    seen = []
    handles = [
        module.register_forward_hook(lambda _m, inputs, _o: seen.append(inputs[0][0].clone()))
        for module in model.ffn
    ]
    model.eval()
    with torch.no_grad():
        model.logits(model.collate([record]))
    for handle in handles:
        handle.remove()
    return torch.stack(seen)


def counted(fired, labels, n_classes=2, n_permutations=0, seed=0):
    """FiringCounts of a bool array [batch, layer, prompt, neuron], example by example."""
    generator = torch.Generator().manual_seed(seed)
    vectors = [labels] + [
        labels[torch.randperm(len(labels), generator=generator)] for _ in range(n_permutations)
    ]
    tables = torch.zeros(1 + n_permutations, n_classes, *fired.shape[1:], dtype=torch.int32)
    for table, vector in zip(tables, vectors, strict=True):
        for one, label in zip(fired, vector.tolist(), strict=True):
            table[label] += one
    n = torch.bincount(labels, minlength=n_classes)
    return FiringCounts(tables[0], n, tables[1:], "clean-train", 100, "prompt")


def random_fired(n=53, n_layers=3, n_prompt=5, n_neurons=7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, n_layers, n_prompt, n_neurons, generator=generator) > 0.5


class RealModel(nn.Module):
    """A language model of the library, read as a prompt-tuned model is."""

    def __init__(self, backbone, encoder, ffn, start=None, n_prompt=4):
        super().__init__()
        names = ("negative", "positive")
        self.settings = SimpleNamespace(n_prompt=n_prompt, label_names=names)
        self.backbone, self.encoder, self.ffn, self.start = backbone, encoder, ffn, start
        width = backbone.get_input_embeddings().embedding_dim
        self.soft_prompt = nn.Parameter(torch.linspace(-1, 1, n_prompt * width).view(n_prompt, -1))
        self.collate = SmallModel.collate.__get__(self)

    def logits(self, rows):
        prompt = self.soft_prompt.expand(len(rows.input_ids), -1, -1)
        text = self.backbone.get_input_embeddings()(rows.input_ids)
        given = {
            "inputs_embeds": torch.cat([prompt, text], dim=1),
            "attention_mask": rows.attention_mask,
        }
        if self.start is not None:
            given["decoder_input_ids"] = torch.full((len(text), 1), self.start)
        return self.backbone(**given).logits[:, 0, 5:7]


def tiny_roberta():
    """A random RoBERTa of the library, read at position 0."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3}
    config = RobertaConfig(
        vocab_size=N_WORDS, intermediate_size=17, max_position_embeddings=60, **sizes
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = RobertaForMaskedLM(config)
    ffn = [layer.output.dense for layer in backbone.roberta.encoder.layer]
    return RealModel(backbone, backbone.roberta.encoder, ffn)


def tiny_t5():
    """A random T5 of the library, read at the decoder's first step."""
    from transformers import T5Config, T5ForConditionalGeneration

    sizes = {"d_model": 12, "d_kv": 4, "d_ff": 17, "num_layers": 2, "num_heads": 3}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        backbone = T5ForConditionalGeneration(T5Config(vocab_size=N_WORDS, **sizes))
    ffn = [block.layer[-1].DenseReluDense.wo for block in backbone.encoder.block]
    return RealModel(backbone, backbone.encoder, ffn, start=0)
