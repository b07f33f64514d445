"""Claims on losses."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim

CLAIMS: tuple[Claim, ...] = ()
