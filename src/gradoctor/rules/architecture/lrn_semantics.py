"""Local response normalisation whose alpha is divided by its size."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule


@rule(proof="structural", needs=())
def lrn_semantics(run: Recording) -> Iterator[Finding]:
    """The network uses ``LocalResponseNorm``: a note on what its alpha means in PyTorch.

    Values: alpha, size
    """
    found = [s for s in run.of_kind("module") if s.type == "LocalResponseNorm" and s.order >= 0]
    if found:
        alpha = float(found[0].meta.get("alpha") or 0.0)
        size = int(found[0].meta.get("size") or 0)
        yield Finding(
            Level.NOTE, tuple(s.id for s in found), 0, max(0, run.steps - 1),
            {"alpha": alpha, "size": size},
            (Evidence("norm.alpha", alpha / max(size, 1), None, "", found[0].id),),
        )  # fmt: skip
