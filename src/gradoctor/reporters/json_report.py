"""The report for programs: schema 1, described by ``report.schema.json``, and kept stable."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

from gradoctor._version import __version__
from gradoctor.knowledge.language import Translator
from gradoctor.records import Diagnosis, Evidence, Finding
from gradoctor.remedies import remedies_for
from gradoctor.reporters._digest import location, modules, page_or_name, tell, values
from gradoctor.reporters._words import context_words, reason_words

SCHEMA = 1


class JsonReporter:
    """Always valid JSON: what is not finite is null, what cannot be encoded is replaced."""

    def digest(self, diagnosis: Diagnosis, lang: str = "en") -> dict[str, Any]:
        """The report as plain data; sentences are in the language asked for."""
        _ = Translator(lang)
        baseline = diagnosis.baseline
        data = {
            "schema": SCHEMA,
            "gradoctor": __version__,
            "script": diagnosis.script,
            "verdict": diagnosis.verdict,
            "steps": int(diagnosis.steps),
            "overhead": _number(diagnosis.overhead),
            "baseline": baseline and {"kind": baseline.kind, "value": _number(baseline.value)},
            "findings": [_finding(f, diagnosis, lang) for f in diagnosis.findings],
            "checks": {
                "run": list(diagnosis.checks_run),
                "skipped": [
                    {"code": s.code, "why": reason_words(s, _, details=True)}
                    for s in diagnosis.skipped
                ],
            },
            "probed": _probed(diagnosis),
            "next": tell(diagnosis, lang)["next"],
        }
        encodable: dict[str, Any] = _encodable(data)
        return encodable

    def render(
        self, diagnosis: Diagnosis, *, lang: str = "en", width: int = 80, color: bool = False
    ) -> str:
        """The data as JSON, indented; width and colour do not matter here."""
        data = self.digest(diagnosis, lang)
        return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the report."""
    source = files("gradoctor.reporters") / "report.schema.json"
    loaded: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return loaded


def _finding(finding: Finding, diagnosis: Diagnosis, lang: str) -> dict[str, Any]:
    _ = Translator(lang)
    page = page_or_name(finding, lang)
    names = modules(finding, diagnosis)
    file, line = location(finding, diagnosis)
    return {
        "code": finding.code,
        "name": finding.name,
        "level": finding.level.name.lower(),
        "root": bool(finding.root),
        "explained_by": list(finding.explained_by),
        "explains": list(finding.explains),
        "certainty": finding.certainty or None,
        "rivals": list(finding.rivals),
        "module": names[0] if names else None,
        "modules": names,
        "file": file,
        "line": line,
        "first_step": int(finding.first_step),
        "last_step": int(finding.last_step),
        "summary": page.tell(values(finding, diagnosis)) or page.title,
        "evidence": [_evidence(item) for item in finding.evidence],
        "exclusions": [
            f"{context_words(name, _)}: {_('yes') if found else _('no')}"
            for name, found in finding.exclusions
        ],
        "remedies": [
            {"name": r.name, "code": r.code, "proven": None} for r in remedies_for(finding.code)
        ],
    }


def _evidence(item: Evidence) -> dict[str, Any]:
    return {
        "statistic": item.statistic,
        "value": _number(item.value),
        "threshold": _number(item.threshold),
        "unit": item.unit,
    }


def _probed(diagnosis: Diagnosis) -> dict[str, Any]:
    known = diagnosis.meta.get("probed") or {"answers": (), "changes": ()}
    keys = ("name", "verdict", "bad", "cautions", "steps", "seconds")
    answers = [{key: answer.get(key) for key in keys} for answer in known["answers"]]
    return {"answers": answers, "changes": [dict(change) for change in known["changes"]]}


def _number(value: float | None) -> float | None:
    """A float that JSON can hold: NaN and infinity have no place there."""
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _encodable(data: Any) -> Any:
    """The data with text that UTF-8 can hold: a file name may have bytes that are none."""
    if isinstance(data, str):
        return data.encode("utf-8", "replace").decode("utf-8")
    if isinstance(data, dict):
        return {key: _encodable(value) for key, value in data.items()}
    return [_encodable(value) for value in data] if isinstance(data, list) else data
