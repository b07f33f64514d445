"""Weight decay takes away what the gradient has learnt."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, no_progress, recent_medians, stuck
from gradoctor.rules.evidence.exclusions import converged, schedule_tail

SHARE = 0.5
LAYERS = 0.5


@rule(proof="statistical", needs=("update.decay_rms", "update.rms"))
def over_regularised(run: Recording) -> Iterator[Finding]:
    """In most layers weight decay moves the weights as much as the gradient does.

    In equilibrium the two cancel, which is as it should be where a norm follows; so it is judged
    only where the loss stands still far from good: suspect. Otherwise it is no finding.

    Values: share (of decay in the update), layers, decay
    """
    decay, update = (recent_medians(run, f"update.{n}") for n in ("decay_rms", "rms"))
    matrices = [
        s.id for s in run.of_kind("parameter")
        if len(s.meta.get("shape") or ()) > 1 and s.id in decay and s.id in update
    ]  # fmt: skip
    shares = {s: decay[s] / max(decay[s] + update[s], 1e-30) for s in matrices}
    heavy = sorted((s for s in shares if shares[s] >= SHARE), key=lambda s: -shares[s])
    if not heavy or len(heavy) < LAYERS * len(matrices):
        return
    exclusions = (converged(run), schedule_tail(run))
    if not (stuck(run).found or no_progress(run).found) or any(e.found for e in exclusions):
        return
    optimizer = next((s for s in run.of_kind("optimizer") if s.meta.get("weight_decay")), None)
    yield Finding(
        Level.SUSPECT, tuple(heavy), 0, max(0, run.steps - 1),
        {"share": shares[heavy[0]], "layers": len(heavy),
         "decay": float(optimizer.meta["weight_decay"]) if optimizer is not None else 0.0},
        (Evidence("update.decay_rms", shares[heavy[0]], SHARE, "share", heavy[0]),),
        as_pairs(exclusions),
        file=optimizer.file if optimizer is not None else None,
        line=optimizer.line if optimizer is not None else None,
    )  # fmt: skip
