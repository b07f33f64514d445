from __future__ import annotations

import pytest

from gradoctor.reporters import _digest, json_report

from . import builders


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages and remedies of the tests' own, so that an edit of the real ones changes nothing."""
    monkeypatch.setattr(_digest, "page", builders.fake_page)
    monkeypatch.setattr(_digest, "remedies_for", builders.fake_remedies_for)
    monkeypatch.setattr(_digest, "text", builders.fake_text)
    monkeypatch.setattr(json_report, "remedies_for", builders.fake_remedies_for)
