"""The optimizer keeps its moments in float16 or bfloat16."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import diverged
from gradoctor.rules.wiring._who import name_of

LEAST = 2.0**-25
"""What float16 rounds to zero."""
ULP = 2.0**-9
"""A relative change below this leaves a bfloat16 number as it was."""


@rule(proof="structural", needs=("fact:optimizer",))
def half_precision_optimizer_state(run: Recording) -> Iterator[Finding]:
    """An Adam-like optimizer keeps squares of gradients in a type that cannot hold them.

    In float16 an epsilon below 2^-25 is zero, and so is the square of a gradient below 2^-12: the
    update is 0/0 or infinite. Sick where weights or loss did become NaN, else a suspicion; with an
    epsilon that float16 can hold, and in bfloat16, whose second moment cannot decay by less than
    one part in 512 a step, a note.

    Values: kind (epsilon, float16 or bfloat16), optimizer, eps, beta2
    """
    for fact in run.facts_of("optimizer"):
        site = run.sites.get(fact.site) if fact.site is not None else None
        if site is None or not site.meta.get("adaptive") or int(fact.data.get("steps") or 0) < 1:
            continue
        kind = _kind(fact)
        if not kind:
            continue
        harm = diverged(run).found or _weights_broke(run)
        level = Level.NOTE if kind != "epsilon" else Level.SICK if harm else Level.SUSPECT
        eps, beta2 = _settings(fact)
        yield Finding(
            level, (site.id,), 0, max(0, run.steps - 1),
            {"kind": kind, "optimizer": name_of(run, site.id), "eps": eps, "beta2": beta2},
            (Evidence("optimizer.eps", eps, LEAST if kind != "bfloat16" else None, "", site.id),),
        )  # fmt: skip


def _kind(fact: Fact) -> str:
    eps, beta2 = _settings(fact)
    if fact.data.get("state") == "float16":
        return "epsilon" if eps < LEAST else "float16"
    decays = 1.0 - beta2 >= ULP
    return "bfloat16" if fact.data.get("state") == "bfloat16" and not decays else ""


def _settings(fact: Fact) -> tuple[float, float]:
    given = fact.data.get("defaults") or {}
    betas = given.get("betas")
    beta2 = float(betas[1]) if isinstance(betas, list | tuple) and len(betas) > 1 else 0.0
    eps = given.get("eps")
    return (float(eps) if isinstance(eps, int | float) else 1e-8), beta2


def _weights_broke(run: Recording) -> bool:
    return bool((run.table("weight.nonfinite").values > 0).any())
