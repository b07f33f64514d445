"""The ledger of remedies: what each treats, and the code to type.

A remedy points at codes, a rule never at remedies. Names are imperative verbs. The texts, one a
language, are ``texts/<lang>.md`` with a section ``## name`` each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from gradoctor.knowledge.language import normalise

__all__ = ["REMEDIES", "Remedy", "remedies_for", "text"]


@dataclass(frozen=True, slots=True)
class Remedy:
    """A cure.

    Attributes:
        name: imperative, snake_case: ``clip_gradients``.
        treats: codes it treats; a rank may follow, ``"GD101:2"``, where the order of the ledger
            is not the order of preference for that code (no rank counts as 0, the first choice).
        code: what the user types, exact PyTorch; may have several lines.
    """

    name: str
    treats: tuple[str, ...]
    code: str

    def rank(self, code: str) -> int | None:
        """Its place among the cures of a code (lower is better), or None when it treats it not."""
        for treated in self.treats:
            at, _, rank = treated.partition(":")
            if at == code:
                return int(rank or 0)
        return None


_TABLE: tuple[Remedy, ...] = ()

REMEDIES: dict[str, Remedy] = {r.name: r for r in _TABLE}


def remedies_for(code: str) -> tuple[Remedy, ...]:
    """The remedies that treat a code, the best first."""
    ranked = [(rank, r) for r in REMEDIES.values() if (rank := r.rank(code)) is not None]
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
