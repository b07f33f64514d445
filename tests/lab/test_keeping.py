"""Results are kept whole, told apart by version and sources, and never in the way."""

from __future__ import annotations

import dataclasses
import json
import math
import sys

import pytest

from gradoctor.errors import GradoctorError
from gradoctor.lab import EXPERIMENTS, Outcome, keeping
from gradoctor.lab.keeping import Book, Kept, fingerprint

from .outcomes import outcome


def test_a_result_is_read_as_it_was_written(tmp_path):
    book = Book(tmp_path)
    kept = book.write(3, outcome(), 1.234, "abc")
    assert book.read(3) == kept
    assert kept.outcome == outcome()
    assert math.isinf(book.read(3).outcome.figures["odd"].middle)
    assert kept.seconds == 1.23
    assert kept.versions["torch"]
    assert kept.machine["cores"] >= 1
    assert [file.name for file in tmp_path.iterdir()] == ["003.json"]


def test_a_result_makes_a_round_trip_through_json(tmp_path):
    kept = Book(tmp_path).write(3, outcome("depends"), 1.0, "abc")
    assert Kept.from_data(json.loads(json.dumps(kept.to_data()))) == kept
    assert Outcome.from_data(json.loads(json.dumps(outcome().to_data()))) == outcome()


def test_a_change_of_verdict_is_seen_once(tmp_path):
    book = Book(tmp_path)
    assert book.write(3, outcome("true"), 1.0, "a").changed_from is None
    changed = book.write(3, outcome("false"), 1.0, "b")
    assert changed.changed_from.verdict == "true"
    again = book.write(3, outcome("false"), 1.0, "b")
    assert again.changed_from is None
    assert [run.verdict for run in again.earlier] == ["true", "false"]


def test_history_is_cut(tmp_path):
    book = Book(tmp_path)
    for _ in range(25):
        kept = book.write(3, outcome(), 1.0, "a")
    assert len(kept.earlier) == 20


def test_only_the_same_version_and_sources_are_current(tmp_path, monkeypatch):
    book = Book(tmp_path)
    kept = book.write(3, outcome(), 1.0, "abc")
    assert book.current(3, "abc") == kept
    assert book.current(3, "other") is None
    assert book.current(4, "abc") is None
    monkeypatch.setattr(keeping, "__version__", "99.0")
    assert book.current(3, "abc") is None
    assert book.read(3) == kept


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"number": 3}', '{"number": 3, "outcome": 7}', "\udcff"]
)
def test_a_broken_file_is_no_result(tmp_path, text):
    book = Book(tmp_path)
    file = tmp_path / "003.json"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert book.read(3) is None
    assert book.write(3, outcome(), 1.0, "a") == book.read(3)


def test_a_result_of_another_claim_or_verdict_is_none(tmp_path):
    book = Book(tmp_path)
    kept = book.write(3, outcome(), 1.0, "a")
    (tmp_path / "004.json").write_text((tmp_path / "003.json").read_text())
    assert book.read(4) is None
    data = kept.to_data()
    data["outcome"]["verdict"] = "maybe"
    (tmp_path / "003.json").write_text(json.dumps(data))
    assert book.read(3) is None


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    book = Book(tmp_path)
    kept = book.write(3, outcome(), 1.0, "a")
    broken = dataclasses.replace(outcome(), figures={"x": object()})
    with pytest.raises((AttributeError, TypeError)):
        book.write(3, broken, 1.0, "a")
    with pytest.raises(TypeError):
        keeping.write_json(tmp_path / "003.json", {"x": object()})
    assert book.read(3) == kept
    assert [file.name for file in tmp_path.iterdir()] == ["003.json"]


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    book = Book(tmp_path / "file" / "lab")
    with pytest.raises(GradoctorError, match=r"Cannot write .*lab.* Change to a folder"):
        book.prepare()
    with pytest.raises(GradoctorError, match="Cannot write"):
        book.write(3, outcome(), 1.0, "a")


def test_the_fingerprint_follows_the_sources(tmp_path, monkeypatch):
    experiments = tmp_path / "fresh.py"
    experiments.write_text("a = 1\n")
    import gradoctor.experiments

    monkeypatch.setattr(gradoctor.experiments, "__path__", [str(tmp_path)])
    monkeypatch.setitem(EXPERIMENTS, 901, "fresh:run")
    first = fingerprint(901)
    assert first == fingerprint(901)
    experiments.write_text("a = 2\n")
    second = fingerprint(901)
    (tmp_path / "_shared.py").write_text("")
    third = fingerprint(901)
    monkeypatch.setattr(keeping, "_foundations", lambda: (tmp_path / "_shared.py",))
    assert len({first, second, third, fingerprint(901)}) == 4, "what it measures with counts too"
    assert not any(name.endswith(".fresh") or name == "fresh" for name in sys.modules)
