"""The gallery: executed notebooks as plain HTML pages, with an index, readable without a network.

Pages are made by nbconvert's bare template and one style sheet of ours: no scripts, nothing
fetched. Mathematics therefore shows as its TeX source.
"""

import html
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mvp_skill.files import write_atomically

if TYPE_CHECKING:
    from nbconvert import HTMLExporter
    from nbformat import NotebookNode

HIGHLIGHTED = '<div class=" highlight '  # how pygments' HTML begins in nbconvert
STYLE = Path(__file__).with_name("gallery.css")
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style></head>
<body>
{body}
</body></html>
"""


@dataclass(frozen=True)
class Entry:
    """One executed notebook for the gallery."""

    label: str
    notebook: Path
    status: str = "done"
    seconds: float | None = None


def write_gallery(entries: Iterable[Entry], folder: Path) -> Path:
    """Write a page per entry and `index.html` into `folder`; returns the path of the index.

    A page that is newer than its notebook stays; pages of runs that are no longer there go. A
    notebook that cannot be read, because its run was killed while it was written, has no page.
    """
    entries = list(entries)
    titles = {entry.label: _write_page(entry, folder) for entry in entries}
    wanted = {_file_name(entry) for entry in entries if titles[entry.label] is not None}
    for old in folder.glob("*.html"):
        if old.name not in wanted | {"index.html"}:
            old.unlink()
    return write_atomically(folder / "index.html", _index(entries, titles))


def page(notebook: "NotebookNode", label: str) -> str:
    """A notebook as one HTML page: its text, code, outputs and pictures."""
    from pygments.formatters import HtmlFormatter

    content, _ = _exporter().from_notebook_node(_plain(notebook))
    body = (
        f'<nav><a href="index.html">All runs</a> · {html.escape(label)}</nav>\n'
        '<input type="checkbox" id="hide-code"><label for="hide-code"> hide code</label>\n'
        f"<main>{content}</main>"
    )
    colours = HtmlFormatter(style="default").get_style_defs(".highlight")
    style = f"{STYLE.read_text(encoding='utf-8')}\n{colours}"
    return _PAGE.format(title=html.escape(label), style=style, body=body)


@cache
def _exporter() -> "HTMLExporter":
    from nbconvert import HTMLExporter

    # The bare template loads none of these; blank, so that no other version of it can either.
    exporter = HTMLExporter(template_name="basic", require_js_url="", mathjax_url="", jquery_url="")
    exporter.register_filter("clean_html", _cleaned)
    return exporter


def _cleaned(written: str) -> str:
    """HTML without what could do harm, which highlighted code has not.

    Most of a page is code: to look through it takes half of the time, and gives the same text.
    """
    from nbconvert.filters import clean_html

    return written if written.startswith(HIGHLIGHTED) else clean_html(written)


def title_of(notebook: "NotebookNode", otherwise: str) -> str:
    """The notebook's first heading, as text."""
    for cell in notebook.cells:
        heading = re.search(r"^#\s+(.+)$", cell.source, re.M)
        if heading and cell.cell_type == "markdown":
            return re.sub(r"[*`]", "", heading.group(1)).strip()
    return otherwise


def _write_page(entry: Entry, folder: Path) -> str | None:
    """Write the page if needed; returns the notebook's title, or None if it cannot be read."""
    import nbformat

    try:
        notebook = nbformat.read(entry.notebook, as_version=4)
    except (OSError, ValueError, AttributeError):
        return None
    target = folder / _file_name(entry)
    made_from = max(os.path.getmtime(path) for path in (entry.notebook, STYLE, __file__))
    if not target.exists() or target.stat().st_mtime <= made_from:
        write_atomically(target, page(notebook, entry.label))
    return title_of(notebook, entry.label)


def _plain(notebook: "NotebookNode") -> "NotebookNode":
    """A copy without what needs scripts: widgets, and all but the last state of progress bars."""
    from copy import deepcopy

    notebook = deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = _joined_streams(cell.outputs)
        for output in cell.outputs:
            if output.output_type == "stream":
                output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text.rstrip("\r"))
            elif "data" in output:
                output.data.pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


def _joined_streams(outputs: list["NotebookNode"]) -> list["NotebookNode"]:
    """Outputs with each run of texts on one stream as one; a slow progress bar comes in many."""
    joined: list[NotebookNode] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" and output.name == last.get("name"):
            last.text += output.text
        else:
            joined.append(output)
    return joined


def _index(entries: list[Entry], titles: dict[str, str | None]) -> str:
    rows = "\n".join(_index_row(entry, titles[entry.label]) for entry in entries)
    head = '<tr><th>run</th><th>question</th><th>status</th><th class="number">seconds</th></tr>'
    empty = "" if entries else "<p>No run has finished yet.</p>"
    body = f"<h1>Executed notebooks</h1>\n<table>{head}\n{rows}\n</table>{empty}"
    style = STYLE.read_text(encoding="utf-8")
    return _PAGE.format(title="Executed notebooks", style=style, body=body)


def _index_row(entry: Entry, title: str | None) -> str:
    seconds = "" if entry.seconds is None else f"{entry.seconds:.0f}"
    link = html.escape(entry.label)
    if title is not None:
        link = f'<a href="{html.escape(_file_name(entry))}">{link}</a>'
    status = f'<td class="{html.escape(entry.status)}">{html.escape(entry.status)}</td>'
    number = f'<td class="number">{seconds}</td>'
    return f"<tr><td>{link}</td><td>{html.escape(title or '')}</td>{status}{number}</tr>"


def _file_name(entry: Entry) -> str:
    return entry.label.replace("/", "--") + ".html"
