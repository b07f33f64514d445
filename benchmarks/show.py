"""How long ``gradoctor show`` takes on a run of 10,000 steps and 300 sites.

The run file is made by the store's own writer from invented but ordinary figures, twice: looked at
as often as the default budget allows, and (the worst case) at every step. Nothing is trained.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from _facts import machine, save, sentence, table

from gradoctor.knowledge.statistics import STATISTICS
from gradoctor.records import Event, Fact, Site
from gradoctor.store.files import create_run
from gradoctor.store.writer import RunWriter

RUN, LOSS, LOSSFN, OPTIMIZER, INPUT = range(5)
FIXED = 5
LIMIT = 1.0
"""Seconds in which the first line should be there."""


@dataclass(frozen=True)
class Layout:
    id: int
    columns: tuple[tuple[int, str], ...]


def sites(count: int) -> list[Site]:
    """The run's own sites and as many layers (a product, an activation, two parameters) as fit."""
    made = [
        Site(RUN, "run", "run"),
        Site(LOSS, "loss", "loss@31", "NllLossBackward0", "train.py", 31, meta={"optimizers": [3]}),
        Site(LOSSFN, "lossfn", "cross_entropy", "cross_entropy", "train.py", 30,
             meta={"function": "cross_entropy", "reduction": "mean", "loss": LOSS}),
        Site(OPTIMIZER, "optimizer", "AdamW", "AdamW", "train.py", 20,
             meta={"class": "AdamW", "adaptive": True, "betas": [0.9, 0.999], "eps": 1e-8}),
        Site(INPUT, "input", "Net.input", "Net", meta={"model": "Net", "kind": "float"}),
    ]  # fmt: skip
    layers = (count - FIXED) // 4
    for i in range(layers):
        at, line = len(made), 8 + i % 10
        common: dict[str, Any] = {"model": "Net", "module": at}
        made += [
            Site(at, "module", f"layers.{i}", "Linear", "train.py", line, 2 * i,
                 {"role": "matmul", "class": "Linear", "model": "Net", "params": [at + 2, at + 3],
                  "head": i == layers - 1, "out_shape": [64, 256], "path": ["Net"]}),
            Site(at + 1, "module", f"acts.{i}", "ReLU", "train.py", line, 2 * i + 1,
                 {"role": "activation", "activation": "relu", "model": "Net"}),
            Site(at + 2, "parameter", f"layers.{i}.weight", "Parameter", "train.py", line,
                 meta={**common, "shape": [256, 256], "numel": 65536, "role": "matmul",
                       "leaf": "weight", "dtype": "float32"}),
            Site(at + 3, "parameter", f"layers.{i}.bias", "Parameter", "train.py", line,
                 meta={**common, "shape": [256], "numel": 256, "role": "bias", "leaf": "bias",
                       "dtype": "float32"}),
        ]  # fmt: skip
    return made


ELSEWHERE = (
    "time.", "attention.", "norm.", "update.lost_fraction", "scaler.", "clip.", "target.m",
    "target.s",
)  # fmt: skip
"""What recurrent layers, norms, attention, half precision, clipping and regressions have."""


def columns(known: list[Site], looks: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    """What a look of these depths writes, of the statistics that an ordinary run has."""
    return tuple(
        (site.id, statistic.name)
        for statistic in STATISTICS.values()
        for site in known
        if site.kind in statistic.sites and statistic.look in looks and _has(site, statistic.name)
    )


def _has(site: Site, name: str) -> bool:
    if name.startswith(ELSEWHERE):
        return False
    relu_only = name in ("act.dead_fraction", "act.saturated_fraction", "act.gain_loss")
    return not relu_only or site.meta.get("role") == "activation"


LEVELS = {
    "act.rms": 0.8, "act.centred_ratio": 0.5, "act.zero_fraction": 0.5, "act.dead_fraction": 0.02,
    "actgrad.rms": 1e-3, "grad.rms": 1e-3, "grad.absmax": 1e-2, "grad.norm": 1.0,
    "weight.rms": 0.06, "weight.absmax": 0.3, "update.rms": 6e-5, "update.ratio": 1e-3,
    "update.progress": 1 / 70, "lr": 1e-3, "lossfn.baseline": 2.303, "backward.count": 1.0,
    "batch.size": 64.0, "step.seconds": 0.05, "own.seconds": 0.001, "prediction.rms": 2.0,
    "prediction.centred_ratio": 0.8, "label.entropy": 2.2, "label.expected_entropy": 2.2,
    "act.similarity": 0.4, "act.gain_loss": 0.3, "input.std": 1.0, "input.feature_std": 1.0,
}  # fmt: skip


def values(layout: Layout, step: int, steps: int, draw: np.random.Generator) -> np.ndarray:
    """One frame of a net that learns: levels with noise, a falling loss, growing movement."""
    levels = np.array([LEVELS.get(name, 0.0) for _, name in layout.columns])
    out = levels * (1 + 0.1 * draw.standard_normal(len(levels)))
    loss = 2.3 * (0.2 + 0.8 * np.exp(-8 * step / steps)) * (1 + 0.05 * draw.standard_normal())
    for i, (site, name) in enumerate(layout.columns):
        if name in ("loss.value", "lossfn.value"):
            out[i] = loss
        elif name == "weight.movement":
            out[i] = 0.4 * step / steps
        elif name in ("lr", "backward.count", "batch.size", "lossfn.baseline"):
            out[i] = LEVELS[name]
        elif name == "input.samples":
            out[i] = 64.0 * (step + 1)
        del site
    return out.astype(np.float32)


def cadence(steps: int, *, every: bool) -> Iterator[bool]:
    """Whether each step is looked at: the first 50, then some 50 each time the run doubles."""
    due = 0
    for step in range(steps):
        yield every or step == due
        if step == due:
            due += max(1, step // 50)


def write(path: Path, count: int, steps: int, *, every: bool) -> None:
    """Make the run file."""
    known, draw = sites(count), np.random.default_rng(0)
    create_run(path, {"script": "train.py", "argv": ["train.py"], "cwd": ".", "device": "cpu"})
    writer = RunWriter(path, flush_seconds=0.01)
    writer.start()
    light = Layout(0, columns(known, ("light",)))
    full = Layout(1, columns(known, ("light", "full")))
    for site in known:
        writer.site(site)
    for fact in facts(known, steps):
        writer.fact(fact)
    order = (
        Event("zero_grad", OPTIMIZER, "train.py", 29), Event("backward", LOSS, "train.py", 31),
        Event("step", OPTIMIZER, "train.py", 32),
    )  # fmt: skip
    for step, looked in enumerate(cadence(steps, every=every)):
        layout = full if looked else light
        writer.frame(step, int(looked), layout, values(layout, step, steps, draw).tolist())
        writer.cycle(step, order)
        while len(writer._queue) > 2000:
            time.sleep(0.02)
    for key, value in {"steps": steps, "exit_code": 0, "overhead": 1.02}.items():
        writer.meta(key, value)
    writer.close(600)
    if writer.lost:
        raise RuntimeError(writer.lost)


def facts(known: list[Site], steps: int) -> Iterator[Fact]:
    yield Fact("optimizer", OPTIMIZER, data={
        "class": "AdamW", "parameters": 148, "orphans": 0, "steps": steps, "closure": False,
        "steps_without_backward": 0, "names": [],
    })  # fmt: skip
    yield Fact("loss_call", LOSSFN, "", "train.py", 30, count=steps, data={
        "function": "cross_entropy", "reduction": "mean", "classes": 10, "factor": 1.0,
        "producer": "addmm", "label_counts": [6400] * 10, "target_shape": [64],
    })  # fmt: skip
    for site in known:
        if site.kind != "parameter":
            continue
        yield Fact("wiring", site.id, data={
            "requires_grad": True, "optimizer": OPTIMIZER, "used": True, "backwards": 400,
            "grads": 400, "zero_grads": 0, "moved_unowned": False, "stale": 0, "checked": 400,
            "registered": True,
        })  # fmt: skip
        if site.meta["leaf"] == "weight":
            yield Fact("init", site.id, data={
                "zero": False, "constant": False, "clones": 0.0, "clones_later": 0.0,
                "std": 0.06, "gain": 1.0, "first_grad_absmax": 0.01,
            })  # fmt: skip


def shown(path: Path) -> tuple[float, float]:
    """Seconds until ``gradoctor show`` prints its first line, and until it has ended."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "gradoctor", "show", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    first = process.stdout.readline()
    begun = time.perf_counter() - start
    rest = process.stdout.read()
    process.wait()
    if not first or process.returncode:
        assert process.stderr is not None
        raise RuntimeError((first + rest + process.stderr.read()).decode()[-2000:])
    return begun, time.perf_counter() - start


def profiled(path: Path, lines: int = 25) -> None:
    """Print where the time goes, in this process."""
    from gradoctor.commands import main

    profile = cProfile.Profile()
    sys.argv = ["gradoctor", "show", str(path)]
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.suppress(SystemExit),
    ):
        profile.runcall(main)
    pstats.Stats(profile).sort_stats("cumulative").print_stats("gradoctor|numpy", lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--sites", type=int, default=301)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--profile", action="store_true", help="say where the time goes, too")
    parser.add_argument("--no-save", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = {"steps": options.steps, "sites": options.sites}
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, every in (("looks as the budget allows", False), ("a look at every step", True)):
            path = Path(folder) / f"{'every' if every else 'usual'}.db"
            write(path, options.sites, options.steps, every=every)
            taken = np.array([shown(path) for _ in range(options.times)])
            first, end = (float(v) for v in np.median(taken, axis=0))
            size = path.stat().st_size / 1e6
            results[name] = {"first_line": first, "end": end, "megabytes": round(size, 1)}
            rows.append([name, f"{size:.0f} MB", f"{first:.2f} s", f"{end:.2f} s"])
            if options.profile:
                profiled(path)
    facts_ = machine()
    what = f"{options.steps} steps, {len(sites(options.sites))} sites"
    print(f"`gradoctor show`, {what}, median of {options.times}. {sentence(facts_)}.\n")
    print(table(["run file", "size", "first line after", "all of it after"], rows))
    if not options.no_save:
        print(f"\nwritten: results/{save('show', facts_, results).name}", file=sys.stderr)
    slow = [k for k, v in results.items() if isinstance(v, dict) and v["first_line"] > LIMIT]
    print(json.dumps({"slower than a second": slow}), file=sys.stderr)


if __name__ == "__main__":
    main()
