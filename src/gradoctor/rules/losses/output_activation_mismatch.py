"""The last activation cannot give what the loss asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians, worst_outcome
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.losses._calls import BATCHES, calls, finding, usual, where_made

OUTSIDE = 0.01  # of the targets
FLOOR = 0.1  # of the baseline, that the best prediction within the range cannot go below
TIMES = 2.0  # the floor: a loss below it is held up by nothing else
LATEST = 20
REGRESSION = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


@rule(proof="structural", needs=("fact:loss_call",))
def output_activation_mismatch(run: Recording) -> Iterator[Finding]:
    """Targets outside the range of the last activation, or an activation that binds the logits.

    Targets: more than 1 % lie where no output can go; sick when what they cost at best is a tenth
    of the targets' variance, suspect below that. Logits: tanh before cross entropy or tanh and ReLU
    before the binary one keep every probability from 0 or 1, so that the loss has a floor: sick
    once the loss has come near it or is stuck, suspect before. ReLU
    before cross entropy only takes the negative half: sick when it has killed a class.

    Values: kind (targets, bounded or dead_class), producer, outside (share of the targets),
        floor (lowest loss, or share of the targets' variance)
    """
    for site, fact in calls(run, *REGRESSION):
        yield from _targets(run, site, fact)
    for site, fact in calls(run, "cross_entropy", "binary_cross_entropy_with_logits"):
        yield from _logits(run, site, fact)


def _targets(run: Recording, site: Site, fact: Fact) -> Iterator[Finding]:
    seen = run.series("target.outside", site.id).values
    outside = usual(run, "target.outside", site.id)
    beyond = usual(run, "target.beyond", site.id)
    spread = usual(run, "target.std", site.id)
    if len(seen) < BATCHES or outside is None or beyond is None or not spread:
        return
    if outside <= OUTSIDE:
        return
    floor = beyond / spread**2
    values = {
        "kind": "targets", "producer": fact.data.get("producer"), "outside": outside,
        "floor": floor,
    }  # fmt: skip
    level = Level.SICK if floor >= FLOOR else Level.SUSPECT
    evidence = Evidence("target.outside", outside, OUTSIDE, "fraction")
    yield _at_activation(finding(run, site, level, values, evidence), fact, site)


def _logits(run: Recording, site: Site, fact: Fact) -> Iterator[Finding]:
    made, classes = fact.data.get("producer"), int(fact.data.get("classes") or 0)
    several = fact.data.get("function") == "cross_entropy"
    floor = _floor(str(made), classes if several else 0)
    if fact.count < BATCHES or (several and classes < 2):
        return
    if floor is not None:
        values = {"kind": "bounded", "producer": made, "outside": 0.0, "floor": floor}
        level = Level.SICK if _binds(run, site, floor) else Level.SUSPECT
        found = finding(run, site, level, values, Evidence("loss_call.floor", floor, 0.0))
        yield _at_activation(found, fact, site)
    elif made == "relu" and several:
        dead = _dead(run, fact)
        if dead is not None and dead > 0 and not converged(run).found:
            values = {"kind": "dead_class", "producer": made, "outside": dead, "floor": 0.0}
            evidence = Evidence("act.dead_fraction", dead, 0.0, "fraction")
            yield _at_activation(finding(run, site, Level.SICK, values, evidence), fact, site)


def _floor(made: str, classes: int) -> float | None:
    """The lowest loss of a sample behind a bounded activation; None where it is not bounded.

    ``classes`` is 0 for the binary loss, where a ReLU binds the negatives (sigmoid(0) = 1/2).
    """
    if made == "tanh":
        return math.log1p((classes - 1) * math.exp(-2)) if classes else math.log1p(math.exp(-1))
    return math.log(2) if made == "relu" and not classes else None


def _binds(run: Recording, site: Site, floor: float) -> bool:
    """The loss has come down to the floor, or is stuck above it."""
    now = median(run.series("lossfn.value", site.id).values[-LATEST:])
    return now < TIMES * floor or worst_outcome(run).found


def _dead(run: Recording, fact: Fact) -> float | None:
    """Share of the outputs that the activation has silenced for good."""
    module = fact.data.get("producer_module")
    dead = recent_medians(run, "act.dead_fraction")
    file, line = fact.data.get("producer_file"), fact.data.get("producer_line")
    for site in run.of_kind("module", "op"):
        named = site.kind == "module" and module and site.name == module
        called = site.kind == "op" and line and (site.file, site.line) == (file, line)
        if (named or called) and site.id in dead:
            return dead[site.id]
    return None


def _at_activation(found: Finding, fact: Fact, site: Site) -> Finding:
    file, line = where_made(fact, site)
    return replace(found, file=file, line=line)
