"""Real scripts under ``gradoctor run``: the right root at the right line, and silence elsewhere."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from corpus import cases, judging
from corpus.cases import Case, half_of, with_seeds
from corpus.running import report_on
from gradoctor.rules import RULES

CASES = cases.load_cases()


def of(*kinds: str) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if case.kind in kinds]
    return pytest.mark.parametrize("case", chosen, ids=[case.label for case in chosen])


@of("sick")
def test_root_and_place(case: Case, tmp_path: Path) -> None:
    report = report_on(case, tmp_path)
    assert judging.root_right(case, report), f"{case.accept} expected; {judging.said(report)}"
    assert judging.place_right(case, report), (
        f"expected at {case.lines} in {case.module or 'any module'}; {judging.said(report)}"
    )


@of("mended", "healthy")
def test_no_false_alarm(case: Case, tmp_path: Path) -> None:
    report = report_on(case, tmp_path)
    assert report["steps"] >= 100, judging.said(report)
    assert judging.verdict_right(case, report), judging.said(report)


def said_of(*findings: tuple[str, str, bool, list[str]]) -> judging.Report:
    return {
        "findings": [
            {"code": code, "level": level, "root": root, "explained_by": why, "file": None,
             "line": None, "modules": []}
            for code, level, root, why in findings
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("findings", "suspected", "right"),
    [
        ([("GD1", "sick", True, [])], True, True),
        ([("GD1", "suspect", False, [])], True, True),
        ([("GD1", "suspect", False, [])], False, False),
        ([("GD1", "note", False, [])], True, False),
        ([("GD3", "suspect", False, []), ("GD1", "suspect", False, [])], True, False),
        ([("GD3", "suspect", False, ["GD1"]), ("GD1", "suspect", False, [])], True, True),
        ([("GD3", "sick", True, []), ("GD1", "suspect", False, [])], True, False),
        ([("GD2", "sick", True, []), ("GD1", "suspect", False, [])], True, False),
        ([("GD1", "sick", True, []), ("GD2", "sick", True, [])], False, True),
        ([("GD1", "sick", True, []), ("GD3", "sick", True, [])], False, False),
        ([], True, False),
    ],
)
def test_what_counts_as_right(findings, suspected, right) -> None:
    case = Case(
        "c", "sick", Path("c.py"), "c", "mlp", accept=("GD1",), also=("GD2",),
        level="suspect" if suspected else "sick",
    )  # fmt: skip
    assert judging.root_right(case, said_of(*findings)) is right


def test_corpus_is_whole() -> None:
    """Every pair has its mend, and every text that a case points to is in its script."""
    kinds = Counter(case.kind for case in CASES)
    assert kinds["sick"] == kinds["mended"] >= 32
    assert kinds["healthy"] >= 24
    for case in CASES:
        text = case.text()
        assert all(line in text for line in case.lines), case.label
        if case.kind == "sick":
            assert text != (case.script.parent / "mended.py").read_text(encoding="utf-8")


def test_every_case_is_labelled() -> None:
    assert len({case.label for case in CASES}) == len(CASES)
    for case in CASES:
        assert case.architecture, f"{case.label}: say what it trains"
        assert not case.ill or case.accept[0] in RULES or case.kind == "mutant", case.label
    known = tomllib.loads(cases.ARCHITECTURES.read_text(encoding="utf-8"))
    assert set(known) == {case.name for case in CASES if case.kind == "healthy"}
    assert list(known) == sorted(known)


def test_halves_are_of_programs_and_balanced() -> None:
    sides: dict[str, set[str]] = {}
    for case in CASES:
        sides.setdefault(case.program, set()).add(case.half)
    assert all(len(halves) == 1 for halves in sides.values())
    for kind in ("sick", "healthy"):
        halves = Counter(case.half for case in CASES if case.kind == kind)
        assert 0.35 < halves["tuning"] / halves.total() < 0.65, (kind, halves)


def test_halves_are_stable() -> None:
    """A program that changed sides would carry what was tuned on it into the report."""
    assert half_of("hot_relu") == "tuning"
    assert half_of("tanh_tower") == half_of("gru_rows") == "reporting"


def test_healthy_scripts_run_under_several_seeds() -> None:
    runs = with_seeds(CASES, 3)
    assert len({run.label for run in runs}) == len(runs)
    for run in runs:
        text, plain = run.text(), cases.replace(run, seed=0).text()
        assert (text == plain) == (run.seed == 0), f"{run.label} sets no seed"
        assert text.count("\n") == plain.count("\n")
