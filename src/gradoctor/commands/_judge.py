"""Judges a run while it goes on and when it has ended, and tells what was found."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import shutil
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import click

from gradoctor.errors import GradoctorError
from gradoctor.records import Diagnosis, Level

GRAVITY = ("healthy", "suspect", "sick")


class Follower:
    """Judges the growing run file now and then; each new sick finding is told in one line."""

    def __init__(self, path: Path, view: dict[str, Any]) -> None:
        self.path = path
        self.view = view
        self.told: set[str] = set()
        self._next = time.monotonic() + 4.0

    def tick(self) -> None:
        """Judge when it is due: so rarely that it takes a hundredth of one core."""
        if self.view.get("quiet") or time.monotonic() < self._next:
            return
        start = time.process_time()
        try:
            found = judge(self.path, self.view, final=False)
        except Exception as fault:  # half-written or foreign: the end will tell
            self._next = time.monotonic() + 30
            del fault
            return
        self.tell(found)
        self._next = time.monotonic() + max(2.0, 100 * (time.process_time() - start))

    def tell(self, diagnosis: Diagnosis) -> None:
        """One line for each sick finding that was not told yet."""
        from gradoctor.reporters import terminal

        for finding in diagnosis.findings:
            if finding.level >= Level.SICK and finding.code not in self.told and finding.root:
                self.told.add(finding.code)
                click.echo(terminal.line(finding, diagnosis, language(self.view)), err=True)


def language(view: dict[str, Any]) -> str:
    """The language asked for, else the environment's."""
    from gradoctor.knowledge.language import choose

    return choose(view.get("lang"))


def judge(path: Path, view: dict[str, Any], *, final: bool = True) -> Diagnosis:
    """The diagnosis of a run file."""
    from gradoctor.diagnosis import diagnose
    from gradoctor.store import open_run

    with open_run(path) as file:
        found = diagnose(
            file.recording(), select=tuple(view.get("select") or ()),
            ignore=tuple(view.get("ignore") or ()), final=final,
        )  # fmt: skip
    meta = {**found.meta, "run_file": str(path)}
    return dataclasses.replace(found, meta=meta)


def render(diagnosis: Diagnosis, name: str, lang: str) -> str:
    """A report as text: as wide as the terminal, in colour when it is one."""
    from gradoctor.reporters import REPORTERS

    width = min(shutil.get_terminal_size((80, 24)).columns, 100)
    return REPORTERS[name].render(
        diagnosis, lang=lang, width=width, color=name == "terminal" and sys.stderr.isatty()
    )


def children_of(path: Path) -> list[Path]:
    """Run files of the script's child processes."""
    return sorted(path.parent.glob(f"{glob.escape(path.stem)}.*{path.suffix}"))


def tell_end(path: Path, code: int, view: dict[str, Any], follower: Follower) -> int:
    """Judge the finished run, print and write the reports; gives the exit code.

    The script's own code is given whatever happens to us; 2 where it is 0 and we owe an answer.
    """
    del follower
    try:
        note_end(path, {"exit_code": code, "signal": -code if code < 0 else None})
        for child in children_of(path):
            note_end(child, {})
        verdict = report(path, view)
    except Exception as fault:
        ours = isinstance(fault, GradoctorError)
        text = (
            str(fault) if ours else f"The run cannot be judged ({type(fault).__name__}: {fault})."
        )
        click.echo(f"error: {text}", err=True)
        asked = view.get("json_file") or view.get("html_file") or view.get("fail_on") != "never"
        return code or (2 if asked else 0)
    limit = view.get("fail_on", "never")
    if code == 0 and limit != "never" and GRAVITY.index(verdict) >= GRAVITY.index(limit):
        return 3
    return code


def note_end(path: Path, properties: dict[str, Any]) -> None:
    """Write down how a process ended, and fold SQLite's side files into the run file.

    A full disk or a file that is gone is told by others.
    """
    from gradoctor.store.files import connect, is_run_file, write_meta

    if not is_run_file(path):
        return
    with contextlib.suppress(sqlite3.Error), contextlib.closing(connect(path)) as db:
        write_meta(db, properties)
        db.execute("pragma journal_mode = delete")


def report(path: Path, view: dict[str, Any]) -> str:
    """Print and write the reports of a run and its children; gives the worst verdict."""
    found = judge(path, view)
    others = [d for p in children_of(path) if (d := judge_child(p, view)) is not None]
    shown = [d for d in [found, *others] if d.steps] or [found]
    worst = max(shown, key=lambda d: GRAVITY.index(d.verdict))
    lang = language(view)
    if not view.get("quiet"):
        click.echo("", err=True)
        click.echo(render(worst, "terminal", lang), err=True, nl=False)
        for other in shown:
            if other is not worst:
                click.echo(f"also recorded: {other.meta['run_file']} ({other.verdict})", err=True)
    for name, file in (("json", view.get("json_file")), ("html", view.get("html_file"))):
        if file is not None:
            write(file, render(worst, name, lang))
    return worst.verdict


def judge_child(path: Path, view: dict[str, Any]) -> Diagnosis | None:
    """The diagnosis of a child process; one that was killed as it began leaves no whole file."""
    try:
        return judge(path, view)
    except GradoctorError as fault:
        click.echo(f"left out: {fault}", err=True)
        return None


def write(file: Path, text: str, cure: str = "The run is kept: `gradoctor show`.") -> None:
    """Write a report whole or not at all."""
    part = file.with_name(file.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as fault:
        raise GradoctorError(f"Cannot write {file} ({fault.strerror}).", cure) from None


def check_folders(*files: Path | None) -> None:
    """Say at once what could not be written when the work is done.

    Raises:
        GradoctorError: a file's folder is missing.
    """
    for file in files:
        if file is not None and not file.parent.is_dir():
            raise GradoctorError(f"Cannot write {file}: no such folder.", "Choose another file.")
