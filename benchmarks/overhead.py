"""What watching costs: gradoctor beside wandb.watch and TensorBoard histograms.

For each workload one process a treatment is alive at a time, and they take turns: a block of steps
each, in a new random order every round. So all of them meet the same machine, and the ratio of two
blocks of one round is free of its slow changes. Printed are ratios of sums over all rounds (rare
expensive looks count in full) with bootstrap intervals over rounds; the file has the medians of
the rounds' ratios, too. Where other programs share the machine, the processor time after the first
50 steps (of all threads of the process) is the steadier figure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _facts import has, interval, machine, save, sentence, table

HERE = Path(__file__).parent
WORKLOADS = ("mlp", "resnet", "gpt", "lstm")
TOOLS = ("nothing", "gradoctor", "wandb", "tensorboard")
EARLY = 50


class Worker:
    """One process that trains under one treatment."""

    def __init__(self, workload: str, tool: str, device: str, folder: Path) -> None:
        self.folder = folder / tool
        self.folder.mkdir()
        script = [str(HERE / "worker.py"), workload, "--device", device]
        command = [sys.executable, *script, "--tool", tool, "--folder", str(self.folder)]
        if tool == "gradoctor":
            run = ["-m", "gradoctor", "run", "--quiet", "--db", str(self.folder / "run.db")]
            command = [sys.executable, *run, *script]
        env = {**os.environ, "WANDB_MODE": "offline", "WANDB_SILENT": "true"}
        self.errors = (self.folder / "stderr").open("w+")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=env, cwd=self.folder,
        )  # fmt: skip
        self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.folder.name} ended early:\n{self.errors.read()[-2000:]}")
        return line

    def steps(self, count: int) -> tuple[float, float]:
        """Train so many steps; gives their seconds and processor seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        wall, spent = self._answer().split()
        return float(wall), float(spent)

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(120)
        self.errors.close()

    def governor(self) -> dict[str, Any]:
        """What gradoctor itself says that it took."""
        db = sqlite3.connect(self.folder / "run.db")
        row = db.execute("select data from facts where kind = 'governor'").fetchone()
        db.close()
        return json.loads(row[0]) if row else {}


def measure(
    workload: str, tools: list[str], device: str, rounds: int, rivals: int, block: int
) -> dict[str, Any]:
    """Ratios of seconds under each tool to those under the first, nothing.

    Args:
        rivals: rounds in which the other tools take part: they cost the same at every step.
    """
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        workers = {t: Worker(workload, t, device, Path(folder)) for t in tools}
        both = np.full((2, rounds, len(tools)), np.nan)
        for i in range(rounds):
            turns = [(c, t) for c, t in enumerate(tools) if i < rivals or t in TOOLS[:2]]
            order.shuffle(turns)
            for column, tool in turns:
                both[:, i, column] = workers[tool].steps(block)
        for worker in workers.values():
            worker.end()
        told = workers["gradoctor"].governor() if "gradoctor" in workers else {}
    seconds, spent = both
    late = slice(EARLY // block, None)
    out: dict[str, Any] = {
        "steps": rounds * block, "block": block,
        "milliseconds": round(1000 * float(np.median(seconds[:, 0])) / block, 1),
        "governor": {k: told.get(k) for k in ("looks", "deep", "share", "steady_share")},
    }  # fmt: skip
    for column, tool in enumerate(tools[1:], 1):
        out[tool] = {"whole": ratio(seconds, column)}
        if tool == "gradoctor":
            out[tool]["after_50"] = ratio(seconds[late], column)
            out[tool]["after_50_processor"] = ratio(spent[late], column)
    return out


def ratio(seconds: np.ndarray, column: int) -> dict[str, float]:
    """Time under a tool over time under nothing."""

    def of_sums(rows: np.ndarray) -> float:
        return float(rows[:, column].sum() / rows[:, 0].sum())

    seconds = seconds[~np.isnan(seconds[:, column])]
    low, high = interval(seconds, of_sums)
    middle = float(np.median(seconds[:, column] / seconds[:, 0]))
    return {"ratio": of_sums(seconds), "low": low, "high": high, "median": middle}


def shown(found: dict[str, float]) -> str:
    return f"{found['ratio']:.3f} ({found['low']:.3f}–{found['high']:.3f})"


def report(results: dict[str, Any], tools: list[str], missing: list[str]) -> str:
    """The table of all workloads."""
    names = {"gradoctor": "gradoctor run", "wandb": "wandb.watch", "tensorboard": "TensorBoard"}
    head = [
        "workload",
        "ms a step",
        "gradoctor run, all steps",
        "after the first 50",
        "processor time",
    ]
    head += [f"{names[t]}, all steps" for t in ("wandb", "tensorboard")]
    rows = []
    for workload, r in results.items():
        row = [workload, f"{r['milliseconds']:.0f}", "–", "–", "–"]
        if "gradoctor" in tools:
            own = r["gradoctor"]
            row[2:] = [shown(own[k]) for k in ("whole", "after_50", "after_50_processor")]
        row += [
            "not installed" if t in missing else shown(r[t]["whole"]) if t in r else "–"
            for t in ("wandb", "tensorboard")
        ]
        rows.append(row)
    return table(head, rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", nargs="+", default=WORKLOADS, choices=WORKLOADS)
    parser.add_argument("--tools", nargs="+", default=TOOLS[1:], choices=TOOLS[1:])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=80, help="at least 20")
    parser.add_argument("--rivals", type=int, default=20, help="rounds of the other tools")
    parser.add_argument("--block", type=int, default=5, help="steps a turn; must divide 50")
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()
    missing = [t for t in options.tools if not has(t)]
    tools = ["nothing", *(t for t in options.tools if t not in missing)]
    # one thread unless asked otherwise: on a shared machine more of them wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    facts = machine(options.device)
    facts |= {t: v for t in ("wandb", "tensorboard") if (v := _version_of(t))}
    results = {}
    for workload in options.workloads:
        results[workload] = measure(
            workload, tools, options.device, options.rounds, options.rivals, options.block
        )
        print(workload, json.dumps(results[workload]), file=sys.stderr, flush=True)
    print(f"Time of a step over the time of the same step with nothing. {sentence(facts)}.\n")
    print(report(results, tools, missing))
    if not options.no_save:
        name = "overhead" if options.device == "cpu" else f"overhead-{options.device.split(':')[0]}"
        print(f"\nwritten: results/{save(name, facts, results).name}", file=sys.stderr)


def _version_of(name: str) -> str | None:
    from importlib.metadata import version

    return version(name) if has(name) else None


if __name__ == "__main__":
    main()
