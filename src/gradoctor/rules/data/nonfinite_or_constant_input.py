"""The data holds NaN or infinity."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule


@rule(proof="numerical", needs=())
def nonfinite_or_constant_input(run: Recording) -> Iterator[Finding]:
    """An input or a target has NaN or infinite values.

    Sick when the loss or an activation was not finite as well: a mask that takes them out before
    the first operation makes them harmless. An input that never changes at all is a note.

    Values: kind (input, target or constant), count (bad values in the worst batch), name
    """
    spread = _spreads(run)
    for kind, statistic in (("input", "input.nonfinite"), ("target", "target.nonfinite")):
        table = run.table(statistic)
        for site in table.sites:
            series = table.series(site)
            bad = series.values > 0
            if not bad.any():
                continue
            first = int(series.steps[bad.argmax()])
            most = float(series.values.max())
            place = run.sites[site]
            yield Finding(
                Level.SICK if spread else Level.SUSPECT, (site,), first, int(series.steps[-1]),
                {"kind": kind, "count": int(most), "name": place.name},
                (Evidence(statistic, most, 0, "elements", site),),
            )  # fmt: skip


def _spreads(run: Recording) -> bool:
    """The loss or an activation was not finite."""
    for statistic in ("loss.nonfinite", "act.nonfinite"):
        table = run.table(statistic)
        if any((table.series(s).values > 0).any() for s in table.sites):
            return True
    return False
