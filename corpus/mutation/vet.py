"""Which mutants are really harmed: run beside their originals, and kept only if they do worse.

    python -m corpus.mutation.vet 60       # the first 60 draws; what is known stays as it is
    python -m corpus.mutation.vet --check  # whether the kept ones are still the same scripts

A mutant is harmed when the last figure that the script itself prints (its accuracy, its loss, ...)
is worse in each of three runs than in every run of the original under the same three seeds
(the exact one-sided Mann-Whitney test then gives 1/20), and worse by a margin on average: an
accuracy by 0.05, a loss by half. What crashes or runs too long is no training disease; what is not
harmed is an equivalent mutant. Both are dropped, and only counted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from corpus.cases import MUTANTS, Case, load_cases, vetted
from corpus.mutation import OPERATORS, applicable, inject
from corpus.running import environment
from corpus.seeds import reseeded

SEEDS = 3
LIMIT_SECONDS = 60
POOL = 30
"""Programs drawn from: their originals are run once each."""
MARGIN, RATIO = 0.05, 1.5
KNOWN = Path(".gradoctor/vetting.json")
NUMBER = r"(-?\d+\.?\d*(?:e[-+]?\d+)?|nan|-?inf)"
BETTER_HIGH = r"accuracy|acc|recall[\w ]*|R2|准确率"
BETTER_LOW = r"loss|mse|bce[\w ]*|损失|误差|均方误差"
FIGURE = re.compile(rf"({BETTER_HIGH}|{BETTER_LOW})\W{{1,3}}{NUMBER}", re.IGNORECASE)


def figure(printed: str) -> tuple[str, float] | None:
    """What a script's last line says of its success: the word, and the number behind it."""
    lines = [line for line in printed.splitlines() if line.strip()]
    found = FIGURE.findall(lines[-1]) if lines else []
    return (found[-1][0].lower(), float(found[-1][1])) if found else None


def harmed(word: str, original: Sequence[float], mutated: Sequence[float]) -> bool:
    """The criterion above; figures that are not finite are the worst."""
    high = re.fullmatch(BETTER_HIGH, word, re.IGNORECASE) is not None
    bad = -math.inf if high else math.inf
    after = [x if math.isfinite(x) else bad for x in mutated]
    if not all(map(math.isfinite, original)):
        return False
    before = sum(original) / len(original)
    mean = sum(after) / len(after)
    if high:
        return max(after) < min(original) and before - mean >= MARGIN
    return min(after) > max(original) and mean >= RATIO * before


def run_once(case: Case, text: str, seed: int) -> list[Any]:
    """``[word, figure]`` of one run of a script, or ``[why there is none]``."""
    with tempfile.TemporaryDirectory(prefix="gradoctor-vet-") as folder:
        path = Path(folder) / case.script.name
        path.write_text(reseeded(text, seed), encoding="utf-8")
        try:
            done = subprocess.run(
                [sys.executable, str(path)], cwd=folder, env=environment(), text=True,
                capture_output=True, timeout=LIMIT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ["too long"]
    if done.returncode:
        return ["crashes"]
    return list(figure(done.stdout) or ["prints no figure"])


def candidate(draw: int, programs: Sequence[Case]) -> tuple[Case, str]:
    """Operators take turns; the program is drawn among those where the operator finds a place."""
    operator = list(OPERATORS)[draw % len(OPERATORS)]
    order = random.Random(f"program {draw}").sample(programs, len(programs))
    return next((c, operator) for c in order if operator in applicable(c.text()))


def vet(case: Case, operator: str, seed: int, known: dict[str, Any]) -> dict[str, Any]:
    """One candidate's row: what was measured, and ``why`` it is dropped ('' when it is kept)."""
    row = {"program": case.name, "version": case.kind, "operator": operator, "seed": seed}
    text = case.text()
    mutant = inject(text, operator, seed)
    row |= {"line": mutant.line, "when": mutant.when, "digest": digest(mutant.text)}
    before: list[float] = []
    after: list[float] = []
    for run in range(SEEDS):
        key = f"{digest(text)} {run}"
        original = known[key] = known.get(key) or run_once(case, text, run)
        if len(original) == 1:
            return {**row, "why": f"the original {original[0]}"}
        mutated = run_once(case, mutant.text, run)
        if len(mutated) == 1:
            return {**row, "why": mutated[0]}
        before.append(original[1])
        after.append(mutated[1])
        if not harmed(original[0], before, after):  # one such run decides, most often the first
            return {**row, "why": "not harmed"}
    return {**row, "figure": original[0], "original": before, "mutated": after, "why": ""}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def without_twins(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each dropped where the very same script was drawn before."""
    seen: set[str] = set()
    out = []
    for row in rows:
        out.append({**row, "why": row["why"] or ("drawn before" if row["digest"] in seen else "")})
        seen.add(row["digest"])
    return out


def write(rows: Sequence[dict[str, Any]]) -> None:
    """Keep the harmed ones, in the order drawn, with the figures that say so."""
    dropped = Counter(row["why"] for row in rows if row["why"])
    head = [
        "# Made by `python -m corpus.mutation.vet`: the mutants that are harmed by its criterion.",
        f"# {len(rows)} drawn; dropped: "
        + (", ".join(f"{n} {why}" for why, n in sorted(dropped.items())) or "none"),
    ]
    for row in rows:
        if not row["why"]:
            head += ["", "[[mutant]]"]
            head += [f"{key} = {_toml(value)}" for key, value in row.items() if key != "why"]
    MUTANTS.write_text("\n".join(head) + "\n", encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return f"{value:.6g}" if not value.is_integer() else f"{value:.1f}"
    return json.dumps(value, ensure_ascii=False)


def stale() -> list[str]:
    """Kept mutants whose script is no longer the one that was measured."""
    plain: dict[tuple[str, str], Case] = {(c.name, c.kind): c for c in load_cases()}
    return [
        f"{row['program']} {row['operator']} {row['seed']}"
        for row in vetted()
        if not _as_measured(row, plain)
    ]


def _as_measured(row: dict[str, Any], plain: Mapping[tuple[str, str], Case]) -> bool:
    origin = plain.get((row["program"], row["version"]))
    if origin is None:
        return False
    known: str = row["digest"]
    return digest(inject(origin.text(), row["operator"], row["seed"]).text) == known


def main() -> int:
    """Draw, run, and write ``corpus/mutants.toml``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("draws", type=int, nargs="?", default=60)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--check", action="store_true", help="only say which are stale")
    args = parser.parse_args()
    if args.check:
        print("\n".join(stale()) or "all as measured")
        return bool(stale())
    plain: dict[tuple[str, str], Case] = {
        (c.name, c.kind): c for c in load_cases() if c.kind in ("healthy", "mended")
    }
    programs = random.Random("programs").sample([*plain.values()], POOL)
    kept = json.loads(KNOWN.read_text()) if KNOWN.exists() else {"originals": {}, "rows": {}}
    kept["rows"] = {str(row["seed"]): {**row, "why": ""} for row in vetted()} | kept["rows"]
    rows: dict[int, dict[str, Any]] = {}

    def measure(draw: int) -> None:
        row = kept["rows"].get(str(draw))
        if row is None or not _as_measured(row, plain):
            row = vet(*candidate(draw, programs), draw, kept["originals"])
        rows[draw] = kept["rows"][str(draw)] = row
        KNOWN.parent.mkdir(exist_ok=True)
        KNOWN.write_text(json.dumps(dict(kept)))
        told = row["why"] or f"{row['figure']} {row['original']} -> {row['mutated']}"
        print(f"{draw} {row['program']} {row['operator']}: {told}", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(measure, range(args.draws)))
    write(without_twins([rows[draw] for draw in sorted(rows)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
