"""The corpus is long: only a rotating tenth runs unless the whole, or its slow part, is asked."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from corpus import SLICES

HERE = Path(__file__).parent


def todays_slice() -> int | None:
    """The slice to run: ``GRADOCTOR_SLICE`` (a number or ``all``), else the day's; None is all."""
    given = os.environ.get("GRADOCTOR_SLICE", "")
    if given == "all":
        return None
    return int(given) % SLICES if given else datetime.date.today().toordinal() % SLICES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = todays_slice()
    asked = "slow" in config.getoption("-m")
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
        if HERE not in item.path.parents or case is None or chosen in (None, case.slice):
            continue
        item.add_marker(pytest.mark.slow)
        if not asked:
            why = "not in today's tenth of the corpus: GRADOCTOR_SLICE=all runs every case"
            item.add_marker(pytest.mark.skip(reason=why))
