"""Run gradoctor on the corpus, and say how often it is right.

    python -m corpus                        # all, two at a time; goes on where it stopped
    python -m corpus tanh_tower --fresh     # some cases, anew
    python -m corpus --kind healthy --seeds 1
    python -m corpus --page                 # all, and write docs/corpus.md

Run files and verdicts are kept in ``.gradoctor/corpus``: a change of the rules costs no new run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.table import Table

from corpus import page, quoted
from corpus.cases import Case, load_cases, with_seeds
from corpus.running import Row, Shelf
from corpus.scores import headline

KINDS = ("sick", "mutant", "mended", "healthy")
KEPT = Path(".gradoctor/corpus")
MARKS = {True: "yes", False: "NO", None: ""}


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m corpus", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these cases")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these kinds")
    parser.add_argument("--half", choices=["tuning", "reporting"], help="only this half")
    parser.add_argument("--architecture", help="only this architecture")
    parser.add_argument("--seeds", type=int, default=3, help="runs of a healthy script (default 3)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (default 2)")
    parser.add_argument("--fresh", action="store_true", help="run again what was run before")
    parser.add_argument(
        "--no-run", action="store_true", help="judge what was recorded, run nothing"
    )
    parser.add_argument("--page", action="store_true", help=f"write {page.TARGET.name} when done")
    parser.add_argument("--kept", type=Path, default=KEPT, help=f"where results lie ({KEPT})")
    return parser.parse_args(arguments)


def chosen(args: argparse.Namespace) -> list[Case]:
    """The runs that were asked for.

    Raises:
        SystemExit: a name is of no case.
    """
    cases = load_cases()
    unknown = set(args.names) - {c.name for c in cases}
    if unknown:
        raise SystemExit(f"no case is called {', '.join(sorted(unknown))}")
    kept = [
        c
        for c in cases
        if (not args.names or c.name in args.names)
        and (not args.kind or c.kind in args.kind)
        and args.half in (None, c.half)
        and args.architecture in (None, c.architecture)
    ]
    return with_seeds(kept, args.seeds)


def run_all(runs: Sequence[Case], shelf: Shelf, *, jobs: int, fresh: bool) -> dict[str, Row]:
    """The row of every run, by label; each is told on stderr as it comes in.

    Raises:
        KeyboardInterrupt: stopped by hand; what had ended is kept.
    """
    rows = {} if fresh else {c.label: row for c in runs if (row := shelf.row(c)) is not None}
    rows = {label: row for label, row in rows.items() if "error" not in row}
    todo = [c for c in runs if c.label not in rows]
    start = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(shelf.result, case, fresh=fresh): case for case in todo}
        try:
            for n, future in enumerate(as_completed(waiting), start=1):
                case = waiting[future]
                row = rows[case.label] = future.result()
                left = (time.monotonic() - start) / n * (len(todo) - n)
                told = f"ERROR {row['error'].splitlines()[-1]}" if "error" in row else row["said"]
                head = f"[{n}/{len(todo)}, {left / 60:.0f} min left]"
                print(f"{head} {case.label}: {told}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return rows


def table(runs: Sequence[Case], rows: dict[str, Row]) -> Table:
    """One row for each run."""
    view = Table("run", "half", "expected", "root", "place", "quiet", "said", box=None)
    for case in runs:
        row = rows[case.label]
        marks = [MARKS[row.get(key)] for key in ("root", "place", "quiet")]
        told = f"ERROR {row['error'].splitlines()[-1]}" if "error" in row else row["said"]
        view.add_row(case.label, case.half, " ".join(case.accept[:3]), *marks, told)
    return view


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 when a run failed; wrong verdicts are results, and do not fail."""
    args = parse(arguments)
    runs, shelf = chosen(args), Shelf(args.kept)
    if args.no_run:
        runs = [case for case in runs if shelf.has(case)]
    try:
        rows = run_all(runs, shelf, jobs=args.jobs, fresh=args.fresh)
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    Console(width=170).print(table(runs, rows))
    for name, rate in headline([*rows.values()]).items():
        print(f"{name}: {rate}")
    if args.page:
        page.write([*rows.values()])
        quoted.main()
        print(f"wrote {page.TARGET}, and what the READMEs quote of it")
    return int(any("error" in row for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main())
