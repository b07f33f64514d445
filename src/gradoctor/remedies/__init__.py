"""The ledger of remedies: what each treats, and the code to type.

A remedy points at codes, a rule never at remedies. Names are imperative verbs. The texts, one a
language, are ``texts/<lang>.md`` with a section ``## name`` each.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files

from gradoctor.knowledge.language import normalise
from gradoctor.remedies._remedy import Remedy
from gradoctor.remedies.architecture import ARCHITECTURE
from gradoctor.remedies.data import DATA
from gradoctor.remedies.initialisation import INITIALISATION
from gradoctor.remedies.losses import LOSSES
from gradoctor.remedies.numerics import NUMERICS
from gradoctor.remedies.optimisation import OPTIMISATION
from gradoctor.remedies.wiring import WIRING

__all__ = ["REMEDIES", "Remedy", "remedies_for", "text"]

REMEDIES: tuple[Remedy, ...] = (
    *INITIALISATION,
    *ARCHITECTURE,
    *OPTIMISATION,
    *LOSSES,
    *DATA,
    *NUMERICS,
    *WIRING,
)


def remedies_for(code: str) -> tuple[Remedy, ...]:
    """The remedies that treat a code, the best first."""
    ranked = [(rank, r) for r in REMEDIES if (rank := r.rank(code)) is not None]
    return tuple(remedy for _, remedy in sorted(ranked, key=lambda pair: pair[0]))


def text(name: str, lang: str = "en") -> str:
    """What a remedy does, in one or two sentences; its name in words when no text is there."""
    for chosen in dict.fromkeys((normalise(lang), "en")):
        if name in _texts(chosen):
            return _texts(chosen)[name]
    return name.replace("_", " ")


@lru_cache(maxsize=4)
def _texts(lang: str) -> dict[str, str]:
    source = files("gradoctor.remedies") / "texts" / f"{lang}.md"
    if not source.is_file():
        return {}
    parts = re.split(r"^## +", source.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    split = (part.partition("\n") for part in parts)
    return {name.strip(): body.strip() for name, _, body in split}
