"""Activations, those a beginner meets first at the head."""

from __future__ import annotations

from gradoctor.knowledge.formulary import _rectified, _saturating, _smooth, _vector
from gradoctor.knowledge.formulary._entry import Entry

ENTRIES: tuple[Entry, ...] = (
    *_rectified.ENTRIES,
    *_saturating.ENTRIES,
    *_smooth.ENTRIES,
    *_vector.ENTRIES,
)
