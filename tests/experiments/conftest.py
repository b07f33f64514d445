"""Dear experiments run when asked: ``-m slow``, or ``GRADOCTOR_SLICE=all`` as for the corpus."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "slow" in config.getoption("-m") or os.environ.get("GRADOCTOR_SLICE") == "all":
        return
    why = "a dear experiment: pytest -m slow, or GRADOCTOR_SLICE=all"
    for item in items:
        if HERE in item.path.parents and item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason=why))
