"""Writes docs/corpus.md from the rows of a whole run of the corpus."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks._facts import machine, sentence, table
from corpus.peers import comparison
from corpus.scores import (
    Rate,
    Row,
    alarmed,
    by_rule,
    confusion,
    first_root,
    headline,
    of_kind,
    rate,
)
from gradoctor.reporters.pages import FAMILIES

ROOT = Path(__file__).parents[1]
TARGET = ROOT / "docs" / "corpus.md"
RESULTS = Path(__file__).parent / "results" / "gradoctor.json"
SLIM = ("case", "kind", "half", "architecture", "seed", "tool", "accept", "level", "verdict",
        "root", "place", "early", "early_place", "early_sick", "quiet", "said",
        "error")  # fmt: skip
HALVES = ("reporting", "tuning")

INTRO = """# How often gradoctor is right

Made by `make corpus` (`corpus/page.py`); {machine}.

The corpus is our own: {sick} sick scripts, each with its mended twin; {mutants} healthy scripts
with one injected fault (`corpus/mutants.toml`); {healthy} healthy scripts in {runs} runs under up
to {seeds} seeds. Scripts are small and train for seconds on one core. They fall into two halves by
a hash of the program's name: thresholds are tuned on one half, and the figures to trust are those
of the other. **Most rules were built while looking at all the sick scripts there were, so even the
reporting half is kinder to us than your scripts will be.**

Intervals are exact 95 % binomial ones (Clopper and Pearson). Runs of one script under several seeds
are not independent: the rows by script say how many scripts there are to learn from."""

HOW = """## How it is counted

- *Right root first*: the first sick finding that nothing else explains has a code that the case
  accepts, and no other root is foreign to the case. *Right place*: it also points to a right line
  (and module, where the case names one).
- Some illnesses a rule may only suspect (`level = "suspect"` in `case.toml`): such a case is right
  when a right code is the first root, or, with no root in the report, the first suspicion that
  nothing else explains. The verdict `sick` is asked of the other cases only.
- *Named by step 5*: of the cases of structural and numerical rules, those where the run file cut
  after step 5 already gives a right code, as `suspect` or `sick`; how many were called sick by then
  is the line below it. Where a case says at which step its fault first shows (`begins` in its
  `case.toml`: the first batch without a label, the first evaluation, the first change of the rate),
  five steps later: nothing can be known of it before. Facts are cut by the step at which they were
  first seen, but keep their latest data, so this can be kinder than a run that stopped there.
- *Precision* of a rule: of all runs in which it was a sick root, those in which the case accepts it
  as one.
- A fault is injected at a place that a seed draws, and counts only when it was measured to do harm:
  `corpus/mutation/vet.py` states the criterion.

## Again

```
make corpus                          # all of it; goes on where it was stopped
.venv/bin/python -m corpus NAME      # one case
.venv/bin/python -m corpus.mutation.vet --check
```

`corpus/results/gradoctor.json` has one entry a run: what was expected and what was said."""


def page(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """The whole page, as Markdown."""
    parts = [
        INTRO.format(
            machine=sentence(dict(facts)),
            sick=len(of_kind(rows, "sick")),
            mutants=len(of_kind(rows, "mutant")),
            runs=len(of_kind(rows, "healthy")),
            healthy=len({r["case"] for r in of_kind(rows, "healthy")}),
            seeds=len({r["seed"] for r in of_kind(rows, "healthy")}),
        ),
        *_failures(rows),
        "## The figures",
        tools({"gradoctor": rows}),
        *_others(rows),
        "## Taken for what",
        "First roots of sick scripts and injected faults, by family. A right root is on the"
        " diagonal, whatever its code; another cell is a wrong one.",
        _confusion(rows),
        "## By architecture",
        _architectures(rows),
        "## By rule",
        _rules(rows),
        "## Every miss",
        _list(rows, lambda r: "root" in r and not (r["root"] and r["place"]), _missed),
        "## Every false alarm",
        _list(rows, alarmed, lambda r: r["said"]),
        "## Not named by step 5",
        _list(rows, lambda r: r["kind"] == "sick" and r.get("early") is False, lambda r: r["said"]),
        HOW,
    ]
    return "\n\n".join(parts) + "\n"


def tools(columns: Mapping[str, Sequence[Row]]) -> str:
    """The headline figures: of each tool the reporting half, the tuning half, and all."""
    counts = {
        f"{half} half" if len(columns) == 1 else f"{tool}, {half} half": headline(
            [row for row in rows if row["half"] == half]
        )
        for tool, rows in columns.items()
        for half in HALVES
    }
    for tool, rows in columns.items():
        counts["all" if len(columns) == 1 else f"{tool}, all"] = headline(rows)
    names = next(iter(counts.values()))
    body = [[name, *(str(figures[name]) for figures in counts.values())] for name in names]
    return table(["", *counts], body)


def _others(rows: Sequence[Row]) -> list[str]:
    """Beside the other tools, where they were run."""
    others = comparison.kept()
    if not others:
        return []
    return ["## Beside other tools", comparison.INTRO, comparison.comparison(rows, others)]


def _failures(rows: Sequence[Row]) -> list[str]:
    """Runs that gave no verdict, and rules that broke: said before any figure."""
    failed = [f"- {_label(r)}: {r['error'].splitlines()[-1]}" for r in rows if "error" in r]
    broke = [f"- {_label(r)}: {what}" for r in rows for what in r.get("failed", ())]
    parts = []
    if failed:
        parts.append("**Runs that failed, and are in no figure:**\n\n" + "\n".join(failed))
    if broke:
        parts.append("**Rules that broke:**\n\n" + "\n".join(broke))
    return parts


def _confusion(rows: Sequence[Row]) -> str:
    counts = confusion(rows)
    columns = sorted({*counts, *(found for row in counts.values() for found in row)} - {"nothing"})
    body = [
        [_family(expected), *(str(counts[expected][c] or "") for c in (*columns, "nothing"))]
        for expected in sorted(counts)
    ]
    return table(["expected", *map(_family, columns), "nothing"], body)


def _family(prefix: str) -> str:
    return f"{prefix}xx {FAMILIES.get(prefix, '')}".strip()


def _architectures(rows: Sequence[Row]) -> str:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["architecture"] or "?"].append(row)
    body = []
    for name in sorted(groups):
        ill = of_kind(groups[name], "sick", "mutant")
        well = of_kind(groups[name], "healthy", "mended")
        body.append([
            name, _short(rate(ill, lambda r: r.get("root"))),
            _short(rate(ill, lambda r: r.get("place"))),
            _short(rate(well, lambda r: r["verdict"] == "sick")),
            _short(rate(well, lambda r: r["verdict"] == "suspect")),
        ])  # fmt: skip
    return table(
        ["", "right root", "right place", "healthy called sick", "healthy called suspect"], body
    )


def _rules(rows: Sequence[Row]) -> str:
    body = [
        [f"[{r.code}](rules/en/{r.code}.md)", _short(r.recall), _short(r.place),
         _short(r.precision), str(r.sick or ""), str(r.suspect or "")]
        for r in by_rule(rows)
    ]  # fmt: skip
    head = ["rule", "right root in its cases", "right place", "precision as root",
            "false `sick`", "false `suspect`"]  # fmt: skip
    return table(head, body)


def _short(figures: Rate) -> str:
    return f"{figures.hits}/{figures.of}" if figures.of else ""


def _missed(row: Row) -> str:
    found = first_root(row)
    what = "wrong line" if row["root"] else f"took {found} for it" if found else "nothing named"
    return f"{' or '.join(row['accept'][:3])} expected, {what}: {row['said']}"


def _list(rows: Iterable[Row], which: Callable[[Row], bool], told: Callable[[Row], str]) -> str:
    lines = [f"- {_label(row)} ({row['half']}): {told(row)}" for row in rows if which(row)]
    return "\n".join(lines) or "None."


def _label(row: Row) -> str:
    seed = f", seed {row['seed']}" if row["seed"] else ""
    return f"`{row['case']}`, {row['kind']}{seed}"


def write(rows: Sequence[Row]) -> None:
    """Write the page, and beside it what every run was said to be."""
    facts = machine()
    TARGET.write_text(page(rows, facts), encoding="utf-8")
    RESULTS.parent.mkdir(exist_ok=True)
    slim = [{key: row[key] for key in SLIM if key in row} for row in rows]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in slim)
    head = json.dumps(facts, ensure_ascii=False)
    RESULTS.write_text(f'{{"machine": {head}, "runs": [\n{lines}\n]}}\n', encoding="utf-8")
