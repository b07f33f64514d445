"""Which line of the user's own code is running: file and line for sites and events."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from inspect import CO_OPTIMIZED
from types import FrameType, TracebackType
from typing import Any

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_SITE = tuple(
    {sysconfig.get_paths()[k] + os.sep for k in ("purelib", "platlib")} | {"/dist-packages/"}
)

USER, LIBRARY, HIDDEN = 2, 1, 0


@lru_cache(maxsize=4096)
def rank(filename: str) -> int:
    """2 for the user's own code, 1 for an installed library, 0 for torch, Python and gradoctor."""
    if filename.startswith((_HERE, "<frozen")) or filename in ("<string>", ""):
        return HIDDEN
    if f"{os.sep}torch{os.sep}" in filename and _is_installed(filename):
        return HIDDEN
    if _is_installed(filename):
        return LIBRARY
    if filename.startswith(_STDLIB):
        return HIDDEN
    return USER


def _is_installed(filename: str) -> bool:
    return filename.startswith(_SITE) or "site-packages" in filename or "dist-packages" in filename


def caller(skip: int = 1, frame: FrameType | None = None) -> tuple[str | None, int | None]:
    """File and line of the innermost user frame; a library's line when no user frame is there."""
    frame = sys._getframe(skip) if frame is None else frame
    fallback: tuple[str | None, int | None] = (None, None)
    while frame is not None:
        kind = rank(frame.f_code.co_filename)
        if kind == USER:
            return frame.f_code.co_filename, frame.f_lineno
        if kind == LIBRARY and fallback[0] is None:
            fallback = frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return fallback


def creator(instance: object, skip: int = 1) -> tuple[str | None, int | None]:
    """The line that made ``instance``: frames that are its own ``__init__`` are passed over."""
    frame: FrameType | None = sys._getframe(skip)
    while frame is not None and _is_own_init(frame, instance):
        frame = frame.f_back
    return caller(frame=frame) if frame is not None else (None, None)


def variables(frame: FrameType) -> dict[str, Any]:
    """A copy of a frame's local variables that keeps none of them alive.

    Up to Python 3.12 reading ``f_locals`` of a function leaves a snapshot on its frame, and with it
    every tensor that the function deletes later: it is emptied, unless somebody else has it too.
    """
    held = frame.f_locals
    found = dict(held)
    if sys.version_info < (3, 13) and frame.f_code.co_flags & CO_OPTIMIZED:
        if sys.getrefcount(held) <= 3:  # the frame, this variable, the argument
            held.clear()
    return found


def variables_in_frames(most: int = 6) -> Iterator[tuple[FrameType, str, Any]]:
    """Tensors in the local variables of the innermost frames of the user's code.

    Args:
        most: frames that are looked into.
    """
    import torch

    frame: FrameType | None = sys._getframe(1)
    while frame is not None and most:
        if rank(frame.f_code.co_filename) == USER:
            most -= 1
            for name, value in variables(frame).items():
                if isinstance(value, torch.Tensor):
                    yield frame, name, value
        frame = frame.f_back


def _is_own_init(frame: FrameType, instance: object) -> bool:
    code = frame.f_code
    if rank(code.co_filename) == HIDDEN and code.co_name != "__init__":
        return True
    if not code.co_varnames or code.co_argcount == 0:
        return False
    return variables(frame).get(code.co_varnames[0]) is instance


def last_place(trace: TracebackType | None) -> tuple[str | None, int | None]:
    """The innermost user line of a traceback."""
    place: tuple[str | None, int | None] = (None, None)
    while trace is not None:
        if rank(trace.tb_frame.f_code.co_filename) == USER:
            place = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next
    return place
