"""Bring the interface's catalogues up to date with the sources, and compile them.

    python tools/catalogue.py           # update the .po files: then translate what is new
    python tools/catalogue.py compile   # after translating: write the .mo files

Marked are ``_("...")``, ``N_("...")``, ``translate("...")`` and ``.plural("...", "...", n)``.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

SOURCES = Path(__file__).parents[1] / "src" / "gradoctor"
LOCALE = SOURCES / "knowledge" / "locale"
KEYWORDS = {"_": None, "N_": None, "translate": None, "plural": (1, 2)}


def extract() -> Catalog:
    """Every message that the sources mark, with the files it is in."""
    found = Catalog(charset="utf-8")
    rows = extract_from_dir(SOURCES, [("**.py", "python")], keywords=KEYWORDS)
    for file, _line, message, comments, context in sorted(rows, key=lambda row: row[:2]):
        # No line numbers: they would change the catalogue with every edit of a source.
        found.add(message, None, [(file.replace("\\", "/"), None)], context=context,
                  auto_comments=comments)  # fmt: skip
    return found


def read(po: Path) -> Catalog:
    """The catalogue as it is written down."""
    with po.open("rb") as stream:
        return read_po(stream, locale=po.parts[-3], domain="gradoctor")


def compiled(catalogue: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    out = io.BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def update(po: Path) -> None:
    """Add what is new, drop what is gone, keep what is translated."""
    catalogue = read(po) if po.exists() else Catalog(locale=po.parts[-3], charset="utf-8")
    catalogue.update(extract(), no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    with po.open("wb") as stream:
        write_po(stream, catalogue, width=100, sort_output=True, include_lineno=False)


def main() -> None:
    """Update or compile every catalogue."""
    for po in sorted(LOCALE.glob("*/LC_MESSAGES/gradoctor.po")):
        if "compile" in sys.argv[1:]:
            po.with_suffix(".mo").write_bytes(compiled(read(po)))
        else:
            update(po)
            missing = [m.id for m in read(po) if m.id and not all(_strings(m.string))]
            print(f"{po.parts[-3]}: {len(missing)} to translate", *missing, sep="\n  ")


def _strings(string: str | tuple[str, ...]) -> tuple[str, ...]:
    return (string,) if isinstance(string, str) else tuple(string)


if __name__ == "__main__":
    main()
