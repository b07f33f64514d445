"""Two layers began with one weight and have one each by now."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule


@rule(proof="structural", needs=("fact:cloned",))
def tying_broken(run: Recording) -> Iterator[Finding]:
    """An embedding and an output layer have equal weights at step 0 in two storages, then part.

    Proof: the same random bits, so that one was made of the other; both train; by step 20 they
    differ. Suspect where the script itself speaks of tied or shared weights; else a copy may have
    been meant: a note.

    Values: embedding, head
    """
    for fact in run.facts_of("cloned"):
        pair = _pair(run, fact)
        if pair is None or fact.data.get("later") is not False:
            continue
        embedding, head = pair
        if not all(_trains(run, s) for s in pair):
            continue
        yield Finding(
            Level.SUSPECT if fact.data.get("tied") else Level.NOTE,
            (head, embedding), 0, max(0, run.steps - 1),
            {"embedding": run.sites[embedding].name, "head": run.sites[head].name},
            (Evidence("cloned.parted", 1, 0, "", head),),
        )  # fmt: skip
        return


def _pair(run: Recording, fact: Fact) -> tuple[int, int] | None:
    """The embedding and the layer, when the two weights are of these kinds."""
    both = [s for s in (fact.site, fact.data.get("twin")) if isinstance(s, int) and s in run.sites]
    roles = {run.sites[s].meta.get("role"): s for s in both}
    if set(roles) != {"embedding", "matmul"}:
        return None
    return roles["embedding"], roles["matmul"]


def _trains(run: Recording, parameter: int) -> bool:
    facts = run.facts_of("wiring", parameter)
    return any(f.data.get("optimizer") is not None and f.data.get("grads") for f in facts)
