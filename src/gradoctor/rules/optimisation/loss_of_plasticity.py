"""A network that learns one task after another takes longer and longer for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import Exclusion, UndecidedError, as_pairs
from gradoctor.rules.evidence.exclusions import found, moving_targets
from gradoctor.rules.evidence.probes import Probed, probed
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.silence import FIRST, SILENT, silent_layers
from gradoctor.rules.evidence.tasks import Slower, Tasks, slower, tasks
from gradoctor.rules.evidence.timing import learning_rate
from gradoctor.rules.evidence.updates import matrices

LOST = 2.0  # times as many steps
FEWEST = 8  # tasks, where the run alone has to show it
LEFT = 0.05  # of the trivial level, at the end of the last tasks: less is learnt all the same
HEAVIER = 2.0  # times its size at the first look, for half of the weights
LOWER = 0.5  # of the learning rate of the first tasks
ALIKE = 1.25  # between the inputs' spread, or the labels' entropy, of early and of late tasks


class Marker(NamedTuple):
    """What besides the speed has changed: silent units and their layers, and the weights' size."""

    sites: tuple[Site, ...]
    silent: float
    grew: float
    heavier: float


@rule(proof="statistical", needs=("loss.value", "weight.rms"))
def loss_of_plasticity(run: Recording) -> Iterator[Finding]:
    """Learning something new takes twice the time it took when the network was new.

    Needs tasks that follow one another: the loss jumps back at regular steps, or the targets drift.
    One stationary task is never judged. Mechanism: the probe plasticity says twice the steps or
    more for random labels; or in the run itself, over eight tasks or more, the last third took
    twice the steps of the first quarter, rising beyond chance, and ended twice as high. Witness:
    silent units (30 %, 20 points more than at first); after the probe weights of twice their size
    will do. Excluded: a rate that falls, inputs or labels that are no longer alike.

    Values: kind (tasks, probe), ratio, first, last, tasks, length, ends_first, ends_last, silent,
        grew, heavier, module
    """
    known, answer = tasks(run), probed(run, "plasticity")
    if not (known.found or moving_targets(run).found):
        return
    if answer is not None and answer.verdict == "kept":
        return
    finding = _seen(run, known)
    if answer is not None and answer.verdict == "lost":
        finding = _told(run, known, answer, finding)
    elif finding is None:
        raise UndecidedError("not-probed:plasticity")
    if finding is not None:
        yield finding


def _told(run: Recording, known: Tasks, answer: Probed, before: Finding | None) -> Finding | None:
    """The probe has measured it; what the run had shown by itself says more of it."""
    ratio, marker = answer.number("ratio"), _marker(run)
    measured = Evidence("probe.plasticity", ratio, LOST, "ratio")
    if before is not None:
        return replace(before, evidence=(*before.evidence, measured))
    if not (marker.sites or marker.heavier >= HEAVIER):
        return None
    return _finding(
        run, known, marker, measured,
        {"kind": "probe", "ratio": ratio, "first": answer.number("initial"),
         "last": answer.number("now"), "ends_first": None, "ends_last": None},
        (),
    )  # fmt: skip


def _seen(run: Recording, known: Tasks) -> Finding | None:
    """The run's own tasks show it."""
    if len(known.took) < FEWEST:
        return None
    pace, marker = slower(known), _marker(run)
    exclusions = (_falling_rate(run), _other_data(run))
    if not _slowed(pace) or not marker.sites or found(exclusions):
        return None
    return _finding(
        run, known, marker, Evidence("tasks.took", pace.ratio, LOST, "ratio"),
        {"kind": "tasks", "ratio": pace.ratio, "first": pace.first, "last": pace.last,
         "ends_first": pace.ends_first, "ends_last": pace.ends_last},
        exclusions,
    )  # fmt: skip


def _slowed(pace: Slower) -> bool:
    higher = pace.ends_last >= max(LEFT, LOST * pace.ends_first)
    return pace.ratio >= LOST and pace.steady and higher


def _finding(
    run: Recording, known: Tasks, marker: Marker, evidence: Evidence, values: dict[str, object],
    exclusions: tuple[Exclusion, ...],
) -> Finding:  # fmt: skip
    silent = tuple(
        Evidence("act.dormant_fraction", marker.silent, SILENT, "fraction", site.id)
        for site in marker.sites[:1]
    )
    return Finding(
        level=Level.SUSPECT,
        sites=tuple(site.id for site in marker.sites),
        first_step=known.length * (len(known.took) // 4),
        last_step=max(0, run.steps - 1),
        values={
            **values, "tasks": len(known.took), "length": known.length, "silent": marker.silent,
            "grew": marker.grew, "heavier": marker.heavier,
            "module": marker.sites[0].name if marker.sites else "",
        },
        evidence=(evidence, *silent),
        exclusions=as_pairs(exclusions),
    )  # fmt: skip


def _marker(run: Recording) -> Marker:
    layers = silent_layers(run)
    silent, grew = (layers[0].past.value, layers[0].grew) if layers else (0.0, 0.0)
    return Marker(tuple(layer.site for layer in layers), silent, grew, _heavier(run))


def _heavier(run: Recording) -> float:
    """How many times their size at the first look the matrices have; the median over them."""
    series = (run.series("weight.rms", site).values for site in matrices(run))
    ratios = [float(sizes[-1] / sizes[0]) for sizes in series if len(sizes) > FIRST and sizes[0]]
    return median(ratios) if ratios else 0.0


def _falling_rate(run: Recording) -> Exclusion:
    """Late tasks are learnt in smaller steps."""
    rate = learning_rate(run).values
    third = max(1, len(rate) // 3)
    lower = bool(len(rate)) and median(rate[-third:]) < LOWER * median(rate[:third])
    return Exclusion("falling-rate", lower)


def _other_data(run: Recording) -> Exclusion:
    """Inputs or labels of late tasks vary more, or less, than those of early ones: a curriculum."""
    kinds = (("input", "input.std"), ("lossfn", "label.entropy"), ("lossfn", "target.std"))
    for kind, name in kinds:
        for site in run.sites.values():
            values = run.series(name, site.id).values if site.kind == kind else ()
            third = len(values) // 3
            if third < FIRST:
                continue
            early, late = median(values[:third]), median(values[-third:])
            if max(early, late) > ALIKE * min(early, late):
                return Exclusion("other-data", True, f"{name} {early:.3g}, then {late:.3g}")
    return Exclusion("other-data", False)
