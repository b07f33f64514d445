"""Random labels: does the network still learn them as fast as when it was new?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.rules.evidence.tasks import in_losses
from gradoctor.trials import Course

NAME = "plasticity"
STEPS = 20_000  # of the script, unless it ends before
LOST = 2.0  # times as many steps as with the first weights
KEPT = 1.5
FEWEST = 4  # steps that the first weights must need, or nothing can be told apart


def following(done: Mapping[str, Course], steps: int) -> Arm | None:
    """One trial, as long as the script trains."""
    return None if NAME in done else Arm(NAME, {"plasticity": {}})


def answer(courses: Mapping[str, Course]) -> Answer:
    """How many times as many steps random labels take as with the first weights.

    ``lost`` (twice or more, in each draw), ``kept`` (up to one and a half), ``slower``; or why that
    cannot be said: ``unknown-loss``, ``no-targets``, ``too-hard`` (new weights do not learn them
    either), ``too-quick``, ``changed`` (the model got other parameters), ``failed``, ``unseen``.

    It is bad only where tasks follow one another: who learns one task need not stay new.
    """
    course = courses[NAME]
    seen = dict(course.facts.get("plasticity") or {"unasked": "unseen"})
    unasked = str(seen.pop("unasked", ""))
    losses = np.array(course.losses)
    finite = np.isfinite(losses)
    floor = float(np.median(losses[finite][:5])) if finite.any() else 0.0
    known = in_losses(np.flatnonzero(finite), losses[finite], floor)
    values = {**seen, "tasks": len(known.took), "task_steps": known.length}
    if unasked:
        return Answer(NAME, unasked, False, values)
    if int(seen["initial"]) < FEWEST:
        return Answer(NAME, "too-quick", False, values)
    lost = float(seen["least"]) >= LOST
    verdict = "lost" if lost else "kept" if float(seen["ratio"]) <= KEPT else "slower"
    cautions = ("one-task",) if lost and not known.found else ()
    return Answer(NAME, verdict, lost and known.found, values, cautions=cautions)


PROBE = Probe(STEPS, following, answer, cheap=True)
