"""Dropout is active where it should not be, or drops nearly everything."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.harm import barely_learnt

TOO_MUCH, NEARLY_ALL = 0.7, 0.9
NOISE = 2.0  # gradient signal over noise: 1 is pure noise


@rule(proof="structural", needs=("fact:dropout",))
def dropout_misuse(run: Recording) -> Iterator[Finding]:
    """``F.dropout`` is active while its module is in eval mode, or p is above 0.7.

    Or dropout is the last thing before the loss. A dropout module in train mode during evaluation
    is Monte Carlo dropout and not judged. A high p with which the network learns all the same is a
    choice, as are masks on the inputs: a note. It is sick from p = 0.9 on when after 100 steps the
    loss has gained less than a fifth and gradients cancel like noise, that of the masks.

    Values: kind (in_eval, too_much or on_output), p, times
    """
    for fact in run.facts_of("dropout"):
        data = fact.data
        p, times = float(data.get("p") or 0.0), int(data.get("active_in_eval") or 0)
        if data.get("functional") and times >= 1:
            kind, level = "in_eval", Level.SICK
        elif p > TOO_MUCH:
            kind = "too_much"
            level = _too_much(run, p, fact.site)
        elif data.get("output_of_model"):
            kind, level = "on_output", Level.SUSPECT
        else:
            continue
        yield Finding(
            level, (fact.site,) if fact.site is not None else (), fact.first_step,
            max(0, run.steps - 1), {"kind": kind, "p": p, "times": times},
            (Evidence("dropout.p", p, TOO_MUCH, ""),), file=fact.file, line=fact.line,
        )  # fmt: skip


def _too_much(run: Recording, p: float, site: int | None) -> Level:
    if p >= 1:
        return Level.SICK
    at = run.sites[site].order if site is not None and site in run.sites else -1
    weighty = [
        s.order for s in run.of_kind("module")
        if s.meta.get("role") in ("matmul", "conv", "recurrent", "embedding") and s.order >= 0
    ]  # fmt: skip
    on_inputs = 0 <= at < min(weighty, default=0)
    if converged(run).found or on_inputs:
        return Level.NOTE
    noise = recent_medians(run, "grad.snr").get(0, float("nan"))
    harmed = p >= NEARLY_ALL and at >= 0 and noise < NOISE and barely_learnt(run)
    return Level.SICK if harmed else Level.SUSPECT
