"""From measurements to a verdict, and to pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve
from gradoctor.lab import Spread

LAYER = Words("layer, from the input", "层（自输入端数起）")
STEP = Words("step", "步数")
LOSS = Words("loss", "损失")
BITS = Words("bits per layer", "比特/层")


def halves(*hold: bool) -> str:
    """The verdict of a claim in parts: true when all hold, false when none does, else partly."""
    return "true" if all(hold) else "partly" if any(hold) else "false"


def once(value: float) -> Spread:
    """A figure in which chance plays no part."""
    return Spread.of([value])


def over(seeds: Iterable[int], measure: Callable[[int], float]) -> Spread:
    """A figure measured once a seed."""
    return Spread.of(measure(seed) for seed in seeds)


def line(label: Words | str, x: Iterable[float], y: Iterable[float], points: bool = False) -> Curve:
    """A curve; a label that is a plain string reads the same in both languages."""
    return Curve(_words(label), tuple(map(float, x)), tuple(map(float, y)), points)


def band(label: Words | str, x: Iterable[float], runs: Sequence[Sequence[float]]) -> Curve:
    """The median of several runs of equal length, and their range as a band."""
    columns = list(zip(*runs, strict=True))
    return Curve(
        _words(label),
        tuple(map(float, x)),
        tuple(float(median(c)) for c in columns),
        low=tuple(float(min(c)) for c in columns),
        high=tuple(float(max(c)) for c in columns),
    )


def same(labels: Iterable[object]) -> tuple[Words, ...]:
    """Labels that read the same in both languages."""
    return tuple(Words.same(str(label)) for label in labels)


def _words(label: Words | str) -> Words:
    return label if isinstance(label, Words) else Words.same(label)
