"""Part of the model takes part in the forward pass and never gets a gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.loss import leading_loss
from gradoctor.rules.wiring._who import moves_by_hand, name_of

BACKWARDS = 3
MANY = 20  # backwards and steps on nothing


@rule(proof="structural", needs=())
def detached_graph(run: Recording) -> Iterator[Finding]:
    """Parameters that an optimizer holds ran in training and never got a gradient.

    Or backward was called on something without a graph, which ends the script. Sick when a cut (a
    detach, item, numpy, no_grad, ...) was seen behind them and a whole module is without gradient,
    or when nothing that an optimizer holds got any or moved in 20 steps (a loss of comparisons that
    was told to require a gradient). Else, without a cut, it is a suspicion, and a note when nothing
    that trains runs after it: a head whose output the loss does not use. Parameters that no
    optimizer holds (target networks, frozen teachers) are not judged, nor those that the script
    itself moves (an EMA codebook, a target).

    Values: kind (error or cut), op (the cutting operation), count (tensors without gradient), names
    """
    for fact in run.facts_of("error"):
        if fact.data.get("known") == "no_grad_fn":
            yield Finding(
                Level.SICK, (), fact.first_step, fact.first_step,
                {"kind": "error", "op": _last_cut(run), "count": 0, "names": ""},
                (Evidence("error.no_grad_fn", 1, 0),), file=fact.file, line=fact.line,
            )  # fmt: skip
            return
    starved = [f for f in run.facts_of("wiring") if _is_starved(f) and not moves_by_hand(run, f)]
    whole = [f for f in starved if f.site is not None and _module_is_starved(run, f, starved)]
    if not whole:
        return
    sites = tuple(f.site for f in whole if f.site is not None)
    names = {name_of(run, s) for s in sites}
    cuts = [(len(names & set(c.data.get("upstream") or ())), c) for c in run.facts_of("cut")]
    size, cut = max(cuts, key=lambda c: c[0], default=(0, None))
    file, line = (cut.file, cut.line) if cut is not None else (None, None)
    if size:
        level = Level.SICK
    elif _nothing_trains(run, sites):
        level, cut, loss = Level.SICK, None, leading_loss(run)
        file, line = (loss.file, loss.line) if loss is not None else (None, None)
    else:
        level, cut = (Level.SUSPECT if _leads_on(run, sites) else Level.NOTE), None
        file, line = None, None
    yield Finding(
        level, sites, 0, max(0, run.steps - 1),
        {"kind": "cut", "op": cut.data.get("op", "") if cut else "", "count": len(sites),
         "names": ", ".join(sorted(names)[:3])},
        (Evidence("wiring.without_gradient", len(sites), 0, "tensors", sites[0]),),
        file=file, line=line,
    )  # fmt: skip


def _nothing_trains(run: Recording, starved: tuple[int, ...]) -> bool:
    """No tensor of any optimizer got a gradient in all the backwards, or moved in all the steps."""
    held = [
        f for f in run.facts_of("wiring")
        if f.data.get("optimizer") is not None and f.data.get("requires_grad")
    ]  # fmt: skip
    stepped = any(int(f.data.get("steps") or 0) >= MANY for f in run.facts_of("optimizer"))
    backwards = min((int(f.data.get("backwards") or 0) for f in held), default=0)
    moved = run.table("weight.movement").values
    return (
        stepped
        and backwards >= MANY
        and {f.site for f in held} == set(starved)
        and moved.size > 0
        and not np.nan_to_num(moved).any()
    )


def _is_starved(fact: Fact) -> bool:
    data = fact.data
    return (
        bool(data.get("requires_grad"))
        and bool(data.get("used"))
        and data.get("optimizer") is not None
        and int(data.get("backwards") or 0) >= BACKWARDS
        and not data.get("grads")
    )


def _module_is_starved(run: Recording, fact: Fact, starved: list[Fact]) -> bool:
    """Every trainable parameter of its module is without gradient, too."""
    module = _module(run, fact.site)
    if module is None:
        return True
    without = {f.site for f in starved}
    return all(
        f.site in without
        for f in run.facts_of("wiring")
        if _module(run, f.site) == module and f.data.get("requires_grad")
    )


def _module(run: Recording, parameter: int | None) -> int | None:
    site = run.sites.get(parameter) if parameter is not None else None
    found = site.meta.get("module") if site is not None else None
    return found if isinstance(found, int) else None


def _leads_on(run: Recording, starved: tuple[int, ...]) -> bool:
    """A module that gets gradients runs after one that gets none; so, too, if nothing is known."""
    order = {s.id: s.order for s in run.sites.values() if s.order >= 0}
    first = [order[m] for s in starved if (m := _module(run, s)) in order]
    fed = [
        order[m]
        for f in run.facts_of("wiring")
        if f.data.get("grads") and (m := _module(run, f.site)) in order
    ]
    return not first or max(fed, default=min(first) + 1) > min(first)


def _last_cut(run: Recording) -> str:
    cuts = run.facts_of("cut")
    return str(cuts[-1].data.get("op", "")) if cuts else ""
