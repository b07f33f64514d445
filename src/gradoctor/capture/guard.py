"""Keeps our faults away from the user's training, and our own time on a clock."""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


class Guard:
    """Runs our code inside the user's program.

    A fault is caught, told once and counted; a part that fails three times is switched off.

    Attributes:
        inside: our own code is running: hooks that it triggers must do nothing.
        seconds: wall time spent in guarded code, outermost calls only.
        faults: the message of each part that failed.
    """

    LIMIT = 3

    def __init__(self, tell: Callable[[str], None] | None = None) -> None:
        self.inside = False
        self.seconds = 0.0
        self.faults: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._tell = tell or (lambda text: print(text, file=sys.stderr))

    def wrap(self, part: str) -> Callable[[Callable[P, R]], Callable[P, R | None]]:
        """Decorate a function that user code will cause to run; it returns None on a fault."""

        def decorate(function: Callable[P, R]) -> Callable[P, R | None]:
            @functools.wraps(function)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
                return self.call(part, function, *args, **kwargs)

            return guarded

        return decorate

    def call(
        self, part: str, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R | None:
        """Run ``function``; on a fault remember it and return None. Re-entrant calls do nothing."""
        if self.inside or self._counts.get(part, 0) >= self.LIMIT:
            return None
        self.inside = True
        start = perf_counter()
        try:
            # our own operations must not come back to us through our own mode
            with torch._C.DisableTorchFunction():
                return function(*args, **kwargs)
        except Exception as fault:  # the training must go on, whatever we did wrong
            self.note(part, fault)
            return None
        finally:
            self.seconds += perf_counter() - start
            self.inside = False

    def part(
        self, part: str, function: Callable[P, None], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Run one part of what is guarded already, so that its fault does not stop the rest."""
        if self._counts.get(part, 0) >= self.LIMIT:
            return
        try:
            function(*args, **kwargs)
        except Exception as fault:  # as in ``call``
            self.note(part, fault)

    def note(self, part: str, fault: BaseException) -> None:
        """Count a fault; tell the first one of each part."""
        self._counts[part] = self._counts.get(part, 0) + 1
        if part in self.faults:
            return
        frames = traceback.extract_tb(fault.__traceback__)
        where = f" ({frames[-1].name}:{frames[-1].lineno})" if frames else ""
        self.faults[part] = f"{type(fault).__name__}: {fault}{where}"
        self._tell(
            f"gradoctor: lost sight of '{part}' ({self.faults[part]}). "
            "Your training is not affected and goes on."
        )


def quiet(function: Callable[..., Any], *args: Any, default: Any = None) -> Any:
    """``function(*args)``, or ``default`` when it raises: for looks at foreign objects."""
    try:
        return function(*args)
    except Exception:
        return default
