"""What a masked language model would put in the place of a word: BERT-Attack's candidates."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from mvp_skill.batching import steady_batches
from mvp_skill.errors import BadInput
from mvp_skill.masked_lm import longest_row
from mvp_skill.token_budgets import budget_of
from mvp_skill.weights import fingerprint

WORD_START = "Ġ"  # how a byte-level vocabulary writes the space before a word

READINGS = 256  # texts remembered; a few numbers per token
Guess = tuple[float, int]  # log-probability and token id
Reading = tuple[list[tuple[int, int]], list[list[Guess]]]
"""Characters of each token of a text, and the most probable tokens in its place."""


class MaskedLMCandidates:
    """Words that fit the place of a word, from a masked language model (Li et al. 2020, 3.2).

        words = MaskedLMCandidates("mini-roberta")
        words.candidates("a dull film", [(2, 6)], k=8)   # [["slow", "bad", ...]]

    The model reads the text once, with nothing masked. At each piece of the word its `k` most
    probable pieces are taken: those that start a word at the first piece, those that continue one
    at the others. Of all words made of them, the `k` most probable are the candidates. The
    probability of a word is the product of its pieces', so the order is that of the perplexity.

    It differs from TextAttack's `WordSwapMaskedLM`, which finds the pieces of a word from the word
    alone (wrong for RoBERTa, where a word with a space before it has other pieces), leaves marks of
    the vocabulary inside words, keeps the first combinations instead of the best, and pads every
    text to 512 tokens. For words of one piece in BERT's vocabulary the candidates are the same.

    A word beyond the longest text of the model has no candidates.
    """

    def __init__(self, backbone: str | Path, device: str | None = None):
        from mvp_skill.backbones import load_backbone

        model, self.tokenizer = load_backbone(backbone, "masked_lm")
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device)
        self.starts = word_starts(self.tokenizer)  # [token]
        self.max_length = min(self.tokenizer.model_max_length, longest_row(model.config))
        self.budget = budget_of("masked_lm", self.model, len(self.tokenizer))
        self._readings: OrderedDict[tuple[str, int], Reading] = OrderedDict()

    def candidates(self, text: str, spans: Sequence[tuple[int, int]], k: int) -> list[list[str]]:
        """For each word, given by its characters [start, end) in the text, at most `k` others.

        Most probable first; the word itself may be among them.
        """
        self.read([text], k)
        places, guesses = self._readings[text, k]
        return [self._words(pieces_of(places, *span), guesses, k) for span in spans]

    def read(self, texts: Sequence[str], k: int) -> None:
        """Read texts together, so that `candidates` of each of them finds them read.

        A search asks for one word of the same text after the other; the last READINGS are kept.
        """
        new = [text for text in dict.fromkeys(texts) if (text, k) not in self._readings]
        if new:
            self._readings.update({(t, k): r for t, r in zip(new, self._read(new, k), strict=True)})
        for text in texts:
            self._readings.move_to_end((text, k))
        while len(self._readings) > max(READINGS, len(texts)):
            self._readings.popitem(last=False)

    @property
    def fingerprint(self) -> str:
        """Changes when a weight changes."""
        digest = fingerprint(self.model.state_dict())
        return f"masked {self.model.config.model_type}, sha256 {digest[:16]}"

    def _read(self, texts: list[str], k: int) -> list[Reading]:
        encoded = self.tokenizer(
            [" " + text for text in texts],  # so that the first word has the pieces of any other
            truncation=True,
            max_length=self.max_length,
            return_offsets_mapping=True,
            split_special_tokens=True,  # a "<mask>" in the text is text
        )
        ids = encoded["input_ids"]
        found: dict[int, Reading] = {}
        for batch in steady_batches([len(row) for row in ids], 1, self.budget.tokens):
            parts = self.budget.in_halves(
                lambda rows: self._guesses(rows, k), [ids[i] for i in batch]
            )
            guesses = [guessed for part in parts for guessed in part]
            for index, guessed in zip(batch.tolist(), guesses, strict=True):
                places = [(a - 1, b - 1) for a, b in encoded["offset_mapping"][index]]
                found[index] = places, guessed
        return [found[index] for index in range(len(texts))]

    @torch.inference_mode()
    def _guesses(self, ids: list[list[int]], k: int) -> list[list[list[Guess]]]:
        """Of each text the `k` most probable tokens in the place of each of its tokens."""
        rows = [torch.tensor(row) for row in ids]
        padded = pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id)
        lengths = torch.tensor([len(row) for row in ids])  # [batch]
        attention_mask = (torch.arange(padded.shape[1]) < lengths[:, None]).long()
        padded, attention_mask = padded.to(self.device), attention_mask.to(self.device)
        with self.budget.timed(padded.numel(), padded.device):
            logits = self.model(
                padded, attention_mask=attention_mask
            ).logits  # [batch, position, token]
        scores = logits[..., : len(self.starts)].float().log_softmax(dim=-1)
        best = scores.topk(min(k, len(self.starts)), dim=-1)  # [batch, position, k]
        pairs = zip(best.values.tolist(), best.indices.tolist(), ids, strict=True)
        return [
            [
                list(zip(*guess, strict=True))
                for guess in zip(v[: len(row)], i[: len(row)], strict=True)
            ]
            for v, i, row in pairs
        ]

    def _words(self, pieces: list[int], guesses: list[list[Guess]], k: int) -> list[str]:
        options = [self._fitting(guesses[p], p == pieces[0]) for p in pieces]
        return [self._spelt(ids) for _, ids in best_combinations(options, k)]

    def _fitting(self, guesses: list[Guess], first: bool) -> list[Guess]:
        return [guess for guess in guesses if self.starts[guess[1]] is first]

    def _spelt(self, ids: Sequence[int]) -> str:
        tokens = self.tokenizer.convert_ids_to_tokens(list(ids))
        return self.tokenizer.convert_tokens_to_string(tokens).strip()


def check_masked_lm(backbone: str | Path) -> None:
    """BadInput unless a backbone can make candidates, as far as it shows without its weights."""
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoConfig, AutoTokenizer

    from mvp_skill.backbones import backbone_folder

    folder = backbone_folder(backbone)
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if type(config) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise BadInput(
            f"A backbone of type {config.model_type!r} is no masked language model; give MASKED_LM "
            "a RoBERTa or BERT model."
        )
    word_starts(AutoTokenizer.from_pretrained(folder, local_files_only=True))


def best_combinations(
    options: Sequence[Sequence[Guess]], k: int
) -> list[tuple[float, tuple[int, ...]]]:
    """The `k` choices of one guess per place with the largest sum of log-probabilities.

    Exact: since the scores add up, the best choices begin with one of the best `k` beginnings.
    """
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())] if options else []
    for guesses in options:
        longer = [(total + new, (*ids, i)) for total, ids in best for new, i in guesses]
        best = sorted(longer, key=lambda choice: -choice[0])[:k]
    return best


def pieces_of(places: Sequence[tuple[int, int]], start: int, end: int) -> list[int]:
    """Positions of the tokens that make up the characters [start, end); none if one is cut off."""
    found = [i for i, (a, b) in enumerate(places) if a < end and start < b and a < b]
    return found if found and places[found[-1]][1] >= end else []


def word_starts(tokenizer: Any) -> list[bool | None]:
    """For each token id whether it starts a word (True) or continues one (False).

    None for special tokens. raises BadInput for a vocabulary that is neither BERT's nor RoBERTa's.
    """
    starts = _start_of(tokenizer)
    special = set(tokenizer.all_special_ids)
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return [None if i in special else starts(token) for i, token in enumerate(tokens)]


def _start_of(tokenizer: Any) -> Callable[[str], bool]:
    from tokenizers.models import BPE, WordPiece

    model = getattr(getattr(tokenizer, "backend_tokenizer", None), "model", None)
    if isinstance(model, WordPiece):
        return lambda token: not token.startswith(model.continuing_subword_prefix)
    if isinstance(model, BPE):
        return lambda token: token.startswith(WORD_START)
    raise BadInput(
        f"{type(tokenizer).__name__} does not mark where words start as RoBERTa's and BERT's do; "
        "give MASKED_LM a backbone of one of these types."
    )
