"""Asks a probe: runs its trials and says what came of them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace

from gradoctor.errors import GradoctorError
from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.trials import Course, Trial, conduct

Tell = Callable[[Arm, int], None]
"""Is given the arm that runs and its steps so far."""

LIMIT = 600.0


def ask(
    probe: Probe,
    target: tuple[str, ...],
    *,
    steps: int | None = None,
    seed: int = 0,
    limit: float = LIMIT,
    total: float = math.inf,
    tell: Tell | None = None,
) -> Answer:
    """The answer for a script.

    Args:
        target: the script and its arguments, or ``-m``, the module and its arguments.
        steps: training steps of each arm; the probe's own number when None.
        limit: seconds that one arm may take.
        total: seconds that all of them may take; an arm that these end gets the caution
            ``cut-short``.
        tell: told of progress, several times a second.

    Raises:
        GradoctorError: the script does not train, or ends before its first step.
    """
    wanted = steps or probe.steps
    done: dict[str, Course] = {}
    while (arm := probe.next(done, wanted)) is not None:
        now = arm

        def tick(count: int, arm: Arm = now) -> None:
            if tell is not None:
                tell(arm, count)

        tick(0)
        trial = Trial(target, arm.interventions, steps=wanted, seed=seed)
        left = total - sum(course.seconds for course in done.values())
        done[arm.name] = conduct(trial, limit=max(0.0, min(limit, left)), tick=tick)
        if len(done) == 1 and not probe.spare:
            check(done[arm.name], target)
    check(done[list(done)[-1]], target)
    return finished(probe.answer(done), done)


def finished(answer: Answer, done: Mapping[str, Course]) -> Answer:
    """The answer with what every answer has."""
    arms = answer.arms or {name: course.losses for name, course in done.items()}
    cut = any(course.ended == "timeout" for course in done.values())
    return replace(
        answer, arms=arms, steps=max(course.steps for course in done.values()),
        seconds=sum(course.seconds for course in done.values()),
        cautions=(*answer.cautions, *(("cut-short",) if cut else ())),
    )  # fmt: skip


def check(course: Course, target: tuple[str, ...]) -> None:
    """Refuse what no probe can say anything of.

    Raises:
        GradoctorError: no training step was seen in the script as it is.
    """
    script = target[1] if target[0] == "-m" else target[0]
    if course.steps:
        return
    if course.ended == "timeout":
        raise GradoctorError(
            f"{script} did not come to a training step within {course.seconds:.0f} s.",
            "Give it more time: --limit SECONDS.",
        )
    if course.ended in ("crashed", "killed"):
        last = course.said.splitlines()[-1] if course.said else "it was killed"
        where = ""
        if course.error and course.error.get("file"):
            where = f" at {os.path.relpath(course.error['file'])}:{course.error['line']}"
        raise GradoctorError(
            f"{script} ended before its first training step{where}: {last}.".replace("..", "."),
            f"Check that it runs by itself: python {' '.join(target)}",
        )
    raise GradoctorError(
        f"{script} ended without a training step: no backward was followed by an optimizer's step"
        " in its own process.",
        "Name the script that trains, with its arguments; one that resumes a finished run has"
        " nothing left to do.",
    )
