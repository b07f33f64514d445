"""The formulary's list, pages and HTML page."""

from __future__ import annotations

import pytest

from gradoctor.reporters import _page
from gradoctor.reporters._code import code_lines, highlight
from gradoctor.reporters._layout import cells, paint, shorten
from gradoctor.reporters.formulary import digest, listing, render_entry, render_list, render_page
from gradoctor.reporters.plots import image

from .entries import CURRICULUM, ENTRIES, RELU
from .reading import stands_alone


# ---- data ----------------------------------------------------------------------------------------
def test_a_digest_says_everything_of_an_entry():
    said = digest(RELU, "zh")
    assert [row["label"] for row in said["facts"]] == [
        "公式", "导数", "值域", "极限", "梯度", "开销", "何时用", "何时不用",
    ]  # fmt: skip
    assert said["details"][1] == {
        "label": "注意",
        "texts": ["单元可能死亡。", "`inplace` 改写输入。"],
        "mathematics": False,
    }
    assert said["torch"] == "torch.nn.ReLU"
    assert said["pictures"] == RELU.draw()


def test_what_an_entry_has_not_is_not_said():
    labels = [row["label"] for row in digest(CURRICULUM, "en")["facts"]]
    assert labels == ["Formula", "Gradient", "Use it", "Avoid it"]
    assert digest(CURRICULUM, "en")["details"] == []


def test_a_list_has_the_first_line_of_each_formula():
    kinds = listing(ENTRIES, "en")
    assert [kind["kind"] for kind in kinds] == ["activations", "losses"]
    assert kinds[1]["rows"][0]["formula"] == "L = −Σ yᵢ log pᵢ"


# ---- terminal ------------------------------------------------------------------------------------
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_list_and_page_read_as_approved(lang, snapshot):
    assert render_list(ENTRIES, lang) == snapshot
    assert render_entry(RELU, lang) == snapshot
    assert render_entry(CURRICULUM, lang) == snapshot


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [10, 40, 80, 120])
def test_nothing_is_wider_than_the_terminal(lang, width):
    said = render_list(ENTRIES, lang, width)
    said += "".join(render_entry(entry, lang, width) for entry in ENTRIES)
    assert max(map(cells, said.splitlines())) <= max(width, 30)


def test_colours_only_when_asked_for():
    assert "\x1b" not in render_entry(RELU) + render_list(ENTRIES)
    assert "\x1b" in render_entry(RELU, color=True)
    assert "\x1b" in render_list(ENTRIES, color=True)


@pytest.mark.parametrize(
    ("said", "width", "short"),
    [
        ("abc", 3, "abc"),
        ("abcdef", 5, "ab..."),
        ("激活函数", 7, "激活..."),
        ("abc", 2, ".."),
        ("a", 0, ""),
    ],
)
def test_a_text_is_shortened_to_cells(said, width, short):
    assert shorten(said, width) == short
    assert cells(shorten(said, width)) <= width


# ---- code ----------------------------------------------------------------------------------------
def test_code_is_coloured_by_what_it_is():
    assert highlight('for x in "ab":  # c\n    f(x, 1)') == [
        [("for", "keyword"), (" x ", "code"), ("in", "keyword"), (" ", "code"),
         ('"ab"', "string"), (":  ", "code"), ("# c", "comment")],
        [("    f(x, ", "code"), ("1", "number"), (")", "code")],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "code", ["pip install 'unclosed", "(", "", "a\n\n  b", '"""two\nlines"""', "?$"]
)
def test_no_code_is_lost(code):
    assert "\n".join("".join(part for part, _ in line) for line in highlight(code)) == code


def test_code_keeps_its_indentation():
    assert paint(code_lines("if x:\n    y()", 40, 4), color=False) == "    if x:\n        y()\n"


# ---- page ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_stands_alone(lang):
    pytest.importorskip("matplotlib")
    made = render_page(ENTRIES, lang)
    reader = stands_alone(made)
    assert reader.tags.count("svg") == 3
    assert reader.tags.count("article") == 2
    assert {"relu", CURRICULUM.name, "kind-losses"} <= set(reader.ids)
    for said in ("f(x) = max(x, 0)", "torch.nn.ReLU", "nn.ReLU()(layer", "Nair", "rectifier"):
        assert said in reader.text
    assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in made
    assert ("修正线性单元" in reader.text) == (lang == "zh")


def test_what_an_entry_says_is_never_markup():
    reader = stands_alone(render_page([CURRICULUM]))
    assert "<b>Everywhere</b>." in reader.text
    assert "None & nobody." in reader.text


def test_without_matplotlib_the_page_draws_characters_and_says_why(monkeypatch):
    monkeypatch.setattr(image, "available", lambda: False)
    reader = stands_alone(render_page(ENTRIES))
    assert "svg" not in reader.tags
    assert "pip install 'gradoctor[pictures]'" in reader.text
    assert "+----" in reader.text


def test_a_page_needs_no_note_when_all_is_drawn():
    pytest.importorskip("matplotlib")
    assert _page.missing("en") == ""
