"""Layers are kept in a plain list or dict, where the model does not see them."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule


@rule(proof="structural", needs=("fact:unregistered",))
def unregistered_submodules(run: Recording) -> Iterator[Finding]:
    """A list or dict attribute holds modules that ran in training but are not in parameters().

    An optimizer that was given them all the same, or weights moved by hand, exonerate; so do
    weights that ask for no gradient: a list is where a frozen teacher is hidden from parameters().

    Values: owner, attribute, container, parameters (number of elements)
    """
    hidden = [f.data for f in run.facts_of("wiring") if f.data.get("registered") is False]
    if any(d.get("moved_unowned") for d in hidden):
        return
    if hidden and not any(d.get("requires_grad", True) for d in hidden):
        return
    for fact in run.facts_of("unregistered"):
        data = fact.data
        if not data.get("executed") or not data.get("parameters") or data.get("in_optimizer"):
            continue
        values = {k: data.get(k) for k in ("owner", "attribute", "container", "parameters")}
        yield Finding(
            Level.SICK, (fact.site,) if fact.site is not None else (), fact.first_step,
            max(0, run.steps - 1), values,
            (Evidence("unregistered.parameters", float(data["parameters"]), 0, "elements"),),
            file=fact.file, line=fact.line,
        )  # fmt: skip
