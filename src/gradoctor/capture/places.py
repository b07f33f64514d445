"""Where each module and optimizer was made: kept beside the objects, never on them."""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import sys
import textwrap
import weakref
from types import FrameType
from typing import Any

from gradoctor.capture.source import HIDDEN, USER, rank, variables

Place = tuple[str | None, int | None]
NOWHERE: Place = (None, None)


class Places:
    """Remembers the line that made an object, as long as the object lives."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[Any], Place]] = {}

    def remember(self, thing: object, place: Place) -> None:
        """Keep the place of a new object."""
        key = id(thing)
        self._known[key] = (weakref.ref(thing, lambda _: self._known.pop(key, None)), place)

    def of(self, thing: object) -> Place:
        """The place where an object was made, ``(None, None)`` when it was not seen."""
        known = self._known.get(id(thing))
        return known[1] if known is not None and known[0]() is thing else NOWHERE


def of_attribute(owner: object, attribute: str) -> Place:
    """The line in ``owner``'s class that assigns ``self.<attribute>``: for unseen creations."""
    try:
        return _assignments(type(owner)).get(attribute, NOWHERE)  # type: ignore[arg-type]
    except (OSError, TypeError, SyntaxError):
        return NOWHERE


@functools.lru_cache(maxsize=256)
def _assignments(kind: type) -> dict[str, Place]:
    """``self.x = ...`` lines of a class and its bases that are user code."""
    found: dict[str, Place] = {}
    for base in reversed(kind.__mro__):
        try:
            file = inspect.getsourcefile(base)
            lines, start = inspect.getsourcelines(base)
        except (OSError, TypeError):
            continue
        if file is None or rank(file) == HIDDEN:
            continue
        for node in ast.walk(ast.parse(textwrap.dedent("".join(lines)))):
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    found[target.attr] = (file, start + node.lineno - 1)
    return found


def name_in_frames(thing: object, skip: int = 2) -> str:
    """The variable that holds ``thing`` in the calling frames, '' when there is none."""
    frame: FrameType | None = sys._getframe(skip)
    while frame is not None:
        if rank(frame.f_code.co_filename) != HIDDEN:
            name = _name_in(variables(frame), thing) or _name_in(frame.f_globals, thing)
            if name:
                return name
        frame = frame.f_back
    return ""


def _name_in(scope: dict[str, Any], thing: object) -> str:
    for name, value in list(scope.items()):
        if value is thing and not name.startswith("_") and name != "self":
            return name
    for name, value in list(scope.items()):
        if isinstance(value, list | tuple) and len(value) < 1000:
            for i, part in enumerate(value):
                if part is thing:
                    return f"{name}[{i}]"
        elif isinstance(value, dict) and len(value) < 1000:
            for key, part in list(value.items()):
                if part is thing:
                    return f"{name}[{key!r}]"
        elif name == "self" and hasattr(value, "__dict__"):
            inner = _attribute(vars(value), thing)
            if inner:
                return inner
    return ""


def _attribute(scope: dict[str, Any], thing: object) -> str:
    return next((name for name, value in scope.items() if value is thing), "")


def calling() -> ast.Call | None:
    """The call that the innermost user frame is in, as written; None when it cannot be read."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and rank(frame.f_code.co_filename) != USER:
        frame = frame.f_back
    if frame is None:
        return None
    spans = list(frame.f_code.co_positions())
    first, last, start, end = spans[frame.f_lasti // 2]
    lines = linecache.getlines(frame.f_code.co_filename)[(first or 1) - 1 : last]
    if not lines or start is None or end is None:
        return None
    # columns count bytes; the end is cut first, it may be on the same line
    raw = [line.encode() for line in lines]
    raw[-1] = raw[-1][:end]
    raw[0] = raw[0][start:]
    try:
        found = ast.parse(b"".join(raw).decode(), mode="eval").body
    except (SyntaxError, ValueError):
        return None
    return found if isinstance(found, ast.Call) else None
