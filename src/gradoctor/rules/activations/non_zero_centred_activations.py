"""Hidden activations all have one sign."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.activations.saturated_activation import is_hidden
from gradoctor.rules.evidence import recent_medians
from gradoctor.rules.evidence.robust import median

OFF_CENTRE = 0.8  # mean over rms; ReLU has .5 to .8
FEWEST = 3


@rule(proof="statistical", needs=("act.mean", "act.rms"))
def non_zero_centred_activations(run: Recording) -> Iterator[Finding]:
    """Most hidden activations lie far to one side of zero.

    A note: the weights that read such a layer all get gradients of one sign, and learn slowly, in
    zigzags. Gates and outputs do not count: at least three activations of the same kind must.

    Values: share, layers, activation
    """
    mean, size = recent_medians(run, "act.mean"), recent_medians(run, "act.rms")
    kinds: dict[str, list[int]] = {}
    for site in run.of_kind("module", "op"):
        kind = site.meta.get("activation")
        one_sided = kind in ("sigmoid", "softplus", "hardsigmoid") and is_hidden(run, site)
        if one_sided and size.get(site.id, 0.0) > 0:
            kinds.setdefault(str(kind), []).append(site.id)
    for kind, sites in kinds.items():
        shares = {s: abs(mean.get(s, 0.0)) / size[s] for s in sites}
        off = [s for s, share in shares.items() if share > OFF_CENTRE]
        if len(off) < FEWEST or 2 * len(off) <= len(sites):
            continue
        typical = median([shares[s] for s in off])
        yield Finding(
            Level.NOTE,
            tuple(off),
            0,
            max(0, run.steps - 1),
            {"share": typical, "layers": len(off), "activation": kind},
            (Evidence("act.mean", typical, OFF_CENTRE, "ratio", off[0]),),
        )
        return
