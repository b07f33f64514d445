"""``gradoctor formulary`` as it is typed."""

from __future__ import annotations

import pytest

from gradoctor.commands.formulary import found
from gradoctor.knowledge.formulary import KINDS, entries
from gradoctor.reporters._layout import cells

from .test_bad_inputs import gradoctor, refused


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_list_names_every_entry_in_eighty_columns(tmp_path, lang):
    done = gradoctor("formulary", "--lang", lang, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = done.stdout.splitlines()
    named = [row.split()[0] for row in rows if row.startswith("  ")]
    assert named == [entry.name for entry in entries()]
    assert max(map(cells, rows)) <= 80
    assert [row for row in rows if row in {words.told(lang) for words in KINDS.values()}]


@pytest.mark.parametrize("name", ["losses", "loss", "Losses", "损失函数"])
def test_a_kind_is_found_by_its_names(name):
    assert found(name) == entries("losses")


def test_a_page_is_printed(tmp_path):
    done = gradoctor("formulary", "GELU", "adam", "--lang", "zh", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "torch.nn.GELU" in done.stdout
    assert "torch.optim.Adam" in done.stdout
    assert "┤" in done.stdout
    assert max(map(cells, done.stdout.splitlines())) <= 80


def test_every_page_fits_eighty_columns_in_both_languages(tmp_path):
    for lang in ("en", "zh"):
        names = [entry.name for entry in entries()]
        done = gradoctor("formulary", *names, "--lang", lang, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert [row for row in done.stdout.splitlines() if cells(row) > 80] == []


def test_an_output_that_is_not_utf8_is_no_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = gradoctor("formulary", "sigmoid", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert "+-" in done.stdout


def test_a_misspelt_name_is_one_clear_line(tmp_path):
    refused(gradoctor("formulary", "sigmod", cwd=tmp_path), "'sigmod'", "Did you mean sigmoid")


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_picture_is_written(tmp_path, ending):
    pytest.importorskip("matplotlib")
    done = gradoctor("formulary", "tanh", "--picture", f"tanh.{ending}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert (tmp_path / f"tanh.{ending}").stat().st_size > 1000


def test_a_picture_is_of_one_entry_and_of_a_known_kind(tmp_path):
    refused(gradoctor("formulary", "losses", "--picture", "a.svg", cwd=tmp_path), "one entry")
    refused(gradoctor("formulary", "tanh", "--picture", "a.gif", cwd=tmp_path), ".svg or .png")


def test_a_page_of_those_named(tmp_path):
    done = gradoctor("formulary", "tanh", "relu", "tanh", "--html", "f.html", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "f.html").read_text(encoding="utf-8").count("<article") == 2
    assert not (tmp_path / "f.html.part").exists()
    gone = gradoctor("formulary", "tanh", "--html", "nowhere/f.html", cwd=tmp_path)
    refused(gone, "Cannot write", "Choose another file.")


def test_help_shows_examples(tmp_path):
    done = gradoctor("formulary", "--help", cwd=tmp_path)
    assert "gradoctor formulary gelu --picture gelu.svg" in done.stdout
