"""Rare classes are hardly ever predicted."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, persistence, recent_medians
from gradoctor.rules.evidence.exclusions import Exclusion
from gradoctor.rules.losses._calls import calls, finding

TIMES = 10.0
MISSED = 0.1  # recall of the rare classes below which they are as good as lost
SAID = 0.2  # of their share among the labels
EASY = 0.8  # recall of the most frequent class
FEWEST = 10.0  # rare samples in the tally
PATIENCE = 200
FUNCTIONS = (
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
)  # fmt: skip


@rule(proof="statistical", needs=("class.imbalance", "class.rare_recall"))
def class_imbalance(run: Recording) -> Iterator[Finding]:
    """Classes ten times rarer than the most frequent one are not found.

    Suspect when after 200 steps less than a tenth of their samples is predicted right, they are
    said less than a fifth as often as they occur, and the frequent class is found. A note when they
    are found half as often as the frequent class. Never sick: where rare and frequent samples
    overlap, the best of predictors says the frequent class. Tokens are not judged.

    Values: imbalance, recall, other (recall of the most frequent class), said
    """
    for site, fact in calls(run, *FUNCTIONS):
        if _tokens(run, fact):
            continue
        last = {n: _now(run, n, site) for n in ("imbalance", "rare_recall", "rare_share")}
        other, seen = _now(run, "frequent_recall", site), _now(run, "rare_seen", site)
        if not last["imbalance"] > TIMES or not seen >= FEWEST or run.steps < PATIENCE:
            continue
        exclusions = (Exclusion("class-weights", bool(fact.data.get("weighted"))),)
        recall = run.series("class.rare_recall", site.id)
        past = persistence(run, recall, MISSED, side="below", clear=2 * MISSED)
        lost = past.holds and last["rare_share"] < SAID and other > EASY
        if not lost and not last["rare_recall"] < 0.5 * other:
            continue
        level = Level.SUSPECT if lost and not exclusions[0].found else Level.NOTE
        values = {
            "imbalance": last["imbalance"], "recall": last["rare_recall"], "other": other,
            "said": last["rare_share"],
        }  # fmt: skip
        evidence = Evidence("class.rare_recall", last["rare_recall"], MISSED, "fraction")
        told = finding(run, site, level, values, evidence)
        yield Finding(
            level, told.sites, past.first, told.last_step, values, told.evidence,
            as_pairs(exclusions), file=told.file, line=told.line,
        )  # fmt: skip


def _now(run: Recording, name: str, site: Site) -> float:
    return recent_medians(run, f"class.{name}").get(site.id, float("nan"))


def _tokens(run: Recording, fact: Fact) -> bool:
    """Labels outnumber the rows of the input: flattened sequences or maps."""
    shape = list(fact.data.get("target_shape") or ())
    rows = [int(s[0]) for i in run.of_kind("input") if (s := i.meta.get("shape"))]
    return bool(shape and rows and int(shape[0]) > max(rows))
