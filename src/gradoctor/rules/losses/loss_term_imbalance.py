"""One term of a loss outweighs another a hundredfold."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.exclusions import adversarial
from gradoctor.rules.losses._calls import finding

TIMES = 100.0
FEWEST = 20
SHARE = 0.8


@rule(proof="statistical", needs=("lossfn.coefficient", "lossfn.value"))
def loss_term_imbalance(run: Recording) -> Iterator[Finding]:
    """Of the loss functions that feed a backward, one counts for a hundredth of another or less.

    What counts is the value times its weight in backward, at four looks in five. A note: the weight
    may be meant, and values are no gradients.

    Values: term, other, ratio
    """
    if adversarial(run).found:
        raise UndecidedError(adversarial(run).name)
    terms = [(site, term) for site in run.of_kind("lossfn") if len(term := _term(run, site))]
    if len(terms) < 2:
        return
    heaviest = max(terms, key=lambda pair: float(np.median(pair[1].values)))
    for site, term in terms:
        ratios = _ratios(heaviest[1], term)
        if site is heaviest[0] or len(ratios) < FEWEST:
            continue
        if float(np.mean(ratios > TIMES)) < SHARE:
            continue
        ratio = float(np.median(ratios))
        values = {
            "term": f"{site.name}@{site.line}", "other": f"{heaviest[0].name}@{heaviest[0].line}",
            "ratio": ratio,
        }  # fmt: skip
        evidence = Evidence("lossfn.coefficient", ratio, TIMES, "ratio")
        yield finding(run, site, Level.NOTE, values, evidence)


def _term(run: Recording, site: Site) -> Series:
    """What a loss function adds to the root of backward, in magnitude."""
    weight, value = (run.series(f"lossfn.{name}", site.id) for name in ("coefficient", "value"))
    steps, at, also = np.intersect1d(weight.steps, value.steps, return_indices=True)
    return Series(steps, np.abs(weight.values[at] * value.values[also]))


def _ratios(heavy: Series, light: Series) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    _, at, also = np.intersect1d(heavy.steps, light.steps, return_indices=True)
    return np.asarray(heavy.values[at] / np.maximum(light.values[also], np.float32(1e-30)))
