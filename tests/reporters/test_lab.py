"""The lab's list, the outcome of a claim, and its page."""

from __future__ import annotations

import dataclasses

import pytest

from gradoctor.knowledge.claims import Claim
from gradoctor.knowledge.language import Words
from gradoctor.lab import Outcome, Spread
from gradoctor.lab.keeping import Earlier, Kept
from gradoctor.reporters import lab
from gradoctor.reporters._layout import cells
from gradoctor.reporters.lab_page import render_page

from . import pictures as p
from .reading import stands_alone

CLAIMS = [
    Claim(2, "depth", Words("The sigmoid's slope is at most 0.25.", "sigmoid 的导数不超过 0.25。"),
          "true", Words("σ′ = σ(1 − σ) is largest at 0.", "σ′ = σ(1 − σ) 在 0 处最大。")),
    Claim(7, "depth", Words("ReLU <b>solves</b> vanishing & exploding gradients, whatever else is"
                            " wrong with the network.", "ReLU <b>解决</b>了梯度消失与爆炸问题。"),
          "partly", Words("It `keeps` half of the units alive.", "它让一半单元 `存活`。")),
    Claim(19, "losses", Words("Cross-entropy is a distance.", "交叉熵是一种距离。"), "false",
          Words("It is not symmetric.", "它不对称。")),
    Claim(20, "losses", Words("The loss is convex.", "损失是凸的。"), "depends",
          Words("In the logits only.", "仅对 logits 而言。")),
]  # fmt: skip


def kept(number: int, verdict: str, *earlier: Earlier, **given) -> Kept:
    outcome = Outcome(
        verdict,
        Words("The slope is 0.25 at most.", "斜率最大为 0.25。"),
        {"slope": Spread(0.25, 0.24, 0.26, 3)},
        (p.ACCURACY, p.RELU),
        seeds=given.pop("seeds", 3),
    )
    versions = {"gradoctor": "0.1.0", "python": "3.11.7", "torch": "2.13.0"}
    machine = {"cores": 2, "system": "linux x86_64"}
    date = "2026-11-21T10:20:30+00:00"
    return Kept(number, outcome, 3.2, date, versions, machine, "abc", earlier, **given)


BEFORE = Earlier("true", "2026-10-01T00:00:00+00:00", "0.0.9", "2.12.0")
RESULTS = {2: kept(2, "true", seeds=1), 7: kept(7, "false", BEFORE)}
FAILED = {19: "it ended with exit code 1\nValueError: <no> such thing"}


# ---- data ----------------------------------------------------------------------------------------
def test_a_digest_of_a_result():
    said = lab.digest(CLAIMS[1], RESULTS[7], "en")
    assert said["verdict"] == "false"
    assert said["expected"] == "partly"
    assert not said["agrees"]
    assert said["changed"].startswith("an earlier run said: true (2026-10-01, gradoctor 0.0.9")
    assert said["figures"] == [("slope", "0.25 (0.24–0.26)")]
    assert said["run"].startswith("3 seeds: median and range; 3.2 s on 2 cores; 2026-11-21 10:20;")


def test_a_digest_without_a_result():
    said = lab.digest(CLAIMS[2], None, "zh", FAILED[19])
    assert said["verdict"] is None
    assert said["agrees"]
    assert said["failed"] == FAILED[19]
    assert said["figures"] == []
    assert said["pictures"] == ()


def test_topics_stand_in_the_order_of_the_ledger():
    odd = dataclasses.replace(CLAIMS[0], topic="unheard of")
    assert list(lab.by_topic([odd, *reversed(CLAIMS)])) == ["depth", "losses", "unheard of"]


# ---- terminal ------------------------------------------------------------------------------------
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_reads_as_approved(lang, snapshot):
    assert lab.render_list(CLAIMS, RESULTS, [2], lang) == snapshot
    for claim in CLAIMS[:3]:
        number = claim.number
        said = lab.digest(claim, RESULTS.get(number), lang, FAILED.get(number, ""))
        assert lab.render_claim(said, lang) == snapshot
        assert lab.line(said, lang) == snapshot
        assert lab.render_claim(said, lang, color=True).count("\x1b") > 4


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [10, 40, 80, 120])
def test_nothing_is_wider_than_the_terminal(lang, width):
    text = lab.render_list(CLAIMS, RESULTS, [], lang, width)
    for claim in CLAIMS:
        said = lab.digest(claim, RESULTS.get(claim.number), lang, FAILED.get(claim.number, ""))
        text += lab.render_claim(said, lang, width)
    assert max(map(cells, text.splitlines())) <= max(width, 30)


def test_verdicts_are_counted():
    said = [lab.digest(claim, RESULTS.get(claim.number), "en") for claim in CLAIMS]
    assert lab.counted(said, "en") == "true: 1, false: 1"
    assert lab.counted(said, "zh") == "正确：1、错误：1"


# ---- page ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_stands_alone(lang):
    pytest.importorskip("matplotlib")
    made = render_page(CLAIMS, RESULTS, FAILED, lang)
    reader = stands_alone(made)
    assert reader.tags.count("article") == 4
    assert reader.tags.count("svg") == 4
    states = [made.split(f'id="claim-{c.number}"')[1].split('"')[1] for c in CLAIMS]
    assert states == ["true", "false", "failed", "untested"]
    for said in ("0.25 (0.24–0.26)", "torch 2.13.0", "ValueError: <no> such thing"):
        assert said in reader.text
    assert ("交叉熵" in reader.text) == (lang == "zh")


def test_the_head_counts_and_lists_what_went_otherwise():
    reader = stands_alone(render_page(CLAIMS, RESULTS, FAILED))
    head = reader.text.split("topic")[0]
    for said in ("all 4", "true 1", "false 1", "failed 1", "not tested 1"):
        assert said in head
    for title, number in (
        ("The experiment failed", 19),
        ("The verdict is not the expected one", 7),
        ("The verdict has changed since an earlier run", 7),
    ):
        assert head.split(title)[1].startswith(f"{number}. ")


def test_a_page_without_results_says_so():
    reader = stands_alone(render_page(CLAIMS, {}, {}))
    assert "No experiment has run yet." in reader.text
    assert "The experiment failed" not in reader.text
    assert "not the expected" not in reader.text


def test_what_a_claim_says_is_never_markup():
    reader = stands_alone(render_page(CLAIMS, RESULTS, FAILED))
    assert reader.tags.count("b") == 1  # the head of the contents
    assert "ReLU <b>solves</b> vanishing & exploding" in reader.text
