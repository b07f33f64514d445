"""Long corpora take turns: a rotating tenth of each runs every day, the whole when asked."""

from __future__ import annotations

import datetime
import os
import zlib

SLICES = 10


def slice_of(name: str) -> int:
    """Which of the slices a thing of that name is in."""
    return zlib.crc32(name.encode()) % SLICES


def todays_slice() -> int | None:
    """The slice to run: ``GRADOCTOR_SLICE`` (a number or ``all``), else the day's; None is all."""
    given = os.environ.get("GRADOCTOR_SLICE", "")
    if given == "all":
        return None
    return int(given) % SLICES if given else datetime.date.today().toordinal() % SLICES
