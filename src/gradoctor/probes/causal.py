"""Does an output see inputs that come after it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.trials import Course

NAME = "causal"
AFTER = 10  # steps: what starts at zero has begun to let things through


def following(done: Mapping[str, Course], steps: int) -> Arm | None:
    """One trial, examined after a few steps."""
    return None if NAME in done else Arm(NAME, {"causal": {"at": max(0, min(AFTER, steps - 1))}})


def answer(courses: Mapping[str, Course]) -> Answer:
    """Whether the future reaches the past.

    With targets that are the next inputs: ``leak`` or ``causal``, or ``mixes-samples`` (another
    sample's input reaches an output). With others: ``looks-ahead`` or ``causal``, which is no
    fault by itself. ``pointwise``: no position sees another. ``no-axis``: input and output do not
    share two axes. ``unseen``: no step was examined.
    """
    seen = courses[NAME].facts.get("causal")
    if seen is None:
        return Answer("causal", "unseen", False)
    objective = seen.get("objective")
    axes = {int(row["axis"]): row for row in seen["axes"]}
    time = int(objective[0]) if objective else 1
    values: dict[str, Any] = {
        "model": seen["model"], "next": objective[1] if objective else 0.0, "axis": time,
        **{key: seen.get(key) for key in ("inputs", "outputs", "module", "class", "file", "line")},
    }  # fmt: skip
    if time not in axes or not axes[time]["tries"]:
        return Answer("causal", "no-axis", False, values)
    tries = axes[time]["tries"]
    ahead = [row for row in tries if 0 <= row[1] < row[0]]
    values |= {"size": axes[time]["size"], "tries": len(tries)}
    if ahead:
        nearest = max(ahead, key=lambda row: row[1] - row[0])
        values |= {"input": nearest[0], "output": nearest[1], "leaks": len(ahead)}
        verdict = "leak" if objective else "looks-ahead"
    elif objective and _mixes(axes.get(1 - time)):
        verdict = "mixes-samples"
    else:
        verdict = "causal" if any(row[2] > row[0] for row in tries) else "pointwise"
    return Answer("causal", verdict, verdict in ("leak", "mixes-samples"), values)


def _mixes(batch: Mapping[str, Any] | None) -> bool:
    """A changed sample changes the output of others, in eval mode."""
    return batch is not None and any(
        row[1] >= 0 and (row[1] < row[0] or row[2] > row[0]) for row in batch["tries"]
    )


PROBE = Probe(AFTER + 1, following, answer, cheap=True)
