"""Attention logits grow without bound."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.activations._attention import attending, told
from gradoctor.rules.evidence import persistence

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
    if found:
        found.sort(key=lambda f: -f[0].value)
        yield told(run, "attention.logit_max", LARGE, found)
