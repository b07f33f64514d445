"""The corpus of training scripts: what each is, how it is run, and when a report on it is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

HERE = Path(__file__).parent
LIMIT_SECONDS = 180

Kind = Literal["sick", "mended", "healthy"]


@dataclass(frozen=True)
class Case:
    """One script and what is expected of its diagnosis.

    Attributes:
        accept: codes that are right as the root; the first is the one that the case is about.
        also: codes that may be found besides.
        lines: the root must point to a line of the script that contains one of these texts.
    """

    name: str
    kind: Kind
    script: Path
    accept: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    module: str | None = None

    @property
    def label(self) -> str:
        return f"{self.name}-{self.kind}"


def load_cases() -> list[Case]:
    """Every script of the corpus, by name."""
    return [*_pairs(), *_healthy()]


def _pairs() -> Iterable[Case]:
    for folder in sorted((HERE / "sick").iterdir()):
        if not (folder / "case.toml").exists():
            continue
        facts = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
        lines = facts["line_contains"]
        yield Case(
            folder.name,
            "sick",
            folder / "sick.py",
            accept=tuple(facts.get("accept_root") or [facts["code"]]),
            also=tuple(facts.get("also", ())),
            lines=tuple([lines] if isinstance(lines, str) else lines),
            module=facts.get("module"),
        )
        yield Case(folder.name, "mended", folder / "mended.py")


def _healthy() -> Iterable[Case]:
    for script in sorted((HERE / "healthy").glob("*.py")):
        yield Case(script.stem, "healthy", script)


def report_on(case: Case, folder: Path) -> dict[str, Any]:
    """Run a script under ``gradoctor run`` in an empty folder; gives the JSON report.

    Raises:
        RuntimeError: it did not end well, or left no report.
    """
    out = folder / "report.json"
    command = [
        *(sys.executable, "-m", "gradoctor", "run", "--quiet"),
        *("--json", str(out), "--db", str(folder / "run.db"), str(case.script)),
    ]
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GRADOCTOR_LANG": "en"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    if done.returncode or not out.exists():
        tail = "\n".join(done.stderr.splitlines()[-8:])
        raise RuntimeError(f"{case.label}: exit code {done.returncode}\n{tail}")
    report: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return report


def roots(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The sick findings that nothing else explains, as the report orders them."""
    return [f for f in report["findings"] if f["root"] and f["level"] in ("sick", "confirmed")]


def root_right(case: Case, report: dict[str, Any]) -> bool:
    """The first root is the case's own, and no other root is foreign to it."""
    found = [f["code"] for f in roots(report)]
    return bool(found) and found[0] in case.accept and set(found) <= {*case.accept, *case.also}


def place_right(case: Case, report: dict[str, Any]) -> bool:
    """The first root points to the right line of the script (and module, where there is one)."""
    found = roots(report)
    if not found or not found[0]["file"] or not found[0]["line"]:
        return False
    first = found[0]
    if (case.script.parent / Path(first["file"]).name) != case.script:
        return False
    text = case.script.read_text(encoding="utf-8").splitlines()[first["line"] - 1]
    in_place = any(accepted in text for accepted in case.lines)
    return in_place and (
        case.module is None or any(_within(m, case.module) for m in first["modules"])
    )


def _within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def verdict_right(case: Case, report: dict[str, Any]) -> bool:
    """A mended twin must be healthy; a healthy script may at most be suspect."""
    if case.kind == "mended":
        return bool(report["verdict"] == "healthy")
    return bool(report["verdict"] != "sick")


def said(report: dict[str, Any]) -> str:
    """What a report says, in one line."""
    parts = [
        f"{'*' if f['root'] else ''}{f['code']}[{f['level']}]@{f['line'] or '-'}"
        for f in report["findings"]
        if f["level"] != "note"
    ]
    return f"{report['verdict']} after {report['steps']} steps: {' '.join(parts) or 'nothing'}"
