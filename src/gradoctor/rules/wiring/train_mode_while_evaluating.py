"""The model is evaluated in train mode."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError

PASSES = 2


@rule(proof="structural", needs=("eval.loss", "fact:evaluation"))
def train_mode_while_evaluating(run: Recording) -> Iterator[Finding]:
    """Losses are computed without gradient while dropout or batch norm is in train mode.

    Only losses count: samples drawn with dropout on (Monte Carlo), and passes that set batch norm's
    statistics anew, compute none. Sick where batch norm counted what it was evaluated on and
    ``eval()`` was never called, else suspect; where another evaluation was in eval mode this may be
    a look at the training batch: a note. So is a loss at every other step. One pass alone is a
    suspicion where batch norm counted several batches in it.

    Values: passes, kind (norms or plain), modules
    """
    facts = run.facts_of("evaluation")
    if not facts:
        raise UndecidedError("no-evaluation")
    proper = any(int(f.data["passes"]) > int(f.data["train_mode"]) for f in facts)
    for fact in facts:
        passes, wrong = int(fact.data["passes"]), int(fact.data["train_mode"])
        if wrong < _enough(fact) or wrong < 0.9 * passes or fact.site is None:
            continue
        often = passes > max(run.steps, fact.last_step + 1) / 2
        moved = int(fact.data.get("norms_moved") or 0)
        modules = [str(m) for m in fact.data.get("modules") or ()]
        yield Finding(
            _level(fact, spared=proper or often), (fact.site,), fact.first_step,
            fact.last_step,
            {"passes": wrong, "kind": "norms" if moved else "plain",
             "modules": ", ".join(modules[:3])},
            (Evidence("evaluation.train_mode", wrong, 0, "passes", fact.site),),
            file=fact.file, line=fact.line,
        )  # fmt: skip


def _enough(fact: Fact) -> int:
    """One pass is a suspicion where batch norm was seen to count from batch to batch in it."""
    counted = int(fact.data.get("norms_moved") or 0) and int(fact.data.get("batches") or 0) > 1
    return 1 if counted and not fact.data.get("eval_called") else PASSES


def _level(fact: Fact, *, spared: bool) -> Level:
    """A proof where the running statistics took in what was evaluated."""
    if spared:
        return Level.NOTE
    proven = int(fact.data.get("norms_moved") or 0) >= PASSES
    return Level.SICK if proven and not fact.data.get("eval_called") else Level.SUSPECT
