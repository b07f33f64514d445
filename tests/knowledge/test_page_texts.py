"""The texts of the pages: complete, alike in both languages, true to what the rules pass."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from string import Formatter

import pytest

from builders import LOSS, Net, Values
from gradoctor.diagnosis import diagnose
from gradoctor.knowledge import pages
from gradoctor.knowledge.pages import HEADINGS, SECTIONS, Page, page
from gradoctor.rules import RULES, Rule

LANGUAGES = ("en", "zh_CN")
ALWAYS = {"module", "file", "line", "first_step", "last_step"}
CODES = pages.codes()
EVERY = pytest.mark.parametrize("code", CODES)
BOTH = pytest.mark.parametrize("lang", LANGUAGES)


def raw(code: str, lang: str) -> str:
    return (files("gradoctor.knowledge") / "pages" / lang / f"{code}.md").read_text("utf-8")


def documented(rule: Rule) -> set[str]:
    """The names that a rule's docstring lists under ``Values:``."""
    _, _, listed = (rule.judge.__doc__ or "").partition("Values:")
    plain = re.sub(r"\([^()]*(\([^()]*\)[^()]*)*\)", "", listed)
    return {name.strip(" .\n") for name in plain.split(",")} - {""}


def summaries(known: Page) -> Iterator[tuple[str, str]]:
    yield "", known.summary
    yield from known.variants.items()


def fields(summary: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(summary) if name is not None}


class TestLedger:
    @pytest.mark.parametrize("code", RULES)
    @BOTH
    def test_every_rule_has_a_page_of_its_name(self, code: str, lang: str):
        known = page(code, lang)
        assert known.lang == lang
        assert (known.code, known.name) == (code, RULES[code].name)

    def test_every_page_has_its_translation(self):
        assert pages.codes("zh_CN") == CODES

    @pytest.mark.parametrize("code", RULES)
    def test_summaries_use_only_what_the_rule_documents(self, code: str):
        allowed = documented(RULES[code]) | ALWAYS
        for lang in LANGUAGES:
            for kind, summary in summaries(page(code, lang)):
                assert fields(summary) <= allowed, (lang, kind)
        if page(code).variants:
            assert "kind" in allowed


class TestForm:
    @EVERY
    @BOTH
    def test_headings_are_the_fixed_ones_in_order(self, code: str, lang: str):
        rows = raw(code, lang).splitlines()
        found = [row[3:] for row in rows if row.startswith("## ")]
        assert found == [HEADINGS[lang][key] for key in ("summary", *SECTIONS)]
        assert rows[0] == f"# {code} {page(code).name}"
        assert rows[2] == ""
        assert all(page(code, lang).sections[key] for key in SECTIONS)

    @EVERY
    @BOTH
    def test_length(self, code: str, lang: str):
        text = raw(code, lang)
        assert 20 <= len(text.splitlines()) <= 60
        assert not re.search(r"[ \t]$|\t|\n\n\n", text, re.MULTILINE)
        if lang == "en":
            assert max(map(len, text.splitlines()[2:])) <= 100

    @EVERY
    def test_titles_are_short_and_plain(self, code: str):
        for lang, longest in (("en", 70), ("zh_CN", 35)):
            title = page(code, lang).title
            assert 5 < len(title) <= longest
            assert title[-1] not in ".。"
            assert "{" not in title

    def test_titles_differ(self):
        for lang in LANGUAGES:
            titles = [page(code, lang).title for code in CODES]
            assert len(set(titles)) == len(titles)

    @EVERY
    @BOTH
    def test_what_is_named_is_told(self, code: str, lang: str):
        """Every rule that a page sends the reader to has a page to be read."""
        assert set(re.findall(r"GD\d{3}", raw(code, lang))) <= set(CODES)


class TestSummary:
    @EVERY
    def test_both_languages_fill_the_same_placeholders(self, code: str):
        english, chinese = page(code), page(code, "zh_CN")
        assert list(english.variants) == list(chinese.variants)
        for (_, one), (_, other) in zip(summaries(english), summaries(chinese), strict=True):
            assert fields(one) == fields(other)

    @EVERY
    @BOTH
    def test_format_works(self, code: str, lang: str):
        for _, summary in summaries(page(code, lang)):
            numbers = {n for _, n, spec, _ in Formatter().parse(summary) if n and spec}
            given = {n: 0.5 if n in numbers else "word" for n in fields(summary)}
            said = summary.format(**given)
            assert "{" not in said
            assert said.endswith("." if lang == "en" else "。")

    @EVERY
    @BOTH
    def test_it_is_one_or_two_sentences(self, code: str, lang: str):
        for _, summary in summaries(page(code, lang)):
            assert 4 < len(summary) < 320
            assert len(re.findall(r"\.(?= [A-Z])|。", summary)) <= 3


class TestChinese:
    @EVERY
    def test_punctuation_is_full_width(self, code: str):
        body = re.sub(r"`[^`]*`", "", raw(code, "zh_CN").rpartition("## 参考")[0])
        assert not re.search(r"[一-鿿][,;:!?()]|[,;:!?(][一-鿿]|\)[一-鿿]", body)

    @EVERY
    def test_latin_words_and_numbers_stand_apart(self, code: str):
        body = raw(code, "zh_CN").rpartition("## 参考")[0]
        assert not re.search(r"[一-鿿][A-Za-z0-9`{]|[A-Za-z0-9`}%][一-鿿]", body)

    @EVERY
    def test_every_paragraph_is_translated(self, code: str):
        for key, body in page(code, "zh_CN").sections.items():
            if key != "references":
                for row in filter(None, body.splitlines()):
                    assert re.search("[一-鿿]", row), row

    @EVERY
    def test_it_says_as_much_as_the_english(self, code: str):
        for key in SECTIONS:
            counts = [
                len(re.findall(r"^- ", page(code, lang).sections[key], re.MULTILINE))
                for lang in LANGUAGES
            ]
            assert counts[0] == counts[1], key


def slope(net: Net, bits: float) -> Net:
    for i, layer in enumerate(net.layers):
        net.set("act.rms", layer, 2.0 ** (bits * i))
    return net


def all_over(net: Net, statistic: str, sites: Iterable[int], value: Values) -> Net:
    for site in sites:
        net.set(statistic, site, value)
    return net


def bursting(net: Net, until: int) -> Net:
    return all_over(net, "update.ratio", net.weights, lambda t: 0.8 if t < until else 1e-3)


def to_nan() -> Net:
    net = bursting(Net(steps=30), 30)
    net.each_step("loss.value", LOSS, lambda t: 2.3 * 4.0**t if t < 20 else math.nan)
    return net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= 20))


def dead() -> Net:
    net = Net(6, steps=600).stuck()
    all_over(net, "act.zero_fraction", net.activations, 0.95)
    return all_over(net, "act.dead_fraction", net.activations, lambda t: 0.1 if t < 60 else 0.95)


def flat() -> Net:
    net = Net(6, activation="tanh").stuck()
    all_over(net, "act.gain_loss", net.activations, 5.0)
    return all_over(net, "act.saturated_fraction", net.activations, 0.8)


SICK: dict[str, Callable[[], Net]] = {
    "GD101": lambda: Net(12).gradient_slope(1.9).stuck(),
    "GD201": dead,
    "GD202": flat,
    "GD303": lambda: slope(Net(6).gradient_slope(4.3).stuck(), -4.3),
    "GD304": lambda: slope(Net(20), 0.9).loss(lambda t: 1e6 / (t + 1)),
    "GD309": lambda: Net().loss(lambda t: 15.0 - t / 30),
    "GD401": to_nan,
    "GD417": lambda: Net(steps=1500).loss(lambda t: 2.0),
    "GD509": lambda: Net().stuck(),
}


class TestFilled:
    """Summaries of findings that rules really make."""

    @BOTH
    @pytest.mark.parametrize("expected", SICK)
    def test_nothing_is_left_unknown(self, expected: str, lang: str):
        found = diagnose(SICK[expected]().build()).findings
        assert expected in {f.code for f in found}
        for finding in found:
            given = {"module": "m", "file": "f", "line": 1, "first_step": 0, "last_step": 9}
            said = page(finding.code, lang).tell(given | dict(finding.values))
            assert not re.search(r"\?|nan|NaN|\{", said), (finding.code, said)
