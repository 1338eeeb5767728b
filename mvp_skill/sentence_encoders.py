"""Sentence encoders: what the attack's meaning constraint compares."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mvp_skill.batching import evaluation_batches
from mvp_skill.errors import BadInput
from mvp_skill.masked_lm import longest_row
from mvp_skill.weights import fingerprint

USE_URL = "https://tfhub.dev/google/universal-sentence-encoder/3"  # the one of the stock recipe
TOKENS_PER_BATCH = 4096  # with padding; a few hundred windows


class BackboneEncoder:
    """Mean of the last hidden states of a BERT- or RoBERTa-like model in a local folder.

    A surrogate for the Universal Sentence Encoder: thresholds are not comparable between encoders,
    so absolute robust accuracies are not either (rankings should be).

        encoder.encode(sentences) -> [batch, d_model]   float32, on the CPU

        centre             [d_model] subtracted from every vector; nothing if None
        least_similarity   angular similarity that an attack asks for of the words around a
                           change; the recipe's own if None

    Every different sentence is encoded once, in batches of similar length; vectors are kept until
    `clear_cache`, which TextAttack calls after each example. So what an example's result depends on
    does not include the examples before it.
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
        self._vectors: dict[str, Tensor] = {}

    def encode(self, sentences: list[str]) -> Tensor:
        """Sentence vectors [batch, d_model], float32 on the CPU."""
        new = [s for s in dict.fromkeys(sentences) if s not in self._vectors]
        if new:
            ids = self.tokenizer(new, truncation=True, max_length=self.max_length)["input_ids"]
            for rows in evaluation_batches([len(i) for i in ids], TOKENS_PER_BATCH):
                vectors = self._encode_batch([ids[row] for row in rows])  # [batch, d_model]
                self._vectors.update(zip([new[row] for row in rows], vectors, strict=True))
        if not sentences:
            return torch.empty(0, self.model.config.hidden_size)
        return torch.stack([self._vectors[s] for s in sentences])

    def clear_cache(self) -> None:
        """Forget all vectors."""
        self._vectors.clear()

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
        vectors = self.model(sentences)
        if isinstance(vectors, dict):
            vectors = vectors["outputs"]
        return torch.as_tensor(vectors.numpy())

    def clear_cache(self) -> None:
        """Nothing is kept."""


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
