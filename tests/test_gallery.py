"""The gallery: pages that show everything and fetch nothing."""

import base64
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from mvp_skill import gallery
from mvp_skill.gallery import Entry, page, title_of, write_gallery

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
FETCHING = re.compile(
    r"<script|<link|@import|<iframe|(src|href)=[\"'](?!#|data:|index\.html)", re.I
)


def notebook():
    """A notebook with every kind of output that ours make."""
    outputs = [
        new_output("stream", name="stdout", text="plain text <b>\n"),
        new_output("stream", name="stderr", text="\r  0%\r 50%\r100%\ndone\n"),
        new_output("display_data", data={"text/html": "<table><tr><td>cell</td></tr></table>"}),
        new_output("display_data", data={"image/png": base64.b64encode(PIXEL).decode()}),
        new_output(
            "display_data",
            data={
                "application/vnd.jupyter.widget-view+json": {"model_id": "7"},
                "text/plain": "BAR",
            },
        ),
        new_output(
            "error", ename="ValueError", evalue="x", traceback=["\x1b[31mValueError\x1b[0m"]
        ),
    ]
    cells = [
        new_markdown_cell("some words\n\n# 12 Does `mvp` **hold**?\n\n$x^2$"),
        new_code_cell("print('source code')", outputs=outputs, execution_count=1),
    ]
    return new_notebook(cells=cells, metadata={"widgets": {"state": {}}})


@pytest.fixture
def entries(tmp_path) -> list[Entry]:
    written = []
    for label, status, seconds in (("12_attack/a<b", "done", 61.4), ("11_train/x", "failed", None)):
        path = tmp_path / f"{status}.ipynb"
        nbformat.write(notebook(), path)
        written.append(Entry(label, path, status, seconds))
    return written


def test_a_page_shows_text_code_and_outputs_and_fetches_nothing():
    shown = page(notebook(), "12_attack/mini-s0")
    for part in ("12_attack/mini-s0", "<strong>hold</strong>", "source code", "<td>cell</td>"):
        assert part in shown
    assert "data:image/png;base64" in shown and "plain text &lt;b&gt;" in shown
    assert "BAR" in shown and "ansi-red-fg" in shown and "\x1b" not in shown
    assert not FETCHING.search(shown)
    assert not re.search(r"https?://", shown)


def test_a_progress_bar_shows_its_last_state_only():
    shown = page(notebook(), "x")
    assert "100%\ndone" in shown and "50%" not in shown


def test_a_progress_bar_that_came_in_parts_is_one():
    """As papermill stores a bar that moves slowly."""
    given = notebook()
    parts = [("stderr", "\r  0%"), ("stderr", "\r100%"), ("stdout", "said\n"), ("stderr", "\r 7%")]
    given.cells[1].outputs = [new_output("stream", name=name, text=text) for name, text in parts]
    shown = page(given, "x")
    assert "  0%" not in shown
    assert shown.index("100%") < shown.index("said") < shown.index(" 7%")


def test_a_page_leaves_the_notebook_as_it_was():
    given = notebook()
    page(given, "x")
    assert given.metadata.widgets == {"state": {}} and "50%" in given.cells[1].outputs[1].text


def test_the_title_is_the_first_heading():
    assert title_of(notebook(), "other") == "12 Does mvp hold?"
    assert title_of(new_notebook(cells=[new_code_cell("# no heading")]), "other") == "other"


def test_the_index_links_every_page(entries, tmp_path):
    index = write_gallery(entries, tmp_path / "gallery")
    text = index.read_text()
    links = re.findall(r'href="([^"]+)"', text)
    assert len(links) == 2 and "12 Does mvp hold?" in text and 'class="failed"' in text
    assert "61" in text and "a&lt;b" in text and "a<b" not in text
    assert {path.name for path in index.parent.iterdir()} == {
        "index.html",
        "12_attack--a<b.html",
    } | {"11_train--x.html"}


def test_pages_are_made_again_only_when_needed_and_old_ones_go(entries, tmp_path):
    folder = tmp_path / "gallery"
    write_gallery(entries, folder)
    stale, fresh = folder / "11_train--x.html", folder / "12_attack--a<b.html"
    fresh.write_text("kept")
    write_gallery(entries, folder)
    assert fresh.read_text() == "kept"
    later = fresh.stat().st_mtime + 5
    os.utime(entries[0].notebook, (later, later))
    write_gallery(entries[:1], folder)
    assert "source code" in fresh.read_text() and not stale.exists()


def test_a_damaged_notebook_costs_its_page_only(entries, tmp_path):
    entries[1].notebook.write_text('{"cells": [')
    text = write_gallery(entries, tmp_path / "gallery").read_text()
    assert re.findall(r'href="([^"]+)"', text) == ["12_attack--a&lt;b.html"]
    assert "11_train/x" in text


def test_a_gallery_without_runs_says_so(tmp_path):
    assert "No run has finished yet" in write_gallery([], Path(tmp_path)).read_text()


def test_highlighted_code_is_what_it_would_be_with_all_of_it_cleaned(monkeypatch):
    from nbconvert.filters import clean_html

    given, cleaned = [], gallery._cleaned
    code = "x = \"<script>alert('&amp;')</script>\" if 1 < 2 else '&lt;é'  # <b>\n"
    code += "%timeit <img onerror=x>"
    harmful = new_notebook(cells=[new_code_cell(code), *notebook().cells])
    monkeypatch.setattr(gallery, "_cleaned", lambda text: given.append(text) or clean_html(text))
    gallery._exporter.cache_clear()
    wanted = page(harmful, "x")
    monkeypatch.setattr(gallery, "_cleaned", cleaned)
    gallery._exporter.cache_clear()
    assert page(harmful, "x") == wanted and "<script" not in wanted and "<img onerror" not in wanted
    assert len(given) == 2 and all(text.startswith(gallery.HIGHLIGHTED) for text in given)
    assert cleaned("<script>1 < 2</script>") == "&lt;script&gt;1 &lt; 2&lt;/script&gt;"
