"""Batches hold fewer classes than chance would give them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Floats, Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs
from gradoctor.rules.evidence.exclusions import Exclusion
from gradoctor.rules.evidence.loss import leading_function
from gradoctor.rules.evidence.tasks import tasks

SHORT = 0.7  # of the entropy of a random batch
BATCHES = 20
SINGLE = 0.2  # of it, where hardly a batch holds two classes
ORDERED, SHUFFLED = "SequentialSampler", "RandomSampler"


@rule(proof="statistical", needs=("label.entropy", "label.expected_entropy"))
def not_shuffled(run: Recording) -> Iterator[Finding]:
    """Labels come sorted: each batch's label entropy is far below a random batch's.

    Mechanism: below 70 % of the expected entropy over at least 20 batches. Sick when the loader is
    known to read in order, or no loader is used at all and most batches hold a single class; a
    sampler of the user's own may be meant (balanced, bucketed, time series): then suspect, as
    where each batch mixes some of the classes. Tasks that follow one another are a note, and a
    loader that shuffles has done so: it holds a client's or a task's classes. A loader in order
    whose batches look random is noted. Labels of tokens and pixels are not judged.

    Values: entropy, expected, share, sampler, batch_size
    """
    site = leading_function(run)
    if site is None:
        raise UndecidedError("no-labels")
    if _structured(run, site):
        raise UndecidedError("structured-labels")
    seen = run.series("label.entropy", site.id)
    hoped = run.series("label.expected_entropy", site.id)
    if len(seen) != len(hoped) or len(seen) < BATCHES:
        raise UndecidedError(f"too-short:{len(seen)}/{BATCHES}")
    loader = _training_loader(run)
    share, slack = _share(seen.values, hoped.values)
    ordered = loader is not None and loader.data.get("sampler") == ORDERED
    shuffled = loader is not None and loader.data.get("sampler") == SHUFFLED
    custom = loader is not None and not ordered and not shuffled
    apart = Exclusion("successive-tasks", not ordered and tasks(run).found)
    exclusions = (Exclusion("own-sampler", custom), apart)
    if share >= SHORT or slack > -3.0:
        if ordered and share >= SHORT:
            yield _finding(run, Level.NOTE, site, exclusions)
        return
    if shuffled:
        return
    mixed = loader is None and share > SINGLE
    level = Level.NOTE if apart.found else Level.SUSPECT if custom or mixed else Level.SICK
    yield _finding(run, level, site, exclusions)


def _structured(run: Recording, site: Site) -> bool:
    """Labels of tokens or pixels: neighbours resemble each other, in whatever order they come."""
    rows = {int(shape[0]) for s in run.of_kind("input") if (shape := s.meta.get("shape"))}
    for fact in run.facts_of("loss_call", site.id):
        shape = fact.data.get("target_shape") or ()
        classes_last = fact.data.get("one_hot") or fact.data.get("multi_label")
        if len(shape) > (2 if classes_last else 1):
            return True
        if shape and rows and int(shape[0]) > max(rows):  # flattened sequences
            return True
    return False


def _share(seen: Floats, hoped: Floats) -> tuple[float, float]:
    """Mean entropy over the expected, and the difference in standard errors.

    What is expected is learnt from the labels so far, so with sorted labels the early looks expect
    nothing: they are judged by the last expectation, which has seen the most classes.
    """
    expected = float(np.max(hoped))
    if expected <= 0.05:
        return 1.0, 0.0
    error = max(float(np.std(seen)) / np.sqrt(len(seen)), 1e-6)
    return float(np.mean(seen)) / expected, (float(np.mean(seen)) - expected) / error


def _training_loader(run: Recording) -> Fact | None:
    """The loader that gave the most batches."""
    loaders = run.facts_of("loader")
    return max(loaders, key=lambda f: int(f.data.get("batches") or 0), default=None)


def _finding(
    run: Recording, level: Level, site: Site, exclusions: tuple[Exclusion, ...]
) -> Finding:
    loader = _training_loader(run)
    seen = run.series("label.entropy", site.id).values
    hoped = run.series("label.expected_entropy", site.id).values
    share, _ = _share(seen, hoped)
    return Finding(
        level=level,
        sites=(site.id,),
        first_step=0,
        last_step=max(0, run.steps - 1),
        file=None if loader is None else loader.file,
        line=None if loader is None else loader.line,
        values={
            "entropy": float(np.mean(seen)),
            "expected": float(np.max(hoped)),
            "share": share,
            "sampler": "" if loader is None else str(loader.data.get("sampler", "")),
            "batch_size": 0 if loader is None else int(loader.data.get("batch_size") or 0),
        },
        evidence=(Evidence("label.entropy", share, SHORT, "ratio"),),
        exclusions=as_pairs(exclusions),
    )
