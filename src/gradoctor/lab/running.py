"""Runs experiments side by side, a process each, and keeps what comes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from gradoctor.lab._outcome import Outcome
from gradoctor.lab.keeping import Book, Kept, fingerprint

LIMIT = 240.0  # seconds that an experiment may take
_LOOK = 0.05  # seconds between two looks at the children
_MERCY = 2.0  # seconds that a child has to end
_LINES = 5  # of what a failed experiment said last


@dataclass(frozen=True, slots=True)
class Event:
    """What has happened to an experiment.

    Attributes:
        kind: ``started``, ``finished``, ``failed``, or ``kept`` (there was a result already).
        kept: the result, of ``finished`` and ``kept``.
        why: of ``failed``.
    """

    kind: str
    number: int
    kept: Kept | None = None
    why: str = ""


@dataclass(slots=True)
class _Child:
    number: int
    process: subprocess.Popen[bytes]
    out: Path
    said: IO[bytes]
    started: float
    sources: str


def command_of(number: int, out: Path) -> list[str]:
    """The command line that runs an experiment and writes its outcome."""
    return [sys.executable, "-m", "gradoctor.experiments", str(number), "--out", str(out)]


def run(
    numbers: Sequence[int],
    book: Book,
    *,
    jobs: int | None = None,
    limit: float = LIMIT,
    again: bool = False,
    command: Callable[[int, Path], list[str]] = command_of,
    sources: Callable[[int], str] = fingerprint,
) -> Generator[Event, None, None]:
    """Run the experiments of some claims; those with a result of the same sources are not run.

    Whatever ends the iteration early ends the children too; what has finished is kept.

    Args:
        jobs: how many at a time; as many as there are cores when None.
        again: run them even when there is a result.
        command: the command line of an experiment.
        sources: what tells the sources of an experiment from others.
    """
    waiting = list(dict.fromkeys(numbers))
    children: list[_Child] = []
    with tempfile.TemporaryDirectory(prefix="gradoctor-lab-") as folder:
        try:
            while waiting or children:
                while waiting and len(children) < (jobs or os.cpu_count() or 1):
                    number = waiting.pop(0)
                    mark = sources(number)
                    kept = None if again else book.current(number, mark)
                    if kept is not None:
                        yield Event("kept", number, kept)
                        continue
                    book.prepare()
                    children.append(_start(number, Path(folder), command, mark))
                    yield Event("started", number)
                for child in [c for c in children if _ended(c, limit)]:
                    children.remove(child)
                    yield _outcome(child, book, limit)
                time.sleep(_LOOK if children else 0)
        finally:
            for child in children:
                _signal(child, signal.SIGTERM)
            for child in children:
                _stop(child)


def _start(
    number: int, folder: Path, command: Callable[[int, Path], list[str]], sources: str
) -> _Child:
    out = folder / f"{number}.json"
    said = (folder / f"{number}.txt").open("w+b")
    # a session of its own: Ctrl-C reaches us alone, and we end the child with its children
    process = subprocess.Popen(
        command(number, out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=True,
    )  # fmt: skip
    return _Child(number, process, out, said, time.monotonic(), sources)


def _ended(child: _Child, limit: float) -> bool:
    return child.process.poll() is not None or time.monotonic() - child.started > limit


def _outcome(child: _Child, book: Book, limit: float) -> Event:
    """What came of a child that has ended, or has to end."""
    seconds = time.monotonic() - child.started
    code = child.process.poll()
    _stop(child)
    if code is None:
        return Event("failed", child.number, why=f"it took longer than {limit:g} s")
    if code:
        return Event("failed", child.number, why=_last_words(child, code))
    try:
        data: Any = json.loads(child.out.read_text(encoding="utf-8"))
        found = Outcome.from_data(data)
    except (OSError, ValueError, KeyError, TypeError) as fault:
        return Event("failed", child.number, why=f"its outcome cannot be read ({fault})")
    kept = book.write(child.number, found, seconds, child.sources)
    return Event("finished", child.number, kept)


def _last_words(child: _Child, code: int) -> str:
    try:
        text = (child.out.parent / f"{child.number}.txt").read_text("utf-8", "replace")
    except OSError:
        text = ""
    lines = [line for line in text.splitlines() if line.strip()]
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return "\n".join([f"it ended with {how}", *lines[-_LINES:]])


def _stop(child: _Child) -> None:
    """End a child and whatever it has started."""
    child.said.close()
    if child.process.poll() is None:
        _signal(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.process.wait(_MERCY)
    if child.process.poll() is None:
        _signal(child, getattr(signal, "SIGKILL", signal.SIGTERM))
    child.process.wait()


def _signal(child: _Child, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)
