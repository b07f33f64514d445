"""Small run files for tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradoctor.records import Event, Fact, Site
from gradoctor.store import RunWriter, create_run

WEIGHT = Site(1, "parameter", "layer.weight", "Parameter", "train.py", 12, 3, {"shape": [2, 3]})
RUN = Site(0, "run", "run")
STEP = (Event("zero_grad", 2, "train.py", 20), Event("backward", 1), Event("step", 2))


@dataclass(frozen=True)
class Layout:
    id: int
    columns: tuple[tuple[int, str], ...]


LIGHT = Layout(0, ((0, "grad.norm"), (1, "grad.rms")))


def write(path: Path, things: Iterable[tuple[Any, ...]] = (), **meta: Any) -> Path:
    """A finished run file: ``things`` are calls of the writer, such as ``("site", site)``."""
    create_run(path, meta)
    writer = RunWriter(path, flush_seconds=0.01)
    writer.start()
    for name, *args in things:
        getattr(writer, name)(*args)
    writer.close()
    assert writer.lost is None
    return path


def whole(path: Path, steps: int = 50) -> Path:
    """A run file with something of everything."""
    return write(
        path,
        [
            ("meta", "gradoctor", "0.1.0"),
            ("site", RUN),
            ("site", WEIGHT),
            *(("frame", t, 1, LIGHT, [float(t), t / 2]) for t in range(steps)),
            *(("cycle", t, STEP) for t in range(steps)),
            ("fact", Fact("clip", None, "train.py:9", data={"max_norm": 1.0})),
            ("fact", Fact("wiring", 1, first_step=3, last_step=8, count=2)),
        ],
        script="train.py",
    )
