"""Dropout and batch norm are in eval mode while the model is trained."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.wiring._who import model_of

FORWARDS = 10


@rule(proof="structural", needs=("fact:mode",))
def eval_mode_while_training(run: Recording) -> Iterator[Finding]:
    """The last ten training forwards or more ran with the whole model in eval mode.

    Batch norm alone in eval mode, the rest in train mode, is a frozen norm by intent. A model that
    never was in train mode may be meant so (norms held fixed for fine-tuning, dropout off for
    policy gradients): a suspicion only. Each model is judged by itself, and only one of which
    parameters are trained: a teacher in eval mode is as it should be.

    Values: forwards (in eval mode, in a row), count (modules), after_train (it was in train mode)
    """
    models: dict[str | None, list[Fact]] = {}
    for fact in run.facts_of("mode"):
        if fact.site is not None:
            models.setdefault(model_of(run, fact), []).append(fact)
    for model, modes in models.items():
        rows = [int(f.data.get("last_eval_run") or 0) for f in modes]
        whole = [f for f in modes if f.data.get("whole_model_eval")]
        if min(rows) < FORWARDS or not whole or not _is_trained(run, model):
            continue
        after = any(f.data.get("eval_after_train") for f in whole)
        call = next((f for f in whole if f.line is not None), None)
        yield Finding(
            Level.SICK if after else Level.SUSPECT,
            tuple(f.site for f in whole if f.site is not None), min(f.first_step for f in whole),
            max(0, run.steps - 1),
            {"forwards": max(rows), "count": len(whole), "after_train": after},
            (Evidence("mode.eval", max(rows), FORWARDS, "forwards", whole[0].site),),
            file=call.file if call else None, line=call.line if call else None,
        )  # fmt: skip


def _is_trained(run: Recording, model: str | None) -> bool:
    """Some parameter of the model is held by an optimizer or moved by hand; so if none is known."""
    wired = [f for f in run.facts_of("wiring") if model is None or model_of(run, f) == model]
    return not wired or any(
        f.data.get("optimizer") is not None or f.data.get("moved_unowned") for f in wired
    )
