"""The sentence encoder of the mini world's attack: mean hidden states of mini-roberta, calibrated.

Mean hidden states all lie close together, so the threshold of the Universal Sentence Encoder would
let everything pass. Here the common part is subtracted, and the threshold is the one that lets
`ACCEPTED_SHARE` of exchanges of a word for a synonym pass, on training texts.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from mvp_skill.backbones import backbone_folder
from mvp_skill.mini import lexicon, tasks
from mvp_skill.mini.dice import Dice
from mvp_skill.sentence_encoders import BackboneEncoder

ACCEPTED_SHARE = 0.95
N_TEXTS = 150  # of each task
TASKS = ("mini_films", "mini_restaurants", "mini_news", "mini_acts")
HALF_WINDOW = 7  # words to either side of the changed one, as in the attack


def exchanged(words: Sequence[str], dice: Dice) -> tuple[str, str] | None:
    """A window of the words around one of them, and the same with a synonym in its place."""
    known = lexicon.load()
    places = [i for i, word in enumerate(words) if known.synonyms(word.strip(".,;?"))]
    if not places:
        return None
    place = dice.pick(places)
    word = words[place].strip(".,;?")
    synonym = dice.pick(sorted(known.synonyms(word)))
    left, right = words[max(0, place - HALF_WINDOW) : place], words[place + 1 :][:HALF_WINDOW]
    new = words[place].replace(word, synonym)
    return " ".join([*left, words[place], *right]), " ".join([*left, new, *right])


@cache
def exchanges() -> tuple[tuple[str, str], ...]:
    """Windows of training texts before and after an exchange for a synonym."""
    dice = Dice("exchanges for the calibration of the encoder")
    rows = [row for task in TASKS for row in tasks.split_examples(task, "train", N_TEXTS, 0)]
    pairs = [exchanged(row["texts"][0].split(), dice) for row in rows]
    return tuple(pair for pair in pairs if pair)


def angular_similarity(first: Tensor, second: Tensor) -> Tensor:
    """1 - angle / pi between the rows of two matrices, [batch]."""
    return 1 - torch.arccos(cosine_similarity(first, second).clamp(-1, 1)) / math.pi


def load(device: str | None = None) -> BackboneEncoder:
    """The encoder, centred, with `least_similarity` calibrated."""
    folder = backbone_folder("mini-roberta")
    plain = BackboneEncoder(folder, device)
    before, after = (plain.encode(list(side)) for side in zip(*exchanges(), strict=True))
    centre = before.mean(dim=0)  # [d_model]
    similarity = angular_similarity(before - centre, after - centre)  # [batch]
    least = similarity.quantile(1 - ACCEPTED_SHARE).item()
    return BackboneEncoder(folder, device, centre=centre, least_similarity=least)
