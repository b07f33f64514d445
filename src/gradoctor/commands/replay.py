"""``gradoctor replay``: run the step again in which something became NaN or infinite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from gradoctor import capsules
from gradoctor.commands._config import Configured
from gradoctor.commands._judge import language
from gradoctor.commands._screen import Screen, say
from gradoctor.errors import GradoctorError
from gradoctor.knowledge.language import Translator
from gradoctor.trials import Course, Trial, conduct

AROUND = 12  # operations before the birth that are shown


@click.command(
    cls=Configured,
    epilog="""\b
Examples:
  gradoctor replay .gradoctor/train-20260101-120000-77.capsule
  gradoctor replay                    # the latest capsule in this folder
  gradoctor replay run.capsule --steps""",
)
@click.argument("capsule", type=click.Path(path_type=Path), required=False)
@click.option(
    "--steps", is_flag=True, help="Print all operations, not only those before the birth."
)
@click.option("--limit", type=click.IntRange(min=1), default=600, show_default=True,
              help="Seconds that the script may take to come to its first forward.")  # fmt: skip
@click.option("--lang", help="Language: en or zh.")
def replay(capsule: Path | None, steps: bool, limit: int, **view: Any) -> int:
    """Run the step of CAPSULE again, and print where its first NaN or infinity is born.

    The script runs anew, up to the first training forward of the same model. There the kept
    weights, buffers, batch, random numbers and variables are put in place, and that one step is
    watched. What the script prints is hidden, what it writes goes elsewhere. Exits with 0 when the
    bad value came again, with 1 when it did not.
    """
    path = capsule or latest(Path(".gradoctor"))
    meta, _ = capsules.read(path)
    path = path.absolute()
    target, home = tuple(meta["target"]), meta.get("cwd") or os.getcwd()
    if not Path(home).is_dir():
        raise GradoctorError(f"The folder of that run is gone: {home}.", "Make it again.")
    os.chdir(home)
    script = target[0]
    if script != "-m" and not Path(script).is_file():
        raise GradoctorError(f"The script of that run is gone: {script}.", "Put it back.")
    course = run(target, path, limit)
    lang = language(view)
    text, again = told(meta, course, Screen.of_stdout(), lang, whole=steps)
    say(text)
    return 0 if again else 1


def latest(folder: Path) -> Path:
    """The newest capsule of a folder."""
    found = sorted(folder.glob(f"*{capsules.SUFFIX}"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise GradoctorError(
            "There is no capsule in this folder.",
            "One is written when a watched run meets NaN: gradoctor run SCRIPT.",
        )
    return found[-1]


def run(target: tuple[str, ...], path: Path, limit: int) -> Course:
    """The trial; where the script cannot go on with the kept variables, without them."""
    course = conduct(Trial(target, {"replay": {"capsule": str(path)}}), limit=limit)
    if course.ended == "crashed" and course.facts.get("replay", {}).get("met"):
        options = {"capsule": str(path), "variables": False}
        return conduct(Trial(target, {"replay": options}), limit=limit)
    return course


# ---- words --------------------------------------------------------------------------------------
def told(
    meta: dict[str, Any], course: Course, screen: Screen, lang: str, *, whole: bool
) -> tuple[str, bool]:
    """What came of it as text, and whether the bad value came again."""
    _ = Translator(lang)
    seen = course.facts.get("replay", {})
    origin = meta["origin"]
    lines = [
        _("step {step} of {script}: {value} in {where}", step=meta["step"],
          script=" ".join(meta["target"]), value=origin["value"], where=_where(origin, _)),
        "",
    ]  # fmt: skip
    lines += table(seen, screen, _, whole=whole)
    again = bool(seen.get("where"))
    if again:
        lines.append(_("reproduced: {what}", what=_birth(seen, _)))
        if not _same(seen, origin):
            lines.append(_("The run itself named {where}.", where=_where(origin, _)))
    else:
        lines.append(_("not reproduced: {why}", why=_why(course, seen, meta, _)))
    if meta.get("lost"):
        lines.append(_("The capsule lacks {what}", what=meta["lost"]))
    lines += [_("Not put in place: {what}", what=p) for p in seen.get("problems", ())]
    return "\n".join(lines) + "\n", again


def table(seen: dict[str, Any], screen: Screen, _: Translator, *, whole: bool) -> list[str]:
    """The operations with the lines that called them, what they were given and what they made."""
    rows, born = seen.get("operations", []), seen.get("born")
    if not rows:
        return []
    first = 0 if whole or born is None else max(0, born - AROUND)
    last = len(rows) if whole or born is None else born + 1
    if not whole and born is None:
        first = max(0, last - AROUND)
    shown = [(_("line"), _("operation"), _("given"), _("made"), "")]
    for number, row in enumerate(rows[first:last], first):
        place = f"{Path(row['file']).name}:{row['line']}" if row["file"] else "?"
        mark = ""
        if number == born:
            mark = _("<- born here") if seen["where"] == "forward" else _("<- its derivative")
        name = f"{row['module']}.{row['op']}" if row["module"] else row["op"]
        shown.append((place, name, span(row["given"]), span(row["made"]), mark))
    widths = [max(len(row[i]) for row in shown) for i in range(5)]
    text = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
    if first:
        text.insert(1, _("({n} operations before)", n=first))
    derivative = seen.get("derivative")
    if derivative:
        text.append(_("backward of {op}: given {given}, gave {made}", op=derivative["op"],
                      given=span(derivative["given"]), made=span(derivative["made"])))  # fmt: skip
    return [*text, ""]


def span(told: dict[str, Any]) -> str:
    """``-1.5 .. 2`` and what is not finite."""
    parts = []
    if told["low"] is not None:
        parts.append(f"{told['low']:.4g} .. {told['high']:.4g}")
    parts += [f"{told[kind]} {kind}" for kind in ("nan", "inf") if told[kind]]
    return ", ".join(parts) or "-"


def _where(origin: dict[str, Any], _: Translator) -> str:
    place = f"{Path(origin['file']).name}:{origin['line']}" if origin.get("file") else ""
    return " ".join(p for p in (origin["where"], origin.get("op", ""), place) if p)


def _birth(seen: dict[str, Any], _: Translator) -> str:
    born = seen.get("born")
    row = seen["operations"][born] if born is not None else {"op": "", "file": None, "line": None}
    derivative = seen.get("derivative") or {}
    op = derivative.get("op") or row["op"]
    place = {"where": seen["where"], "op": op, "file": row["file"], "line": row["line"]}
    return f"{seen['value']} {_where(place, _)}"


def _same(seen: dict[str, Any], origin: dict[str, Any]) -> bool:
    born = seen.get("born")
    line = seen["operations"][born]["line"] if born is not None else None
    return not origin.get("line") or line is None or line == origin["line"]


def _why(course: Course, seen: dict[str, Any], meta: dict[str, Any], _: Translator) -> str:
    if not seen.get("met"):
        name = meta["models"][0]["class"]
        if course.ended in ("crashed", "killed"):
            said = (course.error or {}).get("message") or course.said[-300:]
            return _("the script failed before it came to {model} ({said})", model=name, said=said)
        if course.ended == "timeout":
            return _("the script did not come to {model} in time; see --limit", model=name)
        return _("the script never trained {model}", model=name)
    if course.ended == "crashed":
        return _(
            "the script failed in that step ({said})", said=(course.error or {}).get("message")
        )
    if meta.get("lost"):
        return _("all stayed finite, and the weights were the script's own")
    return _("all stayed finite: it hangs on something that the capsule does not hold")
