"""A language model's labels are shifted against its input by the wrong number of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.losses._calls import BATCHES, calls, finding

ALL = 0.99
MOST = 0.9
"""Share of right labels from which on the text repeats itself so much that no shift shows."""


class Shift(NamedTuple):
    """A shift of the labels: what it is called, and where it is measured."""

    kind: str
    statistic: str


SHIFTS = (
    Shift("none", "label.copy"),
    Shift("double", "label.after_next"),
    Shift("backward", "label.previous"),
)


@rule(proof="structural", needs=("label.next",))
def shifted_labels(run: Recording) -> Iterator[Finding]:
    """All labels are the input's own token (no shift), the one after the next (shifted twice), or
    the one before.

    A proof where a causal mask or a recurrence in one direction shows that the model is to predict
    the next token: with no shift it copies its input. Without a mask, copying is what an
    autoencoder of texts does, and several heads may each predict a token further on: a note.
    An own token or an earlier one is the task of some tests of memory: recurrent nets get a note.

    Values: kind (none, double or backward), share (of the labels)
    """
    if any(_median(run, "label.next", site) >= MOST for site in run.table("label.next").sites):
        return
    for site, _ in calls(run, "cross_entropy", "nll_loss"):
        for shift in SHIFTS:
            seen = run.series(shift.statistic, site.id).values
            if len(seen) < BATCHES or float(seen.min()) < ALL:
                continue
            yield _finding(run, site, shift, float(seen.min()))
            break


def _median(run: Recording, statistic: str, site: int) -> float:
    """Over all looks: a run that is just beginning is judged by this rule, too."""
    return median(run.series(statistic, site).values)


def _finding(run: Recording, site: Site, shift: Shift, share: float) -> Finding:
    how = {f.data.get("how") for f in run.facts_of("causal")}
    masked = "mask" in how
    one_way = how == {"recurrent"} and len(_recurrent(run)) == 1
    proof = masked or (one_way and shift.kind == "double")
    evidence = Evidence(shift.statistic, share, ALL, "fraction")
    values = {"kind": shift.kind, "share": share}
    return finding(run, site, Level.SICK if proof else Level.NOTE, values, evidence)


def _recurrent(run: Recording) -> list[Site]:
    return [s for s in run.of_kind("module") if s.meta.get("role") == "recurrent"]
