"""Steps so large that the loss is thrown out of the valley."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    as_pairs,
    diverged,
    grade,
    no_progress,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.depth import columns
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial, converged, is_embedding
from gradoctor.rules.evidence.loss import loss_values
from gradoctor.rules.evidence.robust import median, row_medians
from gradoctor.rules.evidence.timing import learning_rate

LARGE = 0.1  # relative update of a weight in one step
EARLY = 50  # steps: what kills a network at once


@rule(proof="statistical", needs=("update.ratio", "loss.value"))
def lr_too_high_divergence(run: Recording) -> Iterator[Finding]:
    """The step size is beyond stability.

    Mechanism: in one step at least half of the weights change by more than a tenth of themselves.
    Harm: the loss diverges from there on, or the burst leaves a network that is stuck at the
    trivial baseline or makes no progress above it (dead units stay dead when the loss has come down
    again).

    Values: update_ratio, share, lr, kind, loss, best
    """
    bursts = _bursts(run)
    if not len(bursts):
        return
    outcome = diverged(run)
    if outcome.found:
        onset = _before(bursts, outcome.since)
        kind = outcome.why
    elif _stalled(run) and _killed(run, bursts):
        onset, kind = int(bursts.steps[0]), "killed"
    else:
        return
    if onset < 0:
        return
    at = int(np.searchsorted(bursts.steps, onset))
    losses = loss_values(run).values
    lr = learning_rate(run).values
    exclusions: tuple[Exclusion, ...] = (adversarial(run),)
    yield Finding(
        level=grade(
            persists=True,
            harm=True,
            exclusions=() if kind == "non-finite" else exclusions,
        ),
        sites=_worst(run, onset),
        first_step=onset,
        last_step=max(onset, run.steps - 1),
        values={
            "update_ratio": float(bursts.values[min(at, len(bursts) - 1)]),
            "share": 0.5,
            "lr": float(np.max(lr)) if len(lr) else float("nan"),
            "kind": kind,
            "loss": median(losses[-5:]),
            "best": float(np.min(losses)) if len(losses) else float("nan"),
        },
        evidence=(
            Evidence("update.ratio", float(bursts.values.max()), LARGE, "ratio"),
            Evidence("loss.value", median(losses[-5:]), None, "loss"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _stalled(run: Recording) -> bool:
    return stuck(run).found or (no_progress(run).found and not converged(run).found)


def _weights(run: Recording) -> tuple[int, ...]:
    """Matrices that did not start at 0: relative to nothing any update is large."""
    zero = {f.site for f in run.facts_of("init") if f.data.get("zero")}
    return tuple(
        s.id
        for s in run.of_kind("parameter")
        if len(s.meta.get("shape") or ()) > 1
        and int(s.meta.get("numel", 64)) >= 64
        and s.id not in zero
        and not is_embedding(run, s).found
    )


def _bursts(run: Recording) -> Series:
    """Looks at which the median relative update (so half of the weights) is past the threshold."""
    values = columns(run, "update.ratio", _weights(run))
    seen = ~np.isnan(values)
    rows = np.flatnonzero(seen.sum(axis=1) > 0)
    if not len(rows):
        return Series(np.empty(0, np.int64), np.empty(0, np.float32))
    middle = row_medians(values[rows])
    steps = run.table("update.ratio").steps[rows]
    past = middle > LARGE
    return Series(steps[past], middle[past])


def _before(bursts: Series, since: int) -> int:
    """The burst that the divergence began with: the first within 50 steps before it."""
    reach = max(EARLY, since // 5)
    near = bursts.steps[(bursts.steps <= since + 2) & (bursts.steps >= since - reach)]
    return int(near[0]) if len(near) else -1


def _killed(run: Recording, bursts: Series) -> bool:
    """A burst while the network was young (at any time if it is stuck), and a mark that it left.

    The mark: dead or saturated units now, or a loss that shot up right after the burst.
    """
    first = int(bursts.steps[0])
    if first > EARLY and not stuck(run).found:
        return False
    dead = max(recent_medians(run, "act.dead_fraction").values(), default=0.0)
    flat = max(recent_medians(run, "act.saturated_fraction").values(), default=0.0)
    losses = loss_values(run)
    start = losses.values[: max(1, int(np.searchsorted(losses.steps, first + 1)))]
    ahead = losses.values[np.searchsorted(losses.steps, first) :][:EARLY]
    shot = len(ahead) > 0 and float(ahead.max()) > 1.5 * float(np.median(start))
    return dead >= 0.5 or flat >= 0.5 or shot


def _worst(run: Recording, step: int) -> tuple[int, ...]:
    """The optimizer first, then up to five weights that changed the most at that step."""
    table = run.table("update.ratio")
    row = table.values[int(np.searchsorted(table.steps, step))]
    place = {s: i for i, s in enumerate(table.sites)}
    known = [(float(row[place[w]]), w) for w in _weights(run) if w in place]
    ranked = sorted(((v, w) for v, w in known if not np.isnan(v)), reverse=True)
    leaders = [s.id for s in run.of_kind("optimizer")][:1]
    return (*leaders, *(w for _, w in ranked[:5]))
