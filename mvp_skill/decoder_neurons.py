"""The decoder's neurons of a prompt-tuned T5, for the same code as the encoder's.

counts = count_firings(DecoderNeurons(prompted), split, thresholds)

The decoder has one position, at which the class is read; it counts as the only prompt position.
The papers look at encoders only.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mvp_skill.errors import BadInput
from mvp_skill.prompted import PromptedT5, PromptRows, PromptSettings


class DecoderNeurons(nn.Module):
    """A prompt-tuned T5 whose `ffn` are the decoder's.

    raises   BadInput for a model without a decoder
    """

    def __init__(self, prompted: PromptedT5):
        super().__init__()
        if not isinstance(prompted, PromptedT5):
            raise BadInput(f"{prompted.settings.backbone} has no decoder; only T5 has one.")
        self.prompted = prompted

    @property
    def settings(self) -> PromptSettings:
        """Those of the model."""
        return self.prompted.settings

    @property
    def ffn(self) -> list[nn.Module]:
        """Of each decoder layer the module that reads the neurons, [batch, position, neuron]."""
        return self.prompted.decoder_ffn

    def collate(self, records: Sequence, generator: Any = None) -> PromptRows:
        """As the model does."""
        return self.prompted.collate(records, generator)

    def logits(self, rows: PromptRows) -> Tensor:
        """Logits [batch, class]."""
        return self.prompted.logits(rows)
