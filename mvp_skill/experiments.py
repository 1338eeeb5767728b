"""What the runs of an experiment left, as one page: tables, figures and claims.

An experiment's notebook saves its tables by `save_table` and its figures by `plots.save_figure`;
`shown` puts together what is there, whichever experiment it is.
"""

import base64
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvp_skill.files import read_json, write_atomically
from mvp_skill.results import VERDICTS
from mvp_skill.run_folders import run_folders

if TYPE_CHECKING:
    from pandas import DataFrame

NOT_RUN = (
    "No run of {notebook} has finished at this scale: <code>python run_all.py --only {name}</code>"
)


def save_table(table: "DataFrame", folder: Path, name: str, caption: str = "") -> None:
    """Write a table as it is shown, in three forms: NAME.csv, NAME.tex, NAME.html.

    table     texts or numbers as people read them; columns of several levels are joined in the CSV
    name      begins with "table", so that the README's record finds it
    caption   what it shows, with n and seeds
    """
    flat = table.copy()
    if flat.columns.nlevels > 1:
        flat.columns = [", ".join(filter(None, map(str, names))) for names in flat.columns]
    write_atomically(folder / f"{name}.csv", flat.to_csv())
    write_atomically(folder / f"{name}.tex", table.to_latex(escape=True, caption=caption or None))
    page = table.to_html(border=0, justify="left", na_rep="–")
    write_atomically(folder / f"{name}.html", f"<p>{html.escape(caption)}</p>\n{page}\n")


def shown(root: str | Path, notebook: str, scale: str, figures: bool = True) -> str:
    """Every finished run of an experiment at a scale as HTML: tables, figures, claims.

    A sentence with the command if there is none.
    """
    parts = [
        _run(folder, record, figures)
        for folder in run_folders(root)
        if folder.parent.name == notebook
        for record in [read_json(folder / "run.json")]
        if record["parameters"].get("SCALE", scale) == scale
    ]
    return "\n".join(parts) or NOT_RUN.format(notebook=notebook, name=notebook[:2])


def _run(folder: Path, record: dict[str, Any], figures: bool) -> str:
    head = f"<p><b>{html.escape(folder.name)}</b>, {record['seconds']:.0f} s</p>"
    tables = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.html"))]
    pictures = [_picture(path) for path in sorted(folder.glob("*.png"))] if figures else []
    return "\n".join([head, *tables, *pictures, _claims(record["claims"])])


def _picture(path: Path) -> str:
    content = base64.b64encode(path.read_bytes()).decode()
    return f'<img alt="{html.escape(path.stem)}" src="data:image/png;base64,{content}">'


def _claims(claims: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(found['claim'])}</td><td>{html.escape(found['criterion'])}</td>"
        f"<td><b>{VERDICTS[found['holds']]}</b></td></tr>"
        for found in claims
    )
    return f"<table><tr><th>claim</th><th>criterion</th><th>verdict</th></tr>{rows}</table>"
