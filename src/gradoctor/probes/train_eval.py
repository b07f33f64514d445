"""The same batch in train mode and in eval mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradoctor.probes._records import Answer, Arm, Probe
from gradoctor.probes.paired import start
from gradoctor.trials import Course

NAME = "train-eval"
LOST = 0.5  # of the descent so far: what eval mode must lose to be ill
MOVED = 0.05  # of its start: what the loss must have fallen by for that to mean anything
APART = 0.5  # rms of the difference of the outputs over their rms
SHIFT = 0.5  # standard deviations between a running mean and the batch's
SCALE = 1.0  # bits between a running variance and the batch's
UNSETTLED = 0.05  # what is left of a running statistic's first value
SLOW = 0.01  # a momentum below this is a fault, not a matter of waiting


def following(done: Mapping[str, Course], steps: int) -> Arm | None:
    """One trial, examined after its steps."""
    if NAME in done:
        return None
    return Arm(NAME, {"train_eval": {"at": max(0, steps - 1)}})


def answer(courses: Mapping[str, Course]) -> Answer:
    """What eval mode makes of the batch.

    ``same`` or ``no-modes`` (to the last bit); ``norm`` (one running statistic does it alone),
    ``modes`` (something else does); ``early`` (running statistics had no time); ``eval-already``
    (it trains in eval mode); ``unseen`` (no step was examined).
    """
    course = courses[NAME]
    seen = course.facts.get("train_eval")
    if seen is None:
        return Answer("train-eval", "unseen", False)
    begin = start(course.losses)
    values = {key: seen[key] for key in ("loss_train", "loss_eval", "outputs", "agree", "model")}
    values |= {"start": begin, "lost": _lost(begin, seen["loss_train"], seen["loss_eval"])}
    values["gap"] = _gap(seen["loss_train"], seen["loss_eval"])
    worst = _first(seen)
    if worst is not None:
        values |= {
            "norm": worst["name"], "class": worst["class"], "momentum": worst["momentum"],
            "batches": worst["batches"], "shift": worst["shift"],
            "scale": worst["scale"], "file": worst["file"], "line": worst["line"],
        }  # fmt: skip
    verdict = _verdict(seen, values, worst, begin)
    cautions = [] if seen["loss_train"] is not None else ["outputs-only"]
    return Answer("train-eval", verdict, verdict in ("norm", "modes"), values,
                  cautions=tuple(cautions))  # fmt: skip


def _lost(begin: float, train: float | None, evaluated: float | None) -> float | None:
    """How much of the descent is lost in eval mode; None where that cannot be said."""
    if train is None or evaluated is None or not begin - train > MOVED * abs(begin):
        return None
    return (evaluated - train) / (begin - train)


def _gap(train: float | None, evaluated: float | None) -> float | None:
    """The difference in parts of the loss in train mode."""
    if train is None or evaluated is None or not train:
        return None
    return (evaluated - train) / abs(train)


def _ill(begin: float, seen: Mapping[str, Any], loss: float | None, outputs: float) -> bool:
    train = seen["loss_train"]
    lost = _lost(begin, train, loss)
    if lost is not None:
        return lost > LOST
    if train is not None and loss is not None:  # nothing was learnt yet that could be lost
        return bool(loss - train > LOST * abs(train))
    return outputs > APART


def _first(seen: Mapping[str, Any]) -> dict[str, Any] | None:
    """The first norm whose running statistics are not the batch's; those behind it follow suit."""
    for row in seen["norms"]:
        if row["shift"] > SHIFT or abs(row["scale"]) > SCALE:
            return dict(row)
    return None


def _verdict(
    seen: Mapping[str, Any], values: Mapping[str, Any], worst: Mapping[str, Any] | None,
    begin: float,
) -> str:  # fmt: skip
    if not seen["trains"]:
        return "eval-already"
    if seen["same"]:
        return "no-modes"
    if not _ill(begin, seen, seen["loss_eval"], seen["outputs"]):
        return "same"
    if worst is None:
        return "modes"
    momentum = worst["momentum"]
    left = (1 - momentum) ** (worst["batches"] or 0) if momentum is not None else 0.0
    if left > UNSETTLED and (momentum or 0.0) >= SLOW:
        return "early"
    return "norm"


PROBE = Probe(100, following, answer, cheap=True)
