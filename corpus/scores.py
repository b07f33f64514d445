"""Counting: how often the rows of a corpus are right, with exact intervals.

A row is one run of one case with one tool's verdict on it (``running.labels`` beside
``judging.judge``); rows of another tool need ``verdict`` only, and are counted by the same code.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from corpus.intervals import clopper_pearson

Row = dict[str, Any]
SICK = ("sick", "confirmed")


@dataclass(frozen=True)
class Rate:
    """A share with its exact 95 % interval."""

    hits: int
    of: int

    @property
    def interval(self) -> tuple[float, float]:
        return clopper_pearson(self.hits, self.of)

    def __str__(self) -> str:
        if not self.of:
            return "none"
        low, high = self.interval
        share = 100 * self.hits / self.of
        return f"{self.hits}/{self.of} = {share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def rate(rows: Iterable[Row], hit: Callable[[Row], bool]) -> Rate:
    """The share of rows for which something is so; runs that failed do not count."""
    judged = [row for row in rows if "verdict" in row]
    return Rate(sum(bool(hit(row)) for row in judged), len(judged))


def of_kind(rows: Iterable[Row], *kinds: str) -> list[Row]:
    return [row for row in rows if row["kind"] in kinds]


def headline(rows: Sequence[Row]) -> dict[str, Rate]:
    """The figures that the page opens with."""
    sick, mutants = of_kind(rows, "sick"), of_kind(rows, "mutant")
    provable = [row for row in sick if row.get("level") != "suspect"]
    suspected = [row for row in sick if row.get("level") == "suspect"]
    mended, healthy = of_kind(rows, "mended"), of_kind(rows, "healthy")
    early = [row for row in sick if "early" in row]
    return {
        "sick scripts: verdict `sick`": rate(provable, lambda r: r["verdict"] == "sick"),
        "of those that may only be suspected: `suspect` or `sick`": rate(
            suspected, lambda r: r["verdict"] in ("suspect", "sick")
        ),
        "sick scripts: right root first": rate(sick, lambda r: r.get("root")),
        "sick scripts: right root at the right place": rate(sick, lambda r: r.get("place")),
        "proofs named by step 5": rate(early, lambda r: r["early"]),
        "proofs named by step 5 with the right line": rate(early, lambda r: r["early_place"]),
        "the same, and called sick by then": rate(early, lambda r: r.get("early_sick")),
        "injected faults: verdict `sick`": rate(mutants, lambda r: r["verdict"] == "sick"),
        "injected faults: right root first": rate(mutants, lambda r: r.get("root")),
        "injected faults: right root at the right place": rate(mutants, lambda r: r.get("place")),
        "mended twins called sick": rate(mended, lambda r: r["verdict"] == "sick"),
        "mended twins called suspect": rate(mended, lambda r: r["verdict"] == "suspect"),
        "healthy runs called sick": rate(healthy, lambda r: r["verdict"] == "sick"),
        "healthy runs called suspect": rate(healthy, lambda r: r["verdict"] == "suspect"),
        "healthy scripts called sick in any run": by_script(healthy, ["sick"]),
        "healthy scripts called suspect in any run": by_script(healthy, ["suspect"]),
    }


def by_script(rows: Iterable[Row], verdicts: Collection[str]) -> Rate:
    """Scripts of which any run had such a verdict: runs under other seeds are not independent."""
    said: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if "verdict" in row:
            said[row["case"]].add(row["verdict"])
    return Rate(sum(not given.isdisjoint(verdicts) for given in said.values()), len(said))


def first_root(row: Row) -> str:
    """The code that was named as the illness (``judging.named``); '' when there is none."""
    if "named" in row:
        return str(row["named"])
    for finding in row.get("findings", ()):
        if finding["root"] and finding["level"] in SICK:
            return str(finding["code"])
    return ""


def alarmed(row: Row) -> bool:
    """A healthy run or mended twin of which anything above a note was said."""
    return row.get("verdict") in ("sick", "suspect") and row["kind"] in ("healthy", "mended")


@dataclass(frozen=True)
class OfRule:
    """One rule's figures.

    Attributes:
        recall: of the scripts that are about it, those where the right root came first.
        place: of those, with the right line.
        precision: of the runs where it was a sick root, those where it is right as one.
        sick, suspect: healthy and mended runs that it called so.
    """

    code: str
    recall: Rate
    place: Rate
    precision: Rate
    sick: int
    suspect: int


def by_rule(rows: Sequence[Row]) -> list[OfRule]:
    """Every code that a case is about, or that was a root, or that raised a false alarm."""
    about: dict[str, list[Row]] = defaultdict(list)
    named: dict[str, list[bool]] = defaultdict(list)
    false: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        ill = row["kind"] in ("sick", "mutant")
        if row["kind"] == "sick":
            about[row["accept"][0]].append(row)
        for code in {
            f["code"] for f in row.get("findings", ()) if f["root"] and f["level"] in SICK
        }:
            named[code].append(code in row["accept"])
        worst = {} if ill else _worst(row)
        for code, level in worst.items():
            false[code][level] += 1
    return [
        OfRule(
            code,
            rate(about[code], lambda r: r.get("root")),
            rate(about[code], lambda r: r.get("place")),
            Rate(sum(named[code]), len(named[code])),
            false[code]["sick"],
            false[code]["suspect"],
        )
        for code in sorted({*about, *named, *false})
    ]


def _worst(row: Row) -> dict[str, str]:
    """Of each code above a note the gravest level."""
    levels: dict[str, str] = {}
    for finding in row.get("findings", ()):
        if finding["level"] in SICK:
            levels[finding["code"]] = "sick"
        elif finding["level"] == "suspect":
            levels.setdefault(finding["code"], "suspect")
    return levels


def confusion(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """Of the sick scripts: expected family (``GD1``) by the family of the first root."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row["kind"] in ("sick", "mutant") and "verdict" in row:
            found = first_root(row)
            right = found in row["accept"]
            expected = row["accept"][0][:3]
            counts[expected][expected if right else found[:3] or "nothing"] += 1
    return dict(counts)
