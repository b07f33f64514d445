"""The derivative of a root or a norm is infinite at zero, and zero came."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

EDGES = {
    "sqrt": 0.0, "norm": 0.0, "linalg_vector_norm": 0.0, "std": 0.0, "acos": 1.0, "asin": 1.0,
}  # fmt: skip
"""Operations whose value is finite and whose derivative is not, and the magnitude where."""
NEAR = 1e-12


@rule(proof="numerical", needs=("fact:nonfinite",))
def rmse_sqrt_singularity(run: Recording) -> Iterator[Finding]:
    """The first NaN was born in backward, at a root, norm or arc whose operand was on its edge.

    Where NaN was born in forward, or the operand kept clear of the edge, it is another's.

    Values: op, low (smallest operand), step
    """
    facts = run.facts_of("nonfinite")
    first = min((f.first_step for f in facts), default=0)
    for fact in facts:
        op, low, high = (fact.data.get(k) for k in ("op", "low", "high"))
        if fact.data.get("where") != "backward" or op not in EDGES or fact.first_step > first:
            continue
        if not isinstance(low, int | float) or not isinstance(high, int | float):
            continue
        edge = EDGES[op]
        gap = min(abs(abs(low) - edge), abs(abs(high) - edge)) if edge else abs(low)
        if gap > NEAR:
            continue
        yield Finding(
            Level.SICK, () if fact.site is None else (fact.site,), fact.first_step,
            max(fact.first_step, run.steps - 1),
            {"op": op, "low": float(low), "step": fact.first_step},
            (Evidence("nonfinite.low", gap, NEAR),), file=fact.file, line=fact.line,
        )  # fmt: skip
        return
