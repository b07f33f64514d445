"""Labels and outputs do not count from the same number."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.losses._calls import calls, finding


@rule(proof="structural", needs=("fact:loss_call",))
def label_range(run: Recording) -> Iterator[Finding]:
    """Labels 1 to K for a head of K+1 outputs: the first class never occurs, all others do.

    Padded vocabularies leave the upper end unused and are no fault; rare classes leave holes. Also:
    rows of 0 and 1 with several ones given to cross entropy, which expects one class.

    Values: kind (off_by_one or multi_label), classes (outputs), seen (classes that occur)
    """
    for site, fact in calls(run, "cross_entropy", "nll_loss"):
        classes = int(fact.data.get("classes") or 0)
        if fact.data.get("multi_label") and fact.count >= 3:
            values = {"kind": "multi_label", "classes": classes, "seen": classes}
            yield finding(run, site, Level.SICK, values, Evidence("loss_call.multi_label", 1, 0))
            continue
        counts = fact.data.get("label_counts")
        if not counts or classes < 3:
            continue
        seen = sum(c > 0 for c in counts)
        if counts[0] == 0 and seen == classes - 1 and sum(counts) >= 10 * classes:
            values = {"kind": "off_by_one", "classes": classes, "seen": seen}
            evidence = Evidence("loss_call.classes", classes, seen, "classes")
            yield finding(run, site, Level.SUSPECT, values, evidence)
