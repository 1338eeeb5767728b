"""CLSPrompt: the masked language model with its own head, read at `<s>`, without a template."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.insertion import Insertion, Record, Rows
from mvp_skill.masked_lm import layout_of, state_at, word_scores
from mvp_skill.prediction import predict
from mvp_skill.prompts import Verbalizer, pool_words

if TYPE_CHECKING:
    from mvp_skill.victims import VictimSettings


class CLSPrompt(nn.Module):
    """Label words read at the `<s>` of the bare text.

        z[w]   masked-LM logit of label word w at `<s>`
        S[c]   max (or mean) of z[w] over the words w of class c: the logits

    Like MVP it has no fresh weights, unlike MVP it is not the task of pretraining: there was never
    a word to guess at `<s>`. So it tells the two reasons for MVP's robustness apart.

    Source: Raman et al. 2023, the analysis of pretraining task alignment.
    """

    def __init__(self, backbone: nn.Module, tokenizer: Any, settings: "VictimSettings") -> None:
        super().__init__()
        self.settings, self.tokenizer, self.config = settings, tokenizer, backbone.config
        self.insertion = Insertion.for_victim(tokenizer, settings)
        self.backbone, self.encoder_name = backbone, layout_of(backbone).encoder
        verbalizer = Verbalizer(settings.label_words)
        word_ids = torch.tensor(verbalizer.token_ids(tokenizer))
        self.register_buffer("word_ids", word_ids, persistent=False)
        self.word_class = verbalizer.word_class

    def encode(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> list[Record]:
        """Token ids of texts or pairs."""
        return self.insertion.encode(texts)

    def collate(
        self, records: Sequence[Record], generator: np.random.Generator | None = None
    ) -> Rows:
        """Rows [batch, position] of the bare texts; nothing about them is random."""
        return self.insertion.every_row(records)

    def logits(self, rows: Rows) -> Tensor:
        """Logits [batch, class], pooled over the words of each class."""
        encoder = getattr(self.backbone, self.encoder_name)
        state = state_at(encoder, rows, rows.first_position)  # [batch, hidden]
        scores = word_scores(self.backbone, state, self.word_ids)  # [batch, word]
        return pool_words(scores, self.word_class, self.settings.word_pooling)  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)
