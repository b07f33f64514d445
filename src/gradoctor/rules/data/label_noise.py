"""Part of the labels are wrong, at random."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, cautious, is_final
from gradoctor.rules.evidence.exclusions import too_early, warming_up
from gradoctor.rules.evidence.loss import leading_function
from gradoctor.rules.evidence.robust import median

SHARE = 0.08  # of the labels
HARMFUL = 0.12
UNDECIDED = 2.5  # times the contradicted: between the two heaps there is little
PATTERN = 0.35  # nats: labels of look-alikes have 0.5 and more, and few wrong ones some by chance
SETTLED = 60  # steps
FEWEST = 8  # looks, of which each pools the ten before it


@rule(
    proof="statistical",
    needs=("label.contradicted", "label.undecided", "label.doubt_pattern"),
)
def label_noise(run: Recording) -> Iterator[Finding]:
    """Samples fall into two heaps: fitted ones, and ones whose label is firmly contradicted.

    Mechanism: one label in twelve or more got less than a tenth of the probability of a class that
    got half or more; not many lie between; and which class a contradicted label names hardly
    depends on which was predicted, as with labels that were changed at random. Tasks that are hard
    have few of them, and four times as many labels between. Suspect from one label in eight on.

    Values: share, pattern, undecided, loss
    """
    site = leading_function(run)
    if site is None:
        return
    against, between, patterns = (
        _recent(run, f"label.{name}", site.id)
        for name in ("contradicted", "undecided", "doubt_pattern")
    )
    if min(len(against), len(patterns)) < FEWEST:
        return
    share, rest, pattern = (median(s.values) for s in (against, between, patterns))
    if share < SHARE or rest > UNDECIDED * share or abs(pattern) > PATTERN:
        return
    exclusions = (too_early(run, final=is_final(run)), warming_up(run))
    lasts = float(np.mean(against.values >= SHARE)) >= 0.8
    grading = cautious(persists=lasts, harm=share >= HARMFUL, exclusions=exclusions)
    if grading == Level.NOTE and exclusions[0].found:
        return
    yield Finding(
        level=grading,
        sites=(site.id,),
        first_step=int(against.steps[0]),
        last_step=int(against.steps[-1]),
        values={
            "share": share,
            "pattern": pattern,
            "undecided": rest,
            "loss": median(_recent(run, "lossfn.value", site.id).values),
        },
        evidence=(
            Evidence("label.contradicted", share, SHARE, "fraction", site.id),
            Evidence("label.undecided", rest, UNDECIDED * share, "fraction", site.id),
            Evidence("label.doubt_pattern", pattern, PATTERN, "nat", site.id),
        ),
        exclusions=as_pairs(exclusions),
    )


def _recent(run: Recording, statistic: str, site: int) -> Series:
    """The last half of the looks after the first steps, eight at least."""
    series = run.series(statistic, site).after(SETTLED)
    count = max(FEWEST, len(series) // 2)
    return Series(series.steps[-count:], series.values[-count:])
