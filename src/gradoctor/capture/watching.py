"""A process under watch: the session, the calls that are intercepted, and where it all goes."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch

from gradoctor._version import __version__
from gradoctor.capsules import capsule_of
from gradoctor.capture import tracebacks
from gradoctor.capture.capsule import Capsule
from gradoctor.capture.endings import frames_of, give_up
from gradoctor.capture.patches import Patches
from gradoctor.capture.places import Places
from gradoctor.capture.session import Session
from gradoctor.capture.source import last_place

KNOWN = {
    "no_grad_fn": "does not require grad and does not have a grad_fn",
    "one_sample": "Expected more than 1 value per channel when training",
}
"""Errors of PyTorch that rules know, by a part of their message."""


class Watching:
    """A process under watch: the session, its patches, and the sink they write to.

    Attributes:
        of_run: the one that ``gradoctor run`` began in this process, if it did.
    """

    of_run: ClassVar[Watching | None] = None

    def __init__(self, sink: Any, options: dict[str, Any], places: Places | None = None) -> None:
        self.sink = sink
        self.ended = False
        self._undo: list[Callable[[], None]] = []
        self.options = options
        self.pid = os.getpid()
        self.session = Session(sink, budget=float(options.get("budget", 0.02)), places=places)
        if options.get("capsule") and options.get("main", True):
            path = capsule_of(Path(options["db"]))
            self.session.capsule = Capsule(
                self.session, path, options["capsule"], options["target"]
            )
        self.patches = Patches(self.session)

    def start(self) -> None:
        """Intercept, and look at the first step deeply."""
        for key, value in properties().items():
            self.sink.meta(key, value)
        self.sink.meta("budget", self.session.governor.budget)
        self.patches.install()
        self._undo.append(tracebacks.install())
        self.session.arm()

    def stop(self) -> None:
        """Put everything back and send what is left. Does nothing in a forked child."""
        if os.getpid() != self.pid:
            return
        self.patches.remove()
        for undo in self._undo:
            undo()
        fault = getattr(sys, "last_value", None)
        if fault is not None:
            self.session.guard.call("finish", give_up, self.session, frames_of(fault))
        self.session.guard.call("finish", self.session.finish)


def properties() -> dict[str, Any]:
    """What is known of the process before it trains."""
    return {
        "gradoctor": __version__, "torch": torch.__version__,
        "python": platform.python_version(), "pid": os.getpid(), "started": time.time(),
        "rank": int(os.environ.get("RANK", "0")),
        "world_size": int(os.environ.get("WORLD_SIZE", "1")),
    }  # fmt: skip


def ending(fault: BaseException | None = None) -> dict[str, Any] | None:
    """The exception that ended the script, as facts; None when there was none."""
    fault = fault or getattr(sys, "last_value", None)
    if fault is None:
        return None
    text = str(fault)
    known = next((name for name, said in KNOWN.items() if said in text), "")
    file, line = last_place(fault.__traceback__)
    return {
        "type": type(fault).__name__, "message": text[:500], "known": known, "file": file,
        "line": line,
    }  # fmt: skip
