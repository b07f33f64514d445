"""Attention logits grow without bound."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.activations._attention import attending, is_harmed
from gradoctor.rules.evidence import as_pairs, cautious, persistence
from gradoctor.rules.evidence.exclusions import fine_tuning

LARGE = 50.0  # e^50: the largest key takes all
GREW = 8.0  # three doublings since the start


@rule(proof="statistical", needs=("attention.logit_max",))
def attention_logit_growth(run: Recording) -> Iterator[Finding]:
    """The largest attention logit, before masks, is far beyond what softmax can tell apart.

    Mechanism: over 50, and at least eightfold since the start. Harm: the loss diverged, is stuck,
    or makes no progress while still high; without it, a note.

    Values: largest, start, module, layers
    """
    found = []
    for site, start in attending(run, "attention.logit_max"):
        series = run.series("attention.logit_max", site.id)
        past = persistence(run, series, LARGE, side="above", clear=LARGE / 2)
        if past.mechanism and start > 0 and past.value >= GREW * start:
            found.append((past, start, site))
    if not found:
        return
    past, start, worst = max(found, key=lambda f: f[0].value)
    exclusions = (fine_tuning(run),)
    yield Finding(
        level=cautious(
            persists=any(p.holds for p, _, _ in found),
            harm=is_harmed(run),
            exclusions=exclusions,
        ),
        sites=tuple(s.id for _, _, s in sorted(found, key=lambda f: -f[0].value)),
        first_step=min(p.first for p, _, _ in found),
        last_step=max(p.last for p, _, _ in found),
        values={
            "largest": past.value, "start": start, "module": worst.name, "layers": len(found),
        },
        evidence=(Evidence("attention.logit_max", past.value, LARGE, "", worst.id),),
        exclusions=as_pairs(exclusions),
    )  # fmt: skip
