"""Tables for people: changed words marked in adversarial sentences, shares as percentages."""

import difflib
import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas import DataFrame
    from pandas.io.formats.style import Styler

LEFT = "text-align: left"  # notebooks align tables to the right, which is meant for numbers


def mark_changes(text: str, changed: str) -> str:
    """The changed text as HTML: a replaced word struck out, the new one marked after it.

    Words are what spaces part; every other character of both texts is escaped.
    """
    before, after = text.split(), changed.split()
    parts = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for what, start, end, new_start, new_end in matcher.get_opcodes():
        old, new = _escaped(before[start:end]), _escaped(after[new_start:new_end])
        if what == "equal":
            parts.append(new)
        else:
            parts += [f"<del>{old}</del>"] * bool(old) + [f"<mark>{new}</mark>"] * bool(new)
    return " ".join(parts)


def adversarial_table(frame: "DataFrame", label_names: Sequence[str], n: int = 5) -> str:
    """The first `n` successful attacks of a log as an HTML table, changed words marked.

    frame   `AttackLog.to_frame()`; its column oracle is shown if an oracle was asked
    """
    found = frame[frame["outcome"] == "succeeded"].head(n)
    if found.empty:
        return "<p>No attack succeeded.</p>"
    columns = ["sentence", "label", "now taken for", "queries", "label by the oracle"]
    rows = [
        [
            _marked(row.texts, row.attacked_texts),
            html.escape(label_names[row.label]),
            html.escape(label_names[row.attacked_pred]),
            str(row.n_queries),
            html.escape(row.oracle) if isinstance(row.oracle, str) else "–",
        ]
        for row in found.itertuples()
    ]
    shown = len(columns) if found["oracle"].notna().any() else len(columns) - 1
    lines = [_row(columns[:shown], "th"), *(_row(cells[:shown], "td") for cells in rows)]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def attack_table(summaries: Mapping[str, dict]) -> "DataFrame":
    """What came out of attacks, for people: a row per metric, a column per victim.

    summaries   name of the victim to what `metrics.summary` gives
    """
    import pandas

    return pandas.DataFrame({victim: _attack_cells(found) for victim, found in summaries.items()})


def left_aligned(table: "DataFrame") -> "Styler":
    """A table of words for people: cells and headings to the left, markup shown as it is."""
    look = [{"selector": "td, th", "props": LEFT}]
    return table.style.format(escape="html").set_table_styles(look)


def as_percent(share: float | None, digits: int = 1) -> str:
    """A share in [0, 1] as text: 0.7525 is "75.2 %"; None and NaN are a dash."""
    return "–" if share is None or share != share else f"{100 * share:.{digits}f} %"


def _attack_cells(found: dict) -> dict[str, str]:
    queries = found["mean_queries"]
    return {
        "attacked examples (n)": str(found["n"]),
        "clean accuracy": _with_interval(found, "clean_acc"),
        "robust accuracy": _with_interval(found, "robust_acc"),
        "attack success rate": as_percent(found["attack_success_rate"]),
        "queries per attacked example": "–" if queries is None else f"{queries:.1f}",
        "words changed by a success": as_percent(found["perturbed_fraction"]),
        "successes that keep the label": as_percent(found["label_kept_share"]),
        "robust accuracy if only those count": as_percent(found["label_kept_robust_acc"]),
        "attacks that raised an error": str(found["n_errors"]),
    }


def _with_interval(found: dict, name: str) -> str:
    low, high = (as_percent(found[f"{name}_{end}"]).removesuffix(" %") for end in ("low", "high"))
    return f"{as_percent(found[name])} ({low} to {high})"


def _escaped(words: list[str]) -> str:
    return html.escape(" ".join(words))


def _marked(texts: Sequence[str], changed: Sequence[str]) -> str:
    return "<br>".join(map(mark_changes, texts, changed))


def _row(cells: list[str], tag: str) -> str:
    return "<tr>" + "".join(f'<{tag} style="{LEFT}">{cell}</{tag}>' for cell in cells) + "</tr>"
