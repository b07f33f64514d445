"""Starts watching a process of the run, once torch has been imported, and ends with it."""

from __future__ import annotations

import atexit
import os
import sys
import time
from pathlib import Path
from typing import Any

from gradoctor.capture.places import Places
from gradoctor.capture.watching import Watching, ending
from gradoctor.store.deferred import DeferredWriter
from gradoctor.store.writer import RunWriter


def begin(options: dict[str, Any], places: Places | None = None) -> None:
    """Watch this process until it ends, and the children that it forks.

    Args:
        options: ``db`` (the run file), ``main`` (this is the script's own process), ``budget``.
        places: where objects were made, as far as the parent process saw it.
    """
    main = options.get("main", True)
    sink: RunWriter | DeferredWriter = _open(options) if main else DeferredWriter(
        lambda: _open(options)
    )  # fmt: skip
    watching = Watching(sink, options, places)
    if main and options.get("checkup"):
        from gradoctor.forecast.first_step import FirstStep

        watching.session.prospect = FirstStep(watching.session)
    watching.start()
    if not main:
        sink.meta("script", options.get("script", ""))
        sink.meta("cwd", os.getcwd())
    if Watching.of_run is None:
        os.register_at_fork(after_in_child=_in_child)
    Watching.of_run = watching
    atexit.register(_end, watching)
    _end_with_multiprocessing(watching)


def _open(options: dict[str, Any]) -> RunWriter:
    path = Path(options["db"])
    if not options.get("main", True):
        tail = f"rank{os.environ['RANK']}" if "RANK" in os.environ else str(os.getpid())
        path = path.with_name(f"{path.stem}.{tail}{path.suffix}")
    writer = RunWriter(path)
    writer.start()
    return writer


def _in_child() -> None:
    """In a forked child: leave the parent's run alone and begin one of our own."""
    parent = Watching.of_run
    if parent is None:
        return
    try:
        parent.patches.remove()
        parent.session.disarm()
        parent.sink.abandon()
        begin({**parent.options, "main": False}, parent.session.places)
    except Exception as fault:  # the child must run as if we were not there
        print(f"gradoctor: a child process is not watched ({fault}).", file=sys.stderr)


def _end_with_multiprocessing(watching: Watching) -> None:
    """Its children leave without ``atexit``; they run finalizers, and forget earlier ones."""
    util, process = (sys.modules.get(f"multiprocessing.{m}") for m in ("util", "process"))
    if util is None or process is None:
        return

    def finalize(held: Watching) -> None:
        util.Finalize(held, _end, (held,), exitpriority=0)

    util.register_after_fork(watching, finalize)
    if process.parent_process() is not None:
        finalize(watching)


def _end(watching: Watching) -> None:
    if os.getpid() != watching.pid or watching.ended:
        return
    watching.ended = True
    watching.stop()
    writer = watching.sink
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
