"""What a rule is: a pure function from a recording to findings, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from gradoctor.recording import Recording
from gradoctor.records import Finding

Judge = Callable[[Recording], Iterable[Finding]]
Proof = Literal["structural", "numerical", "statistical"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A judge with its name and what it needs.

    Attributes:
        name: kebab-case; states the illness ("this run has ...").
        judge: the pure function. It may not know its own code: only the ledger does.
        proof: the burden of proof (pathologies, Part 0.1).
        needs: statistics or fact kinds (``"fact:wiring"``) without which the check is skipped.
        since: the version that introduced it.
    """

    name: str
    judge: Judge
    proof: Proof
    needs: tuple[str, ...] = ()
    since: str = "0.1"

    def missing(self, run: Recording) -> tuple[str, ...]:
        """The needs that this run did not record."""
        kinds = {f.kind for f in run.facts}
        return tuple(
            need
            for need in self.needs
            if (need[5:] not in kinds if need.startswith("fact:") else need not in run.statistics)
        )


def rule(
    *, proof: Proof, needs: tuple[str, ...] = (), since: str = "0.1"
) -> Callable[[Judge], Rule]:
    """Make a rule of a function; its name is the function's, with hyphens."""

    def make(judge: Judge) -> Rule:
        return Rule(judge.__name__.replace("_", "-"), judge, proof, needs, since)

    return make
