"""What the tests of structural rules add to a healthy net: wiring, events, sites, loss calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from builders import LOSS, LOSSFN, OPTIMIZER, Net
from gradoctor.recording import Recording
from gradoctor.records import Cycle, Event, Fact, Finding
from gradoctor.rules import Rule

LINES = {"zero_grad": 19, "backward": 20, "clip": 21, "step": 22}


def judged(
    rule: Rule, net: Net, events: str | Sequence[Cycle] = "", **meta: object
) -> list[Finding]:
    """The findings of one rule; ``events`` as words of one step's order, or as cycles."""
    return list(rule.judge(recorded(net, events, **meta)))


def one(rule: Rule, net: Net, events: str | Sequence[Cycle] = "", **meta: object) -> Finding | None:
    """The only finding of a rule, or None."""
    found = judged(rule, net, events, **meta)
    assert len(found) <= 1, found
    return found[0] if found else None


def recorded(net: Net, events: str | Sequence[Cycle] = "", **meta: object) -> Recording:
    """The recording of a net with an order of events that repeats from first to last step."""
    run = net.build()
    cycles = (cycle(events, 0, net.steps - 1),) if isinstance(events, str) else tuple(events)
    return replace(run, cycles=cycles if events else (), meta={**run.meta, **meta})


def cycle(words: str, first: int, last: int) -> Cycle:
    """A cycle from words such as ``zero_grad backward step``, ``step:7`` for another site."""
    events = []
    for word in words.split():
        kind, _, who = word.partition(":")
        owner = {"backward": LOSS, "step": OPTIMIZER, "zero_grad": OPTIMIZER}.get(kind)
        events.append(Event(kind, int(who) if who else owner, "train.py", LINES.get(kind, 30)))
    return Cycle(first, last, tuple(events))


def fact(
    net: Net, kind: str, site: int | None = None, *, line: int | None = None, **more: Any
) -> Net:
    """Add a fact; ``key``, ``count``, ``first_step`` and ``last_step`` are the fact's own."""
    own = {k: more.pop(k) for k in ("key", "count", "first_step", "last_step") if k in more}
    file = "train.py" if line is not None else None
    net.facts.append(Fact(kind, site, file=file, line=line, data=more, **own))
    return net


def wire(net: Net, *sites: int, **changes: object) -> Net:
    """State the wiring of every weight as healthy; of ``sites`` (all when none) with changes."""
    known = {f.site for f in net.facts if f.kind == "wiring"}
    healthy: dict[str, Any] = {
        "requires_grad": True, "optimizer": OPTIMIZER, "used": True, "backwards": net.steps,
        "grads": net.steps, "zero_grads": 0, "moved_unowned": False, "stale": 0,
        "checked": net.steps, "registered": True,
    }  # fmt: skip
    for site in net.weights:
        if site not in known:
            net.facts.append(Fact("wiring", site, data=dict(healthy)))
    for at, old in enumerate(net.facts):
        if old.kind == "wiring" and (old.site in sites or not sites):
            net.facts[at] = replace(old, data={**old.data, **changes})
    return net


def optimizer(net: Net, **changes: object) -> Net:
    """Change what is known of the optimizer."""
    for at, old in enumerate(net.facts):
        if old.kind == "optimizer":
            net.facts[at] = replace(old, data={**old.data, **changes})
    return net


def called(net: Net, function: str = "cross_entropy", *, line: int = 18, **data: object) -> Net:
    """The loss function's call as it was seen, at a line of its own."""
    net.sites[LOSSFN] = replace(net.sites[LOSSFN], file="train.py", line=line)
    net.change(LOSSFN, function=function)
    told = {
        "function": function, "reduction": "mean", "classes": 10, "producer": "addmm",
        "factor": 1.0, "training": True, "target_shape": [64], **data,
    }  # fmt: skip
    net.facts.append(Fact("loss_call", LOSSFN, "", "train.py", line, count=50, data=told))
    return net


def another_model(net: Net, name: str = "Other", *, depth: int = 2) -> list[int]:
    """Weights of a second top-level model, with wiring like those of the first."""
    wire(net)
    made = []
    for i in range(depth):
        module = net._add(
            "module", f"{name}.{i}", "Linear", order=100 + i, role="matmul", model=name
        )
        weight = net._add(
            "parameter", f"{name}.{i}.weight", "Parameter", shape=[64, 64], numel=4096,
            module=module, role="matmul", leaf="weight", model=name,
        )  # fmt: skip
        healthy = next(f for f in net.facts if f.kind == "wiring").data
        net.facts.append(Fact("wiring", weight, data=dict(healthy)))
        made.append(weight)
    return made


def without(net: Net, kind: str, *sites: int) -> Net:
    """Take facts away."""
    net.facts = [f for f in net.facts if f.kind != kind or (sites and f.site not in sites)]
    return net
