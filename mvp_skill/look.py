"""The look of all figures: a white grid, and letters that can be read on a slide.

These are the settings of `seaborn.set_theme(context="notebook", style="whitegrid")`, which a test
compares. Asking seaborn for them would import SciPy's statistics: most of a second per notebook.
"""

from matplotlib import cycler

CYCLE = ("#4C72B0", "#DD8452", "#55A868", "#C44E52", "#8172B3")
CYCLE += ("#937860", "#DA8BC3", "#8C8C8C", "#CCB974", "#64B5CD")
"""Colours of lines that say none, one after the other: seaborn's "deep"."""

DARK, LIGHT = ".15", ".8"

LOOK = {
    "axes.axisbelow": True,
    "axes.edgecolor": LIGHT,
    "axes.grid": True,
    "axes.labelcolor": DARK,
    "axes.labelsize": 12.0,
    "axes.linewidth": 1.25,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.titlesize": 12.0,
    "font.family": ["sans-serif"],
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans"]
    + ["sans-serif"],
    "font.size": 12.0,
    "grid.color": LIGHT,
    "grid.linestyle": "-",
    "grid.linewidth": 1.0,
    "legend.fontsize": 11.0,
    "legend.title_fontsize": 12.0,
    "lines.linewidth": 1.5,
    "lines.markersize": 6.0,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "patch.linewidth": 1.0,
    "text.color": DARK,
}
for _axis, _side in (("xtick", "bottom"), ("ytick", "left")):
    LOOK |= {f"{_axis}.color": DARK, f"{_axis}.labelsize": 11.0, f"{_axis}.{_side}": False}
    LOOK |= {f"{_axis}.major.size": 6.0, f"{_axis}.major.width": 1.25}
    LOOK |= {f"{_axis}.minor.size": 4.0, f"{_axis}.minor.width": 1.0}

LOOK |= {  # our own
    "figure.figsize": (6.4, 4.0),
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "savefig.dpi": 150,
    "pdf.fonttype": 42,  # text stays text
}
