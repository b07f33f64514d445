"""A few samples, again and again: can the optimisation path learn them by heart?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.probes.paired import start
from gradoctor.trials import Course

SAMPLES = 8
FEW, WHOLE = "8 samples", "whole batch"
LEARNT = 0.05  # of the first loss
STUCK = 0.8  # of the first loss: less has hardly been learnt
FALLING = 0.05  # between the last two thirds, of the first loss


def following(done: Mapping[str, Course], steps: int) -> Arm | None:
    """Eight samples; the whole batch where the script cannot take fewer."""
    if FEW not in done:
        return Arm(FEW, {"first_batch": {"samples": SAMPLES}, "no_dropout": {}})
    few = done[FEW]
    broke = few.ended == "crashed" and few.steps < steps
    if WHOLE not in done and broke:
        return Arm(WHOLE, {"first_batch": {"samples": 0}, "no_dropout": {}})
    return None


def answer(courses: Mapping[str, Course]) -> Answer:
    """What the samples' loss did.

    ``memorises``; ``falling`` (not there yet); ``part`` (it stopped above 5 %); ``stuck``; or why
    it cannot be said: ``unknown-loss``, ``not-fixed``, ``several-optimizers``, ``crashed``.
    """
    name = WHOLE if WHOLE in courses else FEW
    course = courses[name]
    seen = course.facts.get("first_batch", {})
    floor = float(seen.get("floor") or 0.0)
    begin = start(course.losses[:3]) - floor
    last = _median(course.losses[-5:]) - floor
    accuracy = [float(a) for a in seen.get("accuracy") or ()]
    values = {
        "start": begin + floor, "end": last + floor, "floor": floor,
        "left": last / begin if begin > 0 else math.nan,
        "accuracy": accuracy[-1] if accuracy else None, "samples": seen.get("samples", 0),
        "of": seen.get("of", 0), "by": seen.get("by", ""), "losses": seen.get("losses", []),
    }  # fmt: skip
    verdict = _unsaid(course, seen) or _verdict(course.losses, floor, accuracy)
    cautions = ["whole-batch"] if name == WHOLE or not seen.get("cut", True) else []
    return Answer("overfit", verdict, verdict == "stuck", values, {name: course.losses},
                  tuple(cautions))  # fmt: skip


def _unsaid(course: Course, seen: Mapping[str, object]) -> str:
    """Why nothing can be concluded; '' when something can."""
    if course.ended in ("crashed", "killed", "timeout") and course.steps < 20:
        return "crashed"
    if int(str(seen.get("optimizers", 1))) > 1:
        return "several-optimizers"
    if seen.get("by") == "forward" and not seen.get("losses"):
        return "unknown-loss"
    known = [b for b in course.batches if b]
    if known and known.count(known[0]) < 0.9 * len(known):
        return "not-fixed"
    return ""


def _verdict(losses: Sequence[float], floor: float, accuracy: Sequence[float]) -> str:
    values = np.array(losses) - floor
    begin, last = start(losses[:3]) - floor, _median(losses[-5:]) - floor
    if accuracy and min(accuracy[-3:]) == 1.0:
        return "memorises"
    if not math.isfinite(last) or not np.isfinite(values[-5:]).all():
        return "stuck"
    if begin > 0 and last <= LEARNT * begin:
        return "memorises"
    if begin <= 0:  # no ratio means anything where a loss may be negative
        return "part"
    thirds = np.array_split(values, 3)
    if _median(thirds[1].tolist()) - _median(thirds[2].tolist()) > FALLING * begin:
        return "falling"
    risen = len(accuracy) > 3 and accuracy[-1] > accuracy[0] + 0.25
    return "part" if last < STUCK * begin or risen else "stuck"


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else math.nan


PROBE = Probe(300, following, answer, spare=True, cheap=True)
