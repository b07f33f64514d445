"""The report in a terminal: like a compiler's, the root cause first, quiet when all is well."""

from __future__ import annotations

from typing import Any

from gradoctor.knowledge.language import N_, Translator
from gradoctor.records import Diagnosis, Finding
from gradoctor.reporters import _digest as told
from gradoctor.reporters._layout import NARROWEST, Line, Span, cells, marked, pad, paint, wrap
from gradoctor.reporters._pictures import draw

_MODULES = 3  # places listed by name
_REMEDIES = 3  # more are a command away
_KNOCK_ONS = 6
_REASONS = 2
_LABELS = (N_("What"), N_("Where"), N_("Why"), N_("Sure"), N_("Do"), N_("So"))
_MARGIN = 2
_LABEL_ROOM = 38  # figures stand in a column behind their labels, if these are not too long


class TerminalReporter:
    """Plain text of a given width; colours and block elements on a terminal only."""

    def digest(self, diagnosis: Diagnosis, lang: str = "en") -> dict[str, Any]:
        """What the report says, as plain data."""
        return told.tell(diagnosis, lang)

    def render(
        self, diagnosis: Diagnosis, *, lang: str = "en", width: int = 80, color: bool = False
    ) -> str:
        """The report as text; without colour it is free of escape codes and box drawing."""
        page = _Report(lang, max(width, NARROWEST), color)
        page.write(self.digest(diagnosis, lang))
        return paint(page.lines, color=color)


def line(finding: Finding, diagnosis: Diagnosis, lang: str = "en") -> str:
    """A finding in one line, as a compiler says it: place, code, name, level, title."""
    entry = told.entry(finding, diagnosis, lang)
    spans = [*_head(entry), (f" {entry['title']}", "")]
    return paint([spans], color=False).rstrip("\n")


def _head(entry: dict[str, Any]) -> list[Span]:
    return [
        (entry["place"], "place"),
        (": ", ""),
        (f"{entry['code']} {entry['name']}", "name"),
        (" ", ""),
        (f"[{entry['level_words']}]", entry["level"]),
    ]


class _Report:
    def __init__(self, lang: str, width: int, color: bool) -> None:
        self._ = Translator(lang)
        self.lines: list[Line] = []
        self._width = width
        self._blocks = color
        self._body = _MARGIN + max(cells(self._(label)) for label in _LABELS) + 2

    def write(self, report: dict[str, Any]) -> None:
        style = "" if report["unseen"] else report["verdict"]
        self._put([("gradoctor: ", "strong"), (report["headline"], style)])
        for also in (report["ended"], report["unseen"]):
            if also:
                self._put([(also, "")], indent=2, hang=0)
        if report["lead"]:
            self._gap()
            self._lead(report["lead"])
        for other in report["others"]:
            if other["level"] == "suspect":
                continue
            self._gap()
            self._other(other)
        self._suspicions([o for o in report["others"] if o["level"] == "suspect"])
        self._probed(report["probed"])
        if report["lead"]:
            self._gap()
        self._footer(report)

    # ---- one finding -----------------------------------------------------------------------------
    def _lead(self, entry: dict[str, Any]) -> None:
        self._put(_head(entry), hang=4)
        self._what(entry)
        self._labelled(N_("Where"), [(self._where(entry), "")])
        self._why(entry)
        if entry["sure"]:
            self._labelled(N_("Sure"), [(entry["sure"], "")])
        self._do(entry["remedies"], entry["code"])
        self._knock_ons(entry)

    def _other(self, entry: dict[str, Any]) -> None:
        self._put(_head(entry), hang=4)
        self._what(entry)
        for remedy in entry["remedies"][:1]:
            self._labelled(N_("Do"), marked(remedy["text"]))
            self._code(remedy["code"])
        self._knock_ons(entry)

    def _suspicions(self, entries: list[dict[str, Any]]) -> None:
        """One line each: they are told, not argued."""
        if entries:
            self._gap()
        for entry in entries:
            self._put([*_head(entry), (f" {entry['title']}", "")], hang=4)

    def _probed(self, probed: list[dict[str, Any]]) -> None:
        """What other runs have shown, and what that changed."""
        if probed:
            self._gap()
        for row in probed:
            self._put([(row["said"], row["style"])], indent=2 * row["below"])

    def _what(self, entry: dict[str, Any]) -> None:
        title, summary = entry["title"], entry["summary"]
        self._labelled(N_("What"), [(title, "strong")])
        if summary:
            self._put(marked(summary), indent=self._body, hang=0)

    def _where(self, entry: dict[str, Any]) -> str:
        _ = self._
        names = entry["modules"]
        shown = ", ".join(names[:_MODULES])
        if len(names) > _MODULES:
            shown = _("{names} and {n} more", names=shown, n=len(names) - _MODULES)
        first, last = entry["first_step"], entry["last_step"]
        when = (
            _("step {first}", first=first)
            if last <= first
            else _("steps {first} to {last}", first=first, last=last)
        )
        return _("; ").join(part for part in (shown, when) if part)

    def _why(self, entry: dict[str, Any]) -> None:
        label: str = N_("Why")
        rows = entry["evidence"]
        names = [self._figure_label(row, entry["modules"][:1]) for row in rows]
        column = min(_LABEL_ROOM, max((cells(n) for n in names), default=0))
        for row, name in zip(rows, names, strict=True):
            said = row["said"]
            if row["limit"]:
                said = self._("{said}, {limit}", said=said, limit=row["limit"])
            space = " " * max(2, column - cells(name) + 2)
            self._labelled(label, [(name + space, ""), (said, "strong")], hang=2)
            label = ""
        label = self._picture(entry["picture"], label)
        if entry["in_doubt"]:
            found = self._("but seen: {names}", names=self._(", ").join(entry["in_doubt"]))
            self._labelled(label, [(found, "suspect")])
        elif entry["ruled_out"]:
            names_out = self._("ruled out: {names}", names=self._(", ").join(entry["ruled_out"]))
            self._labelled(label, [(names_out, "dim")])

    def _figure_label(self, row: dict[str, Any], known: list[str]) -> str:
        """What was measured; and where, unless it is the module the finding is about."""
        where = row["module"]
        if not where or any(where == name or where.startswith(f"{name}.") for name in known):
            return str(row["label"])
        return self._("{label} ({module})", label=row["label"], module=row["module"])

    def _picture(self, picture: dict[str, Any] | None, label: str) -> str:
        """Draw a picture under its title; the label is used up when something was drawn."""
        room = self._width - self._body - 2
        drawn = draw(picture, room, blocks=self._blocks) if picture and room >= 30 else []
        if not drawn or picture is None:
            return label
        title = str(picture.get("title", ""))
        if picture.get("limit"):
            title = self._("{said}, {limit}", said=title, limit=picture["limit"])
        self._labelled(label, [(title, "")])
        self.lines.extend([(" " * (self._body + 2), ""), *row] for row in drawn)
        return ""

    def _do(self, remedies: list[dict[str, Any]], code: str) -> None:
        shown = remedies[:_REMEDIES]
        label = N_("Do")
        for number, remedy in enumerate(shown, 1):
            count = f"{number}. " if len(shown) > 1 else ""
            self._labelled(label, [(count, ""), *marked(remedy["text"])], hang=len(count))
            self._code(remedy["code"], len(count))
            label = ""
        if len(remedies) > len(shown):
            more = self._(
                "{n} more: gradoctor explain {code}", n=len(remedies) - len(shown), code=code
            )
            self._put([(more, "dim")], indent=self._body, hang=0)

    def _code(self, code: str, indent: int = 0) -> None:
        for text in code.splitlines():
            at = self._body + indent + 2 + len(text) - len(text.lstrip(" "))
            self._put([(text.strip(), "code")], indent=min(at, self._width // 2))

    def _knock_ons(self, entry: dict[str, Any]) -> None:
        label: str = N_("So")
        effects = entry["knock_ons"]
        for effect in effects[:_KNOCK_ONS]:
            head = [(f"{effect['code']} {effect['name']} ", ""), (f"[{effect['level_words']}]", "")]
            self._labelled(label, [*head, (f" {effect['title']}", "dim")], hang=2)
            label = ""
        if len(effects) > _KNOCK_ONS:
            rest = self._("and {n} more", n=len(effects) - _KNOCK_ONS)
            self._labelled(label, [(rest, "dim")])

    # ---- the end ---------------------------------------------------------------------------------
    def _footer(self, report: dict[str, Any]) -> None:
        _ = self._
        if report["notes"]:
            names = list(dict.fromkeys(f"{n['code']} {n['name']}" for n in report["notes"]))
            self._put([(_("notes: {names}", names=", ".join(names)), "dim")])
        for what in report["lost"]:
            self._put([(_("lost: {what}", what=what), "suspect")])
        if not report["unseen"]:
            self._put([(self._checks(report), "dim")])
        for command in report["next"] if report["verdict"] != "healthy" else []:
            self._put([(_("next: "), "dim"), (command, "code")])

    def _checks(self, report: dict[str, Any]) -> str:
        _ = self._
        said = [_.plural("checked {n} rule", "checked {n} rules", report["checked"])]
        skipped = report["skipped"]
        total = sum(len(s["codes"]) for s in skipped)
        if skipped and report["verdict"] == "healthy":
            said.append(_("skipped {n}", n=total))
        elif skipped:
            reasons = [_("{why}: {n}", why=s["why"], n=len(s["codes"])) for s in skipped[:_REASONS]]
            rest = sum(len(s["codes"]) for s in skipped[_REASONS:])
            if rest:
                reasons.append(_("other reasons: {n}", n=rest))
            said.append(_("skipped {n} ({reasons})", n=total, reasons=_(", ").join(reasons)))
        if report["overhead"]:
            said.append(_("watching took {share} of the time", share=report["overhead"]))
        return _("; ").join(said)

    # ---- lines -----------------------------------------------------------------------------------
    def _labelled(self, label: str, spans: list[Span], hang: int = 0) -> None:
        """Text beside a label of the left margin; an empty label leaves the margin empty."""
        said = " " * _MARGIN + self._(label) if label else ""
        first = (pad(said, self._body), "label")
        self.lines.extend(wrap(spans, self._width, first, self._body + hang))

    def _put(self, spans: list[Span], *, indent: int = 0, hang: int = 2) -> None:
        """Text from an indentation on, its other lines ``hang`` further in."""
        self.lines.extend(wrap(spans, self._width, (" " * indent, ""), indent + hang))

    def _gap(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append([])
