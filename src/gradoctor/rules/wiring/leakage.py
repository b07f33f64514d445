"""An output of the model depends on what it is to predict."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.probes import probed


@rule(proof="numerical", needs=("fact:probe",))
def leakage(run: Recording) -> Iterator[Finding]:
    """The targets are the next inputs, and an earlier output changes when a later input does.

    Needs the probe causal: it changes single positions of a batch and compares the outputs. What
    was changed is exact, and so is the shift between targets and inputs: a proof by itself. That
    samples of a batch change each other's outputs in eval mode is a suspicion: some models
    retrieve or compare across a batch on purpose.

    Values: kind (future, batch), input, output, module, tries
    """
    found = probed(run, "causal")
    if found is None:
        raise UndecidedError("not-probed:causal")
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
        },
        evidence=(Evidence("probe.leaks", found.number("leaks"), 0.0, "tries"),) if future else (),
        file=found.values.get("file"),
        line=int(line) if isinstance(line, int) else None,
    )
