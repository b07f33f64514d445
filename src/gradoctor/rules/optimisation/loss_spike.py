"""The loss jumps far above where it was."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, is_final, start_step
from gradoctor.rules.evidence.exclusions import adversarial, moving_targets
from gradoctor.rules.evidence.loss import leading_loss, loss_values
from gradoctor.rules.evidence.spikes import JUMP, LENGTH, loss_spikes
from gradoctor.rules.evidence.tasks import tasks

MANY = 3  # per thousand steps
ENOUGH = 50  # steps without coming back


@rule(proof="statistical", needs=("loss.value",))
def loss_spike(run: Recording) -> Iterator[Finding]:
    """The loss rises by 8 MADs of its recent past, and stays up for several steps.

    Mechanism: the median of five successive losses lies 8 MADs above the median of the 200 before,
    and by a tenth of the distance the loss had come. One that passes is a note; three in a thousand
    steps, or one that does not pass, are suspect, and sick when the run ends above where it stood.
    Targets that are the network's own predictions jump whenever they are taken anew (a target
    network of Q-learning): with them the loss has no level, and a spike stays a note.
    What rises because another task begins is none.

    Values: count, height, step, recovered, per_thousand
    """
    losses = loss_values(run)
    start = start_step(run)
    if len(losses.after(start)) < 2 * LENGTH + 20:
        raise UndecidedError(f"too-short:{len(losses.after(start))}/{2 * LENGTH + 20}")
    learning = tasks(run)
    spikes = [s for s in loss_spikes(run) if s.first >= start and not learning.begins(s.first)]
    if not spikes:
        return
    site = leading_loss(run)
    rate = 1000.0 * len(spikes) / max(1000, len(losses))
    # one that the run ended on may have passed
    lasting = not spikes[-1].recovered and int(losses.steps[-1]) - spikes[-1].first >= ENOUGH
    players, moving = adversarial(run), moving_targets(run)
    level_ = Level.NOTE
    if (rate >= MANY or lasting) and not moving.found:
        level_ = Level.SICK if lasting and is_final(run) else Level.SUSPECT
        if players.found:
            level_ = Level(level_ - 1)
    highest = max(spikes, key=lambda s: s.height)
    yield Finding(
        level=level_,
        sites=() if site is None else (site.id,),
        first_step=spikes[0].first,
        last_step=spikes[-1].last,
        values={
            "count": len(spikes),
            "height": highest.height,
            "step": highest.first,
            "recovered": not lasting,
            "per_thousand": rate,
        },
        evidence=(Evidence("loss.value", highest.height, JUMP, "MAD"),),
        exclusions=as_pairs((players, moving)),
    )
