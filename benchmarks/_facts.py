"""What every benchmark writes beside its figures: the machine, the versions, the date."""

from __future__ import annotations

import datetime
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).parent / "results"


def machine(device: str = "cpu") -> dict[str, Any]:
    """Ratios mean nothing without these."""
    return {
        "cpu": _cpu(), "cores": len(os.sched_getaffinity(0)), "device": _device(device),
        "load": round(os.getloadavg()[0], 1), "system": platform.system(),
        "python": platform.python_version(), "torch": _version("torch"),
        "gradoctor": _version("gradoctor"), "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "date": today(),
    }  # fmt: skip


def today() -> str:
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), "?")


def _device(device: str) -> str:
    if not device.startswith("cuda"):
        return device
    import torch

    return torch.cuda.get_device_name(device)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def has(name: str) -> bool:
    return _version(name) is not None


def sentence(facts: dict[str, Any]) -> str:
    """The machine in one line of a table's caption."""
    return (
        f"{facts['cpu']}, {facts['cores']} cores (load {facts['load']}), {facts['device']},"
        f" torch {facts['torch']}, threads: {facts['threads']}, {facts['date']}"
    )


def save(name: str, facts: dict[str, Any], results: Any) -> Path:
    """Write the figures where the README's tables come from."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}-{facts['date']}.json"
    text = json.dumps({"machine": facts, "results": results}, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def interval(samples: np.ndarray, statistic: Any, *, draws: int = 2000) -> tuple[float, float]:
    """Bootstrap interval (95 %) of a statistic over the rows of ``samples``."""
    draw = np.random.default_rng(0)
    rows = draw.integers(0, len(samples), (draws, len(samples)))
    values = [statistic(samples[r]) for r in rows]
    return float(np.percentile(values, 2.5)), float(np.percentile(values, 97.5))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
