"""The ledger of rules: the only place that knows their codes.

A rule is one pure function in one file, ``rules/<family>/<name>.py``; its import and its line here
are its registration. Both lists are sorted. Codes never change meaning; one that is given up moves
to ``RETIRED`` with its heir.

Families: gradients 1xx, activations 2xx, initialisation 3xx, optimisation 4xx (schedule, clipping),
losses 5xx, data 6xx, numerics 7xx, architecture 8xx, wiring 9xx; outcome holds 417 and 509.
"""

from __future__ import annotations

from gradoctor.rules._rule import Rule

__all__ = ["RETIRED", "RULES", "Rule"]

RULES: dict[str, Rule] = {}

RETIRED: dict[str, str] = {}
