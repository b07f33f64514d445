"""Entries of the formulary made by hand, which no edit of the real ones changes."""

from __future__ import annotations

from dataclasses import dataclass

from gradoctor.knowledge.formulary import Entry
from gradoctor.knowledge.language import Words

from . import pictures as p


@dataclass(frozen=True, slots=True, kw_only=True)
class Detailed(Entry):
    def details(self):
        return (
            (Words("gain", "增益"), Words.same("1.4142")),
            (Words("pitfall", "注意"), Words("A unit may die.", "单元可能死亡。")),
            (Words("pitfall", "注意"), Words("`inplace` changes x.", "`inplace` 改写输入。")),
            (Words("a label that is longer than its column", "比这一栏更长的标签名称"),
             Words.same("x ≤ 0")),
        )  # fmt: skip


RELU = Detailed(
    name="relu",
    kind="activations",
    title=Words("ReLU (rectified linear unit)", "ReLU（修正线性单元）"),
    formula="f(x) = max(x, 0)",
    derivative="f′(x) = 1 if x > 0, else 0",
    range="[0, ∞)",
    limits="x → −∞: 0, x → +∞: x",
    gradient=Words(
        "1 or exactly 0: a unit that is negative on every example gets none, and is **dead**.",
        "为 1 或恰好为 0：若某单元对所有样本都为负，就得不到梯度，即“死亡”。",
    ),
    cost=Words("One comparison.", "一次比较。"),
    use=Words("Hidden layers of convolutional networks, with `kaiming_normal_`.",
              "卷积网络的隐藏层，配合 `kaiming_normal_`。"),
    avoid=Words("Output layers.", "输出层。"),
    torch="torch.nn.ReLU",
    code='layer = nn.Linear(64, 64)\nnn.init.kaiming_normal_(layer.weight, nonlinearity="relu")\n'
    "if True:\n    h = nn.ReLU()(layer(torch.randn(4, 64)))  # half of them are 0",
    reference="Nair, Hinton: Rectified linear units improve restricted Boltzmann machines. 2010.",
    aliases=("rectifier",),
    draw=lambda: (p.RELU,),
)  # fmt: skip
CURRICULUM = Entry(
    name="a_loss_with_a_name_that_is_much_too_long",
    kind="losses",
    title=Words(
        "A loss whose title is a good deal longer than its column",
        "标题比栏目长得多的一种损失函数示例",
    ),
    formula="L = −Σ yᵢ log pᵢ\nover all classes of each example",
    gradient=Words("p − y", "p − y"),
    cost=Words("", ""),
    use=Words("Nowhere.", "无处可用。"),
    avoid=Words("<b>Everywhere</b>.", "<b>处处</b>。"),
    torch="",
    code="loss = -(y * p.log()).sum()",
    reference="None & nobody.",
    draw=lambda: (p.ACCURACY, p.TABLE),
)
ENTRIES = (RELU, CURRICULUM)
