"""A few outputs are a thousand times the rest, and float16 has little room left for them."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians

LARGE = 100.0
TIMES = 30.0
"""Largest output over the rms, which the large ones raise themselves."""
ROOM = 4.0


@rule(proof="numerical", needs=("act.headroom", "act.absmax"))
def massive_activations(run: Recording) -> Iterator[Finding]:
    """In a float16 layer single outputs tower over the others with fewer than four bits to spare.

    A note: such outputs are common in large language models and harmless by themselves; only where
    the format has little room left is it worth saying.

    Values: layer, largest, times (the layer's rms), headroom (bits)
    """
    room = recent_medians(run, "act.headroom")
    largest, usual = recent_medians(run, "act.absmax"), recent_medians(run, "act.rms")
    found = [
        (largest[s] / usual[s], s)
        for s, bits in room.items()
        if 0 <= bits < ROOM and largest.get(s, 0.0) > LARGE and usual.get(s, 0.0) > 0
    ]
    times, worst = max(found, default=(0.0, -1))
    if times < TIMES or worst not in run.sites:
        return
    site = run.sites[worst]
    yield Finding(
        Level.NOTE, (worst,), 0, max(0, run.steps - 1),
        {"layer": site.name, "largest": largest[worst], "times": times, "headroom": room[worst]},
        (Evidence("act.absmax", times, TIMES, "ratio", worst),
         Evidence("act.headroom", room[worst], ROOM, "bits", worst)),
    )  # fmt: skip
