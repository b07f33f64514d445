"""Decides which steps are looked at and how deeply, so that watching stays within its budget."""

from __future__ import annotations

from math import log

from gradoctor.capture.recorder import Look

YOUNG = 50
"""Steps that are all looked at: most diseases show themselves here."""

CREDIT_LOOKS = 200
"""Looks after the young steps that may go beyond the budget."""

DEEP_STEPS = frozenset({0, 1, 2, 3, 10, 20, 49}) | {
    base * 10**power for base in (1, 2, 5) for power in range(2, 7)
}


LONG = 10_000
"""Steps over which the credit is spread."""


def due(step: int, looks: float) -> int:
    """Steps between looks on a logarithmic grid that has so many looks from step 50 to 10,000.

    At most every fiftieth of the run so far, every 25th later on; at least every sixth.
    """
    finest = YOUNG if step < 4 * YOUNG else YOUNG // 2
    parts = min(finest, max(6.0, looks / log(LONG / YOUNG)))
    return max(1, int(step / parts))


class Governor:
    """Plans looks from its own measured cost.

    While the run is young (the first 50 steps) every step is looked at. Later a look is taken when
    it is due on a logarithmic grid (see ``due``) and the time spent on looks after step 50 stays
    below ``budget * elapsed + credit``, what steps without a look cost taken off the budget; a run
    whose steps are long is looked at more often, as its budget allows. The credit is what 200 looks
    cost, two seconds at most, spread over 10,000 steps: rules need that many, and a short run on a
    busy machine is to be judged like any other.

    Args:
        budget: share of the run's wall time that watching may take, such as 0.02.
        credit: most seconds that may be spent beyond the budget once.

    Attributes:
        seconds: how long a step takes without us, of late.
    """

    def __init__(self, budget: float = 0.02, credit: float = 2.0) -> None:
        self.budget = budget
        self.credit = credit
        self.looks = 0
        self.deep = 0
        self.own = 0.0
        self.total = 0.0
        self._own_young = 0.0
        self._total_young = 0.0
        self._looked = 0.0
        self._cost = 0.0
        self._plain = 0.0
        self.seconds = 0.0
        self._last = 0
        self._alarm = 0

    def alarm(self, looks: int = 3) -> None:
        """Something turned suspect: look deeply at the next steps whatever it costs."""
        self._alarm = max(self._alarm, looks)

    def spent(self, step: int, look: Look, own: float, total: float) -> None:
        """Book the step that ended: our seconds and all seconds."""
        self.own += own
        self.total += total
        rest = total - own
        self.seconds = rest if not self.seconds else 0.95 * self.seconds + 0.05 * rest
        if step < YOUNG:
            self._own_young, self._total_young = self.own, self.total
        if look >= Look.FULL:
            self.looks += 1
            self.deep += look >= Look.DEEP
            self._last = step
            self._looked += own if step >= YOUNG else 0.0
            if look == Look.FULL:
                self._cost = own if not self._cost else 0.8 * self._cost + 0.2 * own
        else:
            self._plain = own if not self._plain else 0.9 * self._plain + 0.1 * own

    def plan(self, step: int) -> Look:
        """How deeply the step that begins is to be looked at."""
        if self._alarm:
            self._alarm -= 1
            return Look.DEEP
        if step < YOUNG:
            return Look.DEEP if step in DEEP_STEPS else Look.FULL
        if not self._affordable():
            return Look.LIGHT
        gap = step - self._last
        looks = self._credit / self._cost if self._cost else CREDIT_LOOKS
        if gap >= due(step, looks) or gap >= self._budget_gap():
            return Look.DEEP if step in DEEP_STEPS else Look.FULL
        return Look.LIGHT

    def _affordable(self) -> bool:
        """What looks have cost since the young steps, and this one, against what they may."""
        elapsed = self.total - self._total_young
        light = self.own - self._own_young - self._looked
        return self._looked + self._cost <= max(0.0, self.budget * elapsed - light) + self._credit

    @property
    def _credit(self) -> float:
        return min(self.credit, CREDIT_LOOKS * self._cost)

    def _budget_gap(self) -> float:
        """Looks this far apart cost what the budget allows, the light looks' cost taken off."""
        allowed = self.budget * self.seconds - self._plain
        return self._cost / allowed if allowed > 0 else float("inf")

    @property
    def share(self) -> float:
        """Our share of all the time so far."""
        return self.own / self.total if self.total > 0 else 0.0

    @property
    def steady_share(self) -> float:
        """The same, the first 50 steps left out."""
        total = self.total - self._total_young
        return min(1.0, (self.own - self._own_young) / total) if total > 0 else 0.0
