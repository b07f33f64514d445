"""Sick networks on real data, each beside its mended twin."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_SCRIPTS = Path(__file__).parent / "scripts"

DEFAULT = "sigmoid-20"


@dataclass(frozen=True, slots=True)
class Demo:
    """One lesson: a script that trains badly, and the same script mended.

    Attributes:
        name: what is typed after ``gradoctor demo``.
        title_en, title_zh: what goes wrong, in a few words.
        sick, mended: paths of the two scripts.
        code: the finding that the sick script shows.
    """

    name: str
    title_en: str
    title_zh: str
    sick: Path
    mended: Path
    code: str

    def title(self, language: str) -> str:
        """The title in a language: Chinese for ``zh...``, else English."""
        return self.title_zh if language.startswith("zh") else self.title_en


def _demo(name: str, code: str, title_en: str, title_zh: str) -> Demo:
    stem = name.replace("-", "_")
    return Demo(
        name, title_en, title_zh, _SCRIPTS / f"{stem}.py", _SCRIPTS / f"{stem}_mended.py", code
    )


DEMOS: dict[str, Demo] = {
    demo.name: demo
    for demo in (
        _demo(
            "sigmoid-20",
            "GD101",
            "twenty sigmoid layers: the gradient fades",
            "二十层 sigmoid：梯度传不到最前面的层",
        ),
        _demo(
            "dead-relu",
            "GD401",
            "too high a learning rate kills the ReLU units",
            "学习率过高：ReLU 单元在最初几步就死亡",
        ),
        _demo(
            "exploding-init",
            "GD304",
            "standard normal weights: the signal explodes",
            "标准正态初始化：信号随深度爆炸",
        ),
        _demo(
            "missing-zero-grad",
            "GD901",
            "no zero_grad(): old gradients are added for ever",
            "没有 zero_grad()：旧梯度不断累加",
        ),
        _demo(
            "double-softmax",
            "GD501",
            "softmax before CrossEntropyLoss: a loss that sticks",
            "CrossEntropyLoss 之前又做了 softmax：损失降不下去",
        ),
        _demo(
            "unscaled-inputs",
            "GD601",
            "grey values up to 255 saturate the first layer",
            "输入未归一化（0 到 255）：第一层 tanh 饱和",
        ),
        _demo(
            "layers-in-a-list",
            "GD921",
            "layers in a Python list run but never learn",
            "层放在 Python 列表里：参与计算却从不训练",
        ),
    )
}
