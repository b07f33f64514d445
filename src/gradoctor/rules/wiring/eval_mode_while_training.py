"""Dropout and batch norm are in eval mode while the model is trained."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

FORWARDS = 10


@rule(proof="structural", needs=("fact:mode",))
def eval_mode_while_training(run: Recording) -> Iterator[Finding]:
    """The last ten training forwards or more ran with the whole model in eval mode.

    Batch norm alone in eval mode, the rest in train mode, is a frozen norm by intent; so is a
    model that never was in train mode while its norms are held fixed for fine-tuning and it has no
    dropout: then it is a suspicion only.

    Values: forwards (in eval mode, in a row), count (modules), after_train (it was in train mode)
    """
    modes = [f for f in run.facts_of("mode") if f.site is not None]
    stuck = [f for f in modes if int(f.data.get("last_eval_run") or 0) >= FORWARDS]
    whole = [f for f in stuck if f.data.get("whole_model_eval")]
    if not whole or any(f not in stuck for f in modes):
        return
    after = any(f.data.get("eval_after_train") for f in whole)
    dropout = any(run.sites[f.site].meta.get("role") == "dropout" for f in whole if f.site)
    longest = max(int(f.data["last_eval_run"]) for f in whole)
    call = next((f for f in whole if f.line is not None), None)
    yield Finding(
        Level.SICK if after or dropout else Level.SUSPECT,
        tuple(f.site for f in whole if f.site is not None), min(f.first_step for f in whole),
        max(0, run.steps - 1),
        {"forwards": longest, "count": len(whole), "after_train": after},
        (Evidence("mode.eval", longest, FORWARDS, "forwards", whole[0].site),),
        file=call.file if call else None, line=call.line if call else None,
    )  # fmt: skip
