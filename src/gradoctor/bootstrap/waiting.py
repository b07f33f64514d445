"""Waits for the script to import torch, then starts capture. Standard library only."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import os
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradoctor.trials.scratch import Scratch


class TorchFinder(importlib.abc.MetaPathFinder):
    """Finds torch as Python would, and calls back when it has been imported."""

    def __init__(self, imported: Callable[[], None]) -> None:
        self._imported = imported

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The ordinary spec of torch with a loader that tells us; None for everything else."""
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module = self._telling(spec.loader.exec_module)  # type: ignore[method-assign, assignment]
                return spec
        return None

    def _telling(self, load: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
        def exec_module(module: ModuleType) -> None:
            loader = module.__spec__.loader if module.__spec__ is not None else None
            if loader is not None and "exec_module" in vars(loader):
                del loader.exec_module
            load(module)
            self._imported()

        return exec_module


def wait_for_torch(text: str) -> None:
    """Install the finder; the first process that comes here is the script's own.

    Args:
        text: the options as JSON, from ``GRADOCTOR_OPTIONS``.
    """
    options = json.loads(text)
    options["main"] = os.environ.get("GRADOCTOR_CLAIM") == "1"
    os.environ["GRADOCTOR_CLAIM"] = "0"
    if options["main"] and options.get("parent"):
        die_with(options["parent"])

    scratch = leave_files(options["scratch"]) if "trial" in options else None

    def imported() -> None:
        if scratch is not None:  # nobody's training: what fails here must be known
            from gradoctor.interventions.beginning import begin_trial

            begin_trial(options, scratch)
            return
        try:
            from gradoctor.bootstrap.begin import begin

            begin(options)
        except Exception as fault:  # the script must run as if we were not there
            print(
                f"gradoctor: cannot watch this run ({type(fault).__name__}: {fault}). "
                "The script runs on without it.",
                file=sys.stderr,
            )

    if "torch" in sys.modules:  # a sitecustomize of the user's own was quicker
        imported()
    else:
        sys.meta_path.insert(0, TorchFinder(imported))


def leave_files(folder: str) -> Scratch:
    """From now on what this process writes goes to a folder of the trial's."""
    from gradoctor.trials.scratch import Scratch

    scratch = Scratch(folder)
    scratch.install()
    return scratch


def die_with(parent: int) -> None:
    """Ask Linux to end this process when the one that supervises it is killed outright."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
    except (OSError, AttributeError, ImportError):
        pass  # only a convenience
