from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings

from gradoctor.records import Site
from gradoctor.reporters import REPORTERS

from . import builders as b
from .strategies import diagnoses

VOID = {"br", "img", "hr", "meta", "link", "input"}
ALLOWED = {
    "div", "style", "p", "section", "h4", "code", "b", "span", "ol", "ul", "li", "table", "tr",
    "td", "pre", "i",
}  # fmt: skip
EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Collects elements and text, and fails on what is not closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def read(diagnosis, lang="en"):
    reader = Reader()
    reader.feed(REPORTERS["html"].render(diagnosis, lang=lang))
    reader.close()
    assert reader.open == []
    return reader


@pytest.mark.usefixtures("pages")
def test_says_what_the_terminal_says():
    reader = read(b.sick())
    for said in (
        "train.py is sick: 2 findings and 2 knock-ons",
        "train.py:42",
        "GD101 vanishing-gradient",
        "0.032%",
        "nn.init.zeros_(layer.bias)",
        "GD509 stuck-at-baseline",
        "GD603 not-shuffled",
        "GD805 bias-before-norm",
    ):
        assert said in reader.text


@pytest.mark.usefixtures("pages")
def test_bars_are_drawn():
    html = REPORTERS["html"].render(b.dead())
    assert 'style="width:100.0%"' in html
    assert "97%" in read(b.dead()).text


def test_is_in_the_language_asked_for():
    html = REPORTERS["html"].render(b.healthy(), lang="zh")
    assert 'lang="zh-CN"' in html
    assert "健康" in html


def test_light_and_dark():
    html = REPORTERS["html"].render(b.healthy())
    assert "prefers-color-scheme:dark" in html
    assert "http" not in html  # self-contained: nothing is fetched


def test_what_the_run_says_is_never_markup():
    evil = {i: replace(s, name=EVIL, file=EVIL) for i, s in b.SITES.items()}
    evil[1] = Site(1, "module", EVIL, "Linear", EVIL, 42)
    finding = b.vanishing(name=EVIL, values={"first": EVIL, "last": EVIL, "ratio": EVIL})
    diagnosis = b.diagnosis(
        "sick",
        (finding, replace(b.DEAD, root=False, explained_by=("GD101",))),
        sites=evil,
        script=EVIL,
        meta={"lost": [EVIL], "pictures": {"GD101": {
            "kind": "bars", "title": EVIL, "rows": [(EVIL, 1.0)]}}},
    )  # fmt: skip
    reader = read(diagnosis)
    assert reader.tags <= ALLOWED
    assert reader.attributes <= {"class", "style", "lang"}
    assert "alert('x')" in reader.text


@settings(deadline=None, max_examples=100)
@given(diagnoses)
def test_any_report_is_well_formed(diagnosis):
    reader = read(diagnosis)
    assert reader.tags <= ALLOWED
