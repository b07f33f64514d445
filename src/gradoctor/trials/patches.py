"""Functions put in the place of others, until they are taken back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any


class Patches:
    """Stands in for functions of modules and classes; ``undo`` puts the originals back."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def wrap(self, home: Any, name: str, around: Callable[..., Any]) -> None:
        """Put ``around(original, *args, **kwargs)`` in the place of ``home.name``."""
        original = getattr(home, name)

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return around(original, *args, **kwargs)

        setattr(home, name, wrapper)
        self._undo.append(lambda: setattr(home, name, original))

    def undo(self) -> None:
        """Put everything back, the last first."""
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
