"""A probe's answer in a terminal: what was done, seen, what it means, what next, and the losses."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

from gradoctor.knowledge.figures import figure, fill
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Plot
from gradoctor.probes import Answer
from gradoctor.reporters._layout import NARROWEST, Line, paint, wrap
from gradoctor.reporters._probe_words import (
    CAUTIONS,
    DID,
    HEADS,
    LABELS,
    LOOKS,
    RIGHT,
    SAID,
    UNSEEN,
)
from gradoctor.reporters.plots.terminal import draw

_FEWEST = 10  # steps that make a curve


def picture(found: Answer) -> Plot | None:
    """The loss of each arm by step; None where there is too little to draw."""
    curves = [
        Curve(LABELS.get(name, Words.same(name)), tuple(map(float, range(len(losses)))), losses)
        for name, losses in found.arms.items()
        if sum(map(math.isfinite, losses)) >= _FEWEST
    ]
    if not curves or found.probe in ("causal", "init"):
        return None
    seen = [y for curve in curves for y in curve.y if math.isfinite(y)]
    wide = min(seen) > 0 and max(seen) > 30 * min(seen)
    return Plot(
        Words("Loss by step", "各步的损失"), Words("step", "步"), Words("loss", "损失"),
        tuple(curves), log_y=wide,
    )  # fmt: skip


def digest(found: Answer, lang: str = "en") -> dict[str, Any]:
    """What is said, as plain data."""
    said = SAID.get((found.probe, found.verdict), UNSEEN)
    values = {**found.values, "steps": found.steps}
    values |= {"table": table(values, lang), "looked": len(values.get("looks") or ())}
    values["right"] = "" if values.get("accuracy") is None else fill(RIGHT.told(lang), values)
    return {
        "probe": found.probe, "verdict": found.verdict, "bad": found.bad,
        "title": said.title.told(lang),
        **{
            key: fill(words.told(lang), values)
            for key, words in (
                ("done", DID[found.probe]), ("seen", said.saw), ("means", said.means),
                ("next", said.next),
            )
        },
        "cautions": [CAUTIONS[key].told(lang) for key in found.cautions],
        "place": place(found.values),
    }  # fmt: skip


def table(values: Mapping[str, Any], lang: str) -> str:
    """The looks of the probe sharpness in words; '' without any."""
    rows = ", ".join(
        f"{look['step']}: {figure(look['ratio'])}{'+' if look['rose'] else ''}"
        for look in values.get("looks") or ()
    )
    return fill(LOOKS.told(lang), {"rows": rows}) if rows else ""


def place(values: Mapping[str, Any]) -> str:
    """The line that the answer points to, or ''."""
    file = values.get("file")
    if not file:
        return ""
    inside = os.path.relpath(file)
    return f"{file if inside.startswith('..') else inside}:{values.get('line')}"


def render(found: Answer, lang: str = "en", width: int = 80, color: bool = False,
           plain: bool = False) -> str:  # fmt: skip
    """The answer as text."""
    width = max(width, NARROWEST)
    said = digest(found, lang)
    style = "sick" if found.bad else "healthy"
    lines: list[Line] = wrap(
        [("gradoctor: ", "strong"), (f"{found.probe}: ", "name"), (said["title"], style)], width
    )
    if said["place"]:
        lines.append([("  ", ""), (said["place"], "place")])
    entries = [(key, said[key]) for key in ("done", "seen", "means", "next")]
    entries += [("caution", text + ".") for text in said["cautions"]]
    for key, text in entries:
        lines += wrap([(f"{HEADS[key].told(lang)} ", "label"), (text, "")], width, ("  ", ""), 4)
    drawn = picture(found)
    if drawn is not None:
        lines += [[], *draw(drawn, width, lang, plain=plain)]
    return paint(lines, color=color)
