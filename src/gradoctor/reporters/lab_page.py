"""All that the lab found, as one HTML page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gradoctor.knowledge.claims import VERDICTS, Claim
from gradoctor.knowledge.language import Translator
from gradoctor.lab.keeping import Kept
from gradoctor.reporters._markup import inline, tag, text
from gradoctor.reporters._page import Heading, figures, missing, page, text_lines
from gradoctor.reporters.lab import by_topic, digest, expectation, topic_words, versions_words

Data = dict[str, Any]

# Shows the claims of one verdict, and of the contents only what leads to them.
_SCRIPT = """\
const buttons = [...document.querySelectorAll(".filter button")];
const show = (value) => {
  for (const b of buttons) b.setAttribute("aria-pressed", String(b.value === value));
  for (const a of document.querySelectorAll("article[data-verdict]"))
    a.hidden = value !== "all" && a.dataset.verdict !== value;
  for (const s of document.querySelectorAll("section.topic"))
    s.hidden = !s.querySelector("article:not([hidden])");
  for (const li of document.querySelectorAll("nav li"))
    li.hidden = document.querySelector(li.firstChild.hash).hidden;
};
for (const b of buttons) b.addEventListener("click", () => show(b.value));
addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1));
  if (target?.hidden) show("all"), target.scrollIntoView();
});
"""
_WORDS = 60  # characters of a claim in the contents


def render_page(
    claims: Sequence[Claim], results: Mapping[int, Kept], failed: Mapping[int, str],
    lang: str = "en",
) -> str:  # fmt: skip
    """Every claim with its verdict, figures and pictures; what failed is told first.

    Args:
        failed: why the experiment of a claim failed in this run.
    """
    _ = Translator(lang)
    said = {
        c.number: digest(c, results.get(c.number), lang, failed.get(c.number, "")) for c in claims
    }
    contents, sections = [], []
    for topic, found in by_topic(claims).items():
        rows = [said[claim.number] for claim in found]
        words = topic_words(topic, _)
        parts = tuple((f"claim-{r['number']}", _brief(r)) for r in rows)
        contents.append(Heading(f"topic-{topic}", words, parts))
        articles = "\n".join(_article(row, lang) for row in rows)
        sections.append(
            f'<section class="topic" id="topic-{text(topic)}">{tag("h2", words)}\n'
            f"{articles}</section>"
        )
    body = [missing(lang), _summary(list(said.values()), results, lang), *sections]
    return page(_("Claims put to the test"), lang, contents, "\n".join(body), _SCRIPT)


def _brief(said: Data) -> str:
    words = said["text"]
    return f"{said['number']}. {words if len(words) <= _WORDS else words[:_WORDS].rstrip() + '…'}"


def _state(said: Data) -> str:
    """What the filter goes by: a verdict, or that there is none."""
    return said["verdict"] or ("failed" if said["failed"] else "untested")


def _states(lang: str) -> dict[str, str]:
    _ = Translator(lang)
    verdicts = {verdict: words.told(lang) for verdict, words in VERDICTS.items()}
    return {**verdicts, "failed": _("failed"), "untested": _("not tested")}


# ---- the head of the page ------------------------------------------------------------------------
def _summary(said: Sequence[Data], results: Mapping[int, Kept], lang: str) -> str:
    _ = Translator(lang)
    seen = Counter(_state(row) for row in said)
    words = _states(lang)
    buttons = [("all", _("all"), len(said))]
    buttons += [(state, words[state], seen[state]) for state in words if seen[state]]
    pressed, label = {"all": "true"}, _("verdict")
    parts = [
        f'<div class="filter" role="group" aria-label="{text(label)}">',
        *(
            f'<button type="button" value="{state}" aria-pressed="{pressed.get(state, "false")}"'
            f' class="{state}">{text(name)} {n}</button>'
            for state, name, n in buttons
        ),
        "</div>",
        _listed(_("The experiment failed"), (r for r in said if r["failed"]), "failed"),
        _listed(_("The verdict is not the expected one"), (r for r in said if not r["agrees"])),
        _listed(
            _("The verdict has changed since an earlier run"), (r for r in said if r["changed"])
        ),
        tag("p", _ran(results, lang), "soft"),
    ]
    return "\n".join(part for part in parts if part)


def _listed(title: str, rows: Iterable[Data], kind: str = "partly") -> str:
    """Links to some of the claims; nothing when there are none."""
    links = [f'<li><a href="#claim-{r["number"]}">{text(_brief(r))}</a></li>' for r in rows]
    return f"{tag('h3', title, kind)}<ul>{''.join(links)}</ul>" if links else ""


def _ran(results: Mapping[int, Kept], lang: str) -> str:
    """On what, when, and for how long the experiments ran."""
    _ = Translator(lang)
    if not results:
        return _("No experiment has run yet.")
    kept = list(results.values())
    said = [
        _.plural("{n} experiment", "{n} experiments", len(kept)),
        _("{seconds:.0f} s of one core", seconds=sum(k.seconds for k in kept)),
        *sorted({versions_words(k) for k in kept}),
        *sorted({_("{cores} cores ({system})", **k.machine) for k in kept}),
        "–".join(sorted({min(k.date[:10] for k in kept), max(k.date[:10] for k in kept)})),
    ]
    return _("; ").join(said)


# ---- a claim -------------------------------------------------------------------------------------
def _article(said: Data, lang: str) -> str:
    _ = Translator(lang)
    state = _state(said)
    badge = tag("span", _states(lang)[state], f"badge {state}")
    parts = [
        f"<h3>{said['number']}. {text(said['text'])}</h3>",
        f"<p>{badge} {_beside(said, lang)}</p>",
    ]
    if said["failed"]:
        parts.append(f"<pre>{text_lines(said['failed'])}</pre>")
    if said["changed"]:
        parts.append(tag("p", said["changed"], "changed"))
    rows = [(_("Measured"), said["measured"]), (_("Why"), said["why"])]
    terms = "".join(f"{tag('dt', label)}<dd>{inline(row)}</dd>" for label, row in rows if row)
    parts += [f"<dl>{terms}</dl>", figures(said["pictures"], lang, f"claim-{said['number']}")]
    if said["figures"]:
        head = tag("summary", _("all figures"))
        cells = "".join(
            f"<tr>{tag('td', n)}{tag('td', value)}</tr>" for n, value in said["figures"]
        )
        parts.append(f"<details>{head}<table>{cells}</table></details>")
    if said["run"]:
        parts.append(tag("p", said["run"], "soft"))
    return f'<article id="claim-{said["number"]}" data-verdict="{state}">{"".join(parts)}</article>'


def _beside(said: Data, lang: str) -> str:
    """What stands beside the verdict."""
    if said["verdict"] is None:
        return ""
    return tag("span", expectation(said, lang), "soft" if said["agrees"] else "partly")
