"""Real scripts under ``gradoctor run``: the right root at the right line, and silence elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus import cases
from corpus.cases import Case

CASES = cases.load_cases()


def of(*kinds: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if case.kind in kinds]
    return pytest.mark.parametrize("case", chosen, ids=[case.label for case in chosen])


@of("sick")
def test_root_and_place(case: Case, tmp_path: Path) -> None:
    report = cases.report_on(case, tmp_path)
    assert cases.root_right(case, report), f"{case.accept} expected; {cases.said(report)}"
    assert cases.place_right(case, report), (
        f"expected at {case.lines} in {case.module or 'any module'}; {cases.said(report)}"
    )


@of("mended", "healthy")
def test_no_false_alarm(case: Case, tmp_path: Path) -> None:
    report = cases.report_on(case, tmp_path)
    assert report["steps"] >= 100, cases.said(report)
    assert cases.verdict_right(case, report), cases.said(report)


def test_corpus_is_whole() -> None:
    """Every pair has its mend, and every text that a case points to is in its script."""
    kinds = [case.kind for case in CASES]
    assert kinds.count("sick") >= 32
    assert kinds.count("healthy") >= 24
    for case in CASES:
        text = case.script.read_text(encoding="utf-8")
        assert all(line in text for line in case.lines), case.label
        if case.kind == "sick":
            assert text != (case.script.parent / "mended.py").read_text(encoding="utf-8")
