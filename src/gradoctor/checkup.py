"""``gradoctor.watch``: a checkup of training in this process, from a script or a notebook."""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import torch
from torch import nn

from gradoctor.capture.assigned import assigned
from gradoctor.capture.places import Place, name_in_frames
from gradoctor.capture.source import caller
from gradoctor.capture.watching import Watching, ending
from gradoctor.errors import GradoctorError, RunFileError
from gradoctor.knowledge.language import choose
from gradoctor.records import Diagnosis
from gradoctor.store.files import create_run
from gradoctor.store.naming import new_run
from gradoctor.store.writer import RunWriter

Models = nn.Module | Iterable[nn.Module] | Mapping[str, nn.Module]
Optimizers = torch.optim.Optimizer | Iterable[torch.optim.Optimizer]

LAG = 0.3
"""Seconds after which what training has done is in the file: it is committed every 0.2."""


def watch(
    model: Models | None = None,
    optimizer: Optimizers | None = None,
    *,
    db: str | Path | None = None,
    budget: float = 0.02,
    lang: str | None = None,
    quiet: bool = False,
) -> Checkup:
    """Watch training from here on; say what is wrong, where, why, and what to do.

    Use it as a context manager, or call ``start()`` and ``stop()``::

        with gradoctor.watch(model) as checkup:
            train(model)
        checkup.diagnosis()

    Args:
        model: the module that trains, or several as a list or by name. It may be left out: every
            model that runs is seen; a model given here is known before it runs.
        optimizer: one or several; it may be left out likewise.
        db: the run file; a new one in ``.gradoctor`` when not given.
        budget: share of the time that watching may take, once the run is past its start.
        lang: language of the report (``en``, ``zh``); the environment's when not given.
        quiet: print no report at the end.

    Raises:
        GradoctorError: an argument is not what it should be.
    """
    return Checkup(model, optimizer, db=db, budget=budget, lang=lang, quiet=quiet)


@dataclass(frozen=True, slots=True, repr=False)
class Report(Diagnosis):
    """A diagnosis that shows itself: text in a terminal, HTML in a notebook."""

    lang: str = "en"

    def __repr__(self) -> str:
        return _render(self, "terminal", self.lang).rstrip("\n")

    def _repr_html_(self) -> str:
        return _render(self, "html", self.lang)

    def to_dict(self) -> dict[str, Any]:
        """The JSON report (schema 1) as plain data."""
        from gradoctor.reporters import REPORTERS

        return REPORTERS["json"].digest(self, self.lang)


class Checkup:
    """Training under watch; ``watch`` makes it.

    Attributes:
        path: the run file, None until it has started.
        running: it has started and not stopped.
    """

    current: ClassVar[Checkup | None] = None

    def __init__(
        self,
        model: Models | None = None,
        optimizer: Optimizers | None = None,
        *,
        db: str | Path | None = None,
        budget: float = 0.02,
        lang: str | None = None,
        quiet: bool = False,
    ) -> None:
        if not 0 < budget <= 1:
            raise GradoctorError(f"budget={budget} is no share.", "Give 0.02 for 2 %.")
        self.path: Path | None = None
        self.running = False
        self._db = None if db is None else Path(db)
        self._options = {"budget": budget}
        self._lang = choose(lang)
        self._quiet = quiet
        self._models = _named(model)
        self._optimizers = _listed(optimizer)
        self._watching: Watching | None = None
        self._writer: RunWriter | None = None
        self._pid = os.getpid()

    # ---- on and off --------------------------------------------------------------------------
    def start(self) -> Self:
        """Start watching.

        Raises:
            GradoctorError: it was started before, or another checkup is running.
            RunFileError: the run file cannot be made.
        """
        if self.path is not None:
            raise GradoctorError(
                "This checkup has been started before.", "Make a new one with gradoctor.watch()."
            )
        other = Checkup.current
        if other is not None and other._pid == os.getpid():
            raise GradoctorError(
                "Another checkup is running in this process.", "Stop it first: checkup.stop()."
            )
        shared = Watching.of_run
        if shared is not None and shared.pid == os.getpid():
            self._watching, self.path = shared, Path(shared.sink.path)
            shared.session.guard.call("models", self._take_in, shared)
        else:
            self._begin()
        self.running, Checkup.current = True, self
        self._pid = os.getpid()
        self._models, self._optimizers = [], []  # a checkup keeps no model alive
        return self

    def _begin(self) -> None:
        """Watch with a session and a run file of our own."""
        path = self._make_file().absolute()  # the program may change its folder
        self._writer = RunWriter(path)
        self._writer.start()
        self._watching = Watching(self._writer, self._options)
        self._watching.start()
        self.path = path
        self._watching.session.guard.call("models", self._take_in, self._watching)
        atexit.register(self._at_exit)

    def _make_file(self) -> Path:
        file = caller()[0] or ""
        script = _script(file)
        meta = {
            "script": script, "argv": sys.argv, "cwd": os.getcwd(), "started": time.time(),
            "pid": os.getpid(),
        }  # fmt: skip
        if self._db is None:
            return new_run(Path(script).stem.strip("<>") or "run", meta)
        try:
            return create_run(self._db, meta)
        except RunFileError as fault:
            raise RunFileError(fault.what, "Give another path as db=...") from None

    def _take_in(self, watching: Watching) -> None:
        session = watching.session
        for name, module, place in self._models:
            inner = getattr(module, "_orig_mod", None)  # what torch.compile wraps
            if inner is not None or getattr(module, "_compiled_call_impl", None) is not None:
                session.compiled = True
                session.disarm()
            known = inner if isinstance(inner, nn.Module) else module
            if place[0] is not None:
                session.places.remember(known, place)
            if not session.models.is_known(known):
                session.models.add_root(known, name)
        for optimizer, place in self._optimizers:
            if place[0] is not None:
                session.places.remember(optimizer, place)
            session.optimizers.info(optimizer)

    def stop(self) -> None:
        """Stop watching: put everything back, close the run file, and tell what was found.

        Raises:
            GradoctorError: it is not running.
        """
        if not self.running:
            raise GradoctorError(
                "This checkup is not running.", "Start it first: checkup.start(), or use `with`."
            )
        self._stop(None)

    def _stop(self, fault: BaseException | None) -> None:
        self.running, Checkup.current = False, None
        if self._writer is None or self._watching is None or os.getpid() != self._pid:
            return  # `gradoctor run` goes on watching, and a forked child never began
        atexit.unregister(self._at_exit)
        self._watching.stop()
        if fault is not None:
            recorder = self._watching.session.recorder
            recorder.fact("error", **(ending(fault) or {}))
            recorder.finish()
        self._writer.meta("ended", time.time())
        self._writer.close()
        if self._writer.lost:
            _say(f"gradoctor: the rest of this run was not recorded ({self._writer.lost}). "
                 "Your training was not affected.")  # fmt: skip
        if not self._quiet:
            self._tell()

    def _tell(self) -> None:
        """Print the report; whatever is wrong with it must not end the user's program."""
        try:
            _say("\n" + _render(self.diagnosis(), "terminal", self._lang, sys.stderr.isatty()))
        except Exception as fault:
            _say(f"gradoctor: no report ({fault}). The run file is {self.path}.")

    def _at_exit(self) -> None:
        if self.running:
            self._stop(getattr(sys, "last_value", None))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.running:  # it may have been stopped inside the block
            self._stop(value)

    # ---- the diagnosis -----------------------------------------------------------------------
    def diagnosis(self) -> Report:
        """What is wrong so far, or in all, when it has stopped.

        Raises:
            GradoctorError: it has not started.
            RunFileError: the run file cannot be read.
        """
        from gradoctor.diagnosis import diagnose
        from gradoctor.store.reader import open_run

        if self.path is None:
            raise GradoctorError("Nothing was watched yet.", "Start it first: checkup.start().")
        growing = self.running or self._writer is None  # `gradoctor run` goes on recording
        if growing:
            time.sleep(LAG)
        with open_run(self.path) as file:
            found = diagnose(file.recording(), final=not growing)
        held = {f.name: getattr(found, f.name) for f in fields(Diagnosis)}
        held["meta"] = {**found.meta, "run_file": str(self.path)}
        return Report(**held, lang=self._lang)

    def __repr__(self) -> str:
        if self.path is None:
            return "<gradoctor checkup, not started>"
        try:
            return repr(self.diagnosis())
        except GradoctorError as fault:
            return f"<gradoctor checkup: {fault}>"

    def _repr_html_(self) -> str | None:
        return None if self.path is None else self.diagnosis()._repr_html_()


# ---- arguments ----------------------------------------------------------------------------------
def _named(model: Models | None) -> list[tuple[str, nn.Module, Place]]:
    """The models by name: keys of a dict, else the variables that hold them."""
    if model is None:
        return []
    if isinstance(model, Mapping) and not isinstance(model, nn.Module):
        pairs = [(str(name), module) for name, module in model.items()]
    elif isinstance(model, nn.Module):
        pairs = [("", model)]
    else:
        pairs = [("", module) for module in _iterated(model, "model", "an nn.Module")]
    taken: dict[str, tuple[nn.Module, Place]] = {}
    for given, module in pairs:
        if not isinstance(module, nn.Module):
            raise _wrong("model", module, "an nn.Module")
        variable = name_in_frames(module)
        name = given or variable or type(module).__name__
        while name in taken:
            name += "_"
        taken[name] = (module, assigned(variable))
    return [(name, module, place) for name, (module, place) in taken.items()]


def _listed(optimizer: Optimizers | None) -> list[tuple[torch.optim.Optimizer, Place]]:
    if optimizer is None:
        return []
    single = isinstance(optimizer, torch.optim.Optimizer)
    given: list[Any] = [optimizer] if single else _iterated(optimizer, "optimizer", "an optimizer")
    for one in given:
        if not isinstance(one, torch.optim.Optimizer):
            raise _wrong("optimizer", one, "an optimizer")
    return [(one, assigned(name_in_frames(one))) for one in given]


def _iterated(value: Any, name: str, wanted: str) -> list[Any]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise _wrong(name, value, wanted)
    return list(value)


def _wrong(name: str, value: Any, wanted: str) -> GradoctorError:
    return GradoctorError(
        f"{name} is of type {type(value).__name__}.", f"Give {wanted}, or several of them."
    )


def _script(file: str) -> str:
    """What the report calls the program: its file as typed, or that it is a notebook."""
    if "ipykernel" in file or file.startswith("<ipython"):
        return "notebook"
    try:
        return str(Path(file).relative_to(os.getcwd())) if file else "python"
    except ValueError:
        return file


# ---- words --------------------------------------------------------------------------------------
def _render(found: Diagnosis, reporter: str, lang: str, color: bool = False) -> str:
    from gradoctor.reporters import REPORTERS

    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    return REPORTERS[reporter].render(found, lang=lang, width=width, color=color)


def _say(text: str) -> None:
    if sys.stderr is not None:
        print(text.rstrip("\n"), file=sys.stderr)
