"""The table of all tools on the same runs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks._facts import table
from corpus.scores import Rate, Row, of_kind, rate

RESULTS = Path(__file__).parents[1] / "results" / "peers.json"
INTRO = """Every tool saw the same scripts of the reporting half with the same seeds, each with its
own defaults (`corpus/peers`). An *alarm* is a verdict of sick or suspect: some tools hardly ever
use their gravest word. A message counts as the right root when any reading of it names the illness.
None of the others names a line of code. *SageMaker Debugger's thresholds* are its documented
defaults, computed by us. Runs that a tool broke are in none of its other figures."""
HEAD = [
    "", "sick called sick", "sick, any alarm", "right root first", "right place",
    "healthy called sick", "healthy, any alarm", "mended, any alarm", "runs broken",
]  # fmt: skip


def kept() -> list[Row]:
    """What ``python -m corpus.peers`` wrote; nothing when it never ran."""
    if not RESULTS.exists():
        return []
    rows: list[Row] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows


def on_common_runs(ours: Iterable[Row], others: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each tool, on the runs that all were given."""
    tools: dict[str, dict[tuple[str, str, int], Row]] = defaultdict(dict)
    for row in (*ours, *others):
        tools[row["tool"]][row["case"], row["kind"], row["seed"]] = row
    common = sorted(set.intersection(*(set(runs) for runs in tools.values())))
    return {name: [runs[key] for key in common] for name, runs in tools.items()}


def comparison(ours: Iterable[Row], others: Iterable[Row]) -> str:
    """The table, on the runs that all tools were given."""
    tools = on_common_runs(ours, others)
    return table(HEAD, [[name, *_figures(rows)] for name, rows in tools.items()])


def _figures(rows: Sequence[Row]) -> list[str]:
    ill, healthy = of_kind(rows, "sick", "mutant"), of_kind(rows, "healthy")
    mended = of_kind(rows, "mended")
    rates = (
        rate(ill, lambda r: r["verdict"] == "sick"),
        rate(ill, _alarm),
        rate(ill, lambda r: r["root"]),
        rate(ill, lambda r: r["place"]),
        rate(healthy, lambda r: r["verdict"] == "sick"),
        rate(healthy, _alarm),
        rate(mended, _alarm),
    )
    return [*map(_share, rates), str(sum("error" in row for row in rows) or "")]


def _alarm(row: Row) -> bool:
    return row["verdict"] in ("sick", "suspect")


def _share(figures: Rate) -> str:
    if not figures.of:
        return ""
    return f"{100 * figures.hits / figures.of:.0f} % ({figures.hits}/{figures.of})"
