"""Outcomes made by hand, and small programs in place of experiments."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars
from gradoctor.lab import Outcome, Spread

BARS = Bars(Words("Slopes", "斜率"), (Words.same("sigmoid"), Words.same("ReLU")), (0.25, 1.0))


def outcome(verdict: str = "true") -> Outcome:
    return Outcome(
        verdict,
        Words("The slope is at most 0.25.", "斜率最大为 0.25。"),
        {"slope": Spread(0.25, 0.24, 0.26, 3), "odd": Spread.of([float("inf")])},
        (BARS,),
        seeds=3,
    )


def programs(folder: Path, **bodies: str):
    """A command that runs ``bodies['n1']`` for claim 1: each is given ``out`` and ``outcome``."""
    start = f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    start += "from pathlib import Path\nfrom tests.lab.outcomes import outcome\n"
    start += "from gradoctor.lab.keeping import write_json\nout = Path(sys.argv[1])\n"
    for name, body in bodies.items():
        (folder / f"{name}.py").write_text(start + textwrap.dedent(body))

    def command(number: int, out: Path) -> list[str]:
        return [sys.executable, str(folder / f"n{number}.py"), str(out)]

    return command


WELL = "write_json(out, outcome().to_data())"
