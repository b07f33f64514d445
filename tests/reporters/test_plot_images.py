"""Pictures as SVG and PNG."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings

from gradoctor.errors import GradoctorError
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Plot
from gradoctor.reporters.plots import _figure, image

from . import pictures as p

matplotlib = pytest.importorskip("matplotlib")
ALL = tuple(p.PICTURES.values())


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_same_pictures_make_the_same_bytes(lang):
    assert image.svg(ALL, lang, name="all") == image.svg(ALL, lang, name="all")
    assert image.png(ALL[:1], lang) == image.png(ALL[:1], lang)


@pytest.mark.parametrize("name", p.PICTURES)
def test_an_svg_is_whole_and_its_texts_are_text(name):
    picture = p.PICTURES[name]
    root = ET.fromstring(image.svg([picture], "zh", name=name))
    said = " ".join("".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text"))
    assert picture.title.zh in said
    assert root.find(".//{http://www.w3.org/2000/svg}image") is None


@pytest.mark.parametrize("name", p.PICTURES)
def test_an_inline_svg_loads_nothing_and_follows_the_page(name):
    made = image.inline_svg(p.PICTURES[name], "en", name=name)
    assert made.startswith("<svg viewBox=")
    assert made.endswith("</svg>")
    ET.fromstring(made)
    assert "http" not in made
    assert "currentColor" in made
    assert _figure.INK not in made


def test_two_svgs_stand_in_one_page():
    made = "".join(image.inline_svg(p.DEPTH, "en", name=f"claim-{n}") for n in (1, 2))
    ids = re.findall(r'\bid="([^"]+)"', made)
    assert len(ids) == len(set(ids))
    used = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', made)
    assert used
    assert {a or b for a, b in used} <= set(ids)


def test_what_a_label_says_is_never_markup_or_mathematics():
    evil = Words.same("<script>alert(1)</script> & $x$ \x1b[31m")
    picture = Plot(evil, evil, evil, (Curve(evil, (0.0, 1.0), (0.0, 1.0)),))
    made = image.inline_svg(picture, name="evil")
    ET.fromstring(made)
    assert "<script" not in made
    assert "$x$" in made


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_pictures_are_written(tmp_path, ending):
    file = tmp_path / f"relu.{ending}"
    image.write([p.RELU, p.ACCURACY], file, "zh")
    data = file.read_bytes()
    assert data.startswith(b"\x89PNG" if ending == "png" else b"<?xml")


def test_an_unknown_ending_is_one_clear_line(tmp_path):
    with pytest.raises(GradoctorError, match=r"'relu.jpg'.*\.svg or \.png"):
        image.write([p.RELU], tmp_path / "relu.jpg")
    with pytest.raises(GradoctorError, match="Cannot write"):
        image.write([p.RELU], tmp_path / "nowhere" / "relu.svg")


def test_without_matplotlib_the_cure_is_named(monkeypatch):
    monkeypatch.setattr(image, "available", lambda: False)
    with pytest.raises(GradoctorError, match=r"pip install 'gradoctor\[pictures\]'"):
        image.svg([p.RELU], name="x")


def test_a_log_axis_is_marked_in_plain_text():
    said = image.inline_svg(p.DEPTH, name="x")
    assert "10⁻⁴" in said
    assert "mathdefault" not in said
    assert [_figure._power(v) for v in (0.0, 1.0, 10.0, 100.0)] == ["0", "1", "10", "10²"]
    short = [_figure._between(v, 0.5, 8.0) for v in (0.5, 0.6, 2.0, 3.0)]
    assert short == ["0.5", "", "2", ""]
    assert _figure._between(2.0, 1.0, 1e6) == ""


def test_a_readers_own_settings_stay_as_they_are():
    with matplotlib.rc_context({"font.size": 33.0}):
        image.svg([p.RELU], name="x")
        assert matplotlib.rcParams["font.size"] == 33.0


def test_neither_pyplot_nor_a_window_is_loaded():
    code = (
        "import sys; from gradoctor.reporters.plots import image; assert 'matplotlib' not in"
        " sys.modules; from gradoctor.knowledge.language import Words; from"
        " gradoctor.knowledge.plots import *; w = Words.same('a');"
        " image.svg([Bars(w, (w,), (1.0,))], name='x'); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@given(picture=p.pictures)
@settings(max_examples=20, deadline=None)
def test_anything_is_drawn(picture):
    ET.fromstring(image.inline_svg(picture, "zh", name="any"))


def test_a_curve_that_ends_in_infinity_is_drawn_as_far_as_it_goes():
    values = (1.0, 1e100, 1e300, math.inf)
    picture = Plot(
        *[Words.same("t")] * 3, (Curve(Words.same("c"), (1, 2, 3, 4), values),), log_y=True
    )
    assert "c" in image.inline_svg(picture, name="far")
