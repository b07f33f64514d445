from __future__ import annotations

import gettext
import io
import re
import runpy
from pathlib import Path
from string import Formatter

import pytest

from gradoctor.knowledge.language import LANGUAGES, Translator, choose, normalise, translate
from gradoctor.knowledge.statistics import STATISTICS
from gradoctor.reporters import _words

ROOT = Path(__file__).parents[2]
CATALOGUE = runpy.run_path(str(ROOT / "tools" / "catalogue.py"))
CATALOGUES = sorted(CATALOGUE["LOCALE"].glob("*/LC_MESSAGES/gradoctor.po"))
SOURCES = CATALOGUE["SOURCES"]


@pytest.mark.parametrize(
    ("name", "lang"),
    [
        ("zh", "zh_CN"),
        ("zh_CN.UTF-8", "zh_CN"),
        ("ZH-Hans", "zh_CN"),
        ("en_GB.UTF-8", "en"),
        ("C", "en"),
        ("fr_FR", "en"),
        ("", "en"),
        (None, "en"),
    ],
)
def test_normalise(name, lang):
    assert normalise(name) == lang


@pytest.mark.parametrize(
    ("option", "environ", "lang"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh_CN"),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        (None, {"LANG": "en_US", "LC_MESSAGES": "zh_TW"}, "zh_CN"),
        (None, {"LANG": "zh_CN", "LC_ALL": "zh_CN", "GRADOCTOR_LANG": "en"}, "en"),
        (None, {"GRADOCTOR_LANG": "zh", "LC_ALL": "C"}, "zh_CN"),
        (None, {"GRADOCTOR_LANG": "", "LANG": "zh_CN"}, "zh_CN"),
        ("en", {"GRADOCTOR_LANG": "zh"}, "en"),
        ("zh", {"LANG": "en_US"}, "zh_CN"),
    ],
)
def test_choose(option, environ, lang):
    assert choose(option, environ) == lang


def test_messages_are_translated_and_filled():
    assert translate("lost: {what}", "zh", what="x") == "丢失：x"
    assert translate("lost: {what}", "en", what="x") == "lost: x"
    assert translate("lost: {what}", "en") == "lost: {what}"
    assert translate("", "zh") == ""


def test_unknown_message_stays_as_it_is():
    assert translate("no catalogue has this", "zh") == "no catalogue has this"


def test_plural():
    assert Translator("en").plural("{n} step watched", "{n} steps watched", 1) == "1 step watched"
    assert Translator("en").plural("{n} step watched", "{n} steps watched", 2) == "2 steps watched"
    assert Translator("zh").plural("{n} step watched", "{n} steps watched", 1) == "观察了 1 步"


def test_each_language_but_english_has_a_catalogue():
    assert {po.parts[-3] for po in CATALOGUES} == set(LANGUAGES) - {"en"}


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda po: po.parts[-3])
def test_compiled_catalogue_is_fresh(po):
    fresh = gettext.GNUTranslations(io.BytesIO(CATALOGUE["compiled"](CATALOGUE["read"](po))))
    with po.with_suffix(".mo").open("rb") as stream:
        kept = gettext.GNUTranslations(stream)
    messages = [{k: v for k, v in t._catalog.items() if k} for t in (kept, fresh)]
    assert messages[0] == messages[1], "run `python tools/catalogue.py compile`"


@pytest.mark.parametrize("po", CATALOGUES, ids=lambda po: po.parts[-3])
def test_every_marked_message_is_translated(po):
    marked = {message.id for message in CATALOGUE["extract"]() if message.id}
    known = {message.id: message for message in CATALOGUE["read"](po) if message.id}
    assert len(marked) > 100
    assert marked == set(known), "run `python tools/catalogue.py`, then translate what is new"
    for message in known.values():
        assert not message.fuzzy, message.id
        singular = message.id if isinstance(message.id, str) else message.id[0]
        strings = [message.string] if isinstance(message.string, str) else message.string
        for string in strings:
            assert string, f"{singular!r} has no translation"
            assert placeholders(string) == placeholders(singular)


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def test_every_statistic_has_words():
    assert set(STATISTICS) <= set(_words.STATISTIC_WORDS)


def test_every_benign_context_and_reason_of_the_rules_has_words():
    sources = "\n".join(p.read_text(encoding="utf-8") for p in (SOURCES / "rules").rglob("*.py"))
    contexts = set(re.findall(r"Exclusion\(\s*\"([a-z0-9-]+)\"", sources))
    reasons = set(re.findall(r"UndecidedError\(\s*f?\"([a-z-]+)", sources))
    assert contexts
    assert reasons
    cure = "give these words in reporters/_words.py, in both languages"
    assert contexts <= set(_words.CONTEXT_WORDS), cure
    assert reasons <= set(_words.REASON_WORDS), cure


def test_everything_that_rules_measure_has_words():
    sources = "\n".join(p.read_text(encoding="utf-8") for p in (SOURCES / "rules").rglob("*.py"))
    measured = set(re.findall(r"Evidence\(\s*\"([a-z0-9_.]+)\"", sources))
    known = {key if isinstance(key, str) else key[0] for key in _words.STATISTIC_WORDS}
    assert len(measured) > 30
    assert measured <= known, "give it words in reporters/_words.py, in both languages"
