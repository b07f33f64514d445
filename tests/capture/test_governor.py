"""How often the governor looks: at every young step, then as the budget and a credit allow."""

from __future__ import annotations

import pytest

from gradoctor.capture.governor import YOUNG, Governor
from gradoctor.capture.recorder import Look


def run(steps: int, step_seconds: float, look_seconds: float, **options: float) -> Governor:
    """A run of so many steps, each look of which costs so much."""
    governor = Governor(**options)
    look = Look.DEEP
    seen = []
    for step in range(steps):
        own = look_seconds if look >= Look.FULL else 0.0
        governor.spent(step, look, own, step_seconds + own)
        seen += [step] if look >= Look.FULL else []
        look = governor.plan(step + 1)
    governor.seen = seen  # type: ignore[attr-defined]
    return governor


def test_every_young_step_is_looked_at() -> None:
    assert run(60, 0.01, 0.1).seen[:YOUNG] == list(range(YOUNG))  # type: ignore[attr-defined]


@pytest.mark.parametrize(("step", "look"), [(0.001, 0.007), (0.02, 0.04), (0.1, 0.1), (1.0, 5.0)])
def test_the_budget_holds_past_the_young_steps_and_the_credit(step: float, look: float) -> None:
    governor = run(5000, step, look)
    late = 5000 * step - YOUNG * step
    spent = governor.own - YOUNG * look
    assert spent <= 0.02 * (late + spent) + governor.credit + 4 * look
    assert governor.seen[-1] > 1000, "it does not go blind"  # type: ignore[attr-defined]


def test_a_short_run_of_cheap_looks_is_seen_to_its_end() -> None:
    for steps in (300, 600, 1500):
        seen = run(steps, 0.0006, 0.007).seen  # type: ignore[attr-defined]
        assert seen[-1] >= 0.9 * steps
        assert len(seen) >= 100


def test_costly_looks_are_spread_rather_than_spent_at_once() -> None:
    seen = run(2000, 0.017, 0.04).seen  # type: ignore[attr-defined]
    assert seen[-1] > 1500
    assert len([s for s in seen if YOUNG <= s < 200]) <= 40


def test_an_alarm_is_answered_whatever_it_costs() -> None:
    governor = run(1000, 0.0001, 1.0)
    assert governor.plan(1000) is Look.LIGHT
    governor.alarm(2)
    assert [governor.plan(1000 + i) for i in range(3)] == [Look.DEEP, Look.DEEP, Look.LIGHT]
