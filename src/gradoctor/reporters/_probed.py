"""What a report says of the probes: their answers in a line each, and what these changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradoctor.knowledge.figures import fill
from gradoctor.knowledge.language import Translator
from gradoctor.records import Diagnosis, Level
from gradoctor.reporters._probe_words import CAUTIONS, SAID, UNSEEN, Said
from gradoctor.reporters._words import LEVELS
from gradoctor.rules import RULES


def named(code: str) -> str:
    """A code and the name of its rule."""
    return f"{code} {RULES[code].name}" if code in RULES else code


def probed(diagnosis: Diagnosis, lang: str) -> list[dict[str, Any]]:
    """Rows of ``said``, ``style``, and ``below`` (it belongs to a row above).

    First the answers, each with what it means, then the findings that they changed.
    """
    known = diagnosis.meta.get("probed")
    if not known:
        return []
    _ = Translator(lang)
    rows = []
    for answer in known["answers"]:
        style = "sick" if answer.get("bad") else "strong"
        rows.append({"said": _answer(answer, lang), "style": style, "below": False})
        means = fill(_words(answer).means.told(_.lang), answer.get("values") or {})
        rows.append({"said": means, "style": "dim", "below": True})
    told = [c for c in known["changes"] if _level(c["before"]) != _level(c["after"])]
    changes = [_change(c, lang) for c in told] or [_("no finding changes by that")]
    return rows + [{"said": said, "style": "", "below": True} for said in changes]


def _answer(answer: Mapping[str, Any], lang: str) -> str:
    _ = Translator(lang)
    said = _words(answer).title.told(_.lang)
    text = _("probed {name}: {said}", name=answer.get("name"), said=said)
    if "cut-short" in (answer.get("cautions") or ()):
        text += _(" (but {caution})", caution=CAUTIONS["cut-short"].told(_.lang))
    return text


def _words(answer: Mapping[str, Any]) -> Said:
    return SAID.get((str(answer.get("name")), str(answer.get("verdict"))), UNSEEN)


def _change(change: Mapping[str, Any], lang: str) -> str:
    """A finding's level before and after, as what was done to it."""
    _ = Translator(lang)
    before, after = (_level(change[key]) for key in ("before", "after"))
    words = {
        "name": named(change["code"]),
        "before": LEVELS[before.name.lower()].told(_.lang),
        "after": LEVELS[after.name.lower()].told(_.lang),
    }
    if after == Level.NOTE:
        return _("{name}: let go (was {before})", **words)
    if change["before"] is None:
        return _("{name}: found by it ({after})", **words)
    if after > before:
        return _("{name}: raised to {after} (was {before})", **words)
    return _("{name}: lowered to {after} (was {before})", **words)


def _level(name: str | None) -> Level:
    return Level.NOTE if name is None else Level[name.upper()]
