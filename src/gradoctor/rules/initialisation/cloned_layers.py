"""Two layers began with the same random weights."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians

COPYING = ("TransformerEncoder", "TransformerDecoder")


@rule(proof="structural", needs=("fact:cloned",))
def cloned_layers(run: Recording) -> Iterator[Finding]:
    """Weights in two storages have the same random bits at step 0, and both train.

    A note when they have parted by step 20; suspect when they are still equal bit for bit although
    they move: the copies compute the same thing. Left out: copies without a gradient (averaged and
    target networks), copies in another model, and the layers of PyTorch's own transformer stacks,
    which are copies by construction.

    Values: count (weights), equal (of them still equal)
    """
    pairs = [f for f in run.facts_of("cloned") if _counts(run, f)]
    equal = [f for f in pairs if f.data.get("later") and _moves(run, f.site)]
    chosen = equal or pairs
    if not chosen:
        return
    sites = [s for f in chosen for s in (f.site, f.data["twin"]) if s is not None]
    yield Finding(
        Level.SUSPECT if equal else Level.NOTE,
        tuple(dict.fromkeys(sites)),
        0,
        max(0, run.steps - 1),
        {"count": len(pairs), "equal": len(equal)},
        (Evidence("cloned.weights", len(chosen), 0, "", chosen[0].site),),
    )


def _counts(run: Recording, fact: Fact) -> bool:
    one = run.sites.get(-1 if fact.site is None else fact.site)
    twin = fact.data.get("twin")
    other = run.sites.get(twin) if isinstance(twin, int) else None
    if one is None or other is None:
        return False
    if one.meta.get("model") != other.meta.get("model"):
        return False
    module = run.sites.get(one.meta.get("module", -1))
    path = module.meta.get("path") or () if module is not None else ()
    return not set(path) & set(COPYING) and all(_trains(run, s) for s in (one.id, other.id))


def _trains(run: Recording, parameter: int) -> bool:
    facts = run.facts_of("wiring", parameter)
    return any(f.data.get("optimizer") is not None and f.data.get("grads") for f in facts)


def _moves(run: Recording, parameter: int | None) -> bool:
    return recent_medians(run, "weight.movement").get(parameter or -1, 0.0) > 0
