"""The calls of a gradient scaler are not in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradoctor.recording import Recording
from gradoctor.records import Event, Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import is_adaptive

SHARE = 0.8


@rule(proof="structural", needs=("fact:scaler",))
def gradscaler_misuse(run: Recording) -> Iterator[Finding]:
    """Optimizer or clipping get scaled gradients, the scaler unscaled ones, or it never updates.

    The canonical order: scale, backward, (unscale_, clip), scaler.step, scaler.update. A scaler
    that is made but not enabled changes nothing and is not judged. An Adam-like optimizer divides
    the scale away: there a bypassed scaler is a suspicion.

    Values: kind (step_bypassed, loss_not_scaled, clip_before_unscale, no_update), steps (of which
    so many)
    """
    if not any(f.data.get("enabled") for f in run.facts_of("scaler")):
        return
    found: dict[str, int] = {}
    places: dict[str, Event] = {}
    total = 0
    for cycle in run.cycles:
        length = cycle.last_step - cycle.first_step + 1
        total += length
        kind, event = _fault(cycle.events)
        if kind and event is not None:
            found[kind] = found.get(kind, 0) + length
            places[kind] = event
    for kind, steps in found.items():
        if steps >= SHARE * total and steps >= 2:
            mild = kind == "step_bypassed" and is_adaptive(run)
            yield Finding(
                Level.SUSPECT if mild else Level.SICK, (), 0, max(0, run.steps - 1),
                {"kind": kind, "steps": steps},
                (Evidence("scaler.misuse", steps / total, SHARE, "fraction"),),
                file=places[kind].file, line=places[kind].line,
            )  # fmt: skip
            return


def _fault(events: Sequence[Event]) -> tuple[str, Event | None]:
    kinds = [e.kind for e in events]
    backward = next((e for e in events if e.kind == "backward"), None)
    step = next((e for e in events if e.kind == "step"), None)
    scaled = "scale" in kinds
    backwards = [i for i, k in enumerate(kinds) if k == "backward"]
    clips = [i for i, k in enumerate(kinds) if k == "clip"]
    if scaled and backwards and clips and backwards[-1] < clips[-1]:
        before = kinds[backwards[-1] : clips[-1]]
        if "unscale" not in before and "scaler_step" not in before:
            return "clip_before_unscale", events[clips[-1]]
    if scaled and step is not None and "scaler_step" not in kinds and "unscale" not in kinds:
        return "step_bypassed", step
    if not scaled and "scaler_step" in kinds and backward is not None:
        return "loss_not_scaled", backward
    # the update of a step comes after its end, and so opens the next step's list
    if scaled and "scaler_step" in kinds and "scaler_update" not in kinds:
        return "no_update", next(e for e in events if e.kind == "scaler_step")
    return "", None
