"""Runs a case under ``gradoctor run`` and keeps the run file, so that new rules cost no new run.

A run file stays true while the script and what records are the same; a verdict while all of
gradoctor and the case's labels are. Both lie in ``.gradoctor/corpus``, named after the case.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gradoctor
from corpus import judging
from corpus.cases import Case
from corpus.judging import judge, proof_of
from gradoctor.store import open_run

LIMIT_SECONDS = 180
HOME = Path(gradoctor.__file__).parent
RECORDERS = (
    "bootstrap", "capture", "checkup.py", "commands/run.py", "knowledge/facts.py",
    "knowledge/statistics.py", "statistics", "store",
)  # fmt: skip
PROBING = ("commands/_deep.py", "interventions", "probes", "trials")
Row = dict[str, Any]


def environment() -> dict[str, str]:
    """One thread a run, so that runs side by side do not disturb one another; and English."""
    one = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GRADOCTOR_LANG": "en"}
    return {**os.environ, **one}


def run(case: Case, folder: Path, *options: str) -> str:
    """Run a case under ``gradoctor run`` in a folder; its run file is ``run.db`` there.

    Returns:
        What the script printed.

    Raises:
        RuntimeError: it did not end well, or left no run file.
        subprocess.TimeoutExpired: it took longer than ``LIMIT_SECONDS``.
    """
    script = case.script
    if case.seed or case.operator:
        script = folder / case.script.name
        script.write_text(case.text(), encoding="utf-8")
    command = [sys.executable, "-m", "gradoctor", "run", "--quiet", "--db", str(folder / "run.db")]
    if case.deep:
        command.append("--deep")
    done = subprocess.run(
        [*command, *options, str(script)], cwd=folder, env=environment(), capture_output=True,
        text=True, timeout=LIMIT_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode or not (folder / "run.db").exists():
        tail = "\n".join(done.stderr.splitlines()[-8:])
        raise RuntimeError(f"{case.label}: exit code {done.returncode}\n{tail}")
    return done.stdout


def report_on(case: Case, folder: Path) -> dict[str, Any]:
    """Run a case in an empty folder; gives the JSON report that a user would get.

    Raises:
        RuntimeError, subprocess.TimeoutExpired: see ``run``.
    """
    out = folder / "report.json"
    run(case, folder, "--json", str(out))
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return report


class Shelf:
    """What is kept: for each run of a case a run file, and a row with the verdict on it.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def row(self, case: Case) -> Row | None:
        """The verdict on a case as it now stands; None when it must be judged (again)."""
        row = self._kept(case)
        return row if row is not None and row["judged"] == judged_key(case) else None

    def has(self, case: Case) -> bool:
        """A run file of the case is there, of the script and the capture as they now stand."""
        known = self._kept(case)
        return known is not None and known["recorded"] == recorded_key(case)

    def result(self, case: Case, *, fresh: bool = False) -> Row:
        """The row of a case: kept, or judged again from its run file, or run."""
        row = None if fresh else self.row(case)
        if row is not None:
            return row
        known = None if fresh else self._kept(case)
        if known is None or not self.has(case) or "error" in known:
            known = self._record(case)
        row = {**labels(case), **{k: known[k] for k in ("recorded", "seconds", "printed")}}
        if "error" in known:
            row["error"] = known["error"]
        else:
            with open_run(self._file(case, "db")) as file:
                row |= judge(case, file.recording())
        row["judged"] = judged_key(case)
        _write(self._file(case, "json"), row)
        return row

    def _record(self, case: Case) -> Row:
        self.folder.mkdir(parents=True, exist_ok=True)
        start = time.monotonic()
        row: Row = {"recorded": recorded_key(case), "printed": ""}
        with tempfile.TemporaryDirectory(prefix="gradoctor-case-") as name:
            try:
                lines = run(case, Path(name)).splitlines()
                row["printed"] = lines[-1] if lines else ""
                self._file(case, "db").write_bytes((Path(name) / "run.db").read_bytes())
            except (RuntimeError, ValueError, subprocess.TimeoutExpired) as fault:
                row["error"] = str(fault)
        return {**row, "seconds": round(time.monotonic() - start, 1)}

    def _kept(self, case: Case) -> Row | None:
        path = self._file(case, "json")
        try:
            row: Row = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # never run, or stopped while it was written
            return None
        return row if "error" in row or self._file(case, "db").exists() else None

    def _file(self, case: Case, kind: str) -> Path:
        return self.folder / f"{case.label}.{kind}"


def labels(case: Case) -> Row:
    """What is expected of a run, beside which any tool's verdict on it can be put."""
    return {
        "case": case.name, "kind": case.kind, "program": case.program, "half": case.half,
        "architecture": case.architecture, "seed": case.seed, "tool": "gradoctor",
        "operator": case.operator, "accept": list(case.accept), "level": case.level,
        "proof": proof_of(case),
    }  # fmt: skip


def recorded_key(case: Case) -> str:
    """Changes with the script that is run and with what records it."""
    rooms = (*RECORDERS, *PROBING) if case.deep else RECORDERS
    return f"{_hash_of(rooms)}-{_digest([case.text().encode()])}"


def judged_key(case: Case) -> str:
    """Changes also with any other line of gradoctor, with the labels, and with how we judge."""
    plain = repr(replace(case, script=Path(case.script.name)))
    ours = Path(judging.__file__).read_bytes()
    return f"{_hash_of(('.',))}-{_digest([recorded_key(case).encode(), plain.encode(), ours])}"


@cache
def _hash_of(places: tuple[str, ...]) -> str:
    files = {
        f for p in places for f in ([HOME / p] if p.endswith(".py") else (HOME / p).rglob("*.py"))
    }
    return _digest(file.read_bytes() for file in sorted(files))


def _digest(parts: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


def _write(path: Path, row: Row) -> None:
    """Whole or not at all: a stop in the middle leaves what was there."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    part.replace(path)
