"""What every entry of the formulary has, and how entries are found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Picture

Row = tuple[Words, Words]
"""A line of an entry's table: what it is called, and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing of the field, as a reader looks it up.

    Attributes:
        name: what is typed: lower case, underscores (``leaky_relu``).
        kind: one of ``KINDS``.
        formula: plain Unicode mathematics, one or a few lines.
        derivative: of the value; for a loss its gradient at the output.
        range: of the values it gives.
        limits: at the ends of its domain.
        gradient: how the gradient behaves in it, and where it dies.
        cost: in operations and memory.
        use, avoid: when it suits, and when it does not.
        torch: the dotted PyTorch name (``torch.nn.ReLU``); empty where PyTorch has none.
        code: a few lines that run after ``import torch; from torch import nn``.
        reference: where the formula comes from.
        aliases: other names that find it.
        draw: makes its pictures.
    """

    name: str
    kind: str
    title: Words
    formula: str
    derivative: str = ""
    range: str = ""
    limits: str = ""
    gradient: Words
    cost: Words
    use: Words
    avoid: Words
    torch: str
    code: str
    reference: str
    aliases: tuple[str, ...] = ()
    draw: Callable[[], tuple[Picture, ...]]

    def details(self) -> tuple[Row, ...]:
        """The lines that only this kind of entry has."""
        return ()
