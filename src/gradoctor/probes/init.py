"""Noise instead of the data, before the first step: is it the weights or what they are given?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gradoctor.probes._records import Answer, Arm, Probe, in_turn
from gradoctor.trials import Course

NAME = "init"
LOUD = 5.0  # bits: an output of 32 where 1 is expected
FEWEST = 3  # layers of which a slope can be said


def answer(courses: Mapping[str, Course]) -> Answer:
    """Where an ill gradient, or an ill signal, comes from.

    ``healthy``; ``init`` (noise shows the same, or there are only ids to give); ``data-scale``
    (standardised inputs heal it); ``data`` (noise is well, standardised inputs are not);
    ``shallow``; ``unseen``.
    """
    seen = courses[NAME].facts.get("span")
    if seen is None:
        return Answer("init", "unseen", False)
    real = seen["real"]
    values: dict[str, Any] = {
        "model": seen["model"], "layers": real["layers"], "span": real["span"],
        "span_noise": _of(seen, "noise"), "span_standardised": _of(seen, "standardised"),
        "loudest": loudest(real), "loudest_noise": _loud(seen, "noise"),
        "loudest_standardised": _loud(seen, "standardised"), "codes": real["codes"],
        "inputs": seen.get("inputs"), "ids": "noise" not in seen,
    }  # fmt: skip
    verdict = _verdict(seen)
    return Answer("init", verdict, verdict in ("init", "data-scale", "data"), values)


def _of(seen: Mapping[str, Any], kind: str) -> float | None:
    return float(seen[kind]["span"]) if kind in seen else None


def _loud(seen: Mapping[str, Any], kind: str) -> float | None:
    return loudest(seen[kind]) if kind in seen else None


def _verdict(seen: Mapping[str, Any]) -> str:
    if not _ill(seen["real"]):
        return "shallow" if seen["real"]["layers"] < FEWEST else "healthy"
    if "noise" not in seen or _ill(seen["noise"]):
        return "init"
    return "data" if _ill(seen["standardised"]) else "data-scale"


def _ill(found: Mapping[str, Any]) -> bool:
    """The gradient does not come through, or the layers answer far too loud."""
    return bool(found["verdict"] != "healthy") or loudest(found) > LOUD


def loudest(found: Mapping[str, Any]) -> float:
    """Log2 of the rms of the loudest layer; infinite where one is not finite."""
    signal = found.get("signal") or ()
    return max((math.inf if s is None or math.isnan(s) else s for s in signal), default=0.0)


PROBE = Probe(1, in_turn(Arm(NAME, {"span": {}})), answer, cheap=True)
