"""What a script writes during a trial goes to a folder of the trial's: its own files stay."""

from __future__ import annotations

import builtins
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gradoctor.trials.patches import Patches


class Scratch:
    """Redirects writing, and reading of what was written, to a folder; removing does nothing.

    Only what goes through Python's ``open``, ``os`` and ``shutil`` is seen here; ``torch.save`` is
    redirected with ``path``.

    Args:
        folder: where to; made when it is first needed.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._own = str(self.folder.parent) + os.sep
        self._temporary = os.path.realpath(tempfile.gettempdir()) + os.sep
        self._home = os.path.realpath(os.getcwd()) + os.sep
        self._patches = Patches()

    def install(self) -> None:
        """Start redirecting."""
        wrap = self._patches.wrap
        wrap(builtins, "open", self._open)
        wrap(io, "open", self._open)
        for name in ("remove", "unlink", "rmdir"):
            wrap(os, name, self._remove)
        wrap(shutil, "rmtree", self._remove)
        for name in ("rename", "replace"):
            wrap(os, name, self._move)
        wrap(shutil, "move", self._move)

    def remove(self) -> None:
        """Put everything back."""
        self._patches.undo()

    # ---- paths -------------------------------------------------------------------------------
    def path(self, file: Any, *, write: bool) -> Any:
        """The place that stands for a file: its own, or one in our folder.

        Args:
            write: it is to be written; otherwise only what was written before is found elsewhere.
        """
        if not isinstance(file, str | bytes | os.PathLike):
            return file  # a descriptor or a stream
        real = os.path.realpath(os.fsdecode(file))
        if not self._theirs(real):
            return file
        place = self.folder / real.lstrip(os.sep).replace(":", "_")
        if write:
            place.parent.mkdir(parents=True, exist_ok=True)
            return str(place)
        return str(place) if place.exists() else file

    def _theirs(self, real: str) -> bool:
        """It is no device, not ours, and not in the temporary folder (unless they work there)."""
        if real.startswith(("/dev/", "/proc/", self._own)):
            return False
        return real.startswith(self._home) or not real.startswith(self._temporary)

    # ---- calls -------------------------------------------------------------------------------
    def _open(self, original: Any, file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        write = isinstance(mode, str) and any(letter in mode for letter in "wax+")
        place = self.path(file, write=write)
        if write and place is not file and not os.path.exists(place):
            if "x" in mode and os.path.exists(file):
                raise FileExistsError(f"File exists: {file}")
            if "w" not in mode and os.path.isfile(file):
                shutil.copyfile(file, place)
        return original(place, mode, *args, **kwargs)

    def _remove(self, original: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
        place = self.path(file, write=False)
        relative = kwargs.get("dir_fd") is not None  # its path means nothing to us
        own = place is not file or relative or not isinstance(file, str | bytes | os.PathLike)
        if own or not self._theirs(os.path.realpath(os.fsdecode(file))):
            return original(place, *args, **kwargs)
        return None

    def _move(self, original: Any, source: Any, to: Any, *args: Any, **kwargs: Any) -> Any:
        place = self.path(source, write=False)
        if place is not source or not self._theirs(os.path.realpath(os.fsdecode(source))):
            return original(place, self.path(to, write=True), *args, **kwargs)
        goal = self.path(to, write=True)
        if os.path.isfile(source):
            shutil.copyfile(source, goal)
        return to
