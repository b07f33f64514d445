"""Parameters get gradients that no optimizer uses."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.wiring._who import model_of, name_of

BACKWARDS = 3
MOST = 0.8


@rule(proof="structural", needs=("fact:wiring", "fact:optimizer"))
def param_not_in_optimizer(run: Recording) -> Iterator[Finding]:
    """A parameter gets a gradient at every step, no optimizer holds it, and it never moves.

    Weights that are moved by hand are exonerated because they move; frozen ones because they ask
    for no gradient. Optimizers must have stepped: before that nothing is decided. Where they hold
    no parameter of any model, an input is optimised (style transfer, an attack) and the model only
    looks on; so does a model that always runs in eval mode and of which nothing is held: a note.

    Values: count (tensors left out), total (tensors with gradients), names
    """
    if not any(int(f.data.get("steps") or 0) >= BACKWARDS for f in run.facts_of("optimizer")):
        return
    wired = [f for f in run.facts_of("wiring") if _gets_gradient(f)]
    orphaned = [f for f in wired if f.data.get("optimizer") is None and f.site is not None]
    left = [f for f in orphaned if not f.data.get("moved_unowned")]
    left = [f for f in left if f.data.get("registered", True)]
    held = [f for f in run.facts_of("wiring") if f.data.get("optimizer") is not None]
    if not left or len(left) == len(wired) or not any(f.data.get("registered", True) for f in held):
        return
    trained = {model_of(run, f) for f in held}
    looking_on = {m for m in _in_eval_mode(run) if m not in trained}
    judged = [f for f in left if model_of(run, f) not in looking_on]
    level, left = (Level.SICK, judged) if judged else (Level.NOTE, left)
    sites = tuple(f.site for f in left if f.site is not None)
    # the list that is too short was given where the optimizer was made
    maker = next(f for f in run.facts_of("optimizer") if int(f.data.get("steps") or 0) >= BACKWARDS)
    names = ", ".join(name_of(run, s) for s in sites[:3])
    yield Finding(
        level, sites, 0, max(0, run.steps - 1),
        {"count": len(sites), "total": len(wired), "names": names},
        (Evidence("wiring.unowned", len(sites), 0, "tensors", sites[0]),),
        file=maker.file, line=maker.line,
    )  # fmt: skip


def _gets_gradient(fact: Fact) -> bool:
    data = fact.data
    seen, grads = int(data.get("backwards") or 0), int(data.get("grads") or 0)
    return bool(data.get("requires_grad")) and seen >= BACKWARDS and grads >= MOST * seen


def _in_eval_mode(run: Recording) -> set[str]:
    """The models that never ran in train mode, as far as norms and dropout tell."""
    seen = [(model_of(run, f), f.data) for f in run.facts_of("mode")]
    ever = {model for model, data in seen if data.get("train") or not data.get("whole_model_eval")}
    return {model for model, _ in seen if model is not None and model not in ever}
