"""Each operator changes one place of a healthy script, the same one for the same seed."""

from __future__ import annotations

import ast
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.cases import load_cases
from corpus.edits import Script
from corpus.mutation import OPERATORS, applicable, inject
from corpus.mutation.vet import figure, harmed, stale
from gradoctor.rules import RULES

PROGRAMS = [case for case in load_cases() if case.kind in ("healthy", "mended")]
TEXTS = {case.label: case.text() for case in PROGRAMS}
PLACES = [(label, name) for label, text in TEXTS.items() for name in applicable(text)]
PLANNED = {"batch-size", "labels-corrupted"}
"""Operators whose own rules the catalogue has planned."""
LOOP = """import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.BatchNorm1d(8), nn.Linear(8, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(20):
    model.train()
    for i in torch.randperm(len(x)).split(32):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        loss.backward()
        optimizer.step()
print("accuracy", 0.5)
"""


@settings(deadline=None)
@given(st.sampled_from(PLACES), st.integers(0, 10_000))
def test_one_place_is_changed_and_the_lines_stay(place, seed):
    label, operator = place
    plain = TEXTS[label]
    mutant = inject(plain, operator, seed)
    ast.parse(mutant.text)
    lines = list(zip(plain.split("\n"), mutant.text.split("\n"), strict=True))
    changed = [n for n, (a, b) in enumerate(lines, 1) if a != b]
    swapped = [mutant.line, mutant.line + 1]
    assert changed == (swapped if operator == "calls-swapped" else [mutant.line])
    assert mutant == inject(plain, operator, seed)
    assert mutant.accept
    assert any(text in lines[mutant.line - 1][1] for text in mutant.lines)
    assert all(text in mutant.text for text in mutant.lines)
    if mutant.when:
        assert mutant.when in mutant.text


@pytest.mark.parametrize("operator", OPERATORS)
def test_every_operator_finds_places(operator):
    assert sum(name == operator for _, name in PLACES) >= 20
    assert OPERATORS[operator].__doc__


@pytest.mark.parametrize(
    ("operator", "texts"),
    {
        "activation-removed": ["torch.nn.Identity()"],
        "activation-changed": ["torch.nn.Sigmoid()"],
        "weights-drawn-anew": ["; [torch.nn.init."],
        "learning-rate": ["lr=1e-05", "lr=0.0001", "lr=10)", "lr=100)"],
        "learning-rate-later": ["optimizer.param_groups[0].update(lr=1"],
        "batch-size": [".split(1)", ".split(2)"],
        "loss-changed": ["torch.softmax(model(x[i]), 1)", "nll_loss("],
        "normalisation-removed": ["torch.nn.Identity()"],
        "labels-corrupted": ["(y[i]).roll(1, 0)"],
        "optimizer-changed": ["torch.optim.Adam(model.parameters(), lr=0.1)"],
        "dropout-rate": ["torch.nn.Sequential(nn.ReLU(), torch.nn.Dropout(0.9"],
        "call-dropped": ["None"],
        "calls-swapped": ["        optimizer.step()\n        loss.backward()\n"],
    }.items(),
)
def test_what_each_operator_writes(operator, texts):
    for seed in range(20):
        mutated = inject(LOOP, operator, seed).text
        assert any(text in mutated for text in texts), mutated


def test_the_time_of_a_fault_is_inside_the_run():
    times = {m.when for s in range(40) if (m := inject(LOOP, "learning-rate-later", s)).when}
    assert len(times) > 3
    assert all(6 <= int(when.removeprefix("epoch >= ")) <= 14 for when in times)


def test_labels_are_codes_of_the_catalogue():
    for operator, find in OPERATORS.items():
        for change in find(Script(LOOP), random.Random(0)):
            assert set(change.accept) & set(RULES) or operator in PLANNED, operator
            assert all(re.fullmatch(r"GD\d{3}", c) for c in (*change.accept, *change.also))


def test_what_does_not_apply_is_refused():
    assert not applicable("print(1)\n")
    with pytest.raises(ValueError, match="no place"):
        inject("print(1)\n", "learning-rate", 0)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("1 loss 0.3\nfinal accuracy 0.975\n", ("accuracy", 0.975)),
        ("test mse 1.5e-3\n\n", ("mse", 0.0015)),
        ("accuracy 0.9 loss nan", ("loss", None)),
        ("准确率 0.99", ("准确率", 0.99)),
        ("done", None),
        ("", None),
    ],
)
def test_the_last_figure_is_read(printed, expected):
    found = figure(printed)
    if expected and expected[1] is None:
        assert found[0] == expected[0]
        assert found[1] != found[1]
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("word", "original", "mutated", "is_harmed"),
    [
        ("accuracy", [0.95, 0.96, 0.97], [0.5, 0.6, 0.7], True),
        ("accuracy", [0.95, 0.96, 0.97], [0.94, 0.93, 0.94], False),  # worse by a hair
        ("accuracy", [0.95, 0.5, 0.97], [0.6, 0.6, 0.6], False),  # the original does so as well
        ("mse", [0.3, 0.31, 0.32], [0.9, float("nan"), 1.2], True),
        ("mse", [0.3, 0.31, 0.32], [0.4, 0.4, 0.4], False),
        ("loss", [0.3, float("nan"), 0.3], [9.0, 9.0, 9.0], False),
    ],
)
def test_harm(word, original, mutated, is_harmed):
    assert harmed(word, original, mutated) is is_harmed


def test_the_kept_mutants_are_the_ones_that_were_measured():
    assert stale() == [], "run `python -m corpus.mutation.vet`"
