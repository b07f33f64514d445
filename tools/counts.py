"""Bring the counts in the documents up to date: rules, remedies, scripts of the corpus.

python tools/counts.py
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gradoctor.remedies import REMEDIES
from gradoctor.rules import RULES

ROOT = Path(__file__).parents[1]
PATTERNS: dict[str, tuple[tuple[str, int], ...]] = {
    "README.md": ((r"(?<=\| rules \| )\d+(?=, each)", len(RULES)),),
    "README.zh-CN.md": ((r"(?<=全部 )\d+(?= 条规则)", len(RULES)),),
    "CHANGELOG.md": (
        (r"\d+(?= rules with pages in English and Chinese)", len(RULES)),
        (r"(?<=English and Chinese, )\d+(?= rem)", len(REMEDIES)),
    ),
}
"""In each document: where a count stands (a pattern of the number alone), and the count."""


def counted(document: str) -> str:
    """The document with its counts as they are.

    Raises:
        LookupError: a count no longer stands where it is looked for.
    """
    text = (ROOT / document).read_text(encoding="utf-8")
    for pattern, count in PATTERNS[document]:
        text, hits = re.subn(pattern, str(count), text)
        if not hits:
            raise LookupError(f"{document}: nothing matches {pattern!r}")
    return text


def main() -> int:
    """Write the documents anew."""
    for document in PATTERNS:
        (ROOT / document).write_text(counted(document), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
