"""MLP-FT: the language model without its head, under a fresh one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.heads import head_dropout, initialise
from mvp_skill.insertion import Insertion, Record, Rows
from mvp_skill.masked_lm import layout_of, state_at
from mvp_skill.prediction import predict

if TYPE_CHECKING:
    from mvp_skill.victims import VictimSettings


class MLPFT(nn.Module):
    """Fine-tuning through a fresh head on the state of `<s>`: the usual way, MLP-FT.

    dropout -> dense -> tanh -> dropout -> linear, as in RobertaForSequenceClassification, for every
    masked language model. (For BERT the library takes dense from the pretrained pooler instead.)

    DenseLPFT is the same model; its last layer starts from a probe, see `lpft`.

    Source: Raman et al. 2023, section 3.
    """

    def __init__(self, backbone: nn.Module, tokenizer: Any, settings: "VictimSettings") -> None:
        super().__init__()
        config = backbone.config
        self.settings, self.tokenizer, self.config = settings, tokenizer, config
        self.insertion = Insertion.for_victim(tokenizer, settings)
        self.encoder = getattr(backbone, layout_of(backbone).encoder)
        self.dropout = head_dropout(config)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, len(settings.label_names))
        initialise([self.dense, self.out_proj], config.initializer_range, settings.seed)

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Record]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[Record], generator: np.random.Generator | None = None
    ) -> Rows:
        """Rows [batch, position] of the bare texts; nothing about them is random."""
        return self.insertion.every_row(records)

    def features(self, rows: Rows) -> Tensor:
        """What the last layer reads, but for its dropout: tanh(dense(state)), [batch, hidden]."""
        state = state_at(self.encoder, rows, rows.first_position)  # [batch, hidden]
        hidden = self.dropout(state)  # [batch, hidden]
        return torch.tanh(self.dense(hidden))  # [batch, hidden]

    def logits(self, rows: Rows) -> Tensor:
        """Logits [batch, class]."""
        return self.out_proj(self.dropout(self.features(rows)))  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)


class LastTokenFT(nn.Module):
    """MLP-FT for GPT-2: a fresh linear layer without bias on the state of the last token.

    Only the last token has read the whole text. As in GPT2ForSequenceClassification.

    Source: Raman et al. 2023, and the authors' code.
    """

    def __init__(self, backbone: nn.Module, tokenizer: Any, settings: "VictimSettings") -> None:
        super().__init__()
        config = backbone.config
        self.settings, self.tokenizer, self.config = settings, tokenizer, config
        self.insertion = Insertion.for_victim(tokenizer, settings)
        self.encoder = getattr(backbone, layout_of(backbone).encoder)
        self.score = nn.Linear(config.hidden_size, len(settings.label_names), bias=False)
        initialise([self.score], config.initializer_range, settings.seed)

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Record]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[Record], generator: np.random.Generator | None = None
    ) -> Rows:
        """Rows [batch, position] of the bare texts, padded on the right."""
        return self.insertion.every_row(records)

    def logits(self, rows: Rows) -> Tensor:
        """Logits [batch, class]."""
        return self.score(state_at(self.encoder, rows, rows.last_position))  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)
