"""Dear experiments take turns like the corpus: a tenth each day, all when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from slices import slice_of, todays_slice

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = todays_slice()
    if chosen is None or "slow" in config.getoption("-m"):
        return
    for item in items:
        dear = HERE in item.path.parents and item.get_closest_marker("slow")
        if dear and slice_of(item.name) != chosen:
            why = "a dear experiment, not in today's tenth: GRADOCTOR_SLICE=all runs all"
            item.add_marker(pytest.mark.skip(reason=why))
