"""What a report says, as plain lists and dicts: the terminal and the notebook both render this.

Everything is in the reader's language already, and nothing is wrapped, coloured or escaped.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from gradoctor.errors import UnknownRuleError
from gradoctor.knowledge.language import Translator
from gradoctor.knowledge.pages import Page, page
from gradoctor.probes import command
from gradoctor.records import Diagnosis, Evidence, Finding, Level
from gradoctor.remedies import remedies_for, text
from gradoctor.reporters._probed import named, probed
from gradoctor.reporters._words import (
    LEVELS,
    context_words,
    measured,
    percent,
    reason_words,
    statistic_words,
)

Data = dict[str, Any]

_GROUP = 3  # figures of one kind at so many places are drawn, not listed


def tell(diagnosis: Diagnosis, lang: str = "en") -> Data:
    """The whole report.

    Keys: ``verdict``, ``headline``, ``ended`` (how the script failed, or None), ``lead`` (the
    finding to read first, or None), ``others``, ``notes``, ``checked``, ``skipped``, ``overhead``,
    ``lost``, ``probed``, ``next``. A finding is what ``entry`` makes, its ``knock_ons`` folded in.
    """
    _ = Translator(lang)
    tops, folded = _fold(diagnosis.findings)
    rivals = {code for f in diagnosis.findings for code in f.rivals}  # named beside their root
    entries = [
        entry(f, diagnosis, lang, knock_ons=folded[i])
        for i, f in tops
        if f.level > Level.NOTE and not (f.level == Level.SUSPECT and f.code in rivals)
    ]
    notes = [entry(f, diagnosis, lang) for i, f in tops if f.level == Level.NOTE]
    effects = sum(len(e["knock_ons"]) for e in entries)
    return {
        "verdict": diagnosis.verdict,
        "headline": _headline(diagnosis, len(entries), effects, _),
        "unseen": _unseen(diagnosis, _),
        "ended": _ended(diagnosis.meta, _),
        "lead": entries[0] if entries else None,
        "others": entries[1:],
        "notes": notes,
        "checked": len(diagnosis.checks_run),
        "skipped": _skipped(diagnosis, _),
        "overhead": _overhead(diagnosis.overhead, _),
        "lost": [str(what) for what in _listed(diagnosis.meta.get("lost"))],
        "probed": probed(diagnosis, lang),
        "next": _next(diagnosis, entries or notes),
    }


def entry(
    finding: Finding, diagnosis: Diagnosis, lang: str, knock_ons: Iterable[Finding] = ()
) -> Data:
    """One finding in words."""
    _ = Translator(lang)
    known = page_or_name(finding, lang)
    level = finding.level.name.lower()
    figures, picture = _evidence(finding, diagnosis, _)
    return {
        "code": finding.code,
        "name": finding.name,
        "level": level,
        "level_words": LEVELS[level].told(_.lang),
        "place": place(finding, diagnosis),
        "title": known.title,
        "summary": known.tell(values(finding, diagnosis)),
        "modules": modules(finding, diagnosis),
        "first_step": int(finding.first_step),
        "last_step": int(finding.last_step),
        "evidence": figures,
        "picture": _given_picture(finding, diagnosis) or picture,
        "ruled_out": [context_words(n, _) for n, found in finding.exclusions if not found],
        "sure": _sure(finding, lang),
        "in_doubt": [context_words(n, _) for n, found in finding.exclusions if found],
        "remedies": [
            {"name": r.name, "text": text(r.name, lang), "code": r.code}
            for r in remedies_for(finding.code)
        ],
        "knock_ons": [entry(f, diagnosis, lang) for f in knock_ons],
    }


# ---- which finding stands where ------------------------------------------------------------------
def _fold(
    findings: Sequence[Finding],
) -> tuple[list[tuple[int, Finding]], dict[int, list[Finding]]]:
    """Findings on the top level, gravest root first, and what is folded under each."""
    roots = [i for i, f in enumerate(findings) if f.root]
    folded: dict[int, list[Finding]] = {i: [] for i in range(len(findings))}
    tops = list(roots)
    for i, finding in enumerate(findings):
        if finding.root:
            continue
        home = next((r for r in roots if _explains(findings[r], finding)), None)
        if home is None:
            tops.append(i)
        else:
            folded[home].append(finding)
    tops.sort(key=lambda i: (not findings[i].root, -findings[i].level))
    return [(i, findings[i]) for i in tops], folded


def _explains(root: Finding, finding: Finding) -> bool:
    return root.code in finding.explained_by or finding.code in root.explains


# ---- places --------------------------------------------------------------------------------------
def modules(finding: Finding, diagnosis: Diagnosis) -> list[str]:
    """Names of the sites of a finding, the worst first; the run itself is none."""
    sites = (diagnosis.sites.get(s) for s in finding.sites)
    names = (s.name for s in sites if s is not None and s.kind != "run" and s.name)
    return list(dict.fromkeys(names))


def location(finding: Finding, diagnosis: Diagnosis) -> tuple[str | None, int | None]:
    """File and line of a finding; the file as seen from where the run was started."""
    file, line = finding.file, finding.line
    if file is None:
        file, line = _common_place(finding, diagnosis)
    return (shorten(file, diagnosis.meta), int(line) if line else None) if file else (None, None)


def _common_place(finding: Finding, diagnosis: Diagnosis) -> tuple[str | None, int | None]:
    """The line that made the sites of a finding, a third or more; else the first (the worst)."""
    sites = [s for s in map(diagnosis.sites.get, finding.sites) if s is not None and s.file]
    # an optimizer named first stands for itself, whatever weights are named after it
    places = [(s.file, s.line) for s in sites if s.kind == sites[0].kind]
    if not places:
        return None, None
    ((most, count),) = Counter(places).most_common(1)
    return most if count > 1 and 3 * count >= len(places) else places[0]


def place(finding: Finding, diagnosis: Diagnosis) -> str:
    """``train.py:42``, or the script alone when no line is known."""
    file, line = location(finding, diagnosis)
    if file is None:
        return script(diagnosis)
    return f"{file}:{line}" if line else file


def shorten(file: str, meta: Mapping[str, Any]) -> str:
    """The file relative to the run's working directory when it is below it."""
    cwd = meta.get("cwd")
    if cwd and PurePath(file).is_relative_to(str(cwd)):
        return str(PurePath(file).relative_to(str(cwd)))
    return file


def script(diagnosis: Diagnosis) -> str:
    """What was run, as the user named it."""
    return shorten(diagnosis.script, diagnosis.meta) if diagnosis.script else "script"


# ---- words ---------------------------------------------------------------------------------------
def page_or_name(finding: Finding, lang: str) -> Page:
    """The page of a finding; one made of its name when there is none (a rule from elsewhere)."""
    try:
        return page(finding.code, lang)
    except UnknownRuleError:
        words = finding.name.replace("-", " ")
        return Page(finding.code, finding.name, words, "")


def values(finding: Finding, diagnosis: Diagnosis) -> dict[str, Any]:
    """What fills the summary: the rule's own values, and where and when."""
    file, line = location(finding, diagnosis)
    names = modules(finding, diagnosis)
    return {
        "module": names[0] if names else script(diagnosis),
        "file": file or script(diagnosis),
        "line": line,
        "first_step": finding.first_step,
        "last_step": finding.last_step,
        **finding.values,
    }


def _sure(finding: Finding, lang: str) -> str | None:
    """How sure it is that a root is the root; None for what is none."""
    _ = Translator(lang)
    names = (named(code) for code in finding.rivals)
    confirmed = finding.level == Level.CONFIRMED
    return {
        "proven": _("proven: another run with one thing changed has shown it")
        if confirmed
        else _("proven: it follows from what the program did, not from a threshold"),
        "evident": _("evident: mechanism, duration and harm agree, and nothing else explains it"),
        "likely": _("likely: {names} would explain it too", names=_(", ").join(names)),
        "open": _("open: the harm is certain, its cause was not found"),
    }.get(finding.certainty)


def _headline(diagnosis: Diagnosis, causes: int, effects: int, _: Translator) -> str:
    name = script(diagnosis)
    if _no_steps(diagnosis):
        return _("no training step was seen in {script}", script=name)
    watched = _.plural("{n} step watched", "{n} steps watched", diagnosis.steps)
    if diagnosis.verdict == "healthy":
        return _("{script} is healthy ({watched})", script=name, watched=watched)
    if diagnosis.verdict == "suspect":
        found = _.plural("{n} suspicion", "{n} suspicions", causes)
        return _(
            "{script} may be sick: {found} ({watched})", script=name, found=found, watched=watched
        )
    found = _.plural("{n} finding", "{n} findings", causes)
    if effects:
        knock_ons = _.plural("{n} knock-on", "{n} knock-ons", effects)
        found = _("{found} and {knock_ons}", found=found, knock_ons=knock_ons)
    return _("{script} is sick: {found} ({watched})", script=name, found=found, watched=watched)


def _no_steps(diagnosis: Diagnosis) -> bool:
    return diagnosis.steps == 0 and not any(f.level > Level.NOTE for f in diagnosis.findings)


def _unseen(diagnosis: Diagnosis, _: Translator) -> str | None:
    """Why nothing is judged, when no step was seen."""
    if not _no_steps(diagnosis):
        return None
    return _(
        "A step is an optimizer's step, or weights that change after a backward pass. Without one"
        " there is nothing to judge."
    )


def _ended(meta: Mapping[str, Any], _: Translator) -> str | None:
    if meta.get("signal"):
        return _("the script was ended by signal {signal}", signal=meta["signal"])
    if meta.get("exit_code"):
        return _("the script ended with exit code {code}", code=meta["exit_code"])
    return None


def _skipped(diagnosis: Diagnosis, _: Translator) -> list[Data]:
    """Reasons with the codes they kept from running, the commonest first."""
    reasons: dict[str, list[str]] = {}
    for skip in diagnosis.skipped:
        reasons.setdefault(reason_words(skip, _, details=False), []).append(skip.code)
    return sorted(
        ({"why": why, "codes": codes} for why, codes in reasons.items()),
        key=lambda reason: -len(reason["codes"]),
    )


def _overhead(ratio: float | None, _: Translator) -> str | None:
    if ratio is None or not math.isfinite(ratio):
        return None
    share = max(ratio - 1.0, 0.0)
    return percent(float(f"{share:.2g}")) if share >= 0.001 else "<0.1%"


def _next(diagnosis: Diagnosis, entries: list[Data]) -> list[str]:
    """Commands worth typing now."""
    decides = command(diagnosis)
    commands = [decides] if decides else []
    if entries:
        commands.append(f"gradoctor explain {entries[0]['code']}")
    kept = next((c for f in diagnosis.findings if (c := f.values.get("capsule"))), None)
    if kept:
        commands.append(f"gradoctor replay {shorten(str(kept), diagnosis.meta)}")
    if diagnosis.meta.get("run_file"):
        commands.append(f"gradoctor show {shorten(diagnosis.meta['run_file'], diagnosis.meta)}")
    return commands


# ---- evidence ------------------------------------------------------------------------------------
def _evidence(finding: Finding, diagnosis: Diagnosis, _: Translator) -> tuple[list[Data], Any]:
    """Figures in words; those of one kind at several places become a picture instead."""
    kinds: dict[tuple[str, str], list[Evidence]] = {}
    for item in finding.evidence:
        kinds.setdefault((item.statistic, item.unit), []).append(item)
    rows: list[Data] = []
    picture = None
    for items in kinds.values():
        if len(items) >= _GROUP and picture is None:
            picture = {
                "kind": "bars",
                "title": statistic_words(items[0], _),
                "rows": [
                    {
                        "label": _site_name(i, diagnosis) or "",
                        "value": float(i.value),
                        "said": measured(i.value, i, _),
                    }
                    for i in items
                ],
                "log": False,
                "limit": _limit(items[0], _),
            }
        else:
            rows.extend(_figure(item, diagnosis, _) for item in items)
    return rows, picture


def _figure(item: Evidence, diagnosis: Diagnosis, _: Translator) -> Data:
    return {
        "label": statistic_words(item, _),
        "module": _site_name(item, diagnosis),
        "said": measured(item.value, item, _),
        "limit": _limit(item, _),
    }


def _limit(item: Evidence, _: Translator) -> str | None:
    if item.threshold is None or not math.isfinite(item.threshold):
        return None
    limit = measured(item.threshold, item, _)
    if item.value < item.threshold:
        return _("below the limit of {limit}", limit=limit)
    if item.value > item.threshold:
        return _("above the limit of {limit}", limit=limit)
    return _("limit {limit}", limit=limit)


def _site_name(item: Evidence, diagnosis: Diagnosis) -> str | None:
    site = diagnosis.sites.get(item.site) if item.site is not None else None
    return site.name if site is not None and site.kind != "run" else None


def _given_picture(finding: Finding, diagnosis: Diagnosis) -> Any:
    """A picture that came with the diagnosis: ``meta["pictures"][code]``."""
    pictures = diagnosis.meta.get("pictures")
    return pictures.get(finding.code) if isinstance(pictures, Mapping) else None


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, Sequence) else []
