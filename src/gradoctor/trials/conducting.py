"""Runs a trial: the user's script in a child Python, its files and its screen left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from gradoctor.trials._records import Course, Trial
from gradoctor.trials.launching import command, environment

LIMIT = 600.0  # seconds that a trial may take
QUIETED = {
    "MPLBACKEND": "Agg", "PYTHONHASHSEED": "0", "TORCHDYNAMO_DISABLE": "1", "TQDM_DISABLE": "1",
    "WANDB_MODE": "disabled",
}  # fmt: skip
"""No windows, no uploads; compiled models run as they were written, where they can be reached."""
_LOOK = 0.1  # seconds between two looks at the child
_MERCY = 2.0  # seconds that it has to end
_LINES = 12  # kept of what it said last on stderr


def conduct(
    trial: Trial, *, limit: float = LIMIT, tick: Callable[[int], None] | None = None
) -> Course:
    """Run a trial to its end.

    What the script prints is not shown, and what it writes to files goes to a folder that is
    removed after. Whatever ends this call early ends the child too.

    Args:
        limit: seconds after which it is ended.
        tick: is given the number of steps so far, several times a second.
    """
    with tempfile.TemporaryDirectory(prefix="gradoctor-trial-") as name:
        folder = Path(name)
        course, said = folder / "course.jsonl", folder / "stderr.txt"
        course.touch()
        options = {
            "trial": asdict(trial), "course": str(course), "scratch": str(folder / "scratch"),
            "script": trial.target[-1 if trial.target[0] == "-m" else 0], "parent": os.getpid(),
        }  # fmt: skip
        if trial.db is not None:
            options["db"] = trial.db
        began = time.monotonic()
        with said.open("wb") as stderr:
            # a session of its own: Ctrl-C reaches us alone, and we end the child with its children
            child = subprocess.Popen(
                command(trial.target), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=stderr, env={**environment(options), **QUIETED}, start_new_session=True,
            )  # fmt: skip
            try:
                in_time = _wait(child, course, began + limit, tick)
            finally:
                _end(child)
        lines = course.read_text(encoding="utf-8").splitlines()
        found = replace(
            Course.from_lines(lines), said=_tail(said), seconds=time.monotonic() - began
        )
    if not in_time:
        return replace(found, ended="timeout")
    return _without_word(found, child.returncode) if found.ended == "killed" else found


def _without_word(found: Course, code: int) -> Course:
    """A child that never came to import torch says nothing itself."""
    return replace(found, ended="killed" if code < 0 else "crashed" if code else "finished")


def _wait(
    child: subprocess.Popen[bytes], course: Path, until: float, tick: Callable[[int], None] | None
) -> bool:
    """Wait for the child; False when its time is over."""
    steps, read = 0, 0
    while True:
        try:
            child.wait(_LOOK)
            return True
        except subprocess.TimeoutExpired:
            if time.monotonic() > until:
                return False
        if tick is not None:
            with course.open("rb") as file:
                file.seek(read)
                new = file.read()
            read += len(new)
            steps += new.count(b'{"step"')
            tick(steps)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child, and whatever it has started and left behind."""
    if child.poll() is None:
        _signal(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_MERCY)
    _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, number)
        elif child.poll() is None:
            child.send_signal(number)


def _tail(file: Path) -> str:
    lines = file.read_text("utf-8", "replace").splitlines()
    return "\n".join([line for line in lines if line.strip()][-_LINES:])
