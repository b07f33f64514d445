"""Claims that study notes make, in our own words, with the verdict that we expect of a run."""

from __future__ import annotations

from gradoctor.knowledge.claims import (
    activations,
    depth,
    initialisation,
    losses,
    normalisation,
    optimisation,
)
from gradoctor.knowledge.claims._claim import VERDICTS as VERDICTS
from gradoctor.knowledge.claims._claim import Claim as Claim

TOPICS = (depth, activations, initialisation, losses, normalisation, optimisation)
CLAIMS: dict[int, Claim] = {
    claim.number: claim
    for claim in sorted((c for topic in TOPICS for c in topic.CLAIMS), key=lambda c: c.number)
}
"""Every claim by its number."""
