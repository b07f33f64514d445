"""Where a trial's capture writes: the losses to the course's file, everything to a run file too."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gradoctor.capture.recorder import Layout, Sink
from gradoctor.records import Event, Fact, Site


class CourseSink:
    """Writes a line for each step as it ends, so that whatever ends the child loses no more.

    Args:
        path: the file that ``trials`` reads.
        behind: a sink that gets everything, or None.

    Attributes:
        steps: training steps so far.
        batch: fingerprint of what the current step's first forward was given.
    """

    def __init__(self, path: Path | str, behind: Sink | None = None) -> None:
        self.steps = 0
        self.batch = ""
        self._behind = behind
        self._pid = os.getpid()
        self._file = Path(path).open("a", encoding="utf-8")  # noqa: SIM115  closed in ``close``

    def site(self, site: Site) -> None:
        """Pass it on."""
        if self._behind is not None:
            self._behind.site(site)

    def frame(self, step: int, look: int, layout: Layout, block: Sequence[float]) -> None:
        """Write down the losses of a step."""
        losses = {
            str(site): value
            for (site, statistic), value in zip(layout.columns, block, strict=True)
            if statistic == "loss.value"
        }
        self._say({"step": losses, "batch": self.batch})
        self.steps, self.batch = self.steps + 1, ""
        if self._behind is not None:
            self._behind.frame(step, look, layout, block)

    def fact(self, fact: Fact) -> None:
        """Pass it on."""
        if self._behind is not None:
            self._behind.fact(fact)

    def cycle(self, step: int, events: tuple[Event, ...]) -> None:
        """Pass it on."""
        if self._behind is not None:
            self._behind.cycle(step, events)

    def meta(self, key: str, value: Any) -> None:
        """Pass it on."""
        if self._behind is not None:
            self._behind.meta(key, value)

    def state(self, **facts: Any) -> None:
        """Write down what an intervention has found; the latest of a name counts."""
        self._say({"fact": facts})

    def close(self, how: str, error: dict[str, Any] | None = None) -> None:
        """Write down how the trial ended."""
        self._say({"end": how, "error": error})
        self._file.close()

    def _say(self, line: dict[str, Any]) -> None:
        if not self._file.closed and os.getpid() == self._pid:  # a forked child trains elsewhere
            self._file.write(json.dumps(line, default=str) + "\n")
            self._file.flush()
