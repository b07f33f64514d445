"""The network is deeper than its weights let a signal reach."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import Path, as_pairs, cautious, diverged, first_values, paths
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning
from gradoctor.rules.evidence.harm import settled
from gradoctor.rules.evidence.structure import (
    activation_after,
    first_gain,
    is_normed,
    is_residual,
    known_activation,
    mean_square_slope,
)

DEPTHS = 6.0  # times the reach of the gradient
TOTAL = 10.0  # bits over the depth


@rule(proof="statistical", needs=("fact:init", "act.rms"))
def off_edge_of_chaos(run: Recording) -> Iterator[Finding]:
    """Mean-field theory says that no gradient comes through, and none does.

    chi = gain^2 E[f'(q z)^2] for each layer, with q the measured size of its output at step 0: what
    the layer does to the mean square of the gradient. Its reach is xi = 1/|ln chi| layers.
    Mechanism: the depth is over 6 xi and the product over all layers is ten bits away from 1, with
    no norm and no residual sum in the way. Harm: stuck for good at the trivial baseline, or
    diverged. Without harm nothing is said: weights leave the theory behind as they learn.

    Values: chi, reach, layers, total_bits
    """
    for path in paths(run):
        chis = _chis(run, path)
        if len(chis) < max(3, len(path.layers) // 2):
            continue
        log = float(np.mean(np.log(chis)))
        total = 0.5 * log / np.log(2.0) * len(path.layers)
        if len(path.layers) * abs(log) <= DEPTHS or abs(total) < TOTAL:
            continue
        harm = settled(run) if log < 0 else diverged(run).found
        exclusions: tuple[Exclusion, ...] = (
            fine_tuning(run),
            Exclusion("normalised", is_normed(run, path)),
            Exclusion("residual", is_residual(run)),
        )
        if not harm or any(e.found for e in exclusions):
            continue
        yield Finding(
            level=cautious(persists=True, harm=harm, exclusions=exclusions),
            sites=path.ids,
            values={
                "chi": float(np.exp(log)),
                "reach": 1.0 / abs(log),
                "layers": len(path.layers),
                "total_bits": total,
            },
            evidence=(
                Evidence("init.chi", float(np.exp(log)), None),
                Evidence("init.depth", len(path.layers) * abs(log), DEPTHS),
            ),
            exclusions=as_pairs(exclusions),
        )
        return


def _chis(run: Recording, path: Path) -> list[float]:
    size = first_values(run, "act.rms")
    out = []
    for i, layer in enumerate(path.layers):
        after, gain = activation_after(run, path, i), first_gain(run, path.weights[i])
        entry = known_activation(str(after.meta["activation"])) if after is not None else None
        if entry is None or gain is None or not 0 < size.get(layer.id, 0.0) < 1e30:
            continue
        chi = gain**2 * mean_square_slope(entry, size[layer.id])
        if chi > 0:
            out.append(chi)
    return out
