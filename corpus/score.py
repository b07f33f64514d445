"""Score gradoctor on the whole corpus: a table of every case, and a summary as JSON.

    python -m corpus.score                    # all, two at a time; goes on where it stopped
    python -m corpus.score tanh_tower --fresh # some cases, anew
    python -m corpus.score --kind healthy

Results are kept in ``.gradoctor/score.json`` with a hash of the script and of gradoctor's own
sources: what is still true is not run again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import gradoctor
from corpus.cases import Case, load_cases, place_right, report_on, root_right, said, verdict_right

Results = dict[str, dict[str, Any]]
MARKS = {True: "yes", False: "NO", None: ""}


def sources_hash() -> str:
    """Changes with any line of gradoctor."""
    home = Path(gradoctor.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(home.rglob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def score(case: Case) -> dict[str, Any]:
    """Run one case and judge the report on it."""
    with tempfile.TemporaryDirectory(prefix="gradoctor-case-") as folder:
        try:
            report = report_on(case, Path(folder))
        except (RuntimeError, subprocess.TimeoutExpired) as fault:
            return {"error": str(fault), "said": str(fault).splitlines()[-1]}
    row: dict[str, Any] = {"said": said(report), "overhead": report["overhead"]}
    if case.kind == "sick":
        row["root"] = root_right(case, report)
        row["place"] = row["root"] and place_right(case, report)
    else:
        row["quiet"] = verdict_right(case, report)
    return row


def summary(cases: list[Case], results: Results) -> dict[str, Any]:
    """Counts over all cases that have a result."""

    def share(kind: str, key: str) -> dict[str, int]:
        rows = [results[c.label] for c in cases if c.kind == kind and c.label in results]
        return {"right": sum(bool(r.get(key)) for r in rows), "of": len(rows)}

    quiet = share("healthy", "quiet")
    return {
        "root_right": share("sick", "root"),
        "place_right": share("sick", "place"),
        "mended_healthy": share("mended", "quiet"),
        "false_alarms": {"count": quiet["of"] - quiet["right"], "of": quiet["of"]},
        "errors": sorted(label for label, row in results.items() if "error" in row),
    }


def table(cases: list[Case], results: Results) -> Table:
    """One row for each case."""
    view = Table("case", "kind", "expected", "root", "place", "quiet", "said", box=None)
    for case in cases:
        row = results.get(case.label, {"said": "not run"})
        marks = [MARKS[row.get(key)] for key in ("root", "place", "quiet")]
        view.add_row(case.name, case.kind, " ".join(case.accept), *marks, row["said"])
    return view


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("names", nargs="*", help="only these cases")
    parser.add_argument("--kind", choices=["sick", "mended", "healthy"], help="only this kind")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (default 2)")
    parser.add_argument("--fresh", action="store_true", help="run again what was run before")
    parser.add_argument("--out", type=Path, default=Path(".gradoctor/score.json"))
    return parser.parse_args()


def main() -> int:
    args = parse()
    cases = [
        c
        for c in load_cases()
        if args.kind in (None, c.kind) and (not args.names or c.name in args.names)
    ]
    kept: Results = json.loads(args.out.read_text())["cases"] if args.out.exists() else {}
    ours = sources_hash()
    keys = {
        c.label: f"{ours}-{hashlib.sha256(c.script.read_bytes()).hexdigest()[:16]}" for c in cases
    }
    done = {} if args.fresh else {k: v for k, v in kept.items() if v.get("key") == keys.get(k)}
    todo = [c for c in cases if c.label not in done]
    args.out.parent.mkdir(parents=True, exist_ok=True)
    results = {**kept, **done}
    with ThreadPoolExecutor(args.jobs) as pool:
        waiting = {pool.submit(score, case): case for case in todo}
        for n, future in enumerate(as_completed(waiting), start=1):
            case = waiting[future]
            results[case.label] = done[case.label] = {**future.result(), "key": keys[case.label]}
            text = {"summary": summary(cases, done), "sources": ours, "cases": results}
            args.out.write_text(json.dumps(text, indent=1, ensure_ascii=False))
            print(f"[{n}/{len(todo)}] {case.label}: {done[case.label]['said']}", file=sys.stderr)
    Console(width=160).print(table(cases, done))
    print(json.dumps(summary(cases, done), indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
