"""Most tokens are padding."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians
from gradoctor.rules.losses._calls import BATCHES, calls, finding

HALF = 0.5


@rule(proof="structural", needs=("input.padding",))
def padding_dominated(run: Recording) -> Iterator[Finding]:
    """More than half of the tokens are padding; suspect when they count in the loss, too.

    Padding is the run of two or more equal ids at the end of a row, of the id that most rows end
    in. Masked in the loss it only costs time: a note.

    Values: kind (counted or masked), padding, labels (share of the loss's labels)
    """
    counted = recent_medians(run, "label.padding")
    for site, _ in calls(run, "cross_entropy", "nll_loss"):
        share = counted.get(site.id, 0.0)
        if share > HALF and len(run.series("label.padding", site.id)) >= BATCHES:
            values = {"kind": "counted", "padding": share, "labels": share}
            evidence = Evidence("label.padding", share, HALF, "fraction")
            yield finding(run, site, Level.SUSPECT, values, evidence)
            return
    for site_id, share in recent_medians(run, "input.padding").items():
        if site_id not in run.sites or share <= HALF:
            continue
        if len(run.series("input.padding", site_id)) >= BATCHES:
            values = {"kind": "masked", "padding": share, "labels": 0.0}
            evidence = Evidence("input.padding", share, HALF, "fraction")
            yield finding(run, run.sites[site_id], Level.NOTE, values, evidence)
