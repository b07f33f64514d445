"""What every entry of the formulary must stand, whatever its kind."""

from __future__ import annotations

import importlib
import json
import math
import re
from collections import Counter
from dataclasses import fields, is_dataclass

import pytest
import torch
from torch import nn

from gradoctor.knowledge import formulary
from gradoctor.knowledge.formulary import UnknownEntryError, entries, find
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Grid, Plot, from_data, to_data

CJK = re.compile(r"[\u4e00-\u9fff]")
CODE = re.compile(r"`[^`]*`")
ENGLISH = re.compile(r"(?:\b[A-Za-z][a-z']+\b[ ,]+){4,}")  # five words in a row read as a sentence
HALF_WIDTH = re.compile(r"[\u4e00-\u9fff][,;:?!]|[,;?!][\u4e00-\u9fff]")
ENTRIES = entries()
every = pytest.mark.parametrize("any_entry", ENTRIES, ids=lambda e: f"{e.kind}-{e.name}")
PROSE = ("gradient", "cost", "use", "avoid")


def words_in(thing):
    """Every pair of texts anywhere in there."""
    if isinstance(thing, Words):
        yield thing
    elif is_dataclass(thing):
        yield from (w for f in fields(thing) for w in words_in(getattr(thing, f.name)))
    elif isinstance(thing, tuple):
        yield from (w for part in thing for w in words_in(part))


def texts(entry):
    return [*words_in(entry), *words_in(entry.details()), *words_in(entry.draw())]


def test_every_kind_that_is_listed_has_entries():
    for kind in formulary.KINDS:
        assert entries(kind), kind
        assert {e.kind for e in entries(kind)} == {kind}


def test_names_are_unique():
    names = Counter(e.name for e in entries())
    assert not [name for name, count in names.items() if count > 1]


def test_no_alias_is_taken_twice():
    owners = Counter(n for e in entries() for n in {*map(formulary._plain, (e.name, *e.aliases))})
    assert not [name for name, count in owners.items() if count > 1]


@every
def test_it_is_found(any_entry):
    spellings = {any_entry.name, any_entry.name.upper(), any_entry.name.replace("_", "-")}
    for name in {*spellings, *any_entry.aliases}:
        assert find(name) is any_entry, name
    if any_entry.torch:
        assert find(any_entry.torch).torch == any_entry.torch


@every
def test_a_misspelt_name_gets_the_nearest(any_entry):
    wrong = any_entry.name[:-1] + "q" + any_entry.name[-1]
    with pytest.raises(UnknownEntryError) as caught:
        find(wrong)
    assert any_entry.name in str(caught.value.cure)


@every
def test_no_field_is_empty(any_entry):
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", any_entry.name)
    for field in ("formula", "code", "reference"):
        assert getattr(any_entry, field).strip(), field
    assert re.search(r"\b(1[89]|20)\d\d\b|^PyTorch", any_entry.reference), "it has its year"
    for words in texts(any_entry):
        # an empty unit of a picture is allowed, half a translation is not
        assert bool(words.en.strip()) == bool(words.zh.strip()), words
    for field in ("title", *PROSE):
        assert all(getattr(any_entry, field)), field


@every
def test_the_chinese_is_chinese(any_entry):
    for field in PROSE:
        assert CJK.search(getattr(any_entry, field).zh), field
    for words in texts(any_entry):
        assert not CJK.search(words.en), words.en
        prose = CODE.sub("", words.zh)
        if words.en != words.zh:
            assert not ENGLISH.search(prose), words.zh
        assert not HALF_WIDTH.search(prose), words.zh


@every
def test_a_text_that_reads_the_same_in_both_is_no_sentence(any_entry):
    for words in texts(any_entry):
        if words.en == words.zh:
            assert not ENGLISH.search(CODE.sub("", words.en)), words.en


@every
def test_its_pytorch_name_exists(any_entry):
    if any_entry.torch:
        module, _, attribute = any_entry.torch.rpartition(".")
        assert module.split(".")[0] == "torch"
        assert hasattr(importlib.import_module(module), attribute)


@every
def test_its_code_runs(any_entry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    space = {"torch": torch, "nn": nn, "__name__": "formulary"}
    exec(compile(any_entry.code, any_entry.name, "exec"), space)
    made = [v for v in space.values() if isinstance(v, torch.Tensor)]
    assert all(torch.isfinite(t).all() for t in made)


@every
def test_its_pictures_can_be_drawn(any_entry):
    pictures = any_entry.draw()
    assert pictures
    for picture in pictures:
        assert picture.title.en
        assert picture.title.zh
        check = {Plot: plot_is_sound, Bars: bars_are_sound, Grid: grid_is_sound}[type(picture)]
        check(picture)


def plot_is_sound(plot):
    assert plot.x.en
    assert plot.y.en
    assert plot.curves
    labels = [curve.label for curve in plot.curves]
    assert len(set(labels)) == len(labels), "each curve has a label of its own"
    for curve in plot.curves:
        assert curve.label.en
        assert len(curve.x) == len(curve.y) > 1
        assert all(math.isfinite(v) for v in curve.x)
        known = [v for v in curve.y if not math.isnan(v)]
        assert len(known) > 1, "a line needs two points"
        assert all(math.isfinite(v) for v in known), curve.label.en
        assert not plot.log_y or all(v > 0 for v in known), curve.label.en
        assert not plot.log_x or all(v > 0 for v in curve.x)
        for band in (curve.low, curve.high):
            assert len(band) in (0, len(curve.y))


def bars_are_sound(bars):
    assert len(bars.labels) == len(bars.values) > 0
    assert all(label.en for label in bars.labels)
    assert all(math.isfinite(v) for v in bars.values)
    assert not bars.log or all(v > 0 for v in bars.values)


def grid_is_sound(grid):
    assert len(grid.rows) == len(grid.values) > 0
    assert all(len(row) == len(grid.columns) > 0 for row in grid.values)
    assert not any(math.isinf(v) for row in grid.values for v in row)


@every
def test_its_pictures_outlive_json(any_entry):
    for picture in any_entry.draw():
        data = to_data(picture)
        again = from_data(json.loads(json.dumps(data, allow_nan=False)))
        assert to_data(again) == data


@every
def test_its_pictures_are_the_same_each_time(any_entry):
    # compared as data: a NaN is not equal to itself
    assert [to_data(p) for p in any_entry.draw()] == [to_data(p) for p in any_entry.draw()]
