from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradoctor.reporters import REPORTERS
from gradoctor.reporters._layout import cells, cut, wrap
from gradoctor.reporters.terminal import line

from . import builders as b
from .strategies import diagnoses, texts

PICTURES = {
    "GD101": {
        "kind": "bars",
        "title": "gradient at the output, by layer",
        "log": True,
        "rows": [(f"layers.{i}", 10.0 ** (i / 2 - 12)) for i in range(20)],
    }
}
CASES = {
    "sick": b.sick(),
    "pictured": b.sick(meta={**b.META, "pictures": PICTURES}),
    "dead": b.dead(),
    "two_roots": b.diagnosis("sick", (b.vanishing(), b.DEAD)),
    "suspect": b.suspect(),
    "healthy": b.healthy(),
    "healthy_with_note": b.healthy(b.BIAS),
    "unseen": b.unseen(),
    "probed": b.sick(meta={**b.META, "probed": b.PROBED}),
    "probed_in_vain": b.sick(
        meta={**b.META, "probed": {"answers": b.PROBED["answers"][:1], "changes": []}}
    ),
    "failed": b.sick(meta={**b.META, "exit_code": 1, "lost": ["the last 3 steps: disk full"]}),
}


def render(diagnosis, **options):
    return REPORTERS["terminal"].render(diagnosis, **options)


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("case", CASES)
def test_reads_as_approved(case, lang, snapshot):
    assert render(CASES[case], lang=lang) == snapshot


@pytest.mark.usefixtures("pages")
def test_coloured_report_says_the_same(snapshot):
    coloured = render(CASES["dead"], color=True)
    assert coloured == snapshot
    assert "\x1b[" in coloured


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("case", CASES)
def test_piped_english_report_is_ascii(case):
    render(CASES[case]).encode("ascii")


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_healthy_run_is_told_in_three_lines_at_most(lang):
    assert len(render(b.healthy(), lang=lang).splitlines()) == 2
    assert len(render(b.healthy(b.BIAS), lang=lang).splitlines()) == 3


@pytest.mark.usefixtures("pages")
def test_line_is_like_a_compilers():
    said = "train.py:42: GD101 vanishing-gradient [sick] Early layers receive almost no gradient"
    assert line(b.vanishing(), b.sick()) == said


def test_finding_without_a_page_is_told_by_its_name():
    finding = b.vanishing(code="GD000", name="made-up-illness")
    assert "made up illness" in render(b.diagnosis("sick", (finding,)))


@settings(deadline=None, max_examples=150)
@given(diagnoses, st.sampled_from(["en", "zh"]), st.integers(40, 120), st.booleans())
def test_no_line_is_wider_than_the_terminal(diagnosis, lang, width, color):
    report = render(diagnosis, lang=lang, width=width, color=False)
    assert max(cells(row) for row in report.split("\n")) <= width
    assert all(c == "\n" or c >= " " for c in report)
    report.encode("utf-8")
    if color:
        render(diagnosis, lang=lang, width=width, color=True).encode("utf-8")


@settings(deadline=None)
@given(diagnoses.filter(lambda d: d.findings), st.sampled_from(["en", "zh"]))
def test_line_is_one_line(diagnosis, lang):
    for finding in diagnosis.findings:
        said = line(finding, diagnosis, lang)
        assert len(said.splitlines()) == 1
        assert finding.code in said


@settings(deadline=None)
@given(texts, st.integers(12, 60), st.integers(0, 6))
def test_wrapping_keeps_every_character_but_spaces(text, width, more):
    lines = wrap([(text, "")], width, (" " * more, ""), more)
    joined = "".join(span for row in lines for span, _ in row)
    kept = "".join(span for row in wrap([(text, "")], 10_000) for span, _ in row)
    assert joined.replace(" ", "") == kept.replace(" ", "")
    assert all(cells("".join(span for span, _ in row)) <= width for row in lines)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("梯度消失，不学习", ["梯度消", "失，不", "学习"]),
        ("一（二）三四", ["一", "（二）", "三四"]),
        ("one two three", ["one two", "three"]),
    ],
)
def test_chinese_breaks_between_characters_but_not_before_punctuation(text, lines):
    assert ["".join(s for s, _ in row) for row in wrap([(text, "")], 7)] == lines


@settings(deadline=None)
@given(texts, st.integers(5, 40))
def test_cut_fits(text, width):
    assert cells(cut(text, width)) <= width


def test_cut_keeps_both_ends():
    assert cut("model.encoder.layers.0.attention", 17) == "model.e...tention"
