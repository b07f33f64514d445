"""Intervals and counts, and the page that is made of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import page, scores
from corpus.intervals import clopper_pearson


@settings(deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_exact(hits_of):
    beta = pytest.importorskip("scipy.stats").beta
    hits, of = hits_of
    low, high = clopper_pearson(hits, of)
    assert low == pytest.approx(beta.ppf(0.025, hits, of - hits + 1) if hits else 0, abs=1e-9)
    assert high == pytest.approx(beta.ppf(0.975, hits + 1, of - hits) if hits < of else 1, abs=1e-9)


def test_known_intervals():
    assert clopper_pearson(0, 50)[1] == pytest.approx(1 - 0.025 ** (1 / 50), abs=1e-12)
    assert clopper_pearson(0, 50, 0.9)[1] == pytest.approx(0.0582, abs=1e-4)  # one-sided 95 %


@pytest.mark.parametrize("asked", [(1, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_what_has_no_interval_is_refused(asked):
    with pytest.raises(ValueError, match="confidence"):
        clopper_pearson(*asked)


def finding(code, level="sick", root=True):
    return {"code": code, "level": level, "root": root, "file": "sick.py", "line": 3,
            "modules": [], "first_step": 0}  # fmt: skip


def row(case, kind, verdict, *found, **more):
    return {"case": case, "kind": kind, "program": case, "half": "reporting", "seed": 0,
            "architecture": "mlp", "tool": "gradoctor", "accept": [], "verdict": verdict,
            "findings": list(found), "said": f"{verdict}: said", **more}  # fmt: skip


ROWS = [
    row("a", "sick", "sick", finding("GD401"), accept=["GD401", "GD201"], root=True, place=True),
    row("b", "sick", "sick", finding("GD403"), accept=["GD401"], root=False, place=False),
    row("c", "sick", "healthy", accept=["GD901"], root=False, place=False, early=False,
        early_place=False, half="tuning"),
    row("e", "sick", "suspect", finding("GD515", "suspect", False), accept=["GD515"], root=True,
        place=False, level="suspect", named="GD515"),
    row("d", "mutant", "sick", finding("GD901"), accept=["GD901"], root=True, place=False),
    row("a", "mended", "healthy", quiet=True),
    row("h", "healthy", "healthy", quiet=True),
    row("h", "healthy", "suspect", finding("GD403", "suspect", False), quiet=True, seed=1),
    row("i", "healthy", "sick", finding("GD403"), quiet=False, architecture="cnn"),
    {**row("j", "healthy", ""), "error": "j-healthy: exit code 1\nKaboom"},
]  # fmt: skip
del ROWS[-1]["verdict"]


def test_the_figures():
    figures = scores.headline(ROWS)
    counts = {name: (rate.hits, rate.of) for name, rate in figures.items()}
    assert counts["sick scripts: verdict `sick`"] == (2, 3)
    assert counts["of those that may only be suspected: `suspect` or `sick`"] == (1, 1)
    assert counts["sick scripts: right root first"] == (2, 4)
    assert counts["injected faults: right root at the right place"] == (0, 1)
    assert counts["proofs named by step 5"] == (0, 1)
    assert counts["healthy runs called sick"] == (1, 3)
    assert counts["healthy scripts called suspect in any run"] == (1, 2)
    assert str(figures["mended twins called sick"]) == "0/1 = 0.0 % (0.0 to 97.5)"


def test_the_figures_of_a_rule():
    rules = {r.code: r for r in scores.by_rule(ROWS)}
    assert (rules["GD401"].recall, rules["GD401"].precision) == (
        scores.Rate(1, 2),
        scores.Rate(1, 1),
    )
    assert rules["GD403"].precision == scores.Rate(0, 2)
    assert (rules["GD403"].sick, rules["GD403"].suspect) == (1, 1)
    assert rules["GD901"].recall == scores.Rate(0, 1)


def test_what_is_taken_for_what():
    assert scores.confusion(ROWS) == {
        "GD4": {"GD4": 2},
        "GD5": {"GD5": 1},
        "GD9": {"nothing": 1, "GD9": 1},
    }


def test_the_page_says_all_of_it():
    text = page.page(ROWS, FACTS)
    for said in (
        "- `b`, sick (reporting): GD401 expected, took GD403 for it",
        "- `c`, sick (tuning): GD901 expected, nothing named",
        "- `e`, sick (reporting): GD515 expected, wrong line",
        "- `d`, mutant (reporting): GD901 expected, wrong line",
        "- `h`, healthy, seed 1 (reporting): suspect: said",
        "- `i`, healthy (reporting): sick: said",
        "- `j`, healthy: Kaboom",
        "| [GD403](rules/en/GD403.md) |  |  | 0/2 | 1 | 1 |",
        "| cnn |  |  | 1/1 | 0/1 |",
        "3 healthy scripts",
    ):
        assert said in text, said


def test_tools_stand_side_by_side():
    """Rows of another tool need a verdict only."""
    keys = ("case", "kind", "half", "level", "verdict")
    other = [{key: r[key] for key in keys if key in r} for r in ROWS if "verdict" in r]
    text = page.tools({"gradoctor": ROWS, "other": other})
    head, _, first, _, second, *_ = text.split("\n")
    assert [cell.strip() for cell in head.split("|")[2:-1]] == [
        "gradoctor, reporting half", "gradoctor, tuning half", "other, reporting half",
        "other, tuning half", "gradoctor, all", "other, all",
    ]  # fmt: skip
    assert first.split("|")[-2] == first.split("|")[-3]  # the same verdicts
    assert "2/4" in second.split("|")[-3]
    assert "0/4" in second.split("|")[-2]


def test_the_page_and_its_rows_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "TARGET", tmp_path / "corpus.md")
    monkeypatch.setattr(page, "RESULTS", tmp_path / "results" / "gradoctor.json")
    page.write(ROWS)
    assert (tmp_path / "corpus.md").read_text().startswith("# How often gradoctor is right\n")
    kept = json.loads((tmp_path / "results" / "gradoctor.json").read_text())
    assert len(kept["runs"]) == len(ROWS)
    assert kept["runs"][1]["verdict"] == "sick"
    assert kept["runs"][-1]["error"]


FACTS = {"cpu": "a cpu", "cores": 2, "load": 0.1, "device": "cpu", "torch": "2", "threads": "1",
         "date": "2026-01-01"}  # fmt: skip
