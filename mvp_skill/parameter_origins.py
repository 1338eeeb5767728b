"""Where a victim's parameters come from before it is tuned: pretraining, a probe, or chance.

    origins(victim)["random"]        # MLP-FT: its whole head; MVP: 0

The number of random ones orders the victims of the analysis of random parameters.

Source: Raman et al. 2023, the hypothesis of random-parameter vulnerability.
"""

from torch import nn

from mvp_skill.lpft import PROBED

ORIGINS = ("random", "probe", "pretrained")
# What a victim takes from the language model; MVP and CLSPrompt take its head, too.
_OF_THE_LANGUAGE_MODEL = ("encoder.", "backbone.")
_PROBED_LAYER = "out_proj."


def origin(victim: nn.Module, name: str) -> str:
    """Where the parameter of that name has its first value from: one of ORIGINS.

    "random" are all that are made anew, also biases, which start at 0.
    """
    if name.startswith(_OF_THE_LANGUAGE_MODEL):
        return "pretrained" if victim.settings.pretrained else "random"
    if victim.settings.method in PROBED and name.startswith(_PROBED_LAYER):
        return "probe"
    return "random"


def origins(victim: nn.Module) -> dict[str, int]:
    """How many parameters of a victim come from each of ORIGINS; tied ones count once."""
    counts = dict.fromkeys(ORIGINS, 0)
    for name, weights in victim.named_parameters():
        counts[origin(victim, name)] += weights.numel()
    return counts
