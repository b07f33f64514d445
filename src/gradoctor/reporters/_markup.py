"""Pieces of HTML; whatever comes from elsewhere is escaped."""

from __future__ import annotations

from html import escape

from gradoctor.reporters._code import highlight
from gradoctor.reporters._layout import clean


def text(said: object) -> str:
    """Text, escaped, without what no reader can see."""
    return escape(clean(str(said)))


def tag(name: str, said: object, kind: str = "") -> str:
    """An element with escaped text."""
    attribute = f' class="{escape(kind)}"' if kind else ""
    return f"<{name}{attribute}>{text(said)}</{name}>"


def inline(said: str) -> str:
    """Escaped text with `code` in backticks."""
    parts = text(said).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts))


def code(lines: str) -> str:
    """Lines of code as they are."""
    return f"<pre>{chr(10).join(text(line) for line in lines.splitlines())}</pre>"


def coloured(lines: str) -> str:
    """Lines of Python in colours."""
    rows = (
        "".join(f'<i class="{style}">{text(part)}</i>' for part, style in line)
        for line in highlight(lines)
    )
    return f'<pre class="code">{chr(10).join(rows)}</pre>'
