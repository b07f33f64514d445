"""From some depth on all samples, or all positions, look the same."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    as_pairs,
    cautious,
    grade,
    learnt_nothing,
    persistence,
    recent_medians,
    start_step,
    stuck,
)
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning
from gradoctor.rules.evidence.harm import barely_learnt, settled
from gradoctor.rules.evidence.timing import EARLIEST

SAME = 1e-2
FEWEST = 2  # deep looks that saw the positions


@rule(proof="statistical", needs=("act.centred_ratio",))
def rank_collapse(run: Recording) -> Iterator[Finding]:
    """Outputs no longer depend on the sample, or on the position, from some layer to the end.

    Mechanism: what remains after the mean over the batch (over the positions) is taken off is below
    1 % of the output, in every matmul and convolution from one depth on. Without a norm that is
    common at initialisation, so it must persist. Harm: stuck at the trivial baseline. Positions
    that collapse are suspect at most: an architecture may mean them to, though hardly where each
    has a label of its own; little learnt is harm enough there.

    Values: kind (samples, tokens), centred, depth, layers, module
    """
    found = _samples(run) or _tokens(run)
    if found is not None:
        yield found


def _samples(run: Recording) -> Finding | None:
    known = recent_medians(run, "act.centred_ratio")
    for path in _paths(run, known):
        collapsed = _suffix(path, known)
        if not collapsed:
            continue
        first = collapsed[0]
        series = run.series("act.centred_ratio", first.id)
        past = persistence(run, series, SAME, side="below", clear=2 * SAME)
        if not past.mechanism:
            continue
        exclusions: tuple[Exclusion, ...] = (fine_tuning(run),)
        return Finding(
            level=grade(
                persists=past.holds and settled(run),
                harm=stuck(run).found,
                exclusions=exclusions,
            ),
            sites=tuple(s.id for s in collapsed),
            first_step=past.first,
            last_step=past.last,
            values=_values("samples", past.value, path, collapsed),
            evidence=(Evidence("act.centred_ratio", past.value, SAME, "ratio", first.id),),
            exclusions=as_pairs(exclusions),
        )
    return None


def _tokens(run: Recording) -> Finding | None:
    """Deep looks are few: the harm, which is seen at every look, has to persist."""
    known = _positions(run)
    for path in _paths(run, known):
        collapsed = _suffix(path, known)
        if not collapsed or not (learnt_nothing(run) or _one_answer(run, collapsed[-1], known)):
            continue
        first = collapsed[0]
        exclusions: tuple[Exclusion, ...] = (fine_tuning(run),)
        steps = run.series("act.token_ratio", first.id).steps
        return Finding(
            level=cautious(persists=True, harm=True, exclusions=exclusions),
            sites=tuple(s.id for s in collapsed),
            first_step=int(steps[0]),
            last_step=int(steps[-1]),
            values=_values("tokens", known[first.id], path, collapsed),
            evidence=(Evidence("act.token_ratio", known[first.id], SAME, "ratio", first.id),),
            exclusions=as_pairs(exclusions),
        )
    return None


def _one_answer(run: Recording, last: Site, known: dict[int, float]) -> bool:
    """Every position has a label of its own and gets the same answer, and little was learnt."""
    shape = list(last.meta.get("out_shape") or ())
    labels = [
        math.prod(f.data.get("target_shape") or [0])
        for f in run.facts_of("loss_call")
        if f.site is not None and not run.sites[f.site].meta.get("evaluation")
    ]
    many = math.prod(shape[:2]) in labels
    return known[last.id] < SAME / 10 and many and barely_learnt(run)


def _positions(run: Recording) -> dict[int, float]:
    """The largest ratio over the positions in deep looks, where there are positions.

    They are few: those from step 20 on count if the last of them is late enough.
    """
    out = {}
    for site in run.of_kind("module"):
        shape = list(site.meta.get("out_shape") or ())
        later = run.series("act.token_ratio", site.id).after(EARLIEST)
        late = len(later) >= FEWEST and later.steps[-1] >= start_step(run) // 2
        if len(shape) == 3 and shape[1] > 1 and late:
            out[site.id] = float(np.max(later.values))
    return out


def _values(kind: str, ratio: float, path: list[Site], collapsed: list[Site]) -> dict[str, object]:
    return {
        "kind": kind,
        "centred": ratio,
        "depth": len(path) - len(collapsed) + 1,
        "layers": len(path),
        "module": collapsed[0].name,
    }


def _paths(run: Recording, known: dict[int, float]) -> list[list[Site]]:
    """Matmul and convolution outputs of each model in execution order, the head among them."""
    models: dict[str, list[Site]] = {}
    for site in run.of_kind("module"):
        if site.order >= 0 and site.meta.get("role") in ("matmul", "conv") and site.id in known:
            models.setdefault(str(site.meta.get("model", "")), []).append(site)
    return [sites for sites in models.values() if len(sites) >= 2]


def _suffix(path: list[Site], known: dict[int, float]) -> list[Site]:
    """The layers at the end that are all collapsed; at least two, or all but the first."""
    count = 0
    for site in reversed(path):
        if known[site.id] >= SAME:
            break
        count += 1
    return path[len(path) - count :] if count >= 2 else []
