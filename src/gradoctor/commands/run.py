"""``gradoctor run``: watch a script and say what is wrong."""

from __future__ import annotations

import os
import re
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._config import Configured
from gradoctor.commands._forecast import Teller
from gradoctor.commands._judge import Follower, tell_end
from gradoctor.commands._supervise import end_like, supervise
from gradoctor.errors import GradoctorError

FOLDER = Path(".gradoctor")


def parse_budget(_: Any, __: Any, text: str) -> float:
    """``2%`` or ``0.02`` as a share."""
    try:
        share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a share; give 2% or 0.02.") from None
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text} is not between 0 and 100%.")
    return share


def parse_size(_: Any, __: Any, text: str) -> int:
    """``256MB``, ``1.5GB`` or a number of bytes."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?)\s*(|k|m|g)i?b?", text.strip().lower())
    if found is None:
        raise click.BadParameter(f"{text!r} is no size; give 256MB or 1GB.")
    return int(float(found[1]) * 1024 ** ("", "k", "m", "g").index(found[2]))


@click.command(
    cls=Configured,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Examples:
  gradoctor run train.py --epochs 3
  gradoctor run -m package.train --lr 0.1
  gradoctor run --checkup train.py
  gradoctor run --deep train.py
  gradoctor run --json report.json --fail-on sick train.py""",
)
@click.option("-m", "module", is_flag=True, help="Run a module, as python -m does.")
@click.option("--db", type=click.Path(path_type=Path), help="Record into this file.")
@click.option("--force", is_flag=True, help="Overwrite an earlier run of that name.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the JSON report.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write an HTML report.")
@click.option("--lang", help="Language of the report: en or zh.")
@click.option("--budget", default="2%", show_default=True, callback=parse_budget,
              help="Share of the time that watching may take.")  # fmt: skip
@click.option("--capsule", default="256MB", show_default=True, callback=parse_size,
              help="Most that is kept to replay a first NaN; 0 for nothing.")  # fmt: skip
@click.option("--checkup", is_flag=True,
              help="Say first what theory and the first backward say of the model.")  # fmt: skip
@click.option("--deep", is_flag=True,
              help="Let cheap probes decide what a sick run leaves in doubt.")  # fmt: skip
@click.option("--deep-limit", type=click.FloatRange(1), metavar="SECONDS",
              help="Most that --deep takes.  [default: as long as the run; 60 to 600]")  # fmt: skip
@click.option("--quiet", is_flag=True, help="Print no report.")
@click.option("--fail-on", type=click.Choice(["never", "suspect", "sick"]), default="never",
              show_default=True, help="Exit with 3 when the verdict is this bad.")  # fmt: skip
@click.option("--select", multiple=True, help="Only these rules (codes, prefixes, names).")
@click.option("--ignore", multiple=True, help="Not these rules.")
@click.argument("target", nargs=-1, type=click.UNPROCESSED, required=True)
def run(target: tuple[str, ...], module: bool, db: Path | None, force: bool, **view: Any) -> int:
    """Watch SCRIPT while it trains; say what is wrong, where, why, and what to do.

    Options before the script are ours; everything after it belongs to the script.
    """
    from gradoctor.store.files import Hold

    if not module:
        check_script(Path(target[0]))
    check_rules(view["select"], view["ignore"])
    for report in (view["json_file"], view["html_file"]):
        if report is not None:
            check_report(report)
    path = make_run_file(db, target, module, force)
    options = {
        "db": str(path.absolute()), "budget": view["budget"], "parent": os.getpid(),
        "script": target[0], "checkup": view["checkup"], "capsule": view["capsule"],
        "target": (["-m"] if module else []) + list(target),
    }  # fmt: skip
    follower, teller = Follower(path, view), Teller(path, view)

    def tick() -> None:
        teller.tick()
        follower.tick()

    began = time.monotonic()
    held = Hold(path)  # from now on, not only from when the script has imported torch
    try:
        code = supervise(options["target"], options, tick)
    finally:
        held.release()
    teller.end()
    if view["deep"] and code >= 0:  # who ends the script by a signal does not wait for probes
        from gradoctor.commands._deep import deepen

        deepen(path, time.monotonic() - began, view)
    return end_like(tell_end(path, code, view, follower))


def check_rules(select: Sequence[str], ignore: Sequence[str]) -> None:
    """Refuse an unknown rule before the training, not after it."""
    if select or ignore:
        from gradoctor.diagnosis import chosen

        chosen(select, ignore)


def check_script(script: Path) -> None:
    """Refuse what Python could not run with a clear word; leave syntax errors to Python itself."""
    if not script.exists():
        raise GradoctorError(f"No such script: {script}.", "Check the path.")
    if script.is_dir() and not (script / "__main__.py").exists():
        raise GradoctorError(f"{script} is a folder without __main__.py.", "Name a script in it.")
    if not script.is_file():
        return
    try:
        with script.open("rb") as file:
            head = file.read(4096)
    except OSError as fault:
        raise GradoctorError(
            f"{script} cannot be read ({fault.strerror}).", "Check its permissions."
        ) from None
    if b"\0" in head and script.suffix != ".pyc" and not zipfile.is_zipfile(script):
        raise GradoctorError(f"{script} is not a Python script.", "Name a .py file.")


def check_report(file: Path) -> None:
    """Refuse a place where no report can be written before the script has run for hours."""
    if file.is_dir():
        raise GradoctorError(f"{file} is a folder.", "Give the name of a file for the report.")
    if not file.parent.is_dir():
        raise GradoctorError(f"{file}: the folder {file.parent} does not exist.", "Make it first.")


def make_run_file(db: Path | None, target: tuple[str, ...], module: bool, force: bool) -> Path:
    """Make the run file: the one asked for, else one in ``.gradoctor``, else a temporary one."""
    from gradoctor.store.files import create_run
    from gradoctor.store.naming import new_run

    meta = {
        "script": target[0], "argv": list(target), "module": target[0] if module else None,
        "cwd": os.getcwd(), "started": time.time(), "pid": os.getpid(),
    }  # fmt: skip
    if db is not None:
        return create_run(db, meta, force=force)
    path = new_run(target[0] if module else Path(target[0]).stem, meta, FOLDER)
    if path.parent != FOLDER:
        click.echo(f"gradoctor: cannot write here; recording into {path}", err=True)
    return path
