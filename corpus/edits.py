"""Changing a script's text at places of its syntax tree, with every other byte as it was."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

Edit = tuple[int, int, str]
"""From byte, to byte (exclusive), and the text that comes there."""

Placed = ast.expr | ast.stmt | ast.keyword | ast.arg | ast.alias | ast.excepthandler | ast.pattern
"""A node that knows where it stands."""


@dataclass(frozen=True)
class Script:
    """A script's text with its syntax tree."""

    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[Placed]:
        """All nodes that have a place, in the order of the text."""
        placed = [n for n in ast.walk(self.tree) if isinstance(n, Placed)]
        return sorted(placed, key=lambda n: (n.lineno, n.col_offset, -self.span(n)[1]))

    @cached_property
    def parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.text.encode().split(b"\n"):
            starts.append(starts[-1] + len(line) + 1)
        return starts

    def span(self, node: Placed) -> tuple[int, int]:
        """First byte, and the byte after the last."""
        first = self._starts[node.lineno - 1] + node.col_offset
        assert node.end_lineno is not None, "a parsed node ends somewhere"
        assert node.end_col_offset is not None
        return first, self._starts[node.end_lineno - 1] + node.end_col_offset

    def source(self, node: Placed) -> str:
        """The text of a node."""
        first, last = self.span(node)
        return self.text.encode()[first:last].decode()

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text with some spans, none of which overlap, replaced."""
        data = self.text.encode()
        for first, last, new in sorted(edits, reverse=True):
            data = data[:first] + new.encode() + data[last:]
        return data.decode()


def called(node: ast.AST) -> str:
    """The last name of what a call calls: ``manual_seed`` of ``torch.manual_seed(0)``; else ''."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def number(node: ast.AST | None) -> int | float | None:
    """The value of a literal number that is not a bool."""
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def integer(node: ast.AST | None) -> int | None:
    """The value of a literal whole number that is not a bool."""
    value = number(node)
    return value if isinstance(value, int) else None
