"""The README as it is, and what stands in one of its blocks."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def block(text: str, name: str) -> str:
    return re.search(rf"<!-- results: {name} -->\n(.*?)\n<!-- end -->", text, re.DOTALL)[1]
