from __future__ import annotations

from dataclasses import replace

import pytest

from gradoctor.records import Evidence
from gradoctor.reporters import REPORTERS

from . import builders as b

pytestmark = pytest.mark.usefixtures("pages")


def digest(diagnosis, lang="en"):
    return REPORTERS["terminal"].digest(diagnosis, lang)


def test_root_comes_first_with_its_knock_ons_under_it():
    report = digest(b.sick())
    assert report["lead"]["code"] == "GD101"
    assert [e["code"] for e in report["lead"]["knock_ons"]] == ["GD204", "GD509"]
    assert [e["code"] for e in report["others"]] == ["GD603"]
    assert [e["code"] for e in report["notes"]] == ["GD805"]


def test_root_leads_wherever_it_stands():
    found = (b.knock_on("GD509", 31), b.NOT_SHUFFLED, b.vanishing())
    report = digest(b.diagnosis("sick", found))
    assert report["lead"]["code"] == "GD101"
    assert [e["code"] for e in report["lead"]["knock_ons"]] == ["GD509"]


def test_symptom_is_folded_when_only_the_root_knows_of_it():
    symptom = b.Finding(b.Level.SICK, code="GD509", name="stuck-at-baseline")
    report = digest(b.diagnosis("sick", (b.vanishing(), symptom)))
    assert [e["code"] for e in report["lead"]["knock_ons"]] == ["GD509"]
    assert report["others"] == []


def test_figures_are_in_words():
    rows = digest(b.sick())["lead"]["evidence"]
    assert rows[0] == {
        "label": "gradient, first layer against last",
        "module": "layers.0",
        "said": "1e-9",
        "limit": "below the limit of 9.8e-4",
    }
    assert rows[1]["said"] == "0.032%"
    assert rows[1]["limit"] == "below the limit of 2%"


@pytest.mark.parametrize(
    ("value", "threshold", "limit"),
    [
        (0.9, 0.5, "above the limit of 50%"),
        (0.1, 0.5, "below the limit of 50%"),
        (0.5, 0.5, "limit 50%"),
        (0.5, None, None),
        (float("nan"), 0.5, "limit 50%"),
    ],
)
def test_limit_says_the_side(value, threshold, limit):
    finding = b.vanishing(evidence=(Evidence("act.dead_fraction", value, threshold),))
    row = digest(b.diagnosis("sick", (finding,)))["lead"]["evidence"][0]
    assert row["limit"] == limit


def test_figures_of_one_kind_at_many_places_become_a_picture():
    lead = digest(b.dead())["lead"]
    assert lead["evidence"] == []
    assert [(r["label"], r["said"]) for r in lead["picture"]["rows"]] == [
        ("layers.2", "97%"),
        ("layers.3", "88%"),
        ("layers.4", "71%"),
        ("layers.5", "52%"),
    ]
    assert lead["picture"]["limit"] == "above the limit of 50%"


def test_picture_that_came_with_the_diagnosis_wins():
    picture = {"kind": "curve", "title": "loss", "values": [2.0, 1.0]}
    report = digest(b.sick(meta={**b.META, "pictures": {"GD101": picture}}))
    assert report["lead"]["picture"] == picture


def test_place_is_relative_to_where_the_run_was_started():
    report = digest(b.sick())
    assert report["lead"]["place"] == "train.py:42"
    assert report["others"][0]["place"] == "data.py:18"
    assert report["notes"][0]["place"] == "/opt/lib/blocks.py:9"


def test_place_is_the_script_when_no_line_is_known():
    finding = b.vanishing(sites=(0,))
    lead = digest(b.diagnosis("sick", (finding,)))["lead"]
    assert lead["place"] == "train.py"
    assert lead["modules"] == []


def test_skipped_checks_are_counted_by_reason():
    assert digest(b.sick())["skipped"][0] == {
        "why": "does not apply",
        "codes": ["GD705", "GD706", "GD411"],
    }


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(1.0142, "1.4%"), (1.0, "<0.1%"), (0.98, "<0.1%"), (1.25, "25%"), (None, None),
     (float("nan"), None)],
)  # fmt: skip
def test_overhead_is_a_percentage(ratio, said):
    assert digest(b.healthy(overhead=ratio))["overhead"] == said


def test_headlines():
    assert digest(b.sick())["headline"] == (
        "train.py is sick: 2 findings and 2 knock-ons (300 steps watched)"
    )
    assert digest(b.dead())["headline"] == "train.py is sick: 1 finding (300 steps watched)"
    assert digest(b.suspect())["headline"] == (
        "train.py may be sick: 1 suspicion (300 steps watched)"
    )
    assert digest(b.healthy(steps=1))["headline"] == "train.py is healthy (1 step watched)"
    assert digest(b.unseen())["headline"] == "no training step was seen in train.py"


def test_a_run_without_steps_is_still_told_what_was_found():
    report = digest(b.sick(steps=0))
    assert report["unseen"] is None
    assert report["lead"]["code"] == "GD101"


def test_failed_script_is_mentioned():
    assert digest(b.healthy(meta={"exit_code": 3}))["ended"] == (
        "the script ended with exit code 3"
    )
    assert digest(b.healthy(meta={"signal": "SIGKILL", "exit_code": 137}))["ended"] == (
        "the script was ended by signal SIGKILL"
    )
    assert digest(b.healthy())["ended"] is None


def test_seen_contexts_are_told_apart_from_excluded_ones():
    assert digest(b.suspect())["lead"]["in_doubt"] == ["class weights"]
    assert digest(b.sick())["lead"]["ruled_out"] == ["warm-up", "already converged"]


def test_words_are_in_the_language_asked_for():
    report = digest(b.sick(), "zh")
    assert report["headline"] == "train.py 患病：2 项病症，2 项连带症状（观察了 300 步）"
    assert report["lead"]["title"] == "前面几层几乎得不到梯度"
    assert report["lead"]["evidence"][1]["label"] == "权重更新与最好一层之比"


def test_next_command_explains_the_root():
    assert digest(b.sick())["next"] == [
        "gradoctor explain GD101",
        "gradoctor show .gradoctor/train-1.db",
    ]
    assert digest(b.healthy(meta={}))["next"] == []


def test_the_command_that_would_settle_it_comes_first():
    meta = {**b.META, "script": "train.py", "argv": ["train.py", "--lr", "1"]}
    assert digest(b.sick(meta=meta))["next"][0] == "gradoctor probe init train.py --lr 1"


def test_a_suspected_rival_is_named_by_its_root_and_not_told_again():
    rival = replace(b.NOT_SHUFFLED, code="GD601", name="input-unnormalised")
    report = digest(b.diagnosis("sick", (b.vanishing(), rival)))
    assert "GD601 input-unnormalised" in report["lead"]["sure"]
    assert report["others"] == []
