"""What ``import gradoctor`` adds to a process that has torch, and ``gradoctor run`` to its start.

Processes with and without take turns; the figures are medians of the pairs' differences.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _facts import interval, machine, save, sentence, table

HEAVY = (
    "babel", "click", "jinja2", "markdown_it", "matplotlib", "pandas", "pygments", "rich",
    "scipy", "sklearn", "sqlite3", "starlette", "uvicorn",
)  # fmt: skip
LIMIT = 0.050

IN_PROCESS = """
import json, sys, time
import torch
before = set(sys.modules)
start = time.perf_counter()
{what}
seconds = time.perf_counter() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""

SCRIPT = """
import json, sys
import torch
print("begun", flush=True)
x = torch.nn.Linear(2, 2)
optimizer = torch.optim.SGD(x.parameters(), lr=0.1)
for _ in range(3):
    optimizer.zero_grad()
    x(torch.ones(4, 2)).sum().backward()
    optimizer.step()
print(json.dumps(sorted(sys.modules)), flush=True)
"""


def imported(what: str, times: int) -> tuple[list[float], list[str]]:
    """Seconds of an import in fresh processes that have torch, and the modules it loaded."""
    seconds: list[float] = []
    loaded: list[str] = []
    for _ in range(times):
        code = IN_PROCESS.format(what=what)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        took, loaded = json.loads(done.stdout)
        seconds.append(took)
    return seconds, loaded


def started(command: list[str]) -> tuple[float, float, list[str]]:
    """Seconds until the script runs, until all has ended, and the modules at the script's end."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.readline()
    begun = time.perf_counter() - start
    loaded = json.loads(process.stdout.readline())
    process.wait()
    return begun, time.perf_counter() - start, loaded


def pairs(times: int) -> tuple[np.ndarray, list[str]]:
    """Differences ``[times, 2]`` of start and whole, and what only the watched process loads."""
    differences = []
    with tempfile.TemporaryDirectory() as folder:
        script, db = Path(folder) / "script.py", Path(folder) / "run.db"
        script.write_text(SCRIPT, encoding="utf-8")
        plain = [sys.executable, str(script)]
        watched = [sys.executable, "-m", "gradoctor", "run", "--quiet", "--force", "--db", str(db)]
        watched.append(str(script))
        bare: list[str] = []
        more: list[str] = []
        for i in range(times):
            if i % 2:
                (b1, e1, more), (b0, e0, bare) = started(watched), started(plain)
            else:
                (b0, e0, bare), (b1, e1, more) = started(plain), started(watched)
            differences.append((b1 - b0, e1 - e0))
    return np.array(differences), sorted(set(more) - set(bare))


def heavy(modules: list[str]) -> list[str]:
    """The large libraries among them."""
    return sorted({m.partition(".")[0] for m in modules} & set(HEAVY))


def row(name: str, samples: np.ndarray, modules: list[str]) -> list[str]:
    low, high = interval(samples, np.median)
    middle = f"{1000 * np.median(samples):.0f} ms ({1000 * low:.0f}–{1000 * high:.0f})"
    return [name, middle, str(len(modules)), ", ".join(heavy(modules)) or "none"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=11)
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()
    imported("pass", 2)  # files are read from the disk once
    results: dict[str, Any] = {}
    rows = []
    for what in ("import gradoctor", "from gradoctor import watch"):
        seconds, modules = imported(what, options.times)
        results[what] = {"seconds": float(np.median(seconds)), "heavy": heavy(modules)}
        rows.append(row(f"`{what}`, torch being there", np.array(seconds), modules))
    differences, modules = pairs(options.times)
    for column, name in enumerate(("until the script runs", "until all has ended")):
        results[name] = {"seconds": float(np.median(differences[:, column]))}
        rows.append(row(f"`gradoctor run`, {name}", differences[:, column], modules))
    results["until the script runs"]["heavy"] = heavy(modules)
    facts = machine()
    print(f"Added to a process, median of {options.times} (95 %). {sentence(facts)}.\n")
    print(table(["what", "adds", "modules", "heavy ones"], rows))
    if not options.no_save:
        print(f"\nwritten: results/{save('imports', facts, results).name}", file=sys.stderr)
    slow = [k for k in list(results)[:1] if results[k]["seconds"] > LIMIT]
    print(json.dumps({"slower than 50 ms": slow}), file=sys.stderr)


if __name__ == "__main__":
    main()
