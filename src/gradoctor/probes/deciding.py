"""Which probe can decide what a diagnosis leaves in doubt."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from gradoctor.records import Diagnosis, Finding, Level

DECIDES: dict[str, tuple[str, ...]] = {
    # ---- is it the weights, or what they are given?
    "GD101": ("init",),
    "GD102": ("init",),
    "GD103": ("init",),
    "GD106": ("init",),
    "GD202": ("init",),
    "GD205": ("init",),
    "GD303": ("init",),
    "GD304": ("init",),
    "GD306": ("init",),
    "GD601": ("init",),
    # ---- can it learn anything by heart?
    "GD104": ("overfit",),
    "GD201": ("overfit", "learning-rate"),
    "GD204": ("init", "overfit"),
    "GD211": ("overfit", "init"),
    "GD417": ("overfit", "learning-rate"),
    "GD509": ("overfit", "init"),
    "GD616": ("overfit",),
    # ---- another rate
    "GD401": ("learning-rate", "init", "sharpness"),
    "GD402": ("learning-rate", "sharpness"),
    "GD403": ("learning-rate", "overfit"),
    "GD404": ("learning-rate",),
    "GD405": ("learning-rate",),
    "GD416": ("sharpness",),
    "GD418": ("learning-rate", "sharpness"),
    # ---- another precision
    "GD702": ("precision",),
    "GD703": ("precision",),
    "GD704": ("precision",),
    "GD706": ("precision",),
    # ---- another mode
    "GD801": ("train-eval",),
    "GD802": ("train-eval",),
    "GD803": ("train-eval",),
    # ---- new labels
    "GD203": ("plasticity",),
    "GD419": ("plasticity",),
    # ---- another input
    "GD916": ("causal",),
}
"""By code: the probes whose answers bear on it, the most telling first."""


def undecided(diagnosis: Diagnosis) -> Iterator[Finding]:
    """What another run may settle: roots in doubt, and suspicions that nothing explains."""
    for finding in diagnosis.findings:
        in_doubt = finding.root and finding.certainty in ("likely", "open")
        if in_doubt or (finding.level == Level.SUSPECT and not finding.explained_by):
            yield finding


def to_ask(diagnosis: Diagnosis) -> tuple[str, ...]:
    """Names of the probes that can decide something, the most telling first.

    What was answered already (``meta["probed"]``) is left out; nothing is asked of a healthy run.
    """
    answers = diagnosis.meta.get("probed", {}).get("answers", ())
    asked = {a["name"] for a in answers if "cut-short" not in a["cautions"]}
    if diagnosis.verdict == "healthy":
        return ()
    codes = [code for f in undecided(diagnosis) for code in (f.code, *f.rivals)]
    names = (name for code in codes for name in DECIDES.get(code, ()))
    return tuple(dict.fromkeys(name for name in names if name not in asked))


def target_of(meta: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The script of a run and its arguments, as a probe takes them.

    None where a probe could not run it: several processes, a notebook, or nothing known of it.
    """
    argv = [str(part) for part in meta.get("argv") or ()]
    if not argv or int(meta.get("world_size") or 1) > 1 or int(meta.get("rank") or 0):
        return None
    if meta.get("module"):
        return ("-m", *argv)
    same = PurePath(str(meta.get("script") or "")).name == PurePath(argv[0]).name
    return tuple(argv) if same else None


def command(diagnosis: Diagnosis) -> str | None:
    """What to type to settle the first thing that is in doubt; None where no probe can."""
    target, names = target_of(diagnosis.meta), to_ask(diagnosis)
    return shlex.join(["gradoctor", "probe", names[0], *target]) if target and names else None
