from __future__ import annotations

import json
import math

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradoctor import __version__
from gradoctor.records import Baseline, Evidence, Skipped
from gradoctor.reporters import REPORTERS
from gradoctor.reporters.json_report import schema

from . import builders as b
from .strategies import diagnoses

VALIDATOR = jsonschema.Draft202012Validator(schema())


def digest(diagnosis, lang="en"):
    return REPORTERS["json"].digest(diagnosis, lang)


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.usefixtures("pages")
def test_report_is_as_promised():
    report = digest(b.sick())
    assert {k: v for k, v in report.items() if k != "findings"} == {
        "schema": 1,
        "gradoctor": __version__,
        "script": "/home/me/net/train.py",
        "verdict": "sick",
        "steps": 300,
        "overhead": 1.0142,
        "baseline": {"kind": "cross_entropy", "value": 2.3026},
        "checks": {
            "run": [f"GD1{i:02}" for i in range(39)],
            "skipped": [
                {"code": "GD705", "why": "does not apply (fact:scaler)"},
                {"code": "GD706", "why": "does not apply (fact:scaler)"},
                {"code": "GD411", "why": "does not apply (fact:scheduler)"},
                {"code": "GD417", "why": "run too short (300/600)"},
                {"code": "GD418", "why": "the check itself failed (ValueError: odd)"},
                {"code": "GD309", "why": "no loss with a known baseline"},
            ],
        },
        "probed": {"answers": [], "changes": []},
        "next": ["gradoctor explain GD101", "gradoctor show .gradoctor/train-1.db"],
    }
    assert report["findings"][0] == {
        "code": "GD101",
        "name": "vanishing-gradient",
        "level": "sick",
        "root": True,
        "explained_by": [],
        "explains": ["GD204", "GD509"],
        "certainty": "likely",
        "rivals": ["GD601"],
        "module": "layers.0",
        "modules": ["layers.0", "layers.1", "layers.2", "layers.3", "layers.4"],
        "file": "train.py",
        "line": 42,
        "first_step": 20,
        "last_step": 299,
        "summary": "The gradient shrinks by 2.1 bits a layer on its way to the input: `layers.0`"
        " receives 9.9e-10 of what `layers.19` does, so the first of 20 layers do not learn.",
        "evidence": [
            {"statistic": "actgrad.rms", "value": -29.9, "threshold": -10.0, "unit": "bits"},
            {"statistic": "update.ratio", "value": 3.2e-4, "threshold": 0.02, "unit": "share"},
            {"statistic": "lossfn.value", "value": 0.004, "threshold": 0.03, "unit": "r"},
        ],
        "exclusions": ["warm-up: no", "already converged: no"],
        "remedies": [
            {"name": r.name, "code": r.code, "proven": None} for r in b.fake_remedies_for("GD101")
        ],
    }


@pytest.mark.usefixtures("pages")
def test_sentences_are_in_the_language_asked_for():
    report = digest(b.sick(), "zh_CN")
    assert report["findings"][0]["summary"].startswith("梯度每往输入方向传一层")
    assert report["findings"][0]["exclusions"][0] == "预热: 否"
    assert report["findings"][0]["level"] == "sick"


@pytest.mark.usefixtures("pages")
def test_probes_are_told_as_the_schema_promises():
    report = digest(b.sick(meta={**b.META, "probed": b.PROBED}))
    jsonschema.validate(report, schema())
    assert report["probed"] == b.PROBED


def test_every_key_of_the_schema_is_required_and_written():
    top, finding = schema(), schema()["$defs"]["finding"]
    report = digest(b.sick())
    assert set(report) == set(top["properties"]) == set(top["required"])
    assert set(report["findings"][0]) == set(finding["properties"]) == set(finding["required"])


def test_what_is_not_finite_is_null():
    finding = b.vanishing(
        evidence=(Evidence("a", math.nan, math.inf), Evidence("b", -math.inf, None))
    )
    text = REPORTERS["json"].render(
        b.diagnosis("sick", (finding,), overhead=math.inf, baseline=Baseline("mse_loss", math.nan))
    )
    report = json.loads(text, parse_constant=pytest.fail)
    assert report["overhead"] is None
    assert report["baseline"]["value"] is None
    assert [e["value"] for e in report["findings"][0]["evidence"]] == [None, None]


def test_reason_from_elsewhere_is_kept_as_it_is():
    report = digest(b.healthy(skipped=(Skipped("GD999", "the moon was full"),)))
    assert report["checks"]["skipped"] == [{"code": "GD999", "why": "the moon was full"}]


@settings(deadline=None, max_examples=150)
@given(diagnoses, st.sampled_from(["en", "zh"]))
def test_any_report_is_valid(diagnosis, lang):
    text = REPORTERS["json"].render(diagnosis, lang=lang)
    report = json.loads(text.encode("utf-8"), parse_constant=pytest.fail)
    VALIDATOR.validate(report)
    assert len(report["findings"]) == len(diagnosis.findings)
