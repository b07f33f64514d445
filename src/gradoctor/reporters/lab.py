"""The lab in a terminal: the list of claims, what came of one, and how a run went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gradoctor.knowledge.claims import VERDICTS, Claim
from gradoctor.knowledge.language import N_, Translator
from gradoctor.lab.keeping import Kept
from gradoctor.reporters._layout import NARROWEST, Line, Span, cells, marked, pad, paint, wrap
from gradoctor.reporters.plots.terminal import draw

Data = dict[str, Any]

TOPICS = {
    "depth": N_("depth"),
    "activations": N_("activations"),
    "initialisation": N_("initialisation"),
    "losses": N_("losses"),
    "normalisation": N_("normalisation"),
    "optimisation": N_("optimisation"),
}
STYLES = {"true": "healthy", "partly": "suspect", "false": "sick", "depends": "note"}
_NONE = "—"


# ---- what is said --------------------------------------------------------------------------------
def digest(claim: Claim, kept: Kept | None, lang: str, failed: str = "") -> Data:
    """A claim and what came of it.

    Keys: ``number``, ``topic``, ``text``, ``why``, ``verdict`` and ``expected`` (keys of
    ``VERDICTS``; the first None without a result), ``agrees``, ``measured``, ``changed`` (a
    sentence, or empty), ``failed``, ``run`` (a sentence), ``figures``, ``pictures``.
    """
    _ = Translator(lang)
    outcome = kept.outcome if kept else None
    return {
        "number": claim.number,
        "topic": topic_words(claim.topic, _),
        "text": claim.text.told(lang),
        "why": claim.why.told(lang),
        "verdict": outcome.verdict if outcome else None,
        "expected": claim.expected,
        "agrees": outcome is None or outcome.verdict == claim.expected,
        "measured": outcome.measured.told(lang) if outcome else "",
        "changed": _changed(kept, _),
        "failed": failed,
        "run": _run(kept, _),
        "figures": [(name, str(spread)) for name, spread in outcome.figures.items()]
        if outcome
        else [],
        "pictures": outcome.pictures if outcome else (),
    }


def topic_words(topic: str, _: Translator) -> str:
    """A topic in the reader's language."""
    return _(TOPICS.get(topic, topic))


def verdict_words(verdict: str | None, lang: str) -> str:
    """A verdict in the reader's language; a dash where there is none."""
    return VERDICTS[verdict].told(lang) if verdict else _NONE


def expectation(said: Data, lang: str) -> str:
    """Whether the verdict is the expected one."""
    _ = Translator(lang)
    if said["agrees"]:
        return _("as expected")
    return _("expected: {verdict}", verdict=verdict_words(said["expected"], lang))


def _changed(kept: Kept | None, _: Translator) -> str:
    before = kept.changed_from if kept else None
    if before is None:
        return ""
    return _(
        "an earlier run said: {verdict} ({date}, gradoctor {gradoctor}, torch {torch})",
        verdict=verdict_words(before.verdict, _.lang), date=before.date[:10],
        gradoctor=before.gradoctor, torch=before.torch,
    )  # fmt: skip


def _run(kept: Kept | None, _: Translator) -> str:
    if kept is None:
        return ""
    seeds = kept.outcome.seeds
    said = [
        _.plural("{n} seed: median and range", "{n} seeds: median and range", seeds)
        if seeds > 1
        else _("one run: chance plays no part"),
        _("{seconds:.1f} s on {cores} cores", seconds=kept.seconds, cores=kept.machine["cores"]),
        kept.date[:16].replace("T", " "),
        versions_words(kept),
    ]
    return _("; ").join(said)


def versions_words(kept: Kept) -> str:
    """What a result was measured with."""
    return "gradoctor {gradoctor}, torch {torch}, Python {python}".format(**kept.versions)


def by_topic(claims: Iterable[Claim]) -> dict[str, list[Claim]]:
    """The claims of each topic, topics in the order of the ledger."""
    topics: dict[str, list[Claim]] = {topic: [] for topic in TOPICS}
    for claim in claims:
        topics.setdefault(claim.topic, []).append(claim)
    return {topic: found for topic, found in topics.items() if found}


# ---- in a terminal -------------------------------------------------------------------------------
def render_list(
    claims: Iterable[Claim], results: Mapping[int, Kept], current: Iterable[int],
    lang: str = "en", width: int = 80, color: bool = False,
) -> str:  # fmt: skip
    """All claims by topic with their verdicts; results of other versions are marked.

    Args:
        current: numbers whose results are of this version and these sources.
    """
    _ = Translator(lang)
    width, fresh = max(width, NARROWEST), set(current)
    column = max(cells(words.told(lang)) for words in VERDICTS.values()) + 2
    lines: list[Line] = []
    stale = False
    for topic, found in by_topic(claims).items():
        lines.append([(topic_words(topic, _), "label")])
        for claim in found:
            kept = results.get(claim.number)
            old = kept is not None and claim.number not in fresh
            stale |= old
            verdict = kept.outcome.verdict if kept else None
            words = verdict_words(verdict, lang) + ("*" if old else "")
            head = (f"{claim.number:4}  " + pad(words, column), STYLES.get(verdict or "", "dim"))
            lines += wrap([(claim.text.told(lang), "")], width, head, 6 + column)
        lines.append([])
    if stale:
        lines += wrap([(_("* from a run of another version"), "dim")], width)
    more = _("gradoctor lab NUMBER tests one; gradoctor lab --all tests them all")
    lines += wrap([(more, "dim")], width)
    return paint(lines, color=color)


def render_claim(
    said: Data, lang: str = "en", width: int = 80, color: bool = False, plain: bool = False
) -> str:
    """What came of a claim: the verdict, what was measured, why, and the picture.

    Args:
        said: what ``digest`` gave.
        plain: pictures in ASCII.
    """
    _ = Translator(lang)
    width = max(width, NARROWEST)
    head = [(f"{said['number']}. {said['text']}", "name"), (f"  {said['topic']}", "dim")]
    lines: list[Line] = [*wrap(head, width, more=2), []]
    rows: list[tuple[str, list[Span]]] = [(_("Verdict"), _verdict(said, lang))]
    if said["failed"]:
        rows += [(_("Failed"), [(line, "sick")]) for line in said["failed"].splitlines()[:1]]
        rows += [("", [(line, "dim")]) for line in said["failed"].splitlines()[1:]]
    rows += [
        (_("Changed"), [(said["changed"], "suspect")]),
        (_("Measured"), marked(said["measured"])),
        (_("Why"), marked(said["why"])),
        (_("Run"), [(said["run"], "dim")]),
    ]
    shown = [(label, spans) for label, spans in rows if any(text for text, _ in spans)]
    column = max(cells(label) for label, _ in shown) + 2
    for label, spans in shown:
        lines += wrap(spans, width, (pad(label, column), "label"), column)
    for picture in said["pictures"]:
        lines += [[], *draw(picture, width, lang, plain=plain)]
    return paint(lines, color=color)


def _verdict(said: Data, lang: str) -> list[Span]:
    verdict = said["verdict"]
    words: Span = (verdict_words(verdict, lang), STYLES.get(verdict or "", "dim"))
    if verdict is None:
        return [words]
    return [words, (f"  {expectation(said, lang)}", "dim" if said["agrees"] else "suspect")]


def counted(digests: Iterable[Data], lang: str) -> str:
    """How many claims got which verdict, in one line."""
    _ = Translator(lang)
    seen = Counter(said["verdict"] for said in digests)
    return _(", ").join(
        _("{verdict}: {n}", verdict=verdict_words(verdict, lang), n=seen[verdict])
        for verdict in VERDICTS
        if seen[verdict]
    )


def line(said: Data, lang: str) -> str:
    """A claim in one line, as a run goes on: its number and what came of it."""
    _ = Translator(lang)
    if said["failed"]:
        reason = said["failed"].splitlines()
        last = reason[-1] if len(reason) == 1 else f"{reason[0]}: {reason[-1]}"
        return _("{number} failed: {why}", number=said["number"], why=last)
    words = verdict_words(said["verdict"], lang)
    told = words if said["agrees"] else f"{words} ({expectation(said, lang)})"
    return f"{said['number']} {told}"
