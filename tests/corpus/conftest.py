"""The corpus is long: only a rotating tenth runs unless the whole, or its slow part, is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from slices import slice_of, todays_slice

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = todays_slice()
    asked = "slow" in config.getoption("-m")
    for item in items:
        case = getattr(item, "callspec", None) and item.callspec.params.get("case")  # type: ignore[attr-defined]
        if HERE not in item.path.parents or case is None:
            continue
        if chosen in (None, slice_of(case.name)):  # twins share one
            continue
        item.add_marker(pytest.mark.slow)
        if not asked:
            why = "not in today's tenth of the corpus: GRADOCTOR_SLICE=all runs every case"
            item.add_marker(pytest.mark.skip(reason=why))
