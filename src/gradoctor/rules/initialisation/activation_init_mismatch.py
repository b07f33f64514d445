"""The weights were drawn for another activation than the one that follows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import Path, as_pairs, paths
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning
from gradoctor.rules.evidence.structure import (
    activation_after,
    first_gain,
    is_normed,
    is_residual,
    known_activation,
)

OFF = 0.7  # bits a layer
TOTAL = 10.0  # bits over the depth


@rule(proof="statistical", needs=("fact:init",))
def activation_init_mismatch(run: Recording) -> Iterator[Finding]:
    """Standard deviation times root of fan-in is far from the gain of the activation that follows.

    The gain that keeps the mean square: 1/sqrt(E[f(z)^2]). A note, and only where the deviations of
    the layers add up to ten bits on a path with no norm and no residual sum; what comes of it is
    for other rules to say.

    Values: layers, off_bits (a layer), total_bits, activation, gain, ideal
    """
    for path in paths(run):
        found = _deviations(run, path)
        if len(found) < max(3, len(path.layers) // 2):
            continue
        off = float(np.median([bits for _, bits, _, _ in found]))
        total = float(sum(bits for _, bits, _, _ in found))
        if abs(off) < OFF or abs(total) < TOTAL:
            continue
        exclusions: tuple[Exclusion, ...] = (
            fine_tuning(run),
            Exclusion("normalised", is_normed(run, path)),
            Exclusion("residual", is_residual(run)),
        )
        if any(e.found for e in exclusions):
            continue
        _, _, name, gain = found[0]
        entry = known_activation(name)
        yield Finding(
            level=Level.NOTE,
            sites=tuple(site for site, *_ in found),
            values={
                "layers": len(found),
                "off_bits": off,
                "total_bits": total,
                "activation": name,
                "gain": gain,
                "ideal": entry.gain if entry is not None else float("nan"),
            },
            evidence=(Evidence("init.gain", off, OFF, "bits/layer", found[0][0]),),
            exclusions=as_pairs(exclusions),
        )
        return


def _deviations(run: Recording, path: Path) -> list[tuple[int, float, str, float]]:
    """Site, bits over (or under) the ideal gain, activation and gain of each layer that has one."""
    out = []
    for i, layer in enumerate(path.layers):
        after, gain = activation_after(run, path, i), first_gain(run, path.weights[i])
        if after is None or gain is None:
            continue
        name = str(after.meta["activation"])
        entry = known_activation(name)
        if entry is not None and entry.gain > 0:
            out.append((layer.id, float(np.log2(gain / entry.gain)), name, gain))
    return out
