"""The report in a notebook: one self-contained fragment, for light and dark pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from gradoctor.knowledge.language import Translator
from gradoctor.records import Diagnosis
from gradoctor.reporters import _digest as told
from gradoctor.reporters._markup import code, inline, tag, text
from gradoctor.reporters._pictures import bar_rows, shares


class HtmlReporter:
    """The same digest as the terminal's; everything that comes from the run is escaped."""

    def digest(self, diagnosis: Diagnosis, lang: str = "en") -> dict[str, Any]:
        """What the report says, as plain data."""
        return told.tell(diagnosis, lang)

    def render(
        self, diagnosis: Diagnosis, *, lang: str = "en", width: int = 80, color: bool = False
    ) -> str:
        """The fragment; width and colour are the page's own matter here."""
        _ = Translator(lang)
        report = self.digest(diagnosis, lang)
        style = (files("gradoctor.reporters") / "report.css").read_text(encoding="utf-8")
        parts = [
            f"<style>{style}</style>",
            tag("p", "gradoctor: " + report["headline"], f"headline {report['verdict']}"),
            *(tag("p", also) for also in (report["ended"], report["unseen"]) if also),
            *(_finding(report["lead"], _) if report["lead"] else ()),
            *(part for other in report["others"] for part in _finding(other, _, brief=True)),
            *_foot(report, _),
        ]
        return f'<div class="gradoctor" lang="{_.lang.replace("_", "-")}">{"".join(parts)}</div>'


def _finding(entry: Mapping[str, Any], _: Translator, *, brief: bool = False) -> list[str]:
    head = (
        tag("code", entry["place"], "place")
        + tag("b", f"{entry['code']} {entry['name']}")
        + tag("span", entry["level_words"], f"level {entry['level']}")
    )
    parts = [f"<h4>{head}</h4>", tag("p", entry["title"], "title")]
    if entry["summary"]:
        parts.append(f"<p>{inline(entry['summary'])}</p>")
    if not brief:
        if entry["modules"]:
            parts.append(_row(_("Where"), text(", ".join(entry["modules"][:8]))))
        parts.append(_row(_("Why"), _why(entry, _)))
        parts.append(_row(_("Sure"), text(entry["sure"] or "")))
    remedies = entry["remedies"][: 1 if brief else 3]
    parts.append(_row(_("Do"), "".join(_remedy(r) for r in remedies), "ol"))
    effects = "".join(
        f"<li>{tag('b', e['code'] + ' ' + e['name'])} {text(e['title'])}</li>"
        for e in entry["knock_ons"]
    )
    parts.append(_row(_("So"), effects, "ul"))
    return ["<section>", *parts, "</section>"]


def _row(label: str, inner: str, element: str = "div") -> str:
    """A labelled part; nothing when there is nothing to say."""
    if not inner:
        return ""
    return f'<div class="row">{tag("span", label, "label")}<{element}>{inner}</{element}></div>'


def _why(entry: Mapping[str, Any], _: Translator) -> str:
    rows = "".join(
        f"<tr>{tag('td', r['label'])}{tag('td', r['module'] or '')}"
        f"{tag('td', r['said'], 'said')}{tag('td', r['limit'] or '')}</tr>"
        for r in entry["evidence"]
    )
    table = f"<table>{rows}</table>" if rows else ""
    doubt = entry["in_doubt"]
    seen = _("but seen: {names}", names=_(", ").join(doubt)) if doubt else ""
    return table + _picture(entry["picture"]) + (tag("p", seen) if seen else "")


def _picture(picture: Mapping[str, Any] | None) -> str:
    """Bars only: a notebook has better means for curves."""
    if not picture or picture.get("kind") != "bars":
        return ""
    rows = bar_rows(picture)
    lengths = shares([value for _, value, _ in rows], log=bool(picture.get("log")))
    bars = "".join(
        f'<tr>{tag("td", label)}<td class="bar"><i style="width:{100 * length:.1f}%"></i></td>'
        f"{tag('td', said, 'said')}</tr>"
        for (label, _, said), length in zip(rows, lengths, strict=True)
    )
    return tag("p", picture.get("title", "")) + f'<table class="bars">{bars}</table>'


def _remedy(remedy: Mapping[str, Any]) -> str:
    return f"<li>{inline(remedy['text'])}{code(remedy['code'])}</li>"


def _foot(report: Mapping[str, Any], _: Translator) -> list[str]:
    said: list[str] = [row["said"] for row in report["probed"]]
    names: Sequence[str] = [f"{n['code']} {n['name']}" for n in report["notes"]]
    if names:
        said.append(_("notes: {names}", names=", ".join(dict.fromkeys(names))))
    said.extend(_("lost: {what}", what=what) for what in report["lost"])
    checked = _.plural("checked {n} rule", "checked {n} rules", report["checked"])
    skipped = sum(len(s["codes"]) for s in report["skipped"])
    cost = report["overhead"]
    said.append(
        _("; ").join(
            part
            for part in (
                checked,
                _("skipped {n}", n=skipped) if skipped else "",
                _("watching took {share} of the time", share=cost) if cost else "",
            )
            if part
        )
    )
    return [tag("p", line, "foot") for line in said]
