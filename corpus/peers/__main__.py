"""Run the other tools on the corpus, and write down beside our figures what they said.

    make peers                    # installs them under .gradoctor/peers; the reporting half
    python -m corpus.peers --half all

What was run is kept under ``.gradoctor/corpus/peers`` until the script changes. The results go to
``corpus/results/peers.json``; ``python -m corpus`` puts them on its page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from corpus.cases import Case, load_cases, with_seeds
from corpus.peers.host import TOOLS
from corpus.running import LIMIT_SECONDS, environment, labels

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT / ".gradoctor" / "peers"
KEPT = ROOT / ".gradoctor" / "corpus" / "peers"
RESULTS = ROOT / "corpus" / "results" / "peers.json"
PATIENCE = 3 * LIMIT_SECONDS
"""Seconds for a run with all of them: together they are slow."""
HOSTED = ("host.py", "meanings.py", "thresholds.py", "tools.py")
"""What a result hangs on, besides the script."""
Row = dict[str, Any]


def watched(case: Case) -> Row:
    """What all tools said of a case. A tool that breaks the script is set aside for that run."""
    key = hashlib.sha256(case.text().encode() + _sources()).hexdigest()[:16]
    kept = KEPT / f"{case.label}.json"
    if kept.exists():
        known: Row = json.loads(kept.read_text(encoding="utf-8"))
        if known["key"] == key:
            return known
    row = _run(case, tuple(TOOLS))
    if "error" in row:  # hooks of torchmortem forbid in-place activations, for one
        row = {"steps": 0, "said": {}, "faults": {}}
        for name in TOOLS:
            alone = _run(case, (name,))
            if "error" in alone:
                row["faults"][name] = alone["error"]
            else:
                row = {k: {**row[k], **alone[k]} if k != "steps" else alone[k] for k in row}
    row["key"] = key
    KEPT.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(row), encoding="utf-8")
    return row


def _sources() -> bytes:
    return b"".join((Path(__file__).parent / name).read_bytes() for name in HOSTED)


def _run(case: Case, names: Sequence[str]) -> Row:
    with tempfile.TemporaryDirectory(prefix="gradoctor-peers-") as folder:
        script, out = Path(folder) / case.script.name, Path(folder) / "said.json"
        script.write_text(case.text(), encoding="utf-8")
        path = os.pathsep.join([str(ROOT), str(ROOT / "src"), str(LIBRARY)])
        command = [sys.executable, "-m", "corpus.peers.host", str(out), str(script), *names]
        try:
            done = subprocess.run(
                command, cwd=folder, env={**environment(), "PYTHONPATH": path}, text=True,
                capture_output=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return {"error": f"not done after {PATIENCE} s"}
        if done.returncode or not out.exists():
            return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1]}
        row: Row = json.loads(out.read_text(encoding="utf-8"))
        return row


def brief(fault: str) -> str:
    """The first sentence of an error: torch appends pages of places, which are one machine's."""
    first = fault.strip().splitlines()[0]
    return re.split(r"(?<=[.])\s", first)[0][:200]


def verdict(case: Case, name: str, told: Row) -> Row:
    """One tool's row on a case, as ours are made."""
    row = {**labels(case), "tool": name}
    if name in told["faults"]:
        return {**row, "error": brief(told["faults"][name])}
    said = told["said"].get(name, [])
    worst = [s for s in said if s["severity"] == "sick"] or [
        s for s in said if s["severity"] == "suspect"
    ]
    row["verdict"] = worst[0]["severity"] if worst else "healthy"
    row["said"] = worst[0]["message"] if worst else ""
    if case.ill:
        row["root"] = bool(worst) and bool({*worst[0]["codes"]} & {*case.accept})
        row["place"] = False  # none of them names a line
    return row


def main() -> int:
    """Exit code 0 even where tools failed: that is a result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="only these cases")
    parser.add_argument("--half", choices=["reporting", "tuning", "all"], default="reporting")
    parser.add_argument("--seeds", type=int, default=3, help="runs of a healthy script (default 3)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time (default 2)")
    args = parser.parse_args()
    if not LIBRARY.is_dir():  # each tool would count as broken on every run
        parser.error(f"the other tools are not in {LIBRARY.relative_to(ROOT)}: run `make peers`")
    runs = [
        case
        for case in with_seeds(load_cases(), args.seeds)
        if args.half in ("all", case.half) and (not args.names or case.name in args.names)
    ]
    rows: list[Row] = []
    with ThreadPoolExecutor(args.jobs) as pool:
        waiting = {pool.submit(watched, case): case for case in runs}
        for n, future in enumerate(as_completed(waiting), 1):
            case = waiting[future]
            rows += [verdict(case, name, future.result()) for name in TOOLS]
            print(f"[{n}/{len(runs)}] {case.label}", file=sys.stderr, flush=True)
    if not args.names:
        rows.sort(key=lambda row: (row["tool"], row["case"], row["kind"], row["seed"]))
        RESULTS.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        RESULTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
