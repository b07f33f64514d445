"""Does the loss curve more than the optimizer's steps can stand?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.probes.paired import diverged, end, start
from gradoctor.trials import Course

NAME = "sharpness"
EARLY = (0, 1, 2, 3, 4, 6, 8, 10, 15, 20)  # steps: what throws a run out does so in its first ones
LATER = 6  # looks at equal distances after them
OTHERS = 2  # batches on which each direction is tried
ABOVE = 2.0  # times the threshold
NEAR = 0.5
SHARE = 0.8  # of the looks
FEWEST = 60  # steps that show whether a loss falls
FALLING = 0.05  # between the last two thirds, of the first loss
POOR = 0.5  # of the first loss: what is below has learnt
GROWN = 1.5  # times the first loss
LOST = 0.9  # of the first loss, at the end of a run that was thrown out for good
BEFORE, AFTER = 10, 2  # steps: looks that bear on a loss that is thrown out


def following(done: Mapping[str, Course], steps: int) -> Arm | None:
    """One trial, looked into at some of its steps."""
    if NAME in done:
        return None
    return Arm(NAME, {"sharpness": {"at": looks(steps), "others": OTHERS}})


def looks(steps: int) -> list[int]:
    """The steps of a run at which to look: early ones, and some spread over the rest."""
    last = steps - 1 - OTHERS
    spread = np.linspace(EARLY[-1], max(EARLY[-1], last), LATER + 1).round().astype(int)
    return sorted({at for at in (*EARLY, *map(int, spread)) if 0 <= at <= max(0, last)})


def answer(courses: Mapping[str, Course]) -> Answer:
    """The sharpness against what the optimizer stands.

    ``above``: more than twice the threshold, and the loss is thrown out or stands still;
    ``tolerated``: as much, but the loss falls; ``unsettled``: it stands still, but other batches do
    not curve so; ``at-edge``: between half and twice, which is normal; ``below``. Where the loss is
    thrown out with no more than twice the threshold: ``crossed`` (more than once) or
    ``other-reason``; ``too-early`` (before it could be looked at). Or why it cannot be said:
    ``no-second-derivative``, ``optimizer-unknown``, ``several-optimizers``, ``other-gradient``
    (the optimizer is given something else than the gradient of the losses); ``unseen`` (no step
    could be looked at).
    """
    course = courses[NAME]
    seen = course.facts.get("sharpness", {})
    rows = [row for row in seen.get("looks", ()) if math.isfinite(row["ratio"])]
    values: dict[str, Any] = {
        "start": began(course.losses), "end": end(course.losses),
        "diverged": diverged(course.losses), "optimizer": seen.get("optimizer", ""),
        "said": seen.get("said", ""), "looks": [_told(row, course.losses) for row in rows],
    }  # fmt: skip
    if seen.get("problem") or not rows:
        return Answer(NAME, str(seen.get("problem") or "unseen"), False, values)
    onset = thrown_out(course.losses)
    verdict, told = _verdict(rows, course.losses, onset)
    ratio = float(told["ratio"])
    values |= {
        "step": told["step"], "ratio": ratio, "threshold": told["threshold"],
        "sharpness": ratio * told["threshold"], "elsewhere": _elsewhere(told), "lr": told["lr"],
        "formula": told["formula"], "preconditioned": told["preconditioned"],
        "safe": told["lr"] / ratio if ratio > 0 else None, "onset": onset,
        "above": sum(_is_above(row) for row in rows), "count": len(rows),
    }  # fmt: skip
    return Answer(NAME, verdict, verdict == "above", values)


def _verdict(
    rows: Sequence[Mapping[str, Any]], losses: Sequence[float], onset: int | None
) -> tuple[str, Mapping[str, Any]]:
    """The word, and the look that it is told with."""
    if onset is not None:  # what a network is like long after it was thrown out explains nothing
        near = [r for r in rows if onset - BEFORE <= r["step"] <= onset + AFTER]
        steep = [r for r in near if r["ratio"] > ABOVE]
        if steep:
            return "above", _middle(steep)
        if not near:  # Adam's first steps, mostly: its second moment was still too young
            return "too-early", rows[0]
        steepest = max(near, key=lambda r: float(r["ratio"]))
        return ("crossed" if steepest["ratio"] > 1.0 else "other-reason"), steepest
    late = [r for r in rows if r["step"] >= EARLY[-1]] or list(rows)
    middle = _middle(late)
    own = float(middle["ratio"])
    if own > ABOVE:
        if not stands_still(losses):
            return "tolerated", middle
        lasting = len(late) > 2 and np.mean([_is_above(r) for r in late]) >= SHARE
        return ("above" if lasting else "unsettled"), middle
    return "at-edge" if own >= NEAR else "below", middle


def _middle(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return sorted(rows, key=lambda r: float(r["ratio"]))[len(rows) // 2]


def _is_above(row: Mapping[str, Any]) -> bool:
    """On the step's own batch, and along the same direction on the batches that follow."""
    return float(row["ratio"]) > ABOVE and (_elsewhere(row) or 0.0) > ABOVE


def _elsewhere(row: Mapping[str, Any]) -> float | None:
    others = [float(v) for v in row.get("others", ()) if math.isfinite(v)]
    return float(np.mean(others)) if others else None


def thrown_out(losses: Sequence[float]) -> int | None:
    """The step from which a loss lies far above its start, if it never comes back below it.

    Three losses in a row make one sure; None where the run got over it, or nothing happened.
    """
    begin = losses[0] if losses else math.nan
    if not math.isfinite(begin):
        return 0 if losses else None
    values = np.where(np.isfinite(losses), losses, math.inf)
    final = float(np.median(values[-max(1, len(values) // 3) :]))
    if final < begin - (1 - LOST) * abs(begin):
        return None
    bar = begin + (GROWN - 1) * abs(begin)
    high = (i for i, v in enumerate(values) if v > bar and np.median(values[i : i + 3]) > bar)
    return next(high, None)


def began(losses: Sequence[float]) -> float:
    """Where a loss began; its first steps may already have thrown it up."""
    first = [losses[0]] if losses and math.isfinite(losses[0]) else []
    return min([start(losses), *first])


def stands_still(losses: Sequence[float]) -> bool:
    """The loss is above half of its start, and no longer falls."""
    values = np.array([v for v in losses if math.isfinite(v)])
    if len(values) < FEWEST:
        return False
    begin = began(losses)
    _, middle, last = (float(np.median(part)) for part in np.array_split(values, 3))
    return last > POOR * begin > 0 and middle - last < FALLING * begin


def _told(row: Mapping[str, Any], losses: Sequence[float]) -> dict[str, Any]:
    """A look for the reader and for rules, with the loss around it."""
    at = int(row["step"])
    before, after = losses[max(0, at - 4) : at + 1], losses[at + 1 : at + 6]
    rose = bool(after) and not float(np.median(after)) <= float(np.median(before))
    return {
        "step": at, "ratio": row["ratio"], "threshold": row["threshold"],
        "sharpness": row["ratio"] * row["threshold"], "elsewhere": _elsewhere(row),
        "lr": row["lr"], "factor": row["factor"], "rounds": row["rounds"], "rose": rose,
    }  # fmt: skip


PROBE = Probe(200, following, answer)
