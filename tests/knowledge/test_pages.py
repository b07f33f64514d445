from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradoctor.errors import UnknownRuleError
from gradoctor.knowledge import pages
from gradoctor.knowledge.figures import figure, fill

ENGLISH = """# GD101 vanishing-gradient
Early layers receive
almost no gradient

## Summary
It shrinks by {bits:.1f} bits a layer
before `{module}`.

## What it is
One.

## Why it matters
Two.

## Evidence
Three.

## Looks like it and is not
Four.

## References
Five.
"""
CHINESE = """# GD101 vanishing-gradient
前面几层几乎得不到梯度

## 概要
每层缩小 {bits:.1f} 比特，
到 `{module}` 为止。

## 是什么
一。

## 参考
五。
"""


@pytest.fixture(autouse=True)
def own_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two pages of the test's own, one of them not translated."""
    for lang, code, text in (
        ("en", "GD101", ENGLISH),
        ("en", "GD102", ENGLISH.replace("GD101", "GD102")),
        ("zh_CN", "GD101", CHINESE),
    ):
        folder = tmp_path / lang
        folder.mkdir(exist_ok=True)
        (folder / f"{code}.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(pages, "_folder", lambda lang: tmp_path / lang)
    pages.page.cache_clear()
    yield
    pages.page.cache_clear()


def test_page_is_read():
    page = pages.page("GD101")
    assert (page.code, page.name, page.lang) == ("GD101", "vanishing-gradient", "en")
    assert page.title == "Early layers receive almost no gradient"
    assert page.summary == "It shrinks by {bits:.1f} bits a layer before `{module}`."
    assert list(page.sections.items()) == [
        ("what", "One."),
        ("why", "Two."),
        ("evidence", "Three."),
        ("not", "Four."),
        ("references", "Five."),
    ]


@pytest.mark.parametrize("lang", ["zh", "zh_CN", "zh_CN.UTF-8"])
def test_chinese_page_is_read(lang):
    page = pages.page("GD101", lang)
    assert page.lang == "zh_CN"
    assert page.summary == "每层缩小 {bits:.1f} 比特，到 `{module}` 为止。"
    assert dict(page.sections) == {"what": "一。", "references": "五。"}


def test_missing_translation_falls_back_to_english():
    assert pages.page("GD102", "zh").lang == "en"


@pytest.mark.parametrize("code", ["GD999", "", "../en/GD101", "gd101"])
def test_unknown_code_is_an_error_with_a_cure(code):
    with pytest.raises(UnknownRuleError, match="gradoctor rules"):
        pages.page(code)


def test_codes():
    assert pages.codes() == ("GD101", "GD102")
    assert pages.codes("zh") == ("GD101",)


def test_every_language_has_every_heading():
    for headings in pages.HEADINGS.values():
        assert set(headings) == {"summary", *pages.SECTIONS}
        assert len(set(headings.values())) == len(headings)


def test_tell_fills_the_summary():
    told = pages.page("GD101").tell({"bits": 2.123, "module": "layers.0"})
    assert told == "It shrinks by 2.1 bits a layer before `layers.0`."


def test_tell_survives_missing_and_misfitting_values():
    assert pages.page("GD101").tell({}) == "It shrinks by ? bits a layer before `?`."
    assert "many bits" in pages.page("GD101").tell({"bits": "many", "module": None})


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("{x}", "0.0123"),
        ("{x:.1%}", "1.2%"),
        ("{x!r}", "0.0123"),
        ("{x.real} {x[0]}", "? ?"),
        ("{", "{"),
        ("a } {x}", "a } {x}"),
        ("{{}}", "{}"),
    ],
)
def test_fill(template, filled):
    assert fill(template, {"x": 0.0123}) == filled


@given(st.text(), st.dictionaries(st.text(), st.floats() | st.text() | st.none()))
def test_fill_never_raises(template, values):
    assert isinstance(fill(template, values), str)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (1200, "1200"),
        (2.5, "2.5"),
        (2.30258, "2.3"),
        (1234.56, "1235"),
        (9.87e-10, "9.87e-10"),
        (1e-9, "1e-9"),
        (-123456789.0, "-1.23e8"),
        (math.nan, "NaN"),
        (-math.inf, "-infinity"),
        (None, "?"),
        (True, "True"),
        ("layers.0", "layers.0"),
        (["a", "b"], "a, b"),
        (list("abcdefg"), "a, b, c, d, e, … (+2)"),
        ({"lr": 0.1}, "lr: 0.1"),
        ((64, 1), "64, 1"),
    ],
)
def test_figure(value, said):
    assert figure(value) == said
