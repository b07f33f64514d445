"""The evidence protocol in small pieces: mechanism, persistence, harm, exclusion.

Rules compose them: ``persistence`` holds a statistic against a threshold, ``harm`` asks whether the
outcome is bad, ``exclusions`` looks for benign contexts, ``grade`` turns the answers into a level.
"""

from __future__ import annotations

from gradoctor.rules.evidence.depth import Path, backward_profile, paths, weight_of
from gradoctor.rules.evidence.exclusions import Exclusion, as_pairs
from gradoctor.rules.evidence.grade import UndecidedError, cautious, grade
from gradoctor.rules.evidence.harm import (
    Harm,
    diverged,
    learnt_nothing,
    no_progress,
    stuck,
    worst_outcome,
)
from gradoctor.rules.evidence.persistence import Persistence, persistence, window
from gradoctor.rules.evidence.timing import is_final, start_step
from gradoctor.rules.evidence.windows import first_values, recent_medians

__all__ = [
    "Exclusion",
    "Harm",
    "Path",
    "Persistence",
    "UndecidedError",
    "as_pairs",
    "backward_profile",
    "cautious",
    "diverged",
    "first_values",
    "grade",
    "is_final",
    "learnt_nothing",
    "no_progress",
    "paths",
    "persistence",
    "recent_medians",
    "start_step",
    "stuck",
    "weight_of",
    "window",
    "worst_outcome",
]
