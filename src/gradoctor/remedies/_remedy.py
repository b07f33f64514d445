"""What a remedy is: a name, the codes it treats, and the code to type."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent


@dataclass(frozen=True, slots=True)
class Remedy:
    """A cure.

    Attributes:
        name: imperative, snake_case: ``clip_gradients``.
        treats: codes it treats, each with its place among the cures of that code:
            ``"GD101:2"`` is the second choice for GD101 (without a number it is the first).
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


def remedy(name: str, treats: str, code: str) -> Remedy:
    """A remedy from a spaced list of codes (``"101:1 102:2"``) and a block of indented code."""
    return Remedy(name, tuple(f"GD{t}" for t in treats.split()), dedent(code).strip())
