"""Attention rows look at a single key."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.activations._attention import attending, told
from gradoctor.rules.evidence import persistence, recent_medians
from gradoctor.rules.evidence.robust import median

ONE_KEY = 0.05
RISEN = 2.0  # logits against their start: the witness


@rule(proof="statistical", needs=("attention.entropy", "attention.logit_max"))
def attention_entropy_collapse(run: Recording) -> Iterator[Finding]:
    """The entropy of attention rows fell to almost nothing, in all heads of a layer.

    Mechanism: mean entropy over the log of the visible keys is below .05 and less than half of what
    it was at the start, while the largest logit has doubled (another tensor: the same mechanism).
    Sharp heads are legitimate, so harm decides: diverged, stuck, or no progress while the loss is
    high. Without harm it is a note.

    Values: entropy, start, module, layers
    """
    now = recent_medians(run, "attention.logit_max")
    found = []
    for site, start in attending(run, "attention.entropy"):
        series = run.series("attention.entropy", site.id)
        past = persistence(run, series, ONE_KEY, side="below", clear=2 * ONE_KEY)
        before = median(run.series("attention.logit_max", site.id).values[:10])
        rose = now.get(site.id, 0.0) >= RISEN * before > 0
        if past.mechanism and past.value < 0.5 * start and rose:
            found.append((past, start, site))
    if found:
        found.sort(key=lambda f: f[0].value)
        yield told(run, "attention.entropy", ONE_KEY, found)
