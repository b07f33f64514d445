"""``gradoctor run --deep``: asks cheap probes what a run that has ended leaves in doubt."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._judge import judge, language
from gradoctor.commands.probe import Progress, keep
from gradoctor.errors import GradoctorError
from gradoctor.knowledge.language import N_, Translator
from gradoctor.probes import PROBES, ask, target_of, to_ask

LEAST, MOST = 60.0, 600.0
"""Seconds for all probes, unless asked otherwise: as long as the run took, between these."""


def deepen(path: Path, seconds: float, view: dict[str, Any]) -> None:
    """Ask the probes that can decide something, and keep their answers in the run file.

    Nothing is asked of a healthy run. What fails is told and changes nothing; Ctrl-C skips what is
    left.

    Args:
        seconds: that the run took.
    """
    said = _Voice(view)
    try:
        found = judge(path, view)
        names = [name for name in to_ask(found) if PROBES[name].cheap]
        target = target_of(found.meta)
        if not names:
            return
        if target is None:
            said(N_("not probed: a probe runs a script in one process, this one used several"))
            return
        limit = view.get("deep_limit") or min(MOST, max(LEAST, seconds))
        said(N_("probing for at most {seconds:.0f} s (Ctrl-C skips): {names}"), seconds=limit,
             names=", ".join(names))  # fmt: skip
        with _interruptible():
            _ask(path, names, target, time.monotonic() + limit, said)
    except KeyboardInterrupt:
        said(N_("probing was skipped"))
    except Exception as fault:  # the run's own report is owed whatever happens here
        said(N_("not probed: {fault}"), fault=f"{type(fault).__name__}: {fault}")


def _ask(
    path: Path, names: Sequence[str], target: tuple[str, ...], until: float, said: _Voice
) -> None:
    """Ask one probe after the other while there is time."""
    for name in names:
        left = until - time.monotonic()
        if left <= 0:
            said(N_("no time was left for the probe {name}"), name=name)
            continue
        progress = Progress(PROBES[name].steps, name)
        try:
            tell = progress.tell if said.loud else None
            answer = ask(PROBES[name], target, total=left, tell=tell)
        except GradoctorError as fault:
            said(N_("{name} could not be asked: {fault}"), name=name, fault=fault.what)
            continue
        finally:
            if said.loud:
                progress.end()
        keep(path, answer)


class _Voice:
    """Says on stderr what happens, in the reader's language; nothing under ``--quiet``."""

    def __init__(self, view: dict[str, Any]) -> None:
        self.loud = not view.get("quiet")
        self._translate = Translator(language(view))

    def __call__(self, message: str, /, **values: Any) -> None:
        if self.loud:
            click.echo(self._translate(message, **values), err=True)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """What asks us to end skips the probes, as Ctrl-C does: the report is still owed."""

    def skip(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    old = {
        getattr(signal, name): signal.signal(getattr(signal, name), skip)
        for name in ("SIGTERM", "SIGHUP")
        if hasattr(signal, name)
    }
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
