"""The line that assigned a variable: where an object was made that nobody saw being made."""

from __future__ import annotations

import ast
import linecache
import sys
from types import FrameType

from gradoctor.capture.places import NOWHERE, Place
from gradoctor.capture.source import HIDDEN, rank


def assigned(name: str) -> Place:
    """The last assignment to a variable (``model``, ``nets[0]``) in the frames that call us."""
    variable = name.split("[", 1)[0]
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and variable:
        if rank(frame.f_code.co_filename) != HIDDEN:
            line = _line(frame, variable)
            if line:
                return frame.f_code.co_filename, line
        frame = frame.f_back
    return NOWHERE


def _line(frame: FrameType, variable: str) -> int:
    """The last line before the frame's own, and not before its function, that assigns it."""
    lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
    try:
        tree = ast.parse("".join(lines))
    except (SyntaxError, ValueError):
        return 0
    first = frame.f_code.co_firstlineno
    found = 0
    for node in ast.walk(tree):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(_names(target, variable) for target in targets):
            line = getattr(node, "lineno", 0)
            if first <= line <= frame.f_lineno:
                found = max(found, line)
    return found


def _names(target: ast.AST | None, variable: str) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return any(_names(part, variable) for part in target.elts)
    return (isinstance(target, ast.Name) and target.id == variable) or (
        isinstance(target, ast.Attribute) and target.attr == variable
    )
