"""A tenth of the learning rate, and ten times it."""

from __future__ import annotations

from collections.abc import Mapping

from gradoctor.probes._records import Answer, Arm, Probe, in_turn
from gradoctor.probes.paired import Paired, diverged, end, paired, start
from gradoctor.trials import Course

BASE, LOW, HIGH = "x1", "x0.1", "x10"
STUCK = 0.05  # of its start: a loss that has not come down by so much has not moved


def answer(courses: Mapping[str, Course]) -> Answer:
    """``lower``, ``higher``, ``right``, ``not-the-rate`` or ``diverges-anyway``.

    ``not-the-rate``: none of the three makes the loss fall, and none is better than another.
    """
    base = courses[BASE]
    low, high = paired(base, courses[LOW]), paired(base, courses[HIGH])
    verdict = _verdict(base, low, high)
    values = {
        "start": start(base.losses), "end": end(base.losses),
        "end_low": end(courses[LOW].losses), "end_high": end(courses[HIGH].losses),
        "gain_low": low.gain, "gain_high": high.gain, "share_low": low.share,
        "share_high": high.share, "p_low": low.p, "p_high": high.p,
        "diverged": diverged(base.losses), "diverged_low": low.diverged,
        "diverged_high": high.diverged, "compared": min(low.steps, high.steps),
    }  # fmt: skip
    cautions = [] if low.same and high.same else ["other-batches"]
    cautions += ["short-horizon"] if verdict in ("higher", "lower", "right") else []
    bad = verdict in ("not-the-rate", "diverges-anyway") or (
        verdict == "lower" and bool(values["diverged"])
    )
    return Answer("learning-rate", verdict, bad, values, cautions=tuple(cautions))


def _verdict(base: Course, low: Paired, high: Paired) -> str:
    if diverged(base.losses):
        return "diverges-anyway" if low.diverged else "lower"
    if high.better and high.gain >= low.gain:
        return "higher"
    if low.better:
        return "lower"
    fallen = start(base.losses) - end(base.losses)
    if fallen < STUCK * abs(start(base.losses)) and not low.worse:
        return "not-the-rate"
    return "right"


PROBE = Probe(
    200,
    in_turn(
        Arm(BASE, {"learning_rate": {"factor": 1.0}}),
        Arm(LOW, {"learning_rate": {"factor": 0.1}}),
        Arm(HIGH, {"learning_rate": {"factor": 10.0}}),
    ),
    answer,
)
