"""What the documents quote of the corpus' figures: whole rows, made from the kept results.

python -m corpus.quoted     # `python -m corpus --page` does the same
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from corpus import page
from corpus.peers import comparison
from corpus.scores import Rate, Row, alarmed, by_script, of_kind, rate

ROOT = Path(__file__).parents[1]
ROWS = {
    "README.md": (
        "| right root, right line | in {root.hits} and {place.hits} of {root.of} sick scripts"
        " ({kept_root.hits} and {kept_place.hits} of {kept_root.of} in the half kept for"
        " reporting), and in {fault_root.hits} and {fault_place.hits} of {fault_root.of} scripts"
        " with a fault injected at random; the next best of {tools} other tools names the root in"
        " {best.hits} of {best.of} of the same runs, and none a line:"
        " [the corpus](docs/corpus.md) |",
        "| false alarms | {mended.hits} of {mended.of} mended twins and {healthy.hits} of"
        " {healthy.of} runs of {scripts.of} healthy scripts called sick or suspect (exact 95 %"
        " interval: {runs_in} % of runs, {scripts_in} % of scripts); the other tools alarm on"
        " {least:.0f} to {most:.0f} % of the healthy runs they were given (`make corpus`,"
        " `make peers`, {cores} cores, {date}; our own corpus, which we looked at while we built"
        " the rules) |",
    ),
    "README.zh-CN.md": (
        "| 病根对、行号也对 | {root.of} 个患病脚本中分别有 {root.hits} 个和 {place.hits} 个"
        "（留作报告的一半：{kept_root.of} 个中 {kept_root.hits} 个和 {kept_place.hits} 个）；"
        "随机注入故障的 {fault_root.of} 个脚本中 {fault_root.hits} 个和 {fault_place.hits} 个。"
        "另外 {tools} 个工具里最好的一个，在同样的 {best.of} 次运行中说对 {best.hits} 次病根，"
        "没有一个能指出行号：[语料库](docs/corpus.md) |",
        "| 误报 | {mended.of} 个修好的脚本误报 {mended.hits} 个，"
        "{scripts.of} 个健康脚本的 {healthy.of} 次运行误报 {healthy.hits} 次"
        "（精确 95 % 区间：按运行 {runs_in} %，按脚本 {scripts_in} %）；"
        "其他工具在健康运行上的误报率为 {least:.0f} % 到 {most:.0f} %"
        "（`make corpus`、`make peers`，{cores} 核，{date}；"
        "语料库是我们自己的，编写规则时看过） |",
    ),
}
"""In each document: its rows, of which the first cell says where they stand."""
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def told(rows: Sequence[Row], others: Sequence[Row], machine: Row, document: str) -> list[str]:
    """The rows of a document, from runs of ours and of the other tools."""
    sick, faults = of_kind(rows, "sick"), of_kind(rows, "mutant")
    kept = [row for row in sick if row["half"] == "reporting"]
    healthy, mended = of_kind(rows, "healthy"), of_kind(rows, "mended")
    runs, scripts = rate(healthy, alarmed), by_script(healthy, ("sick", "suspect"))
    tools = sorted({row["tool"] for row in others})
    of_tool = comparison.on_common_runs(rows, others)
    best = max((rate(of_kind(of_tool[tool], "sick", "mutant"), _root) for tool in tools),
               key=lambda found: found.hits / found.of)  # fmt: skip
    alarms = [rate(of_kind(of_tool[tool], "healthy"), alarmed) for tool in tools]
    shares = [100 * found.hits / found.of for found in alarms]
    count = NUMBERS[len(tools)] if document == "README.md" else len(tools)
    to = "to" if document == "README.md" else "到"
    values = {
        "root": rate(sick, _root), "place": rate(sick, _place),
        "kept_root": rate(kept, _root), "kept_place": rate(kept, _place),
        "fault_root": rate(faults, _root), "fault_place": rate(faults, _place),
        "tools": count, "best": best, "least": min(shares), "most": max(shares),
        "mended": rate(mended, alarmed), "healthy": runs, "scripts": scripts,
        "runs_in": _between(runs, to), "scripts_in": _between(scripts, to), **machine,
    }  # fmt: skip
    return [row.format(**values) for row in ROWS[document]]


def _root(row: Row) -> bool:
    return bool(row["root"])


def _place(row: Row) -> bool:
    return bool(row["place"])


def _between(found: Rate, to: str) -> str:
    low, high = (100 * bound for bound in found.interval)
    return f"{f'{low:.1f}' if low else 0} {to} {high:.1f}"


def quoted(document: str) -> str:
    """The document with its rows as the kept results have them.

    Raises:
        LookupError: a row no longer stands in it.
    """
    kept = json.loads(page.RESULTS.read_text(encoding="utf-8"))
    lines = (ROOT / document).read_text(encoding="utf-8").split("\n")
    for row in told(kept["runs"], comparison.kept(), kept["machine"], document):
        lines[_where(lines, row, document)] = row
    return "\n".join(lines)


def _where(lines: Iterable[str], row: str, document: str) -> int:
    head = "|".join(row.split("|")[:2]) + "|"
    for n, line in enumerate(lines):
        if line.startswith(head):
            return n
    raise LookupError(f"{document}: no line begins with {head!r}")


def main() -> None:
    """Write the documents anew."""
    for document in ROWS:
        (ROOT / document).write_text(quoted(document), encoding="utf-8")


if __name__ == "__main__":
    main()
