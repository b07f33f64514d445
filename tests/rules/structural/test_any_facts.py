"""Whatever facts, events and statistics a run file holds or lacks, no rule fails."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import LOSS, LOSSFN, OPTIMIZER, Net
from gradoctor.diagnosis import diagnose
from gradoctor.knowledge.facts import EVENTS, FACTS
from gradoctor.knowledge.statistics import STATISTICS
from gradoctor.records import Cycle, Fact
from rules.structural.made import cycle, recorded

WORDS = (
    "", "nan", "inf", "mean", "softmax", "cross_entropy", "nll_loss", "mse_loss", "LambdaLR",
    "binary_cross_entropy_with_logits", "CosineAnnealingLR", "no_grad_fn", "forward", "hidden",
    "layers.0.weight", "bfloat16",
)  # fmt: skip
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 400), st.floats(-1e3, 1e3, allow_nan=False),
)  # fmt: skip
LISTS = {"label_counts", "upstream", "names", "left", "right", "out", "prediction_shape"}
TEXTS = {
    "op", "class", "function", "reduction", "producer", "producer_file", "producer_module", "known",
    "where", "value", "module", "mode", "dtype", "target_dtype", "sampler", "type", "message",
    "owner", "attribute", "container", "name", "what",
}  # fmt: skip
COUNTS = {"batch", "classes", "length", "checked", "stale", "grads", "backwards", "steps"}


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    """A fact of a listed kind; any of its keys may be missing, and any of its values None."""
    kind = draw(st.sampled_from(sorted(FACTS)))
    data = {}
    for key in FACTS[kind]:
        if draw(st.integers(0, 3)) == 0:
            continue
        if key == "settings":
            data[key] = draw(st.sampled_from([None, {}, {"base_lr": 0.1, "T_max": 7.0}]))
        elif key in LISTS or key.endswith("_shape"):
            items = st.integers(0, 64) if key != "upstream" else st.sampled_from(WORDS)
            data[key] = draw(st.none() | st.lists(items, max_size=4))
        elif key in TEXTS:
            data[key] = draw(st.none() | st.sampled_from(WORDS))
        else:
            data[key] = draw(st.none() | st.integers(0, 400) if key in COUNTS else VALUES)
    site = draw(st.none() | st.integers(0, 9))
    line = draw(st.none() | st.integers(1, 50))
    count = draw(st.integers(1, 400))
    return Fact(kind, site, str(draw(st.integers(0, 3))), None, line, 0, 9, count, data)


@st.composite
def orders(draw: st.DrawFn) -> list[Cycle]:
    """Orders of events, possibly none."""
    made, at = [], 0
    for _ in range(draw(st.integers(0, 3))):
        kinds = draw(st.lists(st.sampled_from(sorted(EVENTS)), max_size=8))
        length = draw(st.sampled_from([1, 30, 300]))
        made.append(cycle(" ".join(kinds), at, at + length - 1))
        at += length
    return made


@pytest.mark.filterwarnings("error::RuntimeWarning")
@given(st.lists(facts(), max_size=12), orders(), st.integers(0, 10_000), st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_rule_fails(told, cycles, seed, final):
    draw = np.random.default_rng(seed)
    net = Net(3, int(draw.choice([1, 5, 40, 120])))
    if draw.random() < 0.5:
        net.facts = []
    net.facts += told
    for name, statistic in STATISTICS.items():
        if draw.random() < 0.5:
            net.rows.pop(name, None)
        elif draw.random() < 0.5 and statistic.look != "light":
            for site in [s.id for s in net.sites if s.kind in statistic.sites]:
                net.set(name, site, float(draw.choice([0.0, 1.0, 3.0, np.nan])))
    result = diagnose(recorded(net, cycles), final=final)
    assert [s for s in result.skipped if s.why.startswith("error")] == []
    for found in result.findings:
        assert 0 <= found.first_step <= max(found.last_step, 400)
        assert set(found.sites) <= {s.id for s in net.sites}


@given(st.lists(facts(), min_size=1, max_size=12), orders())
@settings(max_examples=60, deadline=None)
def test_no_rule_fails_without_a_single_number(told, cycles):
    net = Net(1, 2)
    net.rows, net.light, net.facts = {}, {}, list(told)
    result = diagnose(recorded(net, cycles))
    assert [s for s in result.skipped if s.why.startswith("error")] == []


def test_the_usual_sites_are_where_the_facts_point():
    kinds = {s.id: s.kind for s in Net().sites}
    assert [kinds[s] for s in (LOSS, LOSSFN, OPTIMIZER)] == ["loss", "lossfn", "optimizer"]
