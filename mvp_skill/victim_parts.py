"""The parts of a victim that adversarial training looks into, found without the victim's help."""

from torch import nn

from mvp_skill.errors import BadInput

NEED_TEXT_ENCODER = ("infobert", "amda")
"""Objectives that look into `text_encoder`, so that a victim without one cannot be trained so."""


def word_embeddings(victim: nn.Module) -> nn.Embedding:
    """The module that looks up word embeddings: ids [row, position] -> [row, position, hidden].

    MVP's read-out uses its weight, not the module: a hook on it sees the input only.
    """
    backbone = next(m for m in victim.modules() if hasattr(m, "get_input_embeddings"))
    return backbone.get_input_embeddings()


def text_encoder(victim: nn.Module, objective: str) -> nn.Module:
    """The encoder of a victim that reads the bare text from the state of `<s>`, such as MLP-FT.

    `encoder.embeddings` gives layer 0, [batch, position, hidden]; `encoder.encoder.layer` are the
    layers above it.

        objective   named in the refusal
        raises      BadInput for a victim with templates, or a backbone without such an encoder
    """
    found = [m for m in victim.modules() if hasattr(m, "embeddings") and hasattr(m, "encoder")]
    if victim.settings.templates or not found:
        raise BadInput(
            f"The objective {objective!r} is for victims that read a bare text from <s>; use "
            f"mlp_ft on a RoBERTa or BERT backbone, not {victim.settings.method} on "
            f"{victim.settings.backbone}."
        )
    return found[0]
