"""Units fall silent without being dead."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, cautious, diverged, stuck
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.silence import SILENT, silent_layers


@rule(proof="statistical", needs=("act.dormant_fraction",))
def dormant_units(run: Recording) -> Iterator[Finding]:
    """A growing part of a layer's units is silent against the others.

    Mechanism: a unit is dormant when its mean magnitude is at most 2.5 % of the layer's; 30 % or
    more of a layer are, and the share grew by 20 points since the start. Harm: the loss diverged or
    is stuck at the trivial baseline. Without harm it is a note: supervised networks can spare many.

    Values: dormant, layers, module, grew
    """
    found = silent_layers(run)
    if not found:
        return
    worst = found[0]
    exclusions = (converged(run),)
    yield Finding(
        level=cautious(
            persists=any(layer.past.holds for layer in found),
            harm=diverged(run).found or stuck(run).found,
            exclusions=exclusions,
        ),
        sites=tuple(layer.site.id for layer in found),
        first_step=min(layer.past.first for layer in found),
        last_step=max(layer.past.last for layer in found),
        values={
            "dormant": worst.past.value, "layers": len(found), "module": worst.site.name,
            "grew": worst.grew,
        },
        evidence=(
            Evidence("act.dormant_fraction", worst.past.value, SILENT, "fraction", worst.site.id),
        ),
        exclusions=as_pairs(exclusions),
    )  # fmt: skip
