"""A trial in the child process, from the import of torch to its end."""

from __future__ import annotations

import atexit
import functools
import multiprocessing
import os
import random
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch

from gradoctor.capture.governor import Governor
from gradoctor.capture.recorder import Look
from gradoctor.capture.watching import Watching, ending
from gradoctor.interventions import made
from gradoctor.interventions.course import CourseSink
from gradoctor.interventions.stage import Stage
from gradoctor.store.writer import RunWriter
from gradoctor.trials.scratch import Scratch


class Losses(Governor):
    """Plans no look: only losses are wanted."""

    def plan(self, step: int) -> Look:
        """Never more than the loss."""
        return Look.LIGHT


class Performance:
    """A trial that goes on in this process.

    Args:
        options: ``trial`` (a ``Trial`` as data), ``course`` (the file to write to), ``scratch``
            (the folder for what the script writes), and ``db`` for a whole capture.
    """

    def __init__(self, options: dict[str, Any], scratch: Scratch) -> None:
        trial = options["trial"]
        self._ended = False
        self._pid = os.getpid()
        self._scratch = scratch
        self.writer = RunWriter(Path(options["db"])) if options.get("db") else None
        self.course = CourseSink(options["course"], self.writer)
        self.watching = Watching(self.course, options)
        if self.writer is None:
            self.watching.session.governor = Losses()
            self.watching.session.recorder.look = Look.LIGHT
        changes = [made(name, dict(given)) for name, given in trial["interventions"].items()]
        self.stage = Stage(self.watching.session, self.course, changes, trial["steps"], self._leave)
        self.seed = trial["seed"]

    def begin(self) -> None:
        """Watch and intervene from here on."""
        if self.writer is not None:
            self.writer.start()
        random.seed(self.seed)
        np.random.seed(self.seed % 2**32)
        torch.manual_seed(self.seed)
        self.watching.start()
        self.stage.install()
        self.stage.wrap(torch, "save", functools.partial(self._file, write=True))
        self.stage.wrap(torch, "load", functools.partial(self._file, write=False))
        atexit.register(self._at_exit)

    def _file(self, original: Any, *args: Any, write: bool, **kwargs: Any) -> Any:
        """``torch.save(obj, f)`` and ``torch.load(f)``, which do not go through ``open``."""
        at = 1 if write else 0
        if len(args) > at:
            args = (*args[:at], self._scratch.path(args[at], write=write), *args[at + 1 :])
        elif "f" in kwargs:
            kwargs = {**kwargs, "f": self._scratch.path(kwargs["f"], write=write)}
        return original(*args, **kwargs)

    def _leave(self) -> NoReturn:
        """The steps are done: none of the script's later code is to run."""
        self._close("stopped")
        for worker in multiprocessing.active_children():
            worker.terminate()
        os._exit(0)

    def _at_exit(self) -> None:
        if os.getpid() == self._pid:
            fault = getattr(sys, "last_value", None)
            self._close("finished" if fault is None else "crashed", ending())

    def _close(self, how: str, error: dict[str, Any] | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        self.stage.end()
        self.stage.remove()
        self.watching.stop()
        self.course.close(how, error)
        if self.writer is not None:
            self.writer.meta("ended", time.time())
            self.writer.close()


def begin_trial(options: dict[str, Any], scratch: Scratch) -> None:
    """Start a trial in this process; its own child processes are left alone."""
    if options.get("main", True):
        Performance(options, scratch).begin()
