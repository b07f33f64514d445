"""From a recording to a diagnosis: run the rules, then the digest (one root, knock-ons folded)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, TypedDict

import numpy as np

from gradoctor.errors import UnknownRuleError
from gradoctor.knowledge.baselines import BASELINES
from gradoctor.knowledge.causes import OUTCOMES, leads_to, prior
from gradoctor.recording import Recording
from gradoctor.records import Baseline, Certainty, Diagnosis, Finding, Level, Skipped
from gradoctor.rules import RULES, Rule
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.loss import leading_function, level
from gradoctor.rules.evidence.timing import looks_between

TOLERANCE = 2  # looks by which a cause may seem to start after its symptom


def diagnose(
    run: Recording,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    final: bool = True,
) -> Diagnosis:
    """Judge a run.

    Args:
        select: codes, beginnings of codes (``GD1``) or names of the rules to run; all if empty.
        ignore: likewise, of those to leave out.
        final: the run has ended; while it goes on, outcomes are held back longer.

    Raises:
        UnknownRuleError: something in ``select`` or ``ignore`` matches no rule.
    """
    run = replace(run, meta={**run.meta, "final": final}, load=run.table)
    codes = chosen(select, ignore)
    findings, ran, skipped = _judged(run, codes)
    return Diagnosis(
        script=str(run.meta.get("script") or run.meta.get("module") or ""),
        verdict=_verdict(findings),
        steps=run.steps,
        findings=findings,
        checks_run=ran,
        skipped=skipped,
        overhead=_overhead(run),
        baseline=_baseline(run),
        sites=run.sites,
        meta={**run.meta, **_probed(run, codes, findings)},
    )


def chosen(select: Sequence[str] = (), ignore: Sequence[str] = ()) -> tuple[str, ...]:
    """The codes that a selection leaves, in order."""
    wanted = _matching(select) if select else set(RULES)
    return tuple(sorted(wanted - _matching(ignore)))


def _matching(patterns: Iterable[str]) -> set[str]:
    codes: set[str] = set()
    for pattern in patterns:
        hits = {c for c, r in RULES.items() if c.startswith(pattern.upper()) or r.name == pattern}
        if not hits or not pattern:
            raise UnknownRuleError(
                f"No rule is called {pattern!r}.", "See `gradoctor rules` for codes and names."
            )
        codes |= hits
    return codes


def _judged(
    run: Recording, codes: Iterable[str]
) -> tuple[tuple[Finding, ...], tuple[str, ...], tuple[Skipped, ...]]:
    """What the rules find, put in order; which of them ran, and which could not."""
    found: list[Finding] = []
    ran: list[str] = []
    skipped: list[Skipped] = []
    for code in codes:
        verdict = _judge(run, code, RULES[code])
        if isinstance(verdict, Skipped):
            skipped.append(verdict)
        else:
            ran.append(code)
            found.extend(verdict)
    return digest(run, found), tuple(ran), tuple(skipped)


def _judge(run: Recording, code: str, rule: Rule) -> list[Finding] | Skipped:
    """A rule's findings; a rule that cannot decide, or fails, is skipped with its reason."""
    missing = rule.missing(run)
    if missing:
        return Skipped(code, f"missing:{', '.join(missing)}")
    try:
        with np.errstate(all="ignore"):  # what is not finite is data here, not a mistake
            return [replace(f, code=code, name=rule.name) for f in rule.judge(run)]
    except UndecidedError as undecided:
        return Skipped(code, undecided.why)
    except Exception as fault:  # a broken rule must not take the other rules' verdicts with it
        return Skipped(code, f"error:{type(fault).__name__}: {fault}")


def _probed(
    run: Recording, codes: Iterable[str], findings: Iterable[Finding]
) -> dict[str, dict[str, Any]]:
    """What probes answered, and the levels of findings without these answers and with them.

    ``{"probed": {"answers": [data of the facts], "changes": [{"code", "before", "after"}]}}``, a
    level that is not there being None; nothing when none was asked.
    """
    answers = [dict(f.data) for f in run.facts_of("probe")]
    if not answers:
        return {}
    rest = tuple(f for f in run.facts if f.kind != "probe")
    unasked = replace(run, facts=rest, load=run.table)
    before, after = _levels(_judged(unasked, codes)[0]), _levels(findings)
    changes = [
        {"code": code, "before": before.get(code), "after": after.get(code)}
        for code in sorted({*before, *after})
        if before.get(code) != after.get(code)
    ]
    return {"probed": {"answers": answers, "changes": changes}}


def _levels(findings: Iterable[Finding]) -> dict[str, str]:
    """By code the gravest level, in lower case."""
    levels: dict[str, Level] = {}
    for finding in findings:
        levels[finding.code] = max(finding.level, levels.get(finding.code, Level.NOTE))
    return {code: level.name.lower() for code, level in levels.items()}


# ---- the digest ----------------------------------------------------------------------------------
def digest(run: Recording, found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Fold knock-ons under their causes, mark the roots, and put the findings in order."""
    findings = sorted(_promoted(run, list(found)), key=_precedence)
    causes = [
        [j for j, cause in enumerate(findings) if i != j and _explains(run, cause, symptom)]
        for i, symptom in enumerate(findings)
    ]
    roots = _roots(findings, causes)
    marked = [
        replace(
            f,
            root=i in roots,
            explained_by=_codes(
                findings[j] for j in sorted(causes[i], key=lambda j: (j not in roots, j))
            ),
            explains=_codes(findings[j] for j in range(len(findings)) if i in causes[j]),
        )
        for i, f in enumerate(findings)
    ]
    marked = [replace(f, **_standing(f, marked)) if f.root else f for f in marked]
    marked.sort(key=lambda f: (not f.root, bool(f.explained_by), -f.level))
    return tuple(marked)


class _Standing(TypedDict):
    certainty: Certainty
    rivals: tuple[str, ...]


def _standing(root: Finding, findings: list[Finding]) -> _Standing:
    """How sure it is that a root is the root, and what else it may be."""
    if _proven(root) or root.level == Level.CONFIRMED:
        return {"certainty": "proven", "rivals": ()}
    rivals = _codes(
        other
        for other in findings
        if other.level >= Level.SUSPECT
        and not other.explained_by
        and other.code not in {*OUTCOMES, root.code}
        and any(leads_to(other.code, f.code) for f in (root, *findings) if f.code in _own(root))
    )
    if rivals:
        return {"certainty": "likely", "rivals": rivals}
    return {"certainty": "open" if root.code in OUTCOMES else "evident", "rivals": ()}


def _own(root: Finding) -> set[str]:
    """A root and all that it explains."""
    return {root.code, *root.explains}


def _codes(findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f.code for f in findings))


def _precedence(finding: Finding) -> tuple[int, bool, bool, tuple[int, str], int]:
    """Grave before slight, causes before outcomes, proven before statistical, then by prior."""
    return (
        -finding.level,
        finding.code in OUTCOMES,
        not _proven(finding),
        prior(finding.code),
        finding.first_step,
    )


def _proven(finding: Finding) -> bool:
    """Found by structure or by bits, and so certain by itself."""
    return not _is_statistical(finding) and finding.level >= Level.SICK


def _is_statistical(finding: Finding) -> bool:
    rule = RULES.get(finding.code)
    return rule is None or rule.proof == "statistical"


def _promoted(run: Recording, found: list[Finding]) -> list[Finding]:
    """Raise the one suspected cause that a certain outcome would otherwise lack.

    A statistical suspect has mechanism and persistence; the outcome is the harm that it could not
    show itself. A structural one that is not sick has no proof, and is left alone.
    The verdict is the outcome's either way: what changes is that a cause is named.
    """
    stricken = [f for f in found if f.code in OUTCOMES and f.level >= Level.SICK]
    open_ = [o for o in stricken if not any(_explains(run, c, o) for c in found)]
    suspects = [
        c
        for c in found
        if c.level == Level.SUSPECT
        and c.code not in OUTCOMES
        and _is_statistical(c)
        and not any(seen for _, seen in c.exclusions)
        and any(_could_explain(run, c, o) for o in open_)
    ]
    upstream = [c for c in suspects if not any(_could_explain(run, o, c) for o in suspects)]
    if not upstream:
        return found
    chosen_ = min(upstream, key=_precedence)
    return [replace(f, level=Level.SICK) if f is chosen_ else f for f in found]


def _explains(run: Recording, cause: Finding, symptom: Finding) -> bool:
    """One finding explains another: by the graph, by time, by place, and by its own gravity."""
    if cause.level < Level.SUSPECT or cause.level < min(symptom.level, Level.SICK):
        return False  # what is not ill itself explains nothing graver
    return _could_explain(run, cause, symptom)


def _could_explain(run: Recording, cause: Finding, symptom: Finding) -> bool:
    """The same, whatever the gravity of the two."""
    if cause.code == symptom.code or not leads_to(cause.code, symptom.code):
        return False
    if leads_to(symptom.code, cause.code) and _begins_before(symptom, cause):
        return False  # each may cause the other: the one that came first does
    if not _same_model(run, cause, symptom):
        return False
    if cause.first_step <= symptom.first_step or _proven(cause):
        return True
    return looks_between(run, symptom.first_step, cause.first_step) <= TOLERANCE


def _begins_before(one: Finding, other: Finding) -> bool:
    return (_onset(one), prior(one.code)) < (_onset(other), prior(other.code))


def _onset(finding: Finding) -> int:
    """When it began; what updates do begins with the first of them."""
    dynamic = finding.code.startswith("GD4") or finding.code in OUTCOMES
    return max(finding.first_step, 1) if dynamic else finding.first_step


def _same_model(run: Recording, cause: Finding, symptom: Finding) -> bool:
    """False only when both name the models they are in and these differ."""
    models = [
        {m for s in f.sites if s in run.sites and (m := run.sites[s].meta.get("model"))}
        for f in (cause, symptom)
    ]
    return not (models[0] and models[1]) or bool(models[0] & models[1])


def _roots(findings: list[Finding], causes: list[list[int]]) -> set[int]:
    """Sick findings that nothing explains.

    Of statistical ones that the graph joins only the first stands; a proof stands by itself.
    """
    sick = [i for i, f in enumerate(findings) if f.level >= Level.SICK]
    free = [i for i in sick if not causes[i]]
    if not free and sick:
        free = sick[:1]  # a ring of mutual explanations: the likeliest opens it
    roots: set[int] = set()
    for i in free:
        rivals = [r for r in roots if _connected(findings, r, i)]
        if not rivals or _proven(findings[i]):
            roots.add(i)
    return roots


def _connected(findings: list[Finding], one: int, other: int) -> bool:
    """The graph joins them: one may lead to the other, or both to a symptom that was found."""
    first, second = findings[one].code, findings[other].code
    if leads_to(first, second) or leads_to(second, first):
        return True
    return any(leads_to(first, f.code) and leads_to(second, f.code) for f in findings)


# ---- the frame of the diagnosis ------------------------------------------------------------------
def _verdict(findings: Iterable[Finding]) -> Literal["healthy", "suspect", "sick"]:
    worst = max((f.level for f in findings), default=Level.NOTE)
    if worst >= Level.SICK:
        return "sick"
    return "suspect" if worst == Level.SUSPECT else "healthy"


def _overhead(run: Recording) -> float | None:
    """1 plus gradoctor's share of the run's time."""
    share = run.meta.get("overhead")
    if not isinstance(share, int | float) or not math.isfinite(share):
        return None
    return 1.0 + float(share) if share < 1.0 else float(share)


def _baseline(run: Recording) -> Baseline | None:
    try:
        known, site = level(run), leading_function(run)
    except Exception:  # a garbled recording still gets its diagnosis
        return None
    if known is None or site is None:
        return None
    kind = str(site.meta.get("function") or site.type)
    return Baseline(kind if kind in BASELINES else site.type or kind, known.baseline)
