"""The formulary: a list and a page in a terminal, and all of it as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gradoctor.knowledge.formulary import KINDS, Entry
from gradoctor.knowledge.language import Translator
from gradoctor.reporters._code import code_lines
from gradoctor.reporters._layout import (
    NARROWEST,
    Line,
    Span,
    cells,
    marked,
    pad,
    paint,
    shorten,
    wrap,
)
from gradoctor.reporters._markup import coloured, inline, tag, text
from gradoctor.reporters._page import Heading, figures, missing, page, text_lines
from gradoctor.reporters.plots.terminal import draw

Data = dict[str, Any]

_NAME, _TITLE = 24, 30  # cells of the columns of the list
_LABEL = 20  # longer labels have a line of their own


# ---- what is said --------------------------------------------------------------------------------
def digest(entry: Entry, lang: str) -> Data:
    """An entry in the reader's language.

    Keys: ``name``, ``kind``, ``title``, ``facts`` and ``details`` (rows of a label and its texts;
    those of a formula's lines are ``mathematics``), ``torch``, ``code``, ``reference``, ``also``,
    ``pictures``.
    """
    _ = Translator(lang)
    mathematics = (
        (_("Formula"), entry.formula),
        (_("Derivative"), entry.derivative),
        (_("Range"), entry.range),
        (_("Limits"), entry.limits),
    )
    prose = (
        (_("Gradient"), entry.gradient),
        (_("Cost"), entry.cost),
        (_("Use it"), entry.use),
        (_("Avoid it"), entry.avoid),
    )
    return {
        "name": entry.name,
        "kind": KINDS[entry.kind].told(lang),
        "title": entry.title.told(lang),
        "facts": [
            *(
                _row(label, said.splitlines(), mathematics=True)
                for label, said in mathematics
                if said
            ),
            *(_row(label, [said.told(lang)]) for label, said in prose if said.told(lang)),
        ],
        "details": _details(entry, lang),
        "torch": entry.torch,
        "code": entry.code,
        "reference": entry.reference,
        "also": list(entry.aliases),
        "pictures": entry.draw(),
    }


def _row(label: str, texts: Sequence[str], *, mathematics: bool = False) -> Data:
    return {"label": label, "texts": list(texts), "mathematics": mathematics}


def _details(entry: Entry, lang: str) -> list[Data]:
    """The entry's own rows; neighbours of one label are one row of several texts."""
    rows: list[Data] = []
    for label, said in entry.details():
        if rows and rows[-1]["label"] == label.told(lang):
            rows[-1]["texts"].append(said.told(lang))
        else:
            rows.append(_row(label.told(lang), [said.told(lang)]))
    return rows


def listing(entries: Iterable[Entry], lang: str) -> list[Data]:
    """The entries by kind: ``kind``, ``title``, and ``rows`` of name, title and first formula."""
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        kinds.setdefault(entry.kind, []).append(entry)
    return [
        {
            "kind": kind,
            "title": KINDS[kind].told(lang),
            "rows": [
                {"name": e.name, "title": e.title.told(lang),
                 "formula": " ".join(e.formula.split("\n", 1)[0].split())}
                for e in found
            ],
        }
        for kind, found in kinds.items()
    ]  # fmt: skip


# ---- in a terminal -------------------------------------------------------------------------------
def render_list(
    entries: Iterable[Entry], lang: str = "en", width: int = 80, color: bool = False
) -> str:
    """One line to each entry, by kind."""
    _ = Translator(lang)
    width = max(width, NARROWEST)
    kinds = listing(entries, lang)
    rows = [row for kind in kinds for row in kind["rows"]]
    name = min(max((cells(row["name"]) for row in rows), default=0), _NAME, width // 3)
    title = min(max((cells(row["title"]) for row in rows), default=0), _TITLE, width * 3 // 8)
    lines: list[Line] = []
    for kind in kinds:
        lines.append([(kind["title"], "label")])
        for row in kind["rows"]:
            room = max(0, width - name - title - 6)
            lines.append([
                ("  " + pad(shorten(row["name"], name), name) + "  ", "name"),
                (pad(shorten(row["title"], title), title) + "  ", ""),
                (shorten(row["formula"], room), "dim"),
            ])  # fmt: skip
        lines.append([])
    said = _.plural("{n} entry", "{n} entries", len(rows))
    more = _("gradoctor formulary NAME tells more of one")
    lines += wrap([(f"{said}{_('; ')}{more}", "dim")], width)
    return paint(lines, color=color)


def render_entry(
    entry: Entry, lang: str = "en", width: int = 80, color: bool = False, plain: bool = False
) -> str:
    """The page of an entry, its pictures drawn as characters.

    Args:
        plain: pictures in ASCII.
    """
    _ = Translator(lang)
    width = max(width, NARROWEST)
    said = digest(entry, lang)
    head = [(said["title"], "name"), (f"  {said['name']}, {said['kind']}", "dim")]
    lines: list[Line] = [*wrap(head, width, more=2), []]
    labels = [row["label"] for row in said["facts"]] + [_("PyTorch"), _("Reference"), _("Also")]
    column = max(map(cells, labels)) + 2
    lines += _rows(said["facts"], width, column)
    if said["details"]:
        lines += [[], *_rows(said["details"], width, _LABEL)]
    name = [(said["torch"], "code")] if said["torch"] else [(_("not in PyTorch"), "")]
    lines += [[], *wrap(name, width, (pad(_("PyTorch"), column), "label"), column)]
    lines += code_lines(said["code"], width, column)
    lines += [
        [],
        *wrap([(said["reference"], "")], width, (pad(_("Reference"), column), "label"), column),
    ]
    if said["also"]:
        also = ", ".join(said["also"])
        lines += wrap([(also, "dim")], width, (pad(_("Also"), column), "label"), column)
    for picture in said["pictures"]:
        lines += [[], *draw(picture, width, lang, plain=plain)]
    return paint(lines, color=color)


def _rows(rows: Iterable[Data], width: int, column: int) -> list[Line]:
    """Texts behind their labels; a label that is too long stands above."""
    lines: list[Line] = []
    for row in rows:
        label = row["label"]
        if cells(label) > column - 2:
            lines += wrap([(label, "label")], width)
            label = ""
        for said in row["texts"]:
            spans: list[Span] = [(said, "strong")] if row["mathematics"] else marked(said)
            lines += wrap(spans, width, (pad(label, column), "label"), column)
            label = ""
    return lines


# ---- as a page -----------------------------------------------------------------------------------
def render_page(entries: Sequence[Entry], lang: str = "en") -> str:
    """One HTML page of the entries, with their pictures."""
    _ = Translator(lang)
    kinds = listing(entries, lang)
    contents = [
        Heading(f"kind-{kind['kind']}", kind["title"],
                tuple((row["name"], row["title"]) for row in kind["rows"]))
        for kind in kinds
    ]  # fmt: skip
    parts = [missing(lang)]
    for kind in kinds:
        parts.append(f'<h2 id="kind-{kind["kind"]}">{text(kind["title"])}</h2>')
        parts += (_article(entry, lang) for entry in entries if entry.kind == kind["kind"])
    return page(_("The formulary of gradoctor"), lang, contents, "\n".join(parts))


def _article(entry: Entry, lang: str) -> str:
    _ = Translator(lang)
    said = digest(entry, lang)
    rows = [_definition(row) for row in (*said["facts"], *said["details"])]
    name = tag("code", said["torch"]) if said["torch"] else text(_("not in PyTorch"))
    rows.append(f"{tag('dt', _('PyTorch'))}<dd>{name}{coloured(said['code'])}</dd>")
    rows.append(f"{tag('dt', _('Reference'))}{tag('dd', said['reference'])}")
    if said["also"]:
        rows.append(f"{tag('dt', _('Also'))}{tag('dd', ', '.join(said['also']))}")
    head = text(said["title"]) + tag("span", said["name"], "name")
    pictures = figures(said["pictures"], lang, said["name"])
    return (
        f'<article id="{text(said["name"])}"><h3>{head}</h3>\n'
        f"<dl>{''.join(rows)}</dl>\n{pictures}</article>"
    )


def _definition(row: Data) -> str:
    if row["mathematics"]:
        lines = text_lines("\n".join(row["texts"]))
        return f'{tag("dt", row["label"])}<dd class="formula">{lines}</dd>'
    texts = "".join(f"<p>{inline(said)}</p>" for said in row["texts"])
    return f"{tag('dt', row['label'])}<dd>{texts}</dd>"
