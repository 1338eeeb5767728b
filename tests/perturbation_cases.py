"""Batches, slow references and a linear toy for the tests of adversarial training."""

import types

import torch
import torch.nn.functional as F
from torch import nn

from mvp_skill.insertion import Rows
from mvp_skill.objectives import Batch
from mvp_skill.victim_parts import word_embeddings

# Odd lengths, so that most rows are padded; one text has a single token.
TEXTS = ["the film was wonderful", "awful", "the story and the plot were horrible", "love this one"]
LABELS = torch.tensor([1, 0, 0, 1])

WRITTEN_OUT = ("mlp_ft", "mvp")  # methods whose logits are computed here step by step


def batch_of(victim, texts=TEXTS, labels=LABELS, seed=5):
    return Batch(victim.collate(victim.encode(texts)), labels, seed)


def word_vectors(victim, batch):
    """Detached word embeddings, [batch * template, position, hidden]."""
    return word_embeddings(victim).weight[batch.rows.input_ids].detach()


def slow_logits(victim, rows, vectors):
    """Logits from explicit input vectors, one unpadded row at a time, full masked-LM head for MVP.

    Dropout must be off.
    """
    per_text = []
    for text, positions in enumerate(rows.mask_position.tolist()):
        scores = []
        for template, mask in enumerate(positions):
            row = text * len(positions) + template
            length = int(rows.attention_mask[row].sum())
            inputs = vectors[row : row + 1, :length]
            if victim.settings.method == "mlp_ft":
                state = victim.encoder(inputs_embeds=inputs).last_hidden_state[0, 0]
                scores.append(victim.out_proj(torch.tanh(victim.dense(state))))
            else:
                at_mask = victim.backbone(inputs_embeds=inputs).logits[0, mask]
                ids = victim.word_ids.tolist()
                of_class = [
                    [at_mask[i] for i, c in zip(ids, victim.word_class, strict=True) if c == wanted]
                    for wanted in range(len(victim.settings.label_names))
                ]
                scores.append(torch.stack([torch.stack(words).max() for words in of_class]))
        per_text.append(torch.stack(scores).mean(dim=0))
    return torch.stack(per_text)


def slow_loss(victim, batch, vectors):
    return F.cross_entropy(slow_logits(victim, batch.rows, vectors), batch.labels)


def gradients(victim):
    """Copies of all gradients by name; weights without one are left out."""
    return {n: p.grad.clone() for n, p in victim.named_parameters() if p.grad is not None}


def assert_same_gradients(found, expected, **tolerance):
    """Missing and zero count as equal: a module that was not reached has either."""
    for name in found.keys() | expected.keys():
        one, other = found.get(name), expected.get(name)
        one = torch.zeros_like(other) if one is None else one
        other = torch.zeros_like(one) if other is None else other
        torch.testing.assert_close(one, other, msg=lambda m, n=name: f"{n}: {m}", **tolerance)


class LinearToy(nn.Module):
    """Logits are sums over all positions, padding included, of vector . weight[class]."""

    def __init__(self, n_words=11, hidden=6, n_classes=2):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.words = nn.Embedding(n_words, hidden)
        self.weight = nn.Parameter(torch.empty(n_classes, hidden))
        for parameter in self.parameters():
            nn.init.normal_(parameter, generator=generator)
        self.settings = types.SimpleNamespace(templates=(), method="toy", backbone="toy")

    def get_input_embeddings(self):
        return self.words

    def logits(self, rows):
        return self.words(rows.input_ids).sum(dim=1) @ self.weight.T


def toy_batch(lengths=(4, 1, 3), n_words=11, seed=5):
    generator = torch.Generator().manual_seed(2)
    filled = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(1, n_words, filled.shape, generator=generator) * filled
    rows = Rows(ids, filled.long(), None, torch.full((len(lengths), 1), -1))
    return Batch(rows, torch.arange(len(lengths)) % 2, seed)
