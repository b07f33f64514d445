"""Starts watching this process: what the bootstrap calls once torch has been imported."""

from __future__ import annotations

import atexit
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, ClassVar

import torch

from gradoctor._version import __version__
from gradoctor.capture.patches import Patches
from gradoctor.capture.session import Session
from gradoctor.capture.source import last_place


class Watching:
    """A process under watch: the session, its patches, and the sink they write to.

    Attributes:
        of_run: the one that ``gradoctor run`` began in this process, if it did.
    """

    of_run: ClassVar[Watching | None] = None

    def __init__(self, sink: Any, options: dict[str, Any]) -> None:
        self.sink = sink
        self.options = options
        self.pid = os.getpid()
        self.session = Session(sink, budget=float(options.get("budget", 0.02)))
        self.patches = Patches(self.session)

    def start(self) -> None:
        """Intercept, and look at the first step deeply."""
        for key, value in properties().items():
            self.sink.meta(key, value)
        self.sink.meta("budget", self.session.governor.budget)
        self.patches.install()
        self.session.arm()

    def stop(self) -> None:
        """Put everything back and send what is left. Does nothing in a forked child."""
        if os.getpid() != self.pid:
            return
        self.patches.remove()
        self.session.guard.call("finish", self.session.finish)


def properties() -> dict[str, Any]:
    """What is known of the process before it trains."""
    return {
        "gradoctor": __version__, "torch": torch.__version__,
        "python": platform.python_version(), "pid": os.getpid(), "started": time.time(),
        "rank": int(os.environ.get("RANK", "0")),
        "world_size": int(os.environ.get("WORLD_SIZE", "1")),
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }  # fmt: skip


def ending(fault: BaseException | None = None) -> dict[str, Any] | None:
    """The exception that ended the script, as facts; None when there was none."""
    fault = fault or getattr(sys, "last_value", None)
    if fault is None:
        return None
    text = str(fault)
    known = "no_grad_fn" if "does not require grad and does not have a grad_fn" in text else ""
    file, line = last_place(fault.__traceback__)
    return {
        "type": type(fault).__name__, "message": text[:500], "known": known, "file": file,
        "line": line,
    }  # fmt: skip


def begin(options: dict[str, Any]) -> None:
    """Watch this process until it ends.

    Args:
        options: ``db`` (the run file), ``main`` (this is the script's own process), ``budget``.
    """
    from gradoctor.store.writer import RunWriter

    path = Path(options["db"])
    if not options.get("main", True):
        tail = f"rank{os.environ['RANK']}" if "RANK" in os.environ else str(os.getpid())
        path = path.with_name(f"{path.stem}.{tail}{path.suffix}")
    writer = RunWriter(path)
    writer.start()
    watching = Watching(writer, options)
    watching.start()
    Watching.of_run = watching
    atexit.register(_end, watching, writer)


def _end(watching: Watching, writer: Any) -> None:
    if os.getpid() != watching.pid:
        return
    watching.stop()
    fault = ending()
    if fault is not None:
        watching.session.recorder.fact("error", **fault)
        watching.session.recorder.finish()
    writer.meta("ended", time.time())
    writer.close()
    if writer.lost:
        print(
            f"gradoctor: the rest of this run was not recorded ({writer.lost}). "
            "Your training was not affected.",
            file=sys.stderr,
        )
