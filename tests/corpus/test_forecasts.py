"""What the checkup before training says of healthy scripts: never that they are sick."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from corpus import cases
from corpus.cases import Case
from corpus.running import LIMIT_SECONDS
from gradoctor.commands._forecast import of_run

NO_FORECAST = {"by_hand_data", "maybe_compiled"}
"""No module runs, or a compiled one."""


@pytest.mark.parametrize(
    "case", [c for c in cases.load_cases() if c.kind == "healthy"], ids=lambda c: c.name
)
def test_no_healthy_script_is_called_sick(case: Case, tmp_path):
    run = [sys.executable, "-m", "gradoctor", "run", "--quiet", "--checkup", "--db"]
    done = subprocess.run(
        [*run, str(tmp_path / "run.db"), case.script.name], cwd=case.script.parent, check=False,
        capture_output=True, text=True, timeout=LIMIT_SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "Your training is not affected" not in done.stderr
    found = of_run(tmp_path / "run.db")
    assert (found is None) == (case.name in NO_FORECAST)
    assert found is None or found.verdict != "sick", found
