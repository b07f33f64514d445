"""Something else than the optimizer changes its weights after each step."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import no_progress
from gradoctor.rules.wiring._who import name_of

FEW, CHECKED = 3, 10
"""Comparisons from which on steps that are undone are told, and edits besides."""
MOST = 0.8
HALF = 0.5
MEANT = frozenset({"clamp_", "clamp_min_", "clamp_max_", "clip_", "mul_", "div_", "add_", "sub_"})
"""Constraints (WGAN, max-norm), masks, decay by hand, noise, steps there and back (SAM)."""


@rule(proof="structural", needs=("fact:wiring",))
def edited_weights(run: Recording) -> Iterator[Finding]:
    """Weights that an optimizer holds have other values at its next step than it left them with.

    Undone: of half of the weights nine tenths of each step were taken back, at four comparisons of
    five: sick when the loss makes no progress, else suspect (adaptation that starts again for each
    sample, or three comparisons so far), and suspect where a saved state is
    loaded. Otherwise a note: projections and averages may be meant. Bounds, masks, noise and decay
    by hand are not told, nor embeddings, which renormalise their own rows.

    Values: kind (undone or edited), count (weights), op, names
    """
    undone = [f for f in _followed(run, FEW) if _share(f, "undone") >= MOST]
    edited = [
        f for f in _followed(run, CHECKED) if _share(f, "edited") >= MOST and not _is_meant(run, f)
    ]
    if len(undone) >= HALF * max(1, _matrices(run)):
        long = all(int(f.data.get("checked") or 0) >= CHECKED for f in undone)
        harmed = long and no_progress(run).found
        harmed = harmed and undone[0].data.get("op") != "load_state_dict"
        yield _finding(run, Level.SICK if harmed else Level.SUSPECT, "undone", undone)
    elif edited:
        yield _finding(run, Level.NOTE, "edited", edited)


def _followed(run: Recording, times: int) -> list[Fact]:
    """What is known of weights that were compared this often."""
    return [
        f
        for f in run.facts_of("edited")
        if f.site in run.sites and int(f.data.get("checked") or 0) >= times
    ]


def _is_meant(run: Recording, fact: Fact) -> bool:
    """Arithmetic in place, or an embedding, whose ``max_norm`` rescales rows as they are read."""
    site = run.sites.get(fact.site if fact.site is not None else -1)
    rows = site is not None and site.meta.get("role") == "embedding"
    return rows or fact.data.get("op") in MEANT


def _share(fact: Fact, what: str) -> float:
    return int(fact.data.get(what) or 0) / max(1, int(fact.data.get("checked") or 0))


def _matrices(run: Recording) -> int:
    """Matrices that optimizers hold and that get gradients."""
    return sum(
        len(run.sites[f.site].meta.get("shape") or ()) > 1
        for f in run.facts_of("wiring")
        if f.site is not None and f.data.get("optimizer") is not None and f.data.get("grads")
    )


def _finding(run: Recording, level: Level, kind: str, facts: list[Fact]) -> Finding:
    sites = tuple(f.site for f in facts if f.site is not None)
    told = next((f for f in facts if f.line is not None), facts[0])
    share = min(_share(f, kind) for f in facts)
    return Finding(
        level, sites, facts[0].first_step, max(0, run.steps - 1),
        {"kind": kind, "count": len(sites), "op": str(told.data.get("op") or ""),
         "names": ", ".join(name_of(run, s) for s in sites[:3])},
        (Evidence(f"edited.{kind}", share, MOST, "share", sites[0]),),
        file=told.file, line=told.line,
    )  # fmt: skip
