"""Write docs/lab.md: every claim with the verdict of the latest run in this folder.

gradoctor lab --all && python tools/lab_table.py
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gradoctor.knowledge.claims import CLAIMS, VERDICTS, Claim
from gradoctor.lab.keeping import Book, Kept

TARGET = Path(__file__).parents[1] / "docs" / "lab.md"
HEAD = """# What study notes claim, tested · 学习笔记的说法，逐条检验

Made by `tools/lab_table.py` from a run of `gradoctor lab --all`; `gradoctor lab NUMBER` repeats one
on your machine and draws its picture. A range is over the seeds of the experiment."""


def row(claim: Claim, kept: Kept) -> str:
    """One claim in both languages."""
    verdict = VERDICTS[kept.outcome.verdict]
    parts = (
        str(claim.number),
        f"{claim.text.en}<br>{claim.text.zh}",
        f"**{verdict.en}** {verdict.zh}"
        + ("" if kept.outcome.verdict == claim.expected else " (!)"),
        f"{kept.outcome.measured.en}<br>{kept.outcome.measured.zh}",
        f"{claim.why.en}<br>{claim.why.zh}",
    )
    return "| " + " | ".join(p.replace("|", "\\|").replace("\n", " ") for p in parts) + " |"


def table(book: Book) -> str:
    """The whole file.

    Raises:
        SystemExit: a claim has no result.
    """
    results = {number: book.read(number) for number in CLAIMS}
    missing = [number for number, kept in results.items() if kept is None]
    if missing:
        raise SystemExit(f"no result for {missing}: run `gradoctor lab --all` first")
    known = [kept for kept in results.values() if kept is not None]
    seen = Counter(kept.outcome.verdict for kept in known)
    counts = ", ".join(f"{seen[name]} {words.en}" for name, words in VERDICTS.items() if seen[name])
    last = max(known, key=lambda kept: kept.date)
    facts = (
        f"{len(known)} claims: {counts}. {last.machine['cores']} cores, torch "
        f"{last.versions['torch']}, {last.date[:10]}; {sum(k.seconds for k in known) / 60:.0f} "
        "minutes of one core in all. `(!)` marks a verdict that is not the expected one."
    )
    parts = [HEAD, "", facts]
    for topic in dict.fromkeys(claim.topic for claim in CLAIMS.values()):
        parts += ["", f"## {topic.capitalize()}", ""]
        parts += [
            "| | claim · 说法 | verdict · 结论 | measured · 实测 | why · 依据 |",
            "|---|---|---|---|---|",
        ]
        parts += [row(CLAIMS[k.number], k) for k in known if CLAIMS[k.number].topic == topic]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(table(Book()), encoding="utf-8")
