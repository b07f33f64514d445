"""The loss curves so much that the optimizer's steps along the steepest direction grow."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.probes import Probed, probed
from gradoctor.rules.optimisation.loss_spike import loss_spike
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_high_oscillation import lr_too_high_oscillation

HARMED = (lr_too_high_divergence, lr_too_high_oscillation, loss_spike)
LIMIT = 2.0  # times the threshold


@rule(proof="statistical")
def sharpness_above_threshold(run: Recording) -> Iterator[Finding]:
    """The largest eigenvalue of the Hessian is more than twice what the optimizer stands.

    Needs the probe sharpness, which looks at some steps of another run of the script: mechanism,
    persistence over its looks, and a loss that is thrown out or stands still. It never speaks
    alone: it explains divergence, oscillation or spikes that were found in this run, and is as
    grave as these, but no graver than sick. Where none was found it is a note.

    Values: sharpness, threshold, formula, ratio, lr, safe (the rate at the threshold), step,
    optimizer
    """
    found = probed(run, "sharpness")
    if found is None:
        raise UndecidedError("not-probed:sharpness")
    if found.verdict != "above":
        return
    harms = list(_harms(run))
    step = int(found.number("step"))
    yield Finding(
        level=min(Level.SICK, max((f.level for f in harms), default=Level.NOTE)),
        sites=tuple(s.id for s in run.of_kind("optimizer"))[:1],
        first_step=min([step, *(f.first_step for f in harms)]),
        last_step=max(0, run.steps - 1),
        values=_values(found) | {"step": step},
        evidence=(Evidence("probe.sharpness", found.number("ratio"), LIMIT, "times"),),
    )


def _values(found: Probed) -> dict[str, object]:
    names = ("sharpness", "threshold", "formula", "ratio", "lr", "safe", "optimizer")
    return {name: found.values.get(name) for name in names}


def _harms(run: Recording) -> Iterator[Finding]:
    """What the run itself shows of it, as the rules for that see it."""
    for harmed in HARMED:
        if harmed.missing(run):
            continue
        try:
            yield from harmed.judge(run)
        except UndecidedError:
            continue
