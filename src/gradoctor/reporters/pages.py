"""A rule's page and the table of rules in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gradoctor.knowledge.language import N_, Translator
from gradoctor.knowledge.pages import HEADINGS, one_line, page
from gradoctor.records import Finding, Level
from gradoctor.remedies import remedies_for, text
from gradoctor.reporters._code import code_lines
from gradoctor.reporters._digest import page_or_name
from gradoctor.reporters._layout import NARROWEST, Line, cells, cut, marked, pad, paint, wrap
from gradoctor.rules import RULES

FAMILIES = {
    "GD1": N_("gradient flow"),
    "GD2": N_("activations"),
    "GD3": N_("initialisation"),
    "GD4": N_("optimisation"),
    "GD5": N_("loss and target"),
    "GD6": N_("data and batches"),
    "GD7": N_("numbers and precision"),
    "GD8": N_("architecture"),
    "GD9": N_("wiring"),
}

_FENCE = "```"
_CLOSE = {("item", "item"), ("table", "table")}  # blocks with no empty line between
_ITEM = re.compile(r"([-*]|\d+\.) +")


def render_page(code: str, lang: str = "en", width: int = 80, color: bool = False) -> str:
    """A rule's page with its remedies.

    Raises:
        UnknownRuleError: no page has this code.
    """
    known = page(code, lang)
    width = max(width, NARROWEST)
    lines: list[Line] = [[(f"{known.code} {known.name}", "name")]]
    lines += wrap([(known.title, "")], width)
    headings = HEADINGS[known.lang]
    for key, body in known.sections.items():
        if key == "references":
            lines += _remedies(code, lang, width)
        lines += [[], [(headings[key], "label")], *_markdown(body, width)]
    if "references" not in known.sections:
        lines += _remedies(code, lang, width)
    return paint(lines, color=color)


def render_rules(lang: str = "en", width: int = 80, color: bool = False) -> str:
    """All rules by family, each with its title."""
    _ = Translator(lang)
    width = max(width, NARROWEST)
    lines: list[Line] = []
    column = min(max((len(r.name) for r in RULES.values()), default=0), width * 3 // 8)
    for family, heading in FAMILIES.items():
        rows = [(c, r.name) for c, r in sorted(RULES.items()) if c.startswith(family)]
        if rows:
            lines += [[(_(heading), "label")]]
            for code, name in rows:
                title = page_or_name(Finding(Level.NOTE, code=code, name=name), lang).title
                first = f"  {code}  {pad(cut(name, column), column)}  "
                lines += wrap([(title, "")], width, (first, ""), cells(first))
            lines.append([])
    more = _("gradoctor explain CODE tells more of one")
    said = _.plural("{n} rule", "{n} rules", len(RULES))
    lines += wrap([(f"{said}; {more}", "dim")], width)
    return paint(lines, color=color)


def _remedies(code: str, lang: str, width: int) -> list[Line]:
    _ = Translator(lang)
    remedies = remedies_for(code)
    if not remedies:
        return []
    lines: list[Line] = [[], [(_("What to do"), "label")]]
    for number, remedy in enumerate(remedies, 1):
        first = f"  {number}. "
        lines += wrap(marked(one_line(text(remedy.name, lang))), width, (first, ""), len(first))
        lines += code_lines(remedy.code, width, len(first) + 2)
    return lines


# ---- the little markdown that pages use ----------------------------------------------------------
def _markdown(body: str, width: int) -> list[Line]:
    """Paragraphs, lists, fenced code, sub-headings and tables, indented by two."""
    lines: list[Line] = []
    before = ""
    for kind, block in _blocks(body):
        if lines and before != "heading" and (before, kind) not in _CLOSE:
            lines.append([])
        before = kind
        if kind == "code":
            lines += code_lines(block, width, 4)
        elif kind == "heading":
            lines += wrap([(block.lstrip("# "), "strong")], width, ("  ", ""), 2)
        elif kind == "table":
            lines += wrap(marked(block), width, ("  ", ""), 4)
        else:
            mark = _ITEM.match(block) if kind == "item" else None
            first = "  " + (mark.group() if mark else "")
            rest = block[mark.end() :] if mark else block
            lines += wrap(marked(_links(one_line(rest))), width, (first, ""), len(first))
    return lines


def _blocks(body: str) -> Iterator[tuple[str, str]]:
    """Markdown as ``(kind, text)``: text, item, code, heading or table (a row at a time)."""
    kind = "text"
    held: list[str] = []
    for row in [*body.splitlines(), ""]:
        begins = _begins(row.strip(), kind)
        if begins:
            if held:
                yield kind, "\n".join(held)
            kind, held = begins, []
        if row.strip() and not row.strip().startswith(_FENCE):
            held.append(row if kind == "code" else row.strip())
    if held:  # a fence that was never closed
        yield kind, "\n".join(held)


def _begins(row: str, kind: str) -> str | None:
    """The kind of block that begins with this row; None when the block before it goes on."""
    if row.startswith(_FENCE):
        return "text" if kind == "code" else "code"
    if kind == "code":
        return None
    if row.startswith("#"):
        return "heading"
    if row.startswith("|"):
        return "table"
    if _ITEM.match(row):
        return "item"
    return "text" if not row or kind in ("heading", "table") else None


def _links(text: str) -> str:
    """``[text](address)`` as ``text <address>``."""
    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", r"\1 <\2>", text)
