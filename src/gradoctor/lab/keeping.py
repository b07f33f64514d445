"""Results kept from run to run: one JSON file a claim in ``.gradoctor/lab``."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradoctor
from gradoctor._version import __version__
from gradoctor.errors import GradoctorError
from gradoctor.lab import EXPERIMENTS
from gradoctor.lab._outcome import Outcome

FOLDER = Path(".gradoctor") / "lab"
_HISTORY = 20  # earlier verdicts that are kept


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier run said."""

    verdict: str
    date: str
    gradoctor: str
    torch: str


@dataclass(frozen=True, slots=True)
class Kept:
    """The outcome of an experiment, and of which run it is.

    Attributes:
        seconds: how long it ran.
        date: when it ended, ISO 8601.
        versions: of ``gradoctor``, ``python`` and ``torch``.
        machine: ``cores`` and ``system``.
        fingerprint: of the sources that it ran.
        earlier: verdicts of runs before, the latest last.
    """

    number: int
    outcome: Outcome
    seconds: float
    date: str
    versions: Mapping[str, str]
    machine: Mapping[str, Any]
    fingerprint: str
    earlier: tuple[Earlier, ...] = field(default=())

    @property
    def changed_from(self) -> Earlier | None:
        """The run before this one, when its verdict was another."""
        last = self.earlier[-1] if self.earlier else None
        return last if last is not None and last.verdict != self.outcome.verdict else None

    def to_data(self) -> dict[str, Any]:
        """The result as JSON can hold it."""
        return {
            "number": self.number, "outcome": self.outcome.to_data(), "seconds": self.seconds,
            "date": self.date, "versions": dict(self.versions), "machine": dict(self.machine),
            "fingerprint": self.fingerprint,
            "earlier": [[e.verdict, e.date, e.gradoctor, e.torch] for e in self.earlier],
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Kept:
        """A result that ``to_data`` wrote."""
        return cls(
            int(data["number"]), Outcome.from_data(data["outcome"]), float(data["seconds"]),
            str(data["date"]), dict(data["versions"]), dict(data["machine"]),
            str(data["fingerprint"]), tuple(Earlier(*run) for run in data["earlier"]),
        )  # fmt: skip


class Book:
    """The results in a folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def read(self, number: int) -> Kept | None:
        """The latest result of a claim; None when there is none, or none that can be read."""
        try:
            data = json.loads(self._file(number).read_text(encoding="utf-8"))
            kept = Kept.from_data(data)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return kept if kept.number == number else None

    def current(self, number: int, fingerprint: str) -> Kept | None:
        """The result of a claim when it is of this version and of these sources."""
        kept = self.read(number)
        same = kept and (kept.versions.get("gradoctor"), kept.fingerprint)
        return kept if same == (__version__, fingerprint) else None

    def write(self, number: int, outcome: Outcome, seconds: float, fingerprint: str) -> Kept:
        """Keep the outcome of a run that has just ended; the one before becomes an earlier one.

        Raises:
            GradoctorError: the folder cannot be written to.
        """
        last = self.read(number)
        now = datetime.now().astimezone().isoformat("T", "seconds")
        earlier = (*last.earlier, _as_earlier(last))[-_HISTORY:] if last else ()
        kept = Kept(
            number, outcome, round(seconds, 2), now, versions(), machine(), fingerprint, earlier,
        )  # fmt: skip
        try:
            write_json(self._file(number), kept.to_data())
        except OSError as fault:
            raise _unwritable(self._file(number), fault) from None
        return kept

    def prepare(self) -> None:
        """Make the folder: what takes minutes begins only where its result can be kept.

        Raises:
            GradoctorError: the folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.folder).close()
        except OSError as fault:
            raise _unwritable(self.folder, fault) from None

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:03}.json"


def _unwritable(path: Path, fault: OSError) -> GradoctorError:
    return GradoctorError(
        f"Cannot write {path} ({fault.strerror}).", "Change to a folder that you may write to."
    )


def write_json(file: Path, data: Any) -> None:
    """Write a file whole or not at all, whoever else writes it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".part")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(data, stream, ensure_ascii=False)
        Path(part).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(part).unlink()
        raise


def _as_earlier(kept: Kept) -> Earlier:
    known = kept.versions
    return Earlier(
        kept.outcome.verdict, kept.date, known.get("gradoctor", ""), known.get("torch", "")
    )


def versions() -> dict[str, str]:
    """What an experiment runs on; torch is not loaded for it."""
    return {"gradoctor": __version__, "python": platform.python_version(), "torch": _torch()}


def _torch() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def machine() -> dict[str, Any]:
    """What an experiment runs on."""
    return {"cores": os.cpu_count() or 1, "system": f"{sys.platform} {platform.machine()}"}


@cache
def _foundations() -> tuple[Path, ...]:
    """The sources that experiments measure with, besides their own."""
    house = Path(gradoctor.__file__).parent
    return tuple(
        file for room in ("nn", "theory", "tracing") for file in sorted((house / room).glob("*.py"))
    )


def fingerprint(number: int) -> str:
    """Of the sources of a claim's experiment: its own module, and what the experiments share."""
    module = EXPERIMENTS[number].partition(":")[0]
    found = find_spec(f"gradoctor.experiments.{module}")
    if found is None or found.origin is None:
        return ""
    home = Path(found.origin)
    digest = hashlib.sha256()
    for file in (home, *sorted(home.parent.glob("_*.py")), *_foundations()):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]
