"""What holds for every rule: quiet on health, never raises, unmoved by names and scale."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import OPTIMIZER, Net
from gradoctor.diagnosis import diagnose
from gradoctor.knowledge.facts import FACTS
from gradoctor.knowledge.statistics import STATISTICS
from gradoctor.recording import Recording, Table, from_rows
from gradoctor.records import Level, Site
from gradoctor.rules import RETIRED, RULES


def faults(run: Recording, **options: object) -> list[str]:
    """Checks that raised."""
    return [s.why for s in diagnose(run, **options).skipped if s.why.startswith("error")]  # type: ignore[arg-type]


def sick_net() -> Net:
    return Net(12).gradient_slope(1.9).stuck()


class TestLedger:
    def test_codes_and_names(self):
        assert list(RULES) == sorted(RULES)
        names = [r.name for r in RULES.values()]
        assert len(set(names)) == len(names)
        assert not set(RULES) & set(RETIRED)
        for code, rule in RULES.items():
            assert code[:2] == "GD"
            assert len(code) == 5
            assert rule.judge.__doc__
            assert not rule.name.startswith(("check-", "no-", "avoid-"))

    def test_needs_are_in_the_catalogue(self):
        for rule in RULES.values():
            for need in rule.needs:
                assert need in STATISTICS or need.removeprefix("fact:") in FACTS, (rule.name, need)


class TestHealthy:
    @pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
    @pytest.mark.parametrize("steps", [1, 2, 30, 100, 300, 1500])
    @pytest.mark.parametrize("final", [True, False])
    def test_a_healthy_net_is_healthy_at_any_length(self, optimizer, steps, final):
        result = diagnose(Net(8, steps, optimizer=optimizer).build(), final=final)
        assert [f for f in result.findings if f.level > Level.NOTE] == []
        assert result.verdict == "healthy"
        assert not [s for s in result.skipped if s.why.startswith("error")]

    def test_look_alikes(self):
        cosine = Net(steps=1000).each_step(
            "lr", OPTIMIZER, lambda t: 0.05 * (1 + math.cos(math.pi * t / 1000))
        )
        for weight in cosine.weights:
            cosine.set("update.ratio", weight, lambda t: 1e-3 * (1 - t / 1000))
        zero = Net(steps=1000).loss(lambda t: 2.3 * math.exp(-t / 15))
        for weight in zero.weights:
            zero.set("grad.absmax", weight, lambda t: 1e-2 if t < 700 else 0.0)
        late = Net(steps=400, optimizer="AdamW")
        late.gradient_slope(lambda t: 1.4 * math.exp(-t / 60)).loss(lambda t: 2.2 - t / 300)
        for net in (cosine, zero, late):
            assert diagnose(net.build()).verdict == "healthy"


class TestNeverRaises:
    def test_an_empty_recording(self):
        empty = from_rows({}, [Site(0, "run", "run")])
        assert faults(empty) == []
        assert diagnose(empty).verdict == "healthy"

    @pytest.mark.parametrize("value", [math.nan, math.inf, 0.0, -1.0, 1e38])
    def test_odd_numbers_throughout(self, value):
        net = sick_net()
        for table in (net.rows, net.light):
            for columns in table.values():
                for site in columns:
                    columns[site] = [value] * len(columns[site])
        assert faults(net.build()) == []

    @given(st.data())
    @settings(max_examples=25, deadline=None)
    def test_holes_anywhere(self, data):
        net = Net(4, data.draw(st.sampled_from([1, 3, 40, 120])))
        draw = np.random.default_rng(data.draw(st.integers(0, 999)))
        for table in (net.rows, net.light):
            for name in list(table):
                if draw.random() < 0.2:
                    del table[name]
                    continue
                for site, column in table[name].items():
                    hole = draw.random(len(column)) < draw.random()
                    odd = draw.choice([math.nan, math.inf, 0.0])
                    table[name][site] = [odd if h else v for h, v in zip(hole, column, strict=True)]
        assert faults(net.build()) == []

    def test_bare_sites(self):
        net = sick_net()
        net.sites = [replace(s, meta={}, order=-1) for s in net.sites]
        assert faults(net.build()) == []


class TestInvariance:
    @given(st.floats(-20, 20))
    @settings(max_examples=15, deadline=None)
    def test_the_scale_of_all_gradients_does_not_matter(self, bits):
        net, scaled = sick_net(), sick_net()
        for name in ("actgrad.rms", "grad.rms", "grad.absmax", "grad.norm"):
            for site, column in scaled.rows[name].items():
                scaled.rows[name][site] = [v * 2.0**bits for v in column]
        before, after = diagnose(net.build()), diagnose(scaled.build())
        told = [[(f.code, f.level, f.sites, f.root) for f in d.findings] for d in (before, after)]
        assert told[0] == told[1]

    def test_names_do_not_matter(self):
        net, renamed = sick_net(), sick_net()
        renamed.sites = [replace(s, name=f"x{s.id}") for s in renamed.sites]
        told = [
            [(f.code, f.level, f.sites, f.first_step) for f in diagnose(n.build()).findings]
            for n in (net, renamed)
        ]
        assert told[0] == told[1]

    @given(st.integers(0, 299))
    @settings(max_examples=25, deadline=None)
    def test_a_prefix_knows_nothing_of_what_follows(self, end):
        net = sick_net()
        for site in net.activations:
            net.set("act.dead_fraction", site, lambda t: math.nan if t < 20 else t / 300)
        for found in diagnose(net.build().until(end)).findings:
            assert found.first_step <= end
            assert found.last_step <= end

    def test_judging_leaves_the_recording_alone_and_repeats_itself(self):
        run = sick_net().build()
        assert diagnose(run).findings == diagnose(run).findings
        assert "final" not in run.meta


def test_a_thousand_sites_and_ten_thousand_steps_are_judged():
    # how long it takes is measured by benchmarks/show.py --sites 1001
    small = Net(330, steps=10_000)
    looks = np.arange(0, 10_000, dtype=np.int64)
    draw = np.random.default_rng(0)
    noise = (1 + 0.05 * draw.standard_normal((len(looks), len(small.sites)))).astype(np.float32)
    healthy = small.build()

    def load(name: str) -> Table:
        table = healthy.table(name)
        if name in small.light:
            return table
        values = noise[:, : len(table.sites)] * table.values[-1][None, :]
        return Table(looks, table.sites, values, values, values)

    tables = {name: load(name) for name in healthy.statistics}
    run = replace(healthy, load=tables.__getitem__)
    result = diagnose(run)
    assert result.verdict == "healthy"
    assert len(run.sites) > 990
    assert not [s for s in result.skipped if s.why.startswith("error")]
