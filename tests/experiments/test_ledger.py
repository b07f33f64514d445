"""Every claim has its experiment, and every experiment its claim."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from importlib import import_module

import pytest

from gradoctor.knowledge.claims import CLAIMS, TOPICS, VERDICTS
from gradoctor.lab import EXPERIMENTS

pytest.importorskip("sklearn")
HAN = re.compile(r"[\u4e00-\u9fff]")


def test_claims_and_experiments_go_together():
    assert set(CLAIMS) == set(EXPERIMENTS)
    assert len(CLAIMS) == sum(len(topic.CLAIMS) for topic in TOPICS), "a number is used twice"
    assert len(set(EXPERIMENTS.values())) == len(EXPERIMENTS), "two claims share an experiment"


@pytest.mark.parametrize("number", sorted(EXPERIMENTS))
def test_the_experiment_exists_and_says_what_it_goes_by(number):
    module, _, name = EXPERIMENTS[number].partition(":")
    function = getattr(import_module(f"gradoctor.experiments.{module}"), name)
    assert not inspect.signature(function).parameters
    told = inspect.getdoc(function)
    assert told.startswith(f"Claim {number}.")
    assert len(told) > 60, "the criterion stands in the docstring"
    assert "Outcome(" in inspect.getsource(function)


@pytest.mark.parametrize("number", sorted(CLAIMS))
def test_a_claim_is_told_in_both_languages(number):
    claim = CLAIMS[number]
    assert claim.number == number
    assert claim.expected in VERDICTS
    for words in (claim.text, claim.why):
        assert words.en.rstrip("）)").endswith(".")
        assert words.zh.endswith(("。", "。）"))
        assert HAN.search(words.zh)
        assert not HAN.search(words.en)
        assert not re.search(r"[\u4e00-\u9fff][,;:?]", words.zh), "half-width punctuation"
    assert len(claim.text.en) < 240


@pytest.mark.parametrize("topic", TOPICS, ids=lambda t: t.__name__.rpartition(".")[2])
def test_a_topic_has_its_own_module(topic):
    name = topic.__name__.rpartition(".")[2]
    for claim in topic.CLAIMS:
        assert claim.topic == name
        assert EXPERIMENTS[claim.number].startswith(name)


def test_the_books_load_without_torch():
    code = "import sys, gradoctor.lab, gradoctor.knowledge.claims; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
