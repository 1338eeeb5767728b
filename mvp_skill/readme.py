"""The README's numbers, made from run files by one command and never typed.

    python -m mvp_skill.readme results README.md     after a batch
    python -m mvp_skill.readme README.md             after a change of notebooks, scales or texts

The first form copies the `run.json` of every finished run into `recorded_runs/` of this package,
which is committed, and draws the figure. Both then fill each block

    <!-- results: NAME -->
    ...
    <!-- end -->

of the README from the record (`readme_blocks` says what each holds). So anybody can check the
README against the record without running anything, and a test does.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvp_skill.errors import BadInput
from mvp_skill.files import read_json, write_atomically, write_json
from mvp_skill.measurements import measured
from mvp_skill.readme_blocks import RECORD, blocks, draw_figure
from mvp_skill.run_folders import run_folders

MACHINE, BENCHMARKS = "machine.json", "benchmarks.json"
BLOCK = re.compile(r"(<!-- results: ([\w ]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def fill(text: str, contents: Mapping[str, str]) -> str:
    """The README's text with every block filled; a block that is filled already stays as it is.

    raises   BadInput for a marker without its end, or a name that no block has
    """
    starts, found = text.count("<!-- results:"), BLOCK.findall(text)
    if starts != len(found) or text.count("<!-- end -->") != starts:
        raise BadInput(
            f"{starts} blocks begin with a line `<!-- results: NAME -->`, and {len(found)} of them "
            "are well formed; each needs its own line `<!-- end -->`."
        )
    for _, name, content, _ in found:
        if name not in contents:
            raise BadInput(f"No block is called {name!r}; there are {', '.join(contents)}.")
        if "<!-- results:" in content:
            raise BadInput(f"The block {name!r} lacks its line `<!-- end -->`.")
    return BLOCK.sub(lambda match: f"{match[1]}{contents[match[2]]}\n{match[4]}", text)


def record(folders: list[Path], target: Path = RECORD) -> list[Path]:
    """Copy `run.json` and, of studies, the rows and tables of all finished runs to `target`.

    What was there before goes. Paths in parameters become names: a folder of somebody's machine
    says nothing to anybody else.

    returns   the files written
    raises    BadInput if nothing has finished
    """
    found = [(path, read_json(path / "run.json")) for root in folders for path in run_folders(root)]
    if not found:
        names = ", ".join(map(str, folders))
        raise BadInput(f"No finished run in {names}: start `python run_all.py` first.")
    beside = [target / name for name in (MACHINE, BENCHMARKS) if (target / name).exists()]
    kept = {path: read_json(path) for path in beside}
    shutil.rmtree(target, ignore_errors=True)
    for path, content in kept.items():
        write_json(path, content)
    for path, content in found:
        folder = target / path.parent.name / path.name
        write_json(folder / "run.json", _without_paths(content))
        for table in [*path.glob("rows.csv"), *path.glob("table*.csv")]:
            shutil.copyfile(table, folder / table.name)
    return sorted(target.glob("*/*/run.json"))


def main(line: list[str] | None = None) -> int:
    """The command. Returns the exit status: 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m mvp_skill.readme", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("results", nargs="*", type=Path, help="results folders; none: take the record as it is")
    add("readme", type=Path, help="the README to fill")
    add("--tests", type=Path, metavar="XML", help="report of `python -m pytest --junitxml=XML`")
    arguments = parser.parse_args(line)
    try:
        _check(arguments.results, arguments.readme)
        if arguments.results:
            record(arguments.results)
        if arguments.results or arguments.tests:
            _record_machine(arguments.results, arguments.tests)
        draw_figure()
        text = arguments.readme.read_text(encoding="utf-8")
        write_atomically(arguments.readme, fill(text, blocks()))
    except BadInput as error:
        print(f"readme: {error}", file=sys.stderr)
        return 2
    return 0


def _check(results: list[Path], readme: Path) -> None:
    for folder in results:
        if not folder.is_dir():
            raise BadInput(f"{folder} is no folder; give the one that run_all.py wrote.")
    if not readme.is_file():
        raise BadInput(f"{readme} is no file; give the README to fill as the last word.")


def _record_machine(results: list[Path], tests: Path | None) -> None:
    """Add what can be measured here to what was measured before."""
    path = RECORD / MACHINE
    before = read_json(path) if path.exists() else {}
    write_json(path, before | measured(results[0] if results else None, tests))


def _without_paths(content: Any) -> Any:
    """The record with absolute paths cut down to their last part."""
    if isinstance(content, dict):
        return {name: _without_paths(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_without_paths(value) for value in content]
    if isinstance(content, str) and re.fullmatch(r"(/|~|[A-Za-z]:[\\/])[^\n]*", content):
        return re.split(r"[\\/]", content.rstrip("\\/"))[-1]
    return json.loads(json.dumps(content))


if __name__ == "__main__":
    sys.exit(main())
