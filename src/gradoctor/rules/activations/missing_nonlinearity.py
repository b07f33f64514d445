"""Layers follow each other with nothing nonlinear between them."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import learnt_nothing, weight_of

LONG = 3  # layers


@rule(proof="structural", needs=("fact:affine",))
def missing_nonlinearity(run: Recording) -> Iterator[Finding]:
    """Two or more layers could be one: only affine operations stand between them.

    Proof: the graph of the first backward, in which each layer's output goes to the next one and
    nowhere else. Left out: chains with a bottleneck (a factorisation saves weights), grouped
    convolutions, batch norms in between. A note for a pair; suspect for three layers or more, or
    where the whole network is affine; sick when such a network has learnt nothing.

    Values: layers, first, last, widths, whole (1 when nothing in the network is nonlinear)
    """
    for fact in run.facts_of("affine"):
        ids = fact.data.get("layers")
        chain = [run.sites[s] for s in (ids if isinstance(ids, list) else ()) if s in run.sites]
        widths = _widths(run, chain)
        if len(widths) < 3 or fact.data.get("norms") or min(widths[1:-1]) < _ends(widths):
            continue
        whole = _is_whole(run, chain)
        level = Level.SUSPECT if whole or len(chain) >= LONG else Level.NOTE
        if whole and learnt_nothing(run):
            level = Level.SICK
        yield Finding(
            level,
            tuple(s.id for s in chain),
            0,
            max(0, run.steps - 1),
            {
                "layers": len(chain),
                "first": chain[0].name,
                "last": chain[-1].name,
                "widths": ", ".join(map(str, widths)),
                "whole": int(whole),
            },
            (Evidence("affine.layers", len(chain), 1, "", chain[0].id),),
        )


def _ends(widths: list[int]) -> int:
    return min(widths[0], widths[-1])


def _widths(run: Recording, chain: list[Site]) -> list[int]:
    """What goes into the first layer and what comes out of each; empty where they do not fit."""
    widths: list[int] = []
    for layer in chain:
        weight = weight_of(run, layer)
        shape = list(run.sites[weight].meta.get("shape") or ()) if weight is not None else []
        if len(shape) < 2 or (widths and widths[-1] != shape[1]):
            return []
        widths += [shape[0]] if widths else [shape[1], shape[0]]
    return widths


def _is_whole(run: Recording, chain: list[Site]) -> bool:
    """Nothing but these layers has weights, and nothing between input and loss is nonlinear."""
    inside = {s.id for s in chain}
    for site in run.of_kind("module", "op"):
        if site.order < 0 or site.id in inside or site.meta.get("role") == "dropout":
            continue
        # a softmax after the last layer belongs to the loss
        late = site.order > chain[-1].order and site.meta.get("role") == "activation"
        if site.meta.get("params") or not (late or site.meta.get("role") == "other"):
            return False
    return True
