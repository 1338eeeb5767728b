"""MVP: the language model with its own head, read at the mask of a template."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mvp_skill.insertion import Insertion, Record, Rows
from mvp_skill.masked_lm import layout_of, state_at, word_scores
from mvp_skill.prediction import predict
from mvp_skill.prompts import Verbalizer, pool_templates, pool_words

if TYPE_CHECKING:
    from mvp_skill.victims import VictimSettings


class MVP(nn.Module):
    """Model-tuning via prompts: all weights tuned, label words read at the mask of T templates.

        z[t, w]   logit of label word w at the mask of the text in template t
        s[t, c]   max (or mean) of z[t, w] over the words w of class c
        S[c]      mean (or max) of s[t, c] over the templates: the logits

    No weight is freshly initialised. The head is computed at the mask and for the label words only.
    GPT-2 has no mask: its templates end there, and the label word is the next one.

    Source: Raman et al. 2023, section 3.
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
        """Rows [batch * template, position]; with a generator perhaps one template at random."""
        if generator is None or self.settings.training_templates == "all":
            return self.insertion.every_row(records)
        chosen = generator.integers(len(self.insertion.templates), size=(len(records), 1))
        return self.insertion.rows(records, chosen)  # chosen: [batch, template]

    def logits(self, rows: Rows) -> Tensor:
        """Logits [batch, class], pooled over words, then over templates."""
        encoder = getattr(self.backbone, self.encoder_name)
        at_mask = state_at(
            encoder, rows, rows.mask_position.flatten()
        )  # [batch * template, hidden]
        scores = word_scores(self.backbone, at_mask, self.word_ids)  # [batch * template, word]
        scores = scores.unflatten(0, rows.mask_position.shape)  # [batch, template, word]
        scores = pool_words(scores, self.word_class, self.settings.word_pooling)
        return pool_templates(scores, self.settings.template_pooling)  # [batch, class]

    def forward(self, texts: Sequence[str] | Sequence[tuple[str, str]]) -> Tensor:
        """Logits of texts, [batch, class]; see `predict`."""
        return predict(self, texts)
