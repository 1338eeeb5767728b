"""ProjectCLS: MLP-FT with one fresh layer instead of two."""

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


class ProjectCLS(nn.Module):
    """A fresh linear layer on the state of `<s>`: tanh -> dropout -> linear.

    It has hidden * class fresh weights where MLP-FT has hidden * hidden more; if fresh weights are
    what makes fine-tuned models fragile, it is the more robust of the two. LPFT is the same model;
    its layer starts from a probe, see `lpft`.

    Source: Raman et al. 2023, the analysis of random parameters.
    """

    def __init__(self, backbone: nn.Module, tokenizer: Any, settings: "VictimSettings") -> None:
        super().__init__()
        config = backbone.config
        self.settings, self.tokenizer, self.config = settings, tokenizer, config
        self.insertion = Insertion.for_victim(tokenizer, settings)
        self.encoder = getattr(backbone, layout_of(backbone).encoder)
        self.dropout = head_dropout(config)
        self.out_proj = nn.Linear(config.hidden_size, len(settings.label_names))
        initialise([self.out_proj], config.initializer_range, settings.seed)

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Record]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[Record], generator: np.random.Generator | None = None
    ) -> Rows:
        """Rows [batch, position] of the bare texts; nothing about them is random."""
        return self.insertion.every_row(records)

    def features(self, rows: Rows) -> Tensor:
        """What the last layer reads, but for its dropout: tanh of the state, [batch, hidden]."""
        return torch.tanh(state_at(self.encoder, rows, rows.first_position))

    def logits(self, rows: Rows) -> Tensor:
        """Logits [batch, class]."""
        return self.out_proj(self.dropout(self.features(rows)))  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)
