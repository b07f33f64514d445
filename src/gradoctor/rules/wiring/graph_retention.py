"""The graphs of losses that are done with are still held."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

GRAPHS = 100
SHARE = 0.95


@rule(proof="structural", needs=("fact:retained",))
def graph_retention(run: Recording) -> Iterator[Finding]:
    """Nearly all losses that backward was called on still have their graph: memory grows.

    Proof: a mark in each graph's last node that dies with the node; a hundred or more are alive.
    What autograd saved was let go of in backward, so each graph is small: a note. Suspect where
    backward was told to keep it (``retain_graph=True``): then every step's activations stay.

    Values: graphs, variable (that holds them, or nothing), kind (small or whole)
    """
    for fact in run.facts_of("retained"):
        graphs, share = int(fact.data.get("graphs") or 0), float(fact.data.get("share") or 0.0)
        if graphs < GRAPHS or share < SHARE:
            continue
        whole = bool(fact.data.get("buffers"))
        yield Finding(
            Level.SUSPECT if whole else Level.NOTE, (), fact.first_step, max(0, run.steps - 1),
            {"graphs": graphs, "variable": str(fact.data.get("variable") or ""),
             "kind": "whole" if whole else "small"},
            (Evidence("retained.graphs", graphs, GRAPHS, "graphs"),),
            file=fact.file, line=fact.line,
        )  # fmt: skip
