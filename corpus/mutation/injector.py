"""Draws one place of an operator and changes the script there."""

from __future__ import annotations

import random
from dataclasses import dataclass

from corpus.edits import Script
from corpus.mutation.operators import OPERATORS, Change


@dataclass(frozen=True)
class Mutant:
    """A script with one fault.

    Attributes:
        line: where it is; every other line is as it was.
        accept: codes that are right as the root of it.
        also: codes that may be found besides.
        lines: the root must point to a line that contains one of these texts.
        when: the condition under which the fault holds; '' from the start.
    """

    operator: str
    text: str
    line: int
    accept: tuple[str, ...]
    also: tuple[str, ...]
    lines: tuple[str, ...]
    when: str


def applicable(text: str) -> list[str]:
    """The operators that find a place in a script."""
    return [name for name, find in OPERATORS.items() if find(Script(text), random.Random(0))]


def inject(text: str, operator: str, seed: int) -> Mutant:
    """The script with a fault of one operator at the place, and of the size, that a seed draws.

    Raises:
        KeyError: no such operator.
        ValueError: it finds no place in this script.
    """
    draw = random.Random(f"{operator} {seed}")
    script = Script(text)
    changes = OPERATORS[operator](script, draw)
    if not changes:
        raise ValueError(f"{operator}: no place")
    change: Change = draw.choice(changes)
    mutated = script.edited(change.edits)
    its_line = mutated.split("\n")[change.line - 1].strip()
    anchors = [script.source(n).split("\n")[0] for n in change.anchors]
    return Mutant(
        operator,
        mutated,
        change.line,
        change.accept,
        change.also,
        tuple(dict.fromkeys([its_line, *(a for a in anchors if a in mutated)])),
        change.when,
    )
