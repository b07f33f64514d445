"""A script that ends before its time: its variables may tell why."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from types import FrameType

from gradoctor.capture.session import Session
from gradoctor.capture.source import USER, rank


def give_up(session: Session, frames: Iterable[FrameType]) -> None:
    """The script leaves off; a loss that no backward has seen may be among its variables.

    Args:
        frames: where it was, the innermost first; those that are not its own code are passed over.
    """
    if session.recorder.step:
        mine = [f for f in frames if rank(f.f_code.co_filename) == USER]
        session.capsule.frames = mine
        session.faults.at_end(mine)


def frames_of(fault: BaseException) -> list[FrameType]:
    """The frames that an exception left, the innermost first."""
    return [frame for frame, _ in traceback.walk_tb(fault.__traceback__)][::-1]
