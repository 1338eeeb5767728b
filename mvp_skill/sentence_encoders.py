"""Sentence encoders: what the attack's meaning constraint compares."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mvp_skill.batching import steady_batches
from mvp_skill.errors import BadInput
from mvp_skill.masked_lm import longest_row
from mvp_skill.token_budgets import budget_of
from mvp_skill.weights import fingerprint

USE_URL = "https://tfhub.dev/google/universal-sentence-encoder/3"  # the one of the stock recipe
AT_ONCE = 256  # sentences for the Universal Sentence Encoder, which makes no batches of its own


class BackboneEncoder:
    """Mean of the last hidden states of a BERT- or RoBERTa-like model in a local folder.

    A surrogate for the Universal Sentence Encoder: thresholds are not comparable between encoders,
    so absolute robust accuracies are not either (rankings should be).

        encoder.encode(sentences) -> [batch, d_model]   float32, on the CPU

        centre             [d_model] subtracted from every vector; nothing if None
        least_similarity   angular similarity that an attack asks for of the words around a
                           change; the recipe's own if None

    In batches of similar length, of as many tokens as suit the device.
    """

    def __init__(
        self,
        folder: str | Path,
        device: str | None = None,
        *,
        centre: Tensor | None = None,
        least_similarity: float | None = None,
    ):
        self.folder = Path(folder)
        self.centre, self.least_similarity = centre, least_similarity
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer, self.model = _load(self.folder, self.device)
        self.max_length = min(self.tokenizer.model_max_length, longest_row(self.model.config))
        self.budget = budget_of("encoder", self.model)

    def encode(self, sentences: list[str]) -> Tensor:
        """Sentence vectors [batch, d_model], float32 on the CPU."""
        if not sentences:
            return torch.empty(0, self.model.config.hidden_size)
        ids = self.tokenizer(sentences, truncation=True, max_length=self.max_length)["input_ids"]
        lengths, batches, parts = [len(row) for row in ids], [], []
        for batch in steady_batches(lengths, 1, self.budget.tokens):
            parts += self.budget.in_halves(self._encode_batch, [ids[row] for row in batch])
            batches.append(batch)
        return torch.cat(parts)[np.argsort(np.concatenate(batches))]

    @property
    def fingerprint(self) -> str:
        """Changes when a weight changes."""
        centre = {} if self.centre is None else {"centre": self.centre}
        digest = fingerprint(self.model.state_dict() | centre)
        return f"mean of {self.model.config.model_type} hidden states, sha256 {digest[:16]}"

    @torch.inference_mode()
    def _encode_batch(self, ids: list[list[int]]) -> Tensor:
        rows = [torch.tensor(row) for row in ids]
        padded = pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id)
        padded = padded.to(self.device)  # [batch, position]
        lengths = torch.tensor([len(row) for row in ids], device=self.device)  # [batch]
        mask = torch.arange(padded.shape[1], device=self.device) < lengths[:, None]
        with self.budget.timed(padded.numel(), padded.device):
            output = self.model(padded, attention_mask=mask.long())
        hidden = output.last_hidden_state  # [batch, position, d_model]
        total = (hidden * mask[..., None]).sum(1)  # [batch, d_model]
        vectors = (total / lengths[:, None]).float().cpu()  # [batch, d_model]
        return vectors if self.centre is None else vectors - self.centre


class UniversalSentenceEncoder:
    """The encoder of the paper's attacks, through tensorflow_hub.

    location   a TensorFlow Hub address or the local folder of the unpacked model
    raises     BadInput if tensorflow_hub or the model cannot be had, with the remedy
    """

    def __init__(self, location: str = USE_URL):
        try:
            import tensorflow_hub
        except ImportError as error:
            raise BadInput(
                "The Universal Sentence Encoder needs TensorFlow; run `pip install tensorflow "
                "tensorflow_hub`, or take another encoder by giving ENCODER the local folder of a "
                "MiniLM or RoBERTa model."
            ) from error
        try:
            self.model: Callable = tensorflow_hub.load(location)
        except Exception as error:  # tensorflow raises many types for "not there"
            raise BadInput(
                f"The Universal Sentence Encoder cannot be loaded from {location} "
                f"({type(error).__name__}); download and unpack {USE_URL} where there is a network "
                "and give ENCODER the folder as 'use:FOLDER', or give it the local folder of a "
                "MiniLM or RoBERTa model."
            ) from error
        self.fingerprint = f"universal sentence encoder from {location}"
        self.least_similarity = None

    def encode(self, sentences: list[str]) -> Tensor:
        """Sentence vectors [batch, d], float32 on the CPU."""
        starts = range(0, len(sentences), AT_ONCE)
        return torch.cat([self._encoded(sentences[i : i + AT_ONCE]) for i in starts])

    def _encoded(self, sentences: list[str]) -> Tensor:
        vectors = self.model(sentences)
        if isinstance(vectors, dict):
            vectors = vectors["outputs"]
        return torch.as_tensor(vectors.numpy())


def _load(folder: Path, device: str) -> tuple:
    from transformers import AutoConfig, AutoModel, AutoTokenizer

    if not (folder / "config.json").is_file():
        raise BadInput(
            f"There is no sentence encoder in {folder} (no config.json); give ENCODER a local "
            "folder of a MiniLM or RoBERTa model, for example a download of "
            "sentence-transformers/all-MiniLM-L6-v2."
        )
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # The pooler is not used, and a missing one would be drawn at random.
        model = AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, add_pooling_layer=False
        )
    except Exception as error:  # damaged weights, an unknown architecture, a missing tokenizer
        raise BadInput(
            f"The folder {folder} does not hold a BERT- or RoBERTa-like encoder with its "
            f"tokenizer ({type(error).__name__}: {error}); download it again or give ENCODER "
            "another folder."
        ) from error
    return tokenizer, model.to(device).float().eval()
