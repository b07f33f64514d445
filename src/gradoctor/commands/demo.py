"""``gradoctor demo``: a sick network on real data, its diagnosis, and the same network mended."""

from __future__ import annotations

import difflib
import os
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gradoctor.commands.run import FOLDER
from gradoctor.demo import DEFAULT, DEMOS, Demo
from gradoctor.errors import GradoctorError
from gradoctor.knowledge.language import Translator

if TYPE_CHECKING:
    from rich.table import Table

    from gradoctor.recording import Recording
    from gradoctor.records import Diagnosis

_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = ".:-=+*%#"
_NOT_FINITE = "x"
_WIDTH = 28  # of a curve: two fit a terminal of 80 columns beside their labels


@dataclass(frozen=True, slots=True)
class Outcome:
    """A demo's script after its run: the diagnosis, and the loss at each step (None: NaN)."""

    diagnosis: Diagnosis
    losses: tuple[float | None, ...]
    exit_code: int

    @property
    def final(self) -> float | None:
        """The mean loss of the last twentieth of the steps; None when one of them is NaN."""
        tail = self.losses[-max(1, len(self.losses) // 20) :]
        known = [loss for loss in tail if loss is not None]
        return sum(known) / len(known) if tail and len(known) == len(tail) else None


@click.command(
    epilog="""\b
Examples:
  gradoctor demo
  gradoctor demo missing-zero-grad
  gradoctor demo --list"""
)
@click.argument("name", required=False)
@click.option("--list", "listing", is_flag=True, help="List the demos.")
@click.option("--lang", help="Language of the report: en or zh.")
def demo(name: str | None, listing: bool, lang: str | None) -> int:
    """Train a sick network on real data, diagnose it, and train it again mended."""
    from gradoctor.commands._judge import language

    view: dict[str, Any] = {"lang": lang}
    _ = Translator(language(view))
    if listing:
        click.echo(listed(_))
        return 0
    chosen = find_demo(name or DEFAULT)
    check_packages()
    _heading(_("Demo {name}: {title}", name=chosen.name, title=chosen.title(_.lang)))
    sick = train(chosen.sick, view)
    if sick.exit_code:
        return sick.exit_code
    _heading(_("The same script, mended:"))
    click.echo(changes(chosen))
    mended = train(chosen.mended, {**view, "quiet": True})
    if mended.exit_code:
        return mended.exit_code
    _heading(_("Side by side:"))
    show(sick, mended, _)
    return 0


def listed(_: Translator) -> str:
    """One line for each demo: its name, the finding it shows, and what goes wrong."""
    room = max(len(name) for name in DEMOS)
    return "\n".join(f"{d.name:{room}}  {d.code}  {d.title(_.lang)}" for d in DEMOS.values())


def find_demo(name: str) -> Demo:
    """The demo of a name.

    Raises:
        GradoctorError: there is none; the nearest name is suggested.
    """
    if name in DEMOS:
        return DEMOS[name]
    near = difflib.get_close_matches(name, DEMOS, 1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise GradoctorError(f"No demo {name!r}.", f"{hint}`gradoctor demo --list` lists them.")


def check_packages() -> None:
    """Say what to install when the scripts could not run.

    Raises:
        GradoctorError: torch or scikit-learn is missing.
    """
    if find_spec("torch") is None:
        raise GradoctorError("The demos train with PyTorch, which is not installed.",
                             "Install it: pip install torch")  # fmt: skip
    if find_spec("sklearn") is None:
        raise GradoctorError("The demos use scikit-learn's digits, and it is not installed.",
                             "Install it: pip install 'gradoctor[demo]'")  # fmt: skip


def train(script: Path, view: dict[str, Any]) -> Outcome:
    """Run a script under ``gradoctor run``, print its report unless ``quiet``, and judge it."""
    from gradoctor.commands._judge import Follower, judge, tell_end
    from gradoctor.commands._supervise import end_like, supervise
    from gradoctor.commands.run import make_run_file
    from gradoctor.store import open_run

    target = laid_out(script)
    path = make_run_file(None, (target,), False, False)
    options = {"db": str(path.absolute()), "budget": 0.02, "parent": os.getpid()}
    follower = Follower(path, view)
    code = end_like(supervise([target], options, follower.tick))
    code = tell_end(path, code, view, follower)
    with open_run(path) as file:
        losses = losses_of(file.recording())
    return Outcome(judge(path, view), losses, code)


def laid_out(script: Path) -> str:
    """A copy of the script in this folder: one to read, change and run again.

    Findings name the line of a user's own code, and installed files are nobody's own.
    """
    for folder in (FOLDER / "demo", Path(tempfile.gettempdir()) / "gradoctor-demo"):
        copy = folder / script.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            copy.write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
        except OSError:
            continue
        return str(copy)
    raise GradoctorError(
        "The demo's scripts can be written neither here nor to the temporary folder.",
        "Change to a folder that you may write to.",
    )


def losses_of(run: Recording) -> tuple[float | None, ...]:
    """The loss at each step; None where it was NaN or infinite."""
    sites = run.of_kind("loss")
    if not sites:
        return ()
    finite = run.series("loss.value", sites[0].id)
    values = dict(zip(finite.steps.tolist(), finite.values.tolist(), strict=True))
    flags = run.series("loss.nonfinite", sites[0].id)
    return tuple(
        None if flag else values.get(step)
        for step, flag in zip(flags.steps.tolist(), flags.values.tolist(), strict=True)
        if flag or step in values
    )


def changes(chosen: Demo) -> str:
    """The lines of code that differ between the sick script and its mended twin."""
    old, new = (p.read_text(encoding="utf-8").splitlines() for p in (chosen.sick, chosen.mended))
    diff = list(difflib.unified_diff(old, new, n=0, lineterm=""))[2:]
    colors = {"-": "red", "+": "green"}
    return "\n".join(
        click.style(f"  {row}", fg=colors.get(row[0]))
        for row in diff
        if not row.startswith("@@") and not row[1:].strip().startswith('"""')
    )


def curve(losses: tuple[float | None, ...], top: float, bars: str) -> str:
    """The losses as one row of bars from 0 to ``top``; a cross where the loss was not finite."""
    width = min(_WIDTH, len(losses))
    drawn = []
    for i in range(width):
        part = losses[i * len(losses) // width : (i + 1) * len(losses) // width]
        known = [loss for loss in part if loss is not None]
        if not known or len(known) < len(part):
            drawn.append(_NOT_FINITE)
            continue
        height = sum(known) / len(known) / top if top > 0 else 0.0
        drawn.append(bars[min(int(max(height, 0.0) * len(bars)), len(bars) - 1)])
    return "".join(drawn)


def compare(sick: Outcome, mended: Outcome, _: Translator, *, plain: bool = False) -> Table:
    """The two runs side by side."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.ASCII if plain else box.SIMPLE_HEAD, pad_edge=False, show_edge=plain)
    for title in ("", _("sick script"), _("mended script")):
        table.add_column(title, overflow="fold")
    runs = (sick, mended)
    baseline = sick.diagnosis.baseline or mended.diagnosis.baseline
    finite = [loss for run in runs for loss in run.losses if loss is not None]
    top = 1.25 * baseline.value if baseline else max(finite, default=1.0)
    bars = _PLAIN_BARS if plain else _BARS
    table.add_row(_("loss"), *(curve(run.losses, top, bars) for run in runs))
    table.add_row(_("final loss"), *(_figure(run.final, _) for run in runs))
    if baseline:
        table.add_row(_("blind guessing"), *[_figure(baseline.value, _)] * 2)
    table.add_row(_("verdict"), *(_verdict(run.diagnosis, _) for run in runs))
    return table


def _figure(value: float | None, _: Translator) -> str:
    return _("not finite") if value is None else f"{value:.3g}"


def _verdict(found: Diagnosis, _: Translator) -> str:
    styles = {"healthy": "green", "suspect": "yellow", "sick": "red"}
    words = {"healthy": _("healthy"), "suspect": _("suspect"), "sick": _("sick")}
    roots = [f"{f.code} {f.name}" for f in found.findings if f.root]
    head = f"[{styles[found.verdict]}]{words[found.verdict]}[/]"
    return "\n".join([head, *roots]) if found.verdict != "healthy" else head


def _heading(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def show(sick: Outcome, mended: Outcome, _: Translator) -> None:
    """Print the comparison, in ASCII where the output can hold no more."""
    from rich.console import Console

    console = Console(highlight=False)
    plain = not console.encoding.lower().startswith("utf")
    console.print(compare(sick, mended, _, plain=plain))
