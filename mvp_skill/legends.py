"""Names and colours of victims, the same in every figure and table."""

from collections.abc import Iterable

# Okabe and Ito's palette, which colour-blind people can tell apart; grey is kept for chance.
# In the order of the legends: ever fewer random weights.
METHOD_COLOURS = {
    "mlp_ft": "#0072B2",
    "lpft_dense": "#CC79A7",
    "projectcls": "#56B4E9",
    "lpft_sparse": "#E69F00",
    "clsprompt": "#009E73",
    "mvp": "#D55E00",
    # trained otherwise, or not at all
    "mlp_ft_adv": "#003A5D",
    "mvp_adv": "#7A3500",
    "mvp_sampled": "#F2A172",
    "freelb": "#882255",
    "infobert": "#44AA99",
    "amda": "#999933",
    "mlp_ft_untrained": "#7FB7D8",
    "clsprompt_untrained": "#7FCEB8",
    "mvp_untrained": "#EAAE7F",
}
METHOD_NAMES = {
    "mlp_ft": "MLP-FT",
    "lpft_dense": "DenseLPFT",
    "projectcls": "ProjectCLS",
    "lpft_sparse": "LPFT",
    "clsprompt": "CLSPrompt",
    "mvp": "MVP",
    "mlp_ft_adv": "MLP-FT + Adv",
    "mvp_adv": "MVP + Adv",
    "mvp_sampled": "MVP, one sampled template",
    "freelb": "FreeLB++",
    "infobert": "InfoBERT",
    "amda": "AMDA",
    "mlp_ft_untrained": "MLP-FT, untrained",
    "clsprompt_untrained": "CLSPrompt, untrained",
    "mvp_untrained": "MVP, untrained",
}
OTHER_COLOURS = ("#000000", "#F0E442", "#AA4499", "#117733")


def colour(method: str) -> str:
    """The colour of a method, the same in every figure."""
    if method in METHOD_COLOURS:
        return METHOD_COLOURS[method]
    # Not by order of appearance, which differs between figures, nor by hash(), between processes.
    return OTHER_COLOURS[sum(method.encode()) % len(OTHER_COLOURS)]


def name(method: str) -> str:
    """How a method is called in legends."""
    return METHOD_NAMES.get(method, method)


def in_order(methods: Iterable[str]) -> list[str]:
    """Each method once, those of METHOD_COLOURS first and in that order."""
    found = list(dict.fromkeys(methods))
    return [m for m in METHOD_COLOURS if m in found] + [m for m in found if m not in METHOD_COLOURS]
