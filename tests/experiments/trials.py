"""Running an experiment of the ledger, and what every outcome must fulfil."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Any

import pytest

from gradoctor.knowledge.claims import CLAIMS
from gradoctor.knowledge.plots import Bars, Grid, Plot
from gradoctor.lab import EXPERIMENTS, Outcome


def numbers(topic: str, dear: Collection[int]) -> list[Any]:
    """The claims of a topic as parameters of a test; those that take long are marked slow."""
    found = [n for n, claim in CLAIMS.items() if claim.topic == topic]
    assert set(dear) <= set(found)
    return [pytest.param(n, marks=[pytest.mark.slow] if n in dear else []) for n in found]


def run(number: int) -> Outcome:
    """The outcome of one experiment."""
    module, _, function = EXPERIMENTS[number].partition(":")
    outcome: Outcome = getattr(import_module(f"gradoctor.experiments.{module}"), function)()
    return outcome


def check(number: int) -> None:
    """The verdict is the expected one, the figures are numbers, the pictures can be drawn."""
    outcome = run(number)
    assert outcome.verdict == CLAIMS[number].expected, outcome.measured.en
    assert outcome.figures
    for name, spread in outcome.figures.items():
        assert all(map(math.isfinite, (spread.middle, spread.low, spread.high))), name
    for said in outcome.measured:
        assert any(c.isdigit() for c in said)
        assert "{" not in said
    assert outcome.pictures
    for picture in outcome.pictures:
        assert list(lengths(picture)) == []
        assert picture.title.en
        assert picture.title.zh
    assert Outcome.from_data(outcome.to_data()).figures == outcome.figures


def lengths(picture: Plot | Bars | Grid) -> Iterator[str]:
    """What does not fit together in a picture."""
    if isinstance(picture, Plot):
        for curve in picture.curves:
            wrong = {len(curve.y), len(curve.low or curve.y), len(curve.high or curve.y)}
            if wrong != {len(curve.x)} or not curve.x:
                yield f"{curve.label.en}: {len(curve.x)} places, {wrong} values"
    elif isinstance(picture, Bars):
        if len(picture.labels) != len(picture.values):
            yield f"{len(picture.labels)} labels, {len(picture.values)} values"
    elif [len(picture.columns)] * len(picture.rows) != [len(row) for row in picture.values]:
        yield f"{len(picture.rows)} × {len(picture.columns)} labels do not fit the values"
