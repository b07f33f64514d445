"""A few lines of Python, coloured: in a terminal and in a page."""

from __future__ import annotations

import io
import keyword
import tokenize

from gradoctor.reporters._layout import Line, wrap

_KINDS = {tokenize.STRING: "string", tokenize.NUMBER: "number", tokenize.COMMENT: "comment"}


def highlight(code: str) -> list[Line]:
    """The lines of the code as spans; what is no Python is code of one colour."""
    rows = code.splitlines()
    lines: list[Line] = [[] for _ in rows]
    ends = [0] * len(rows)
    try:
        for token in tokenize.generate_tokens(io.StringIO(code + "\n").readline):
            (number, start), (last, end) = token.start, token.end
            style = _KINDS.get(token.type, "keyword" if keyword.iskeyword(token.string) else "")
            if style and number == last:
                i = number - 1
                lines[i] += [(rows[i][ends[i] : start], "code"), (token.string, style)]
                ends[i] = end
    except (tokenize.TokenError, SyntaxError):
        return [[(row, "code")] for row in rows]
    for line, row, end in zip(lines, rows, ends, strict=True):
        line.append((row[end:], "code"))
    return [[span for span in line if span[0]] for line in lines]


def code_lines(code: str, width: int, indent: int) -> list[Line]:
    """The code in a terminal; a line that is too long goes on further in."""
    lines: list[Line] = []
    for row, spans in zip(code.splitlines(), highlight(code), strict=True):
        inner = len(row) - len(row.lstrip(" "))
        at = min(indent + inner, width // 2)
        lines += wrap(_after(spans, inner), width, (" " * at, ""), at + 2)
    return lines


def _after(spans: Line, cut: int) -> Line:
    """The spans without their first characters."""
    left: Line = []
    for text, style in spans:
        if text[cut:]:
            left.append((text[cut:], style))
        cut = max(0, cut - len(text))
    return left
