"""A script's literal seeds are shifted, and nothing else."""

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.seeds import STRIDE, reseeded

SCRIPT = """import argparse, random, numpy as np, torch  # 种子
torch.manual_seed(7); random.seed(3)
rng = np.random.default_rng(0)
x = split(data, test_size=0.2, random_state=1)
SEED = 5
def make(width=32, seed=4):
    return width
p = argparse.ArgumentParser()
p.add_argument("--seed", type=int, default=42)
p.add_argument("--epochs", type=int, default=12)
torch.manual_seed(SEED)
class Config:
    seed: int = 8
    lr: float = 0.1
"""
SHIFTED = {7: 2, 3: 2, 0: 3, 1: 4, 5: 5, 4: 6, 42: 9, 8: 13}


@settings(deadline=None)
@given(st.integers(1, 9))
def test_every_literal_seed_is_shifted(seed):
    text = reseeded(SCRIPT, seed).split("\n")
    plain = SCRIPT.split("\n")
    changed = {n for n, (a, b) in enumerate(zip(plain, text, strict=True), 1) if a != b}
    assert changed == set(SHIFTED.values())
    ast.parse("\n".join(text))
    for value, line in SHIFTED.items():
        assert str(value + STRIDE * seed) in text[line - 1]


def test_the_first_run_is_the_script_itself():
    assert reseeded(SCRIPT, 0) == SCRIPT


@pytest.mark.parametrize("text", ["x = 1\n", "torch.manual_seed(n)\n", "seed = True\n"])
def test_a_script_without_a_literal_seed_is_refused(text):
    with pytest.raises(ValueError, match="seed"):
        reseeded(text, 1)
