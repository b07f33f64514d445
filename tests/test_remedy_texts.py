"""Remedies: the ledger and the texts."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest

from gradoctor import remedies
from gradoctor.knowledge import pages
from gradoctor.remedies import REMEDIES, Remedy, remedies_for, text
from gradoctor.rules import RULES

Names = dict[str, Any]
BY_NAME = {r.name: r for r in REMEDIES}
EVERY = pytest.mark.parametrize("remedy", REMEDIES, ids=lambda r: r.name)


class TestLedger:
    def test_names_are_unique_imperative_snake_case(self):
        assert len(BY_NAME) == len(REMEDIES)
        for name in BY_NAME:
            assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)+", name)

    def test_every_code_treated_has_a_page(self):
        treated = {t.partition(":")[0] for r in REMEDIES for t in r.treats}
        assert treated <= set(pages.codes())

    @pytest.mark.parametrize("code", RULES)
    def test_every_rule_has_a_remedy(self, code: str):
        assert remedies_for(code)

    @pytest.mark.parametrize("code", pages.codes())
    def test_the_order_of_preference_is_told_without_gaps(self, code: str):
        ranks = [r.rank(code) for r in remedies_for(code)]
        assert ranks == list(range(1, len(ranks) + 1))

    def test_order_is_of_the_code_not_of_the_ledger(self):
        assert remedies_for("GD101")[0].name == "use_he_initialisation"
        assert remedies_for("GD201")[0].name == "lower_learning_rate"
        assert remedies_for("GD102")[1].name == "clip_gradients"

    @pytest.mark.parametrize("code", ["GD211", "GD417", "GD509"])
    def test_outcomes_get_the_tests_that_tell_causes_apart(self, code: str):
        assert [r.name for r in remedies_for(code)] == ["overfit_one_batch", "find_learning_rate"]

    def test_an_unknown_code_has_none(self):
        assert remedies_for("GD999") == ()

    def test_no_rank_is_the_first_choice(self):
        assert Remedy("do_it", ("GD101",), "").rank("GD101") == 0
        assert Remedy("do_it", ("GD101",), "").rank("GD10") is None

    def test_the_room_loads_without_torch(self):
        code = "import sys, gradoctor.remedies; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestTexts:
    @pytest.mark.parametrize("lang", ["en", "zh_CN"])
    def test_each_remedy_has_its_text_in_the_ledger_s_order(self, lang: str):
        assert list(remedies._texts(lang)) == [r.name for r in REMEDIES]

    @EVERY
    def test_english_is_one_to_three_sentences(self, remedy: Remedy):
        said = text(remedy.name)
        assert said.endswith(".")
        assert 20 < len(" ".join(said.split())) < 260

    @EVERY
    def test_chinese_is_chinese(self, remedy: Remedy):
        said = text(remedy.name, "zh")
        assert said.endswith("。")
        assert re.search("[一-鿿]", said)
        assert not re.search(r"[一-鿿][,;:!?]|[,;:!?][一-鿿]", said), "Latin punctuation"

    def test_names_of_the_interface_agree(self):
        for remedy in REMEDIES:
            quoted = [set(re.findall(r"`([^`]+)`", text(remedy.name, at))) for at in ("en", "zh")]
            assert quoted[0] == quoted[1], remedy.name

    def test_an_unknown_name_is_told_in_words(self):
        assert text("do_something_new") == "do something new"
