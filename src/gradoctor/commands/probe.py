"""``gradoctor probe``: ask a script a question that only another run answers."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._config import Configured
from gradoctor.commands._judge import check_folders, language, write
from gradoctor.commands._screen import Screen, say
from gradoctor.commands.run import FOLDER, check_script
from gradoctor.errors import GradoctorError, RunFileError
from gradoctor.probes import PROBES, Answer, Arm, ask
from gradoctor.records import Fact


@click.command(
    cls=Configured,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="""\b
Probes:
  overfit        can it learn 8 samples by heart?     (else: wiring, init, or loss)
  train-eval     does eval mode do what training does? (batch norm's statistics)
  learning-rate  a tenth of the rate, and ten times
  precision      float32 against autocast or half
  causal         does an output see later inputs?
  init           noise for data: is it the weights or the inputs?
  sharpness      does the loss curve more than the steps can stand?
  plasticity     does it still learn as fast as when it was new?
Examples:
  gradoctor probe overfit train.py --epochs 3
  gradoctor probe --steps 500 learning-rate train.py
  gradoctor probe causal -m package.train
  gradoctor probe --json answer.json train-eval train.py""",
)
@click.option("--steps", type=click.IntRange(1), help="Training steps of each run.")
@click.option("--seed", type=int, default=0, show_default=True,
              help="Seed for what the script does not seed itself.")  # fmt: skip
@click.option("--limit", type=click.FloatRange(1), default=600.0, show_default=True,
              help="Seconds that one run may take.")  # fmt: skip
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    help="Add the answer to this run file; to the script's latest if not given.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path),
              help="Write the answer as JSON; - for stdout.")  # fmt: skip
@click.option("--lang", help="Language of the answer: en or zh.")
@click.option("--fail-on", type=click.Choice(["never", "bad"]), default="never", show_default=True,
              help="Exit with 3 when something is wrong.")  # fmt: skip
@click.argument("name", metavar="PROBE")
@click.argument("target", nargs=-1, type=click.UNPROCESSED, required=True)
def probe(name: str, target: tuple[str, ...], steps: int | None, json_file: Path | None,
          db: Path | None, **view: Any) -> int:  # fmt: skip
    """Run SCRIPT for some steps with one thing changed, and say what that shows.

    The script runs in a process of its own; what it prints is not shown, and what it writes to
    files is thrown away. Options before the probe are ours; what follows the script is its own.
    """
    if name not in PROBES:
        raise GradoctorError(f"No probe is called {name!r}.", f"Known: {', '.join(PROBES)}.")
    if target[0] != "-m":
        check_script(Path(target[0]))
    elif len(target) < 2:
        raise GradoctorError("-m names no module.", "Write: gradoctor probe NAME -m MODULE.")
    check_folders(json_file)
    held = run_file_of(target, db)
    progress = Progress(steps or PROBES[name].steps)
    try:
        found = ask(PROBES[name], target, steps=steps, seed=view["seed"], limit=view["limit"],
                    tell=progress.tell)  # fmt: skip
    finally:
        progress.end()
    if held is not None:
        keep(held, found)
    tell(found, json_file, view)
    return 3 if found.bad and view["fail_on"] == "bad" else 0


def tell(found: Answer, json_file: Path | None, view: dict[str, Any]) -> None:
    """Print the answer, and write it as JSON."""
    from gradoctor.reporters import probe as reporter

    lang, screen = language(view), Screen.of_stdout()
    data = {"schema": 1, **found.to_data(), "words": reporter.digest(found, lang)}
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    if json_file is not None and str(json_file) != "-":
        write(json_file, text, "Choose another file.")
    say(text if str(json_file) == "-" else
        reporter.render(found, lang, screen.width, screen.color, screen.plain))  # fmt: skip


def run_file_of(target: tuple[str, ...], db: Path | None) -> Path | None:
    """The run file that the answer belongs to: the one asked for, else the script's latest.

    Raises:
        RunFileError: the one asked for is none.
    """
    from gradoctor.store import open_run, runs_in

    if db is not None:
        with open_run(db):
            return db
    wanted = list(target[1:] if target[0] == "-m" else target)
    for path in runs_in(FOLDER) if FOLDER.is_dir() else ():
        try:
            with open_run(path) as file:
                if file.meta().get("argv") == wanted:
                    return path
        except RunFileError:
            continue
    return None


def keep(path: Path, found: Answer) -> None:
    """Add the answer to a run file: from now on rules may weigh it."""
    from gradoctor.store.files import add_fact

    data = found.to_data()
    for name, losses in data["arms"].items():  # the curves are for the reader, not for rules
        data["arms"][name] = losses[-1:]
    add_fact(path, Fact("probe", None, found.probe, data=data))


class Progress:
    """Says on stderr which run goes on and how far it is; ``end`` clears the line.

    Args:
        probe: its name, where several are asked.
    """

    def __init__(self, steps: int, probe: str = "") -> None:
        self._steps = steps
        self._probe = probe
        self._live = sys.stderr.isatty()
        self._began = time.monotonic()
        self._arm = ""
        self._told = -math.inf

    def tell(self, arm: Arm, count: int) -> None:
        """A run has come so far."""
        now = time.monotonic()
        if arm.name != self._arm:
            self._arm, self._told = arm.name, now if self._live else -math.inf
        if now - self._told < (0.2 if self._live else 10):
            return
        self._told = now
        name = f"{self._probe}, {arm.name}" if self._probe not in ("", arm.name) else arm.name
        text = f"{name}: step {count} of {self._steps}, {now - self._began:.0f} s"
        click.echo(f"\r\x1b[K{text}" if self._live else text, err=True, nl=not self._live)

    def end(self) -> None:
        """Nothing runs any more."""
        if self._live:
            click.echo("\r\x1b[K", err=True, nl=False)
