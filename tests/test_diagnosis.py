from __future__ import annotations

import math

import pytest

from builders import Net
from gradoctor.diagnosis import chosen, diagnose, digest
from gradoctor.errors import UnknownRuleError
from gradoctor.knowledge.causes import EDGES, OUTCOMES, descendants, leads_to, prior
from gradoctor.records import Fact, Finding, Level, Site
from gradoctor.rules import RULES, Rule


def finding(code: str, level: Level = Level.SICK, first: int = 0, **more) -> Finding:
    return Finding(level, code=code, name=code, first_step=first, last_step=299, **more)


def told(*found: Finding) -> dict[str, Finding]:
    return {f.code: f for f in digest(Net().build(), found)}


def roots(*found: Finding) -> list[str]:
    return [f.code for f in digest(Net().build(), found) if f.root]


class TestProbed:
    """Findings without the answers of probes, and with them."""

    def slow(self, *facts: Fact) -> Net:
        net = Net()
        net.loss(lambda t: math.log(10) * (1 - t * 1e-6), spread=1e-4)
        net.set("grad.snr", 0, 6.0).set("grad.cosine", 0, 0.66)
        for weight in net.weights:
            net.set("update.ratio", weight, 3e-6)
            net.set("weight.movement", weight, lambda t: 3e-6 * t)
        net.facts.extend(facts)
        return net

    def answer(self, verdict: str, **values: object) -> Fact:
        data = {"name": "learning-rate", "verdict": verdict, "values": values, "cautions": []}
        return Fact("probe", None, "learning-rate", data=data)

    def test_nothing_was_asked(self):
        assert "probed" not in diagnose(self.slow().build()).meta

    def test_what_an_answer_raises_is_proven(self):
        found = diagnose(self.slow(self.answer("higher", gain_high=0.8)).build())
        assert found.meta["probed"]["changes"] == [
            {"code": "GD403", "before": "sick", "after": "confirmed"}
        ]
        assert [a["name"] for a in found.meta["probed"]["answers"]] == ["learning-rate"]
        (root,) = [f for f in found.findings if f.root]
        assert (root.code, root.certainty, root.rivals) == ("GD403", "proven", ())

    def test_what_an_answer_takes_back(self):
        found = diagnose(self.slow(self.answer("right", gain_high=-0.9)).build())
        changes = {c["code"]: (c["before"], c["after"]) for c in found.meta["probed"]["changes"]}
        assert changes["GD403"] == ("sick", "note")


class TestGraph:
    def test_outcomes_lead_nowhere_but_to_outcomes(self):
        for code in OUTCOMES:
            assert descendants(code) <= OUTCOMES

    def test_few_causes_explain_each_other(self):
        rings = {(a, b) for a in EDGES for b in descendants(a) if leads_to(b, a)}
        # time tells these apart: which began first
        assert rings == {
            ("GD102", "GD401"),
            ("GD401", "GD102"),
            ("GD103", "GD204"),
            ("GD204", "GD103"),
            ("GD701", "GD711"),
            ("GD711", "GD701"),
        }

    def test_wiring_comes_before_learning_rate_before_initialisation(self):
        order = ["GD901", "GD601", "GD501", "GD401", "GD304", "GD101", "GD701", "GD509"]
        assert sorted(set(order), key=prior) == order

    def test_what_is_found_by_exclusion_comes_after_every_mechanism(self):
        order = ["GD413", "GD810", "GD701", "GD616", "GD509"]
        assert sorted(set(order), key=prior) == order


class TestDigest:
    def test_one_root_and_its_knock_ons(self):
        by = told(finding("GD509"), finding("GD211"), finding("GD101"), finding("GD204"))
        assert [c for c, f in by.items() if f.root] == ["GD101"]
        assert by["GD509"].explained_by[0] == "GD101"
        assert set(by["GD101"].explains) == {"GD204", "GD211", "GD509"}
        assert next(iter(by)) == "GD101"

    def test_a_cause_may_not_start_after_its_symptom(self):
        assert roots(finding("GD401", first=1), finding("GD201", first=14)) == ["GD401"]
        by = told(finding("GD401", first=200), finding("GD201", first=14))
        assert by["GD201"].explained_by == ()

    def test_in_a_ring_the_earlier_explains_the_later(self):
        assert roots(finding("GD401"), finding("GD102", first=2)) == ["GD401"]
        assert roots(finding("GD401", first=9), finding("GD102", first=2)) == ["GD102"]

    def test_two_looks_of_tolerance(self):
        assert told(finding("GD401", first=2), finding("GD201"))["GD201"].explained_by
        assert not told(finding("GD401", first=3), finding("GD201"))["GD201"].explained_by

    def test_a_proof_explains_whenever_it_was_seen(self, monkeypatch):
        structural = Rule("missing-zero-grad", lambda run: (), "structural")
        monkeypatch.setitem(RULES, "GD901", structural)
        by = told(finding("GD901", first=30), finding("GD401", first=3))
        assert by["GD901"].root
        assert by["GD401"].explained_by == ("GD901",)

    def test_a_suspect_does_not_explain_what_is_sick(self):
        by = told(finding("GD303", Level.SUSPECT), finding("GD101"))
        assert by["GD101"].root
        assert by["GD101"].explained_by == ()

    def test_a_note_explains_nothing_and_is_explained(self):
        by = told(finding("GD601", Level.NOTE), finding("GD509"))
        assert by["GD509"].root
        assert told(finding("GD601"), finding("GD309", Level.NOTE))["GD309"].explained_by

    def test_rivals_for_one_symptom_are_settled_by_prior(self):
        assert roots(finding("GD101"), finding("GD603"), finding("GD509")) == ["GD603"]

    def test_two_proofs_both_stand(self, monkeypatch):
        for code in ("GD501", "GD901"):
            monkeypatch.setitem(RULES, code, Rule(code, lambda run: (), "structural"))
        assert roots(finding("GD501"), finding("GD901"), finding("GD509")) == ["GD901", "GD501"]

    def test_unrelated_diseases_are_both_roots_the_likelier_first(self):
        assert roots(finding("GD309"), finding("GD603")) == ["GD603", "GD309"]

    def test_other_models_are_not_explained(self):
        net = Net()
        net.change(net.layers[0], model="A").change(net.layers[1], model="B")
        here, there = (net.layers[0],), (net.layers[1],)
        found = digest(net.build(), [finding("GD101", sites=here), finding("GD204", sites=there)])
        assert not any(f.explained_by for f in found)

    def test_order_root_then_gravity_then_knock_ons(self):
        found = digest(
            Net().build(),
            [
                finding("GD601", Level.NOTE),
                finding("GD509"),
                finding("GD101"),
                finding("GD603", Level.SUSPECT),
            ],
        )
        assert [f.code for f in found] == ["GD101", "GD603", "GD601", "GD509"]

    def test_an_outcome_alone_is_its_own_root(self):
        assert roots(finding("GD509")) == ["GD509"]


class TestDiagnose:
    def test_the_20_layer_sigmoid(self):
        result = diagnose(Net(20, activation="sigmoid").gradient_slope(2.8).stuck().build())
        assert result.verdict == "sick"
        assert [f.code for f in result.findings if f.root] == ["GD101"]
        assert {f.code for f in result.findings if f.explained_by} >= {"GD211", "GD509"}
        assert result.baseline is not None
        assert result.baseline.kind == "cross_entropy"
        assert result.baseline.value == pytest.approx(math.log(10), rel=1e-3)

    def test_frame(self):
        net = Net()
        net.meta["overhead"] = 0.014
        result = diagnose(net.build())
        assert result.overhead == pytest.approx(1.014)
        assert result.script == "train.py"
        assert result.steps == 300
        assert not set(result.checks_run) & {s.code for s in result.skipped}
        assert {*result.checks_run, *(s.code for s in result.skipped)} == set(RULES)

    def test_a_fault_in_one_rule_skips_only_that_one(self, monkeypatch):
        def broken(run):
            raise ZeroDivisionError("oops")

        monkeypatch.setitem(RULES, "GD999", Rule("broken", broken, "structural"))
        result = diagnose(Net().build())
        assert [s.why for s in result.skipped if s.code == "GD999"] == [
            "error:ZeroDivisionError: oops"
        ]
        assert "GD101" in result.checks_run

    def test_missing_needs_are_told(self):
        net = Net()
        del net.rows["update.ratio"]
        why = {s.code: s.why for s in diagnose(net.build()).skipped}
        assert why["GD101"] == "missing:update.ratio"

    def test_too_short_is_told(self):
        why = {s.code: s.why for s in diagnose(Net(steps=40).build()).skipped}
        assert why["GD509"].startswith("too-short:")

    def test_a_suspect_does_not_make_it_sick_and_a_note_changes_nothing(self):
        suspect = Net().stuck()
        del suspect.rows["prediction.centred_ratio"]
        assert diagnose(suspect.build()).verdict == "suspect"
        note = Net(20).gradient_slope(-0.9)
        result = diagnose(note.build())
        assert "GD102" in [f.code for f in result.findings]
        assert result.verdict == "healthy"

    def test_while_it_runs_outcomes_wait(self):
        run = Net(steps=150).stuck().build()
        assert diagnose(run).verdict == "suspect"
        assert diagnose(run, final=False).verdict == "healthy"

    def test_selection(self):
        assert chosen(["GD1"]) == tuple(c for c in RULES if c.startswith("GD1"))
        assert chosen(["vanishing-gradient"]) == ("GD101",)
        assert "GD101" not in chosen(ignore=["GD1"])
        assert diagnose(Net().build(), select=["GD101"]).checks_run == ("GD101",)
        for bad in ("GD000", "", "nonsense"):
            with pytest.raises(UnknownRuleError):
                chosen([bad])

    def test_a_gan_is_not_judged_by_its_loss(self):
        net = Net().stuck()
        net.sites.append(Site(len(net.sites), "loss", "g_loss", meta={"optimizers": [50]}))
        net.each_step("loss.value", len(net.sites) - 1, lambda t: 0.7 + t / 100)
        assert diagnose(net.build()).verdict == "healthy"


class TestCertainty:
    def standing(self, *found: Finding, code: str) -> tuple[str, tuple[str, ...]]:
        by = told(*found)
        return by[code].certainty, by[code].rivals

    def test_a_proof_is_proven_whatever_else_was_found(self, monkeypatch):
        monkeypatch.setitem(RULES, "GD901", Rule("missing-zero-grad", lambda run: (), "structural"))
        found = finding("GD901"), finding("GD403", Level.SUSPECT), finding("GD509")
        assert self.standing(*found, code="GD901") == ("proven", ())

    def test_a_root_without_rivals_is_evident(self):
        assert self.standing(finding("GD101"), finding("GD509"), code="GD101") == ("evident", ())
        found = finding("GD101"), finding("GD418", Level.NOTE), finding("GD509")
        assert self.standing(*found, code="GD101") == ("evident", ())

    def test_what_would_explain_the_same_symptom_is_a_rival(self):
        found = finding("GD303"), finding("GD603"), finding("GD509")
        assert self.standing(*found, code="GD603") == ("likely", ("GD303",))

    def test_an_outcome_without_a_cause_is_open(self):
        assert self.standing(finding("GD509"), finding("GD417"), code="GD509") == ("open", ())

    def test_only_roots_have_one(self):
        by = told(finding("GD101"), finding("GD509"), finding("GD418", Level.NOTE))
        assert {c for c, f in by.items() if f.certainty} == {"GD101"}


class TestPromotion:
    def test_a_suspected_cause_of_a_certain_outcome_is_its_root(self):
        by = told(finding("GD108", Level.SUSPECT), finding("GD211"), finding("GD509"))
        assert [c for c, f in by.items() if f.root] == ["GD108"]
        assert by["GD108"].level == Level.SICK
        assert by["GD509"].explained_by[0] == "GD108"

    def test_the_most_upstream_of_several_is_raised_and_the_others_are_rivals_or_effects(self):
        by = told(
            finding("GD303", Level.SUSPECT), finding("GD101", Level.SUSPECT),
            finding("GD603", Level.SUSPECT), finding("GD509"),
        )  # fmt: skip
        (first,) = (f for f in by.values() if f.root)
        assert (first.code, first.certainty, first.rivals) == ("GD603", "likely", ("GD303",))
        assert by["GD303"].level == Level.SUSPECT

    @pytest.mark.parametrize(
        "suspect",
        [
            finding("GD108", Level.NOTE),
            finding("GD108", Level.SUSPECT, exclusions=(("warm-up", True),)),
            finding("GD108", Level.SUSPECT, first=200),
            finding("GD610", Level.SUSPECT),
            finding("GD405", Level.SUSPECT),
        ],
        ids=["a note", "excused", "later than the outcome", "no way to the outcome", "structural"],
    )
    def test_what_is_not_raised(self, suspect):
        by = told(suspect, finding("GD509"))
        assert [c for c, f in by.items() if f.root] == ["GD509"]

    def test_a_sick_cause_leaves_suspects_alone(self):
        by = told(finding("GD601"), finding("GD108", Level.SUSPECT), finding("GD509"))
        assert by["GD108"].level == Level.SUSPECT
