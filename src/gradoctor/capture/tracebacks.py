"""Keeps our frames out of the tracebacks that users see."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_OURS = tuple(os.path.join(_HOME, room) + os.sep for room in ("capture", "bootstrap"))
_OVERRIDES = os.path.join("torch", "overrides.py")


def strip(trace: TracebackType | None) -> TracebackType | None:
    """The traceback without our frames, and without torch's detour to them."""
    kept: list[TracebackType] = []
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith(_OVERRIDES) and trace.tb_frame.f_code.co_name == "handle_torch_function":
            if kept:
                kept.pop()  # the function that asked for overrides; it is entered again below
        elif not file.startswith(_OURS):
            kept.append(trace)
        trace = trace.tb_next
    for one, two in zip(kept, [*kept[1:], None], strict=False):  # all may have been ours
        one.tb_next = two
    return kept[0] if kept else None


def strip_all(fault: BaseException | None) -> None:
    """Strip an exception and those that it came from."""
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        fault.__traceback__ = strip(fault.__traceback__)
        fault = fault.__cause__ or fault.__context__


def install() -> Callable[[], None]:
    """Strip what Python prints when an exception ends the script; gives the way back.

    A hook that is not Python's own is left alone.
    """
    original = sys.excepthook
    if original is not sys.__excepthook__:
        return lambda: None

    def excepthook(kind: Any, fault: BaseException, trace: TracebackType | None) -> None:
        strip_all(fault)
        original(kind, fault, fault.__traceback__)

    def undo() -> None:
        if sys.excepthook is excepthook:
            sys.excepthook = original

    sys.excepthook = excepthook
    return undo
