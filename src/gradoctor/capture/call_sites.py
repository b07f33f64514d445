"""Sites of single calls: the line, the module that runs it, and which of the calls there it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradoctor.capture.source import caller

if TYPE_CHECKING:
    import torch

    from gradoctor.capture.recorder import Columns
    from gradoctor.capture.session import Session
    from gradoctor.records import SiteKind

At = tuple[str | None, int | None, str, str]
"""File, line, module and type of a call."""


class CallSites:
    """Gives each call its site, and keeps the latest values of each until the step ends.

    Args:
        columns: what the values are of.
        most: calls of one place that are told apart in a step, later ones count as the last of
            them; 1 where all are the same.
        in_modules: the module that runs belongs to the place, not the line alone.
    """

    def __init__(
        self, session: Session, columns: Columns = (), most: int = 64, in_modules: bool = True
    ) -> None:
        self.session = session
        self.columns = columns
        self.most = most
        self.in_modules = in_modules
        self._seen: dict[int, torch.Tensor] = {}
        self._counts: dict[At, int] = {}
        self._known: dict[tuple[At, int], int] = {}

    def here(self, type: str, meta: dict[str, Any]) -> int:
        """The site of the call that is running, with ``meta`` when it is the first."""
        at, number = self.count(type)
        return self.site(at, min(number, self.most), meta)

    def count(self, type: str) -> tuple[At, int]:
        """The place of the call that is running, and which call of this step it is there."""
        stack = self.session.hooks.stack if self.in_modules else []
        owner = self.session.models.name_of(stack[-1]) if stack else ""
        at = (*caller(), owner, type)
        number = self._counts[at] = self._counts.get(at, 0) + 1
        return at, number

    def site(self, at: At, number: int, meta: dict[str, Any], kind: SiteKind = "op") -> int:
        """The site of one of the calls of a place."""
        site = self._known.get((at, number))
        if site is not None:
            return site
        file, line, owner, what = at
        name = f"{owner}.{what}" if owner else f"{what}@{line}" if self.most > 1 else what
        told_apart = {"index": number - 1} if self.most > 1 else {}
        site = self._known[at, number] = self.session.recorder.site(
            kind, name if number == 1 else f"{name}#{number}", key=(at, number), type=what,
            file=file, line=line, order=self.session.models.next_order(),
            meta={"role": what, "class": what, "module": owner, "model": "", "activation": "",
                  **told_apart, **meta},
        )  # fmt: skip
        return site

    def keep(self, site: int, values: torch.Tensor) -> None:
        """The latest values of a site."""
        self._seen[site] = values

    def close_step(self) -> None:
        """Record them, and count calls afresh."""
        for site, values in self._seen.items():
            self.session.recorder.put(site, self.columns, values)
        self._seen = {}
        self._counts.clear()
