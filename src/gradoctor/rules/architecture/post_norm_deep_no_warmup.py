"""A deep transformer with norms after the residual sum, trained without a warm-up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, diverged, first_values, no_progress, stuck
from gradoctor.rules.evidence.exclusions import fine_tuning
from gradoctor.rules.evidence.timing import is_adaptive, learning_rate, warm_up_end

BLOCKS = 12
RATIO = 8.0
BLOCK = ("TransformerEncoderLayer", "TransformerDecoderLayer")


@rule(proof="statistical", needs=("actgrad.rms", "lr"))
def post_norm_deep_no_warmup(run: Recording) -> Iterator[Finding]:
    """Twelve blocks or more of PyTorch's with norms after the sum, Adam, and no rising rate.

    Gradients of the last block are eight times those of the first at the start besides. A note;
    suspect where the loss diverged or is stuck.

    Values: blocks, ratio
    """
    blocks = _post_norm_blocks(run)
    if len(blocks) < BLOCKS or not is_adaptive(run) or not len(learning_rate(run)):
        return
    gradient = first_values(run, "actgrad.rms")
    first, last = gradient.get(blocks[0]), gradient.get(blocks[-1])
    if not first or not last or last / first < RATIO or warm_up_end(run):
        return
    exclusions = (fine_tuning(run),)
    harmed = diverged(run).found or stuck(run).found or no_progress(run).found
    excused = any(e.found for e in exclusions)
    yield Finding(
        Level.SUSPECT if harmed and not excused else Level.NOTE, (blocks[-1], blocks[0]), 0,
        max(0, run.steps - 1), {"blocks": len(blocks), "ratio": last / first},
        (Evidence("actgrad.rms", last / first, RATIO, "ratio", blocks[-1]),), as_pairs(exclusions),
    )  # fmt: skip


def _post_norm_blocks(run: Recording) -> list[int]:
    """The second linear layer of each block whose norm comes after it, in order."""
    modules = [s for s in run.of_kind("module") if s.order >= 0]
    inside = {
        s.name: s for s in modules if BLOCK[0] in _owner(s.meta) or BLOCK[1] in _owner(s.meta)
    }
    found = []
    for name, site in inside.items():
        stem, _, leaf = name.rpartition(".")
        after = [s for n, s in inside.items() if n.rpartition(".")[0] == stem and "norm" in n]
        if leaf == "linear2" and after and max(s.order for s in after) > site.order:
            found.append(site.id)
    return found


def _owner(meta: Mapping[str, object]) -> str:
    """Class of the module around."""
    path = meta.get("path")
    return str(path[-1]) if isinstance(path, list) and path else ""
