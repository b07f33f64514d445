"""Labels and outputs do not count from the same number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.losses._calls import calls, finding

OFTEN = 20
"""Labels of every other class from which on the absence of class 0 is no chance."""


@rule(proof="structural", needs=("fact:loss_call",))
def label_range(run: Recording) -> Iterator[Finding]:
    """Labels 1 to K for a head of K+1 outputs: the first class never occurs, all others do.

    Padded vocabularies leave the upper end unused and are no fault; rare classes leave holes; where
    labels are ignored or tokens are predicted, 0 is kept for padding. Also: rows of 0 and 1 with
    several ones given to cross entropy, which expects one class; rows of zeros only are masked.
    Or cross entropy over a single output: its softmax is 1 whatever the network says, so the loss
    and all gradients are 0. And a note for outputs at the upper end that no label names, when all
    below are common.

    Values: kind (off_by_one, multi_label, one_output or too_many), classes (outputs),
    seen (classes that occur)
    """
    for site, fact in calls(run, "cross_entropy", "nll_loss"):
        classes = int(fact.data.get("classes") or 0)
        if classes == 1 and fact.data.get("function") == "cross_entropy" and fact.count >= 3:
            if _is_nothing(run, site):
                values = {"kind": "one_output", "classes": 1, "seen": 1}
                evidence = Evidence("loss_call.classes", 1, 2, "classes")
                yield finding(run, site, Level.SICK, values, evidence)
            continue
        if fact.data.get("multi_label") and fact.count >= 3:
            ones = run.series("target.mean", site.id).values * classes
            if len(ones) and float(np.median(ones)) < 1.02:
                continue
            values = {"kind": "multi_label", "classes": classes, "seen": classes}
            yield finding(run, site, Level.SICK, values, Evidence("loss_call.multi_label", 1, 0))
            continue
        counts = fact.data.get("label_counts")
        if not counts or classes < 3 or _keeps_zero(run, fact):
            continue
        seen = sum(c > 0 for c in counts)
        if counts[0] == 0 and seen == classes - 1 and sum(counts) >= 10 * classes:
            values = {"kind": "off_by_one", "classes": classes, "seen": seen}
            evidence = Evidence("loss_call.classes", classes, seen, "classes")
            # as frequent as the rarest of the others, class 0 would have been seen all but surely
            sure = min(counts[1:]) >= OFTEN and len(fact.data.get("target_shape") or ()) == 1
            yield finding(run, site, Level.SICK if sure else Level.SUSPECT, values, evidence)
        elif seen < classes and _only_the_first(counts, seen) and _is_mixed(run, site):
            values = {"kind": "too_many", "classes": classes, "seen": seen}
            evidence = Evidence("loss_call.classes", classes, seen, "classes")
            yield finding(run, site, Level.NOTE, values, evidence)


def _is_nothing(run: Recording, site: Site) -> bool:
    """The loss was exactly 0 each time it was looked at."""
    values = run.series("lossfn.value", site.id).values
    return len(values) >= 3 and not values.any()


def _only_the_first(counts: list[int], seen: int) -> bool:
    """The classes that occur are the first ones, each of them often and about equally so."""
    used, whole = counts[:seen], len(counts)
    if whole % 8 == 0 or whole & (whole - 1) == 0:
        return False  # padded to a round number
    return seen > 1 and min(used) >= max(OFTEN, max(used) // 5) and sum(used) >= 10 * whole


def _is_mixed(run: Recording, site: Site) -> bool:
    """Batches hold the classes at random: what has not come so far is not waiting at the end."""
    seen = run.series("label.entropy", site.id).values
    hoped = run.series("label.expected_entropy", site.id).values
    return len(seen) >= OFTEN and float(np.mean(seen)) > 0.7 * float(np.max(hoped))


def _keeps_zero(run: Recording, fact: Fact) -> bool:
    """Labels were ignored, or the model reads ids: its vocabulary keeps 0 for padding."""
    ids = any(s.meta.get("kind") == "ids" for s in run.of_kind("input"))
    return ids or float(fact.data.get("ignored") or 0) > 0
