"""An output of the model depends on what it is to predict."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, recent_medians
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.probes import probed

LEARNT = 0.9  # of the baseline: a text is seldom that easy to foretell
NEXT = 0.9  # of the labels


@rule(proof="numerical")
def leakage(run: Recording) -> Iterator[Finding]:
    """The targets are the next inputs, and an earlier output changes when a later input does.

    Needs the probe causal: it changes single positions of a batch and compares the outputs. What
    was changed is exact, and so is the shift between targets and inputs: a proof by itself. That
    samples of a batch change each other's outputs in eval mode is a suspicion: some models
    retrieve or compare across a batch on purpose.

    Before it was asked there is a suspicion where attention or a recurrence runs on inputs whose
    next ones are the labels, no causal mask nor a recurrence in one direction was seen, and nine
    tenths of the baseline are gone.

    Values: kind (future, batch, unmasked), input, output, module, tries, gained
    """
    found = probed(run, "causal")
    if found is None:
        suspicion = _unmasked(run)
        if suspicion is None:
            raise UndecidedError("not-probed:causal")
        yield suspicion
        return
    if found.verdict not in ("leak", "mixes-samples"):
        return
    future = found.verdict == "leak"
    name = found.values.get("module")
    sites = tuple(s.id for s in run.of_kind("module") if s.name == name)[:1]
    line = found.values.get("line")
    yield Finding(
        level=Level.CONFIRMED if future else Level.SUSPECT,
        sites=sites,
        last_step=max(0, run.steps - 1),
        values={
            "kind": "future" if future else "batch",
            "input": found.values.get("input"),
            "output": found.values.get("output"),
            "module": name or found.values.get("model", ""),
            "tries": int(found.number("tries")),
            "gained": 0.0,
        },
        evidence=(Evidence("probe.leaks", found.number("leaks"), 0.0, "tries"),) if future else (),
        file=found.values.get("file"),
        line=int(line) if isinstance(line, int) else None,
    )


def _unmasked(run: Recording) -> Finding | None:
    """Nothing was seen that would hide the next inputs, and they are predicted all too well."""
    known = level(run)
    mixing = [
        s for s in run.of_kind("module", "op") if s.meta.get("role") in ("attention", "recurrent")
    ]
    share = recent_medians(run, "label.next")
    if known is None or not mixing or run.facts_of("causal"):
        return None
    if known.now < LEARNT or max(share.values(), default=0.0) < NEXT:
        return None
    first = min(mixing, key=lambda s: s.order)
    return Finding(
        level=Level.SUSPECT,
        sites=(first.id,),
        last_step=max(0, run.steps - 1),
        values={
            "kind": "unmasked", "input": None, "output": None, "module": first.name, "tries": 0,
            "gained": float(known.now),
        },
        evidence=(
            Evidence("label.next", max(share.values()), NEXT, "fraction"),
            Evidence("lossfn.value", float(known.now), LEARNT, "r", known.site.id),
        ),
    )  # fmt: skip
