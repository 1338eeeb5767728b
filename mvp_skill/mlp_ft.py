"""MLP-FT: the masked language model without its head, under a fresh one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.insertion import Insertion, Record, Rows
from mvp_skill.masked_lm import last_hidden_state, layout_of
from mvp_skill.prediction import predict
from mvp_skill.seeding import derived_seed

if TYPE_CHECKING:
    from mvp_skill.victims import VictimSettings


class MLPFT(nn.Module):
    """Fine-tuning through a fresh head on the state of `<s>`: the usual baseline, MLP-FT.

    dropout -> dense -> tanh -> dropout -> linear, as in RobertaForSequenceClassification, for every
    backbone. (For BERT the library takes dense from the pretrained pooler instead.)

    Source: Raman et al. 2023, section 3.
    """

    def __init__(self, backbone: nn.Module, tokenizer: Any, settings: "VictimSettings") -> None:
        super().__init__()
        config = backbone.config
        self.settings, self.tokenizer, self.config = settings, tokenizer, config
        self.insertion = Insertion(
            tokenizer,
            templates=(),
            max_length=settings.max_length,
            n_columns=settings.n_columns,
            frozen=settings.frozen,
        )
        self.encoder = getattr(backbone, layout_of(backbone).encoder)
        head_dropout = getattr(config, "classifier_dropout", None)
        self.dropout = nn.Dropout(
            config.hidden_dropout_prob if head_dropout is None else head_dropout
        )
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, len(settings.label_names))
        generator = torch.Generator().manual_seed(derived_seed(settings.seed, "head"))
        for layer in (self.dense, self.out_proj):
            nn.init.normal_(layer.weight, std=config.initializer_range, generator=generator)
            nn.init.zeros_(layer.bias)

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Record]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[Record], generator: np.random.Generator | None = None
    ) -> Rows:
        """Rows [batch, position] of the bare texts; nothing about them is random."""
        return self.insertion.rows(records, np.zeros((len(records), 1), dtype=np.int64))

    def logits(self, rows: Rows) -> Tensor:
        """Logits [batch, class]."""
        states = last_hidden_state(self.encoder, rows)  # [batch, position, hidden]
        hidden = self.dropout(states[:, 0])  # [batch, hidden]
        return self.out_proj(self.dropout(torch.tanh(self.dense(hidden))))  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)
