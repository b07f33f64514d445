"""When a report on a case is right: its verdict, its first root, and the place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corpus.cases import Case
from gradoctor.diagnosis import diagnose
from gradoctor.recording import Recording
from gradoctor.reporters.json_report import JsonReporter
from gradoctor.rules import RULES

EARLY = 5
"""A structural or bit-exact illness should be named this many steps after it shows."""

Report = dict[str, Any]


def roots(report: Report) -> list[dict[str, Any]]:
    """The sick findings that nothing else explains, as the report orders them."""
    return [f for f in report["findings"] if f["root"] and f["level"] in ("sick", "confirmed")]


def named(case: Case, report: Report) -> dict[str, Any] | None:
    """What the report names as the illness.

    That is the first root; where a case may only be suspected and no root stands above it, the
    first suspicion that nothing else explains.
    """
    found = roots(report)
    if not found and case.level == "suspect":
        found = [f for f in report["findings"] if f["level"] == "suspect" and not f["explained_by"]]
    return found[0] if found else None


def root_right(case: Case, report: Report) -> bool:
    """What is named first is the case's own, and no root is foreign to it."""
    first, found = named(case, report), {f["code"] for f in roots(report)}
    return (
        first is not None and first["code"] in case.accept and found <= {*case.accept, *case.also}
    )


def place_right(case: Case, report: Report) -> bool:
    """It points to the right line of the script (and module, where there is one)."""
    first = named(case, report)
    return first is not None and _in_place(case, first)


def _in_place(case: Case, finding: dict[str, Any]) -> bool:
    if not finding["file"] or not finding["line"]:
        return False
    if Path(finding["file"]).name != case.script.name:
        return False
    lines = case.text().split("\n")
    if finding["line"] > len(lines):
        return False
    text = lines[finding["line"] - 1]
    return any(accepted in text for accepted in case.lines) and (
        case.module is None or any(_within(m, case.module) for m in finding["modules"])
    )


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def verdict_right(case: Case, report: Report) -> bool:
    """A mended twin must be healthy; a healthy script may at most be suspect."""
    if case.kind == "mended":
        return bool(report["verdict"] == "healthy")
    return bool(report["verdict"] != "sick")


def said(report: Report) -> str:
    """What a report says, in one line."""
    parts = [
        f"{'*' if f['root'] else ''}{f['code']}[{f['level']}]@{f['line'] or '-'}"
        for f in report["findings"]
        if f["level"] != "note"
    ]
    return f"{report['verdict']} after {report['steps']} steps: {' '.join(parts) or 'nothing'}"


def proof_of(case: Case) -> str:
    """The burden of proof of the rule that a case is about; '' when there is none yet."""
    rule = RULES.get(case.accept[0]) if case.accept else None
    return rule.proof if rule else ""


def judge(case: Case, run: Recording) -> dict[str, Any]:
    """The verdict on a recorded run of a case, and how right it is, as plain data."""
    diagnosis = diagnose(run)
    report = JsonReporter().digest(diagnosis)
    row = {
        "verdict": report["verdict"],
        "steps": report["steps"],
        "findings": [_brief(f) for f in report["findings"]],
        "said": said(report),
        "overhead": report["overhead"],
        "failed": [f"{s.code} {s.why}" for s in diagnosis.skipped if s.why.startswith("error")],
    }
    if not case.ill:
        return {**row, "quiet": verdict_right(case, report)}
    first = named(case, report)
    row["named"] = first["code"] if first is not None else ""
    row["root"] = root_right(case, report)
    row["place"] = row["root"] and place_right(case, report)
    if proof_of(case) in ("structural", "numerical"):
        row |= _early(case, run)
    return row


def _early(case: Case, run: Recording) -> dict[str, bool]:
    """What would have been said had the run been looked at ``EARLY`` steps after it began."""
    report = JsonReporter().digest(diagnose(run.until(case.begins + EARLY), final=False))
    told = [f for f in report["findings"] if f["level"] != "note" and f["code"] in case.accept]
    proven = [f for f in told if f["level"] != "suspect"]
    return {
        "early": bool(told),
        "early_place": any(_in_place(case, f) for f in told),
        "early_sick": any(_in_place(case, f) for f in proven),
    }


def _brief(finding: dict[str, Any]) -> dict[str, Any]:
    keys = ("code", "level", "root", "line", "modules", "first_step")
    name = Path(finding["file"]).name if finding["file"] else None
    return {**{k: finding[k] for k in keys}, "file": name}
