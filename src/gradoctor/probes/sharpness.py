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
EARLY = (0, 3, 6, 10, 20)  # steps: what throws a run out does so in its first ones
LATER = 6  # looks at equal distances after them
OTHERS = 2  # batches on which each direction is tried
ABOVE = 2.0  # times the threshold
NEAR = 0.5
SHARE = 0.8  # of the looks
FALLING = 0.05  # between the last two thirds, of the first loss
POOR = 0.5  # of the first loss: what is below has learnt
GROWN = 1.5  # times the first loss
BEFORE = 10  # steps before it: looks that bear on a loss that is thrown out


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
    ``tolerated``: as much, but the loss falls, or other batches do not curve so; ``at-edge``:
    between half and twice, which is normal; ``below``. Or why it cannot be said:
    ``no-second-derivative``, ``optimizer-unknown``, ``several-optimizers``, ``other-gradient``
    (the optimizer is given something else than the gradient of the losses); ``unseen`` (no step
    could be looked at).
    """
    course = courses[NAME]
    seen = course.facts.get("sharpness", {})
    rows = [row for row in seen.get("looks", ()) if math.isfinite(row["ratio"])]
    values: dict[str, Any] = {
        "start": start(course.losses), "end": end(course.losses),
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
    if onset is not None:  # what a network is like after it was thrown out explains nothing
        before = [r for r in rows if onset - BEFORE <= r["step"] <= onset]
        steep = [r for r in before if r["ratio"] > ABOVE]
        if steep:
            return "above", max(steep, key=lambda r: float(r["ratio"]))
        rows = [r for r in rows if r["step"] <= onset] or rows
    late = [r for r in rows if r["step"] >= EARLY[-1]] or list(rows)
    middle = sorted(late, key=lambda r: float(r["ratio"]))[len(late) // 2]
    own = float(middle["ratio"])
    if own > ABOVE:
        lasting = np.mean([_is_above(r) for r in late]) >= SHARE
        return ("above" if lasting and len(late) > 2 and stands_still(losses) else "tolerated",
                middle)  # fmt: skip
    return "at-edge" if own >= NEAR else "below", middle


def _is_above(row: Mapping[str, Any]) -> bool:
    """On the step's own batch, and along the same direction on the batches that follow."""
    return float(row["ratio"]) > ABOVE and (_elsewhere(row) or 0.0) > ABOVE


def _elsewhere(row: Mapping[str, Any]) -> float | None:
    others = [float(v) for v in row.get("others", ()) if math.isfinite(v)]
    return float(np.mean(others)) if others else None


def thrown_out(losses: Sequence[float]) -> int | None:
    """The step from which a loss that diverges is far above its start; None when it does not."""
    if not diverged(losses):
        return None
    begin = start(losses[:3])
    bar = begin + (GROWN - 1) * abs(begin) if math.isfinite(begin) else math.inf
    return next((i for i, v in enumerate(losses) if not v <= bar), 0)


def stands_still(losses: Sequence[float]) -> bool:
    """The loss is above half of its start, and no longer falls."""
    values = np.array([v for v in losses if math.isfinite(v)])
    if len(values) < 3 * len(EARLY):
        return False
    begin = start(values.tolist())
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
