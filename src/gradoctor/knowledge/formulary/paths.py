"""Gradient paths: what lets a gradient through many layers or many steps of time."""

from __future__ import annotations

from gradoctor.knowledge.formulary import _path
from gradoctor.knowledge.formulary._path import Path
from gradoctor.knowledge.language import Words

ENTRIES: tuple[Path, ...] = (
    Path(
        name="residual",
        kind="paths",
        title=Words("Residual connection", "残差连接"),
        formula="y = x + f(x)\npre-norm: y = x + f(norm(x));   post-norm: y = norm(x + f(x))",
        derivative="∂y/∂x = 1 + f'(x)",
        gradient=Words(
            "Each block passes the gradient on as it is and adds what its branch sends back, so it does not vanish with depth while no norm stands on the path. It may explode: where branches are as strong as their input, variances double at each block, forward and back.",
            "每个块把梯度原样传下去，再加上支路回传的部分；只要主路上没有归一化，梯度就不会随深度消失。但它可能爆炸：若支路与输入一样强，前向和反向的方差每经过一个块都会翻倍。",
        ),
        cost=Words("one addition a value; the input is kept until the branch is done", "每个值一次加法；输入须保留到支路计算完"),
        use=Words("every network deeper than about ten layers; pre-norm in deep transformers", "十层以上的网络基本都应使用；深层 Transformer 用 pre-norm"),
        avoid=Words("post-norm in deep stacks without warm-up; an activation on the path after the sum, which cuts what is negative", "不预热的深层 post-norm；在相加之后的主路上放激活函数（负值会被截断）"),
        torch="",
        code="class Block(nn.Module):\n"
        "    def __init__(self, width):\n"
        "        super().__init__()\n"
        "        self.norm, self.inner, self.outer = nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.Linear(4 * width, width)\n"
        "        nn.init.zeros_(self.outer.weight)  # the block begins as the identity\n"
        "    def forward(self, x):\n"
        "        return x + self.outer(torch.relu(self.inner(self.norm(x))))\n"
        "y = Block(8)(torch.randn(4, 8))",
        reference="K. He et al. Deep Residual Learning for Image Recognition. CVPR 2016; K. He et al. Identity Mappings in Deep Residual Networks. ECCV 2016; R. Xiong et al. On Layer Normalization in the Transformer Architecture. ICML 2020.",
        aliases=("skip", "skip_connection", "shortcut", "resnet", "pre_norm", "post_norm"),
        draw=_path.depth_pictures,
        step=_path.residual,
        direct=Words("1 at each block; in post-norm also the norm's derivative, about 1/√2 where branch and input are equally strong", "每个块为 1；post-norm 还要乘以归一化的导数，支路与输入同样强时约为 1/√2"),
        start=Words("last layer of each branch at 0, or branches scaled by 1/√(2L) in L blocks of two branches: the variance then grows by (1 + 1/(2L))^(2L) < e in all", "每个支路的最后一层取 0，或在含 L 个块、每块两个支路的网络中把支路乘以 1/√(2L)：方差总共只增大 (1 + 1/(2L))^(2L) < e 倍"),
        pitfalls=(
            Words("f'(x) = −1 cancels the path: 1 + f' is no bound from below.", "f'(x) = −1 会抵消主路：1 + f' 并没有正的下界。"),
            Words("In pre-norm the stream grows with depth, so late blocks change it little: it needs a norm before the head.", "pre-norm 中主路的幅度随深度增长，靠后的块影响很小；输出头之前还需要一个归一化。"),
            Words("A shortcut with a projection (where shapes change) is a layer: the gradient is multiplied by its weights.", "形状改变处带投影的捷径本身就是一层：梯度会乘以它的权重。"),
        ),
    ),
    Path(
        name="lstm_gates",
        kind="paths",
        title=Words("LSTM: the cell's path", "LSTM：细胞状态通路"),
        formula="i, f, o = σ(W·x + U·h + b) each,   g = tanh(W·x + U·h + b)\nc' = f⊙c + i⊙g\nh' = o⊙tanh(c')",
        derivative="∂c'/∂c = f along the direct path (plus what goes round through h)",
        gradient=Words(
            "Along the cell the gradient is multiplied by the forget gate only, by no weight and no slope: over T steps by fᵀ, 1e-30 for f = 0.5 and 0.37 for f = 0.99 at T = 100. It does not explode on this path, for f < 1; through h it still may.",
            "沿细胞状态，梯度只乘以遗忘门，不乘权重也不乘激活导数：T 步后为 fᵀ，T = 100 时 f = 0.5 为 1e-30，f = 0.99 为 0.37。因 f < 1，这条通路上不会爆炸；但经过 h 的通路仍可能爆炸。",
        ),
        cost=Words("4 times the weights and products of a plain RNN; 2 states", "权重和乘法为普通 RNN 的 4 倍；2 个状态"),
        use=Words("sequences where something is to be kept over tens to hundreds of steps", "需要把信息保持几十到几百步的序列"),
        avoid=Words("lags of thousands of steps (attention, or state-space models); where steps must run in parallel", "上千步的间隔（用注意力或状态空间模型）；各步需并行计算时"),
        torch="torch.nn.LSTM",
        code="lstm = nn.LSTM(4, 8, batch_first=True)\n"
        "with torch.no_grad():\n"
        "    lstm.bias_ih_l0[8:16] = 1.0  # forget gates, the second quarter\n"
        "    lstm.bias_hh_l0[8:16] = 0.0  # the two biases add up\n"
        "y, (h, c) = lstm(torch.randn(2, 10, 4))",
        reference="S. Hochreiter, J. Schmidhuber. Long Short-Term Memory. Neural Computation, 1997; F. A. Gers, J. Schmidhuber, F. Cummins. Learning to Forget: Continual Prediction with LSTM. Neural Computation, 2000; R. Jozefowicz, W. Zaremba, I. Sutskever. An Empirical Exploration of Recurrent Network Architectures. ICML 2015.",
        aliases=("lstm", "forget_gate"),
        draw=lambda: (_path.kept_by_gate(Words("Gradient along the cell, by the forget gate", "沿细胞状态的梯度，随遗忘门取值而变"), "f"),),
        step=_path.lstm_step,
        direct=Words("the forget gate f at each step", "每步乘以遗忘门 f"),
        start=Words("PyTorch draws all weights and biases from U(−1/√H, 1/√H), so f begins near 0.5; a forget bias of 1 makes it about 0.73", "PyTorch 的权重和偏置都取自 U(−1/√H, 1/√H)，f 起初约为 0.5；遗忘偏置设为 1 时约为 0.73"),
        pitfalls=(
            Words("PyTorch orders the gates i, f, g, o and has TWO biases that add up: set the forget part, [H:2H], of one to 1 and of the other to 0.", "PyTorch 的门按 i、f、g、o 排列，且有“两个”相加的偏置：把其中一个的遗忘部分 [H:2H] 设为 1，另一个设为 0。"),
            Words("At its default start (f ≈ 0.5) it forgets about as fast as a plain RNN.", "默认初始化（f ≈ 0.5）下，它忘得与普通 RNN 差不多快。"),
            Words("dropout= acts between stacked layers only, not in time, and does nothing with one layer.", "dropout= 只作用于堆叠的层之间，不作用于时间方向；只有一层时无效。"),
        ),
    ),
    Path(
        name="gru_gates",
        kind="paths",
        title=Words("GRU: the state's path", "GRU：隐状态通路"),
        formula="r, z = σ(W·x + U·h + b) each\nn = tanh(W·x + b + r⊙(U·h + b'))\nh' = (1 − z)⊙n + z⊙h",
        derivative="∂h'/∂h = z along the direct path (plus what goes round through r, z and n)",
        gradient=Words(
            "Along the state the gradient is multiplied by the update gate z only; what is kept and what is written share one gate, 1 in all, so the state stays between −1 and 1.",
            "沿隐状态，梯度只乘以更新门 z；保留与写入共用一个门，总和为 1，因此状态始终在 −1 与 1 之间。",
        ),
        cost=Words("3 times the weights and products of a plain RNN; 1 state", "权重和乘法为普通 RNN 的 3 倍；1 个状态"),
        use=Words("as LSTM, with a quarter fewer weights", "与 LSTM 相同的场合，权重少四分之一"),
        avoid=Words("counting, which an unbounded cell does better; long lags at the default start", "计数类任务（无界的细胞状态更合适）；默认初始化下的长间隔"),
        torch="torch.nn.GRU",
        code="gru = nn.GRU(4, 8, batch_first=True)\n"
        "with torch.no_grad():\n"
        "    gru.bias_ih_l0[8:16] = 1.0  # update gates, the second third: z near 0.73 keeps more\n"
        "y, h = gru(torch.randn(2, 10, 4))",
        reference="K. Cho et al. Learning Phrase Representations using RNN Encoder–Decoder for Statistical Machine Translation. EMNLP 2014.",
        aliases=("gru", "update_gate"),
        draw=lambda: (_path.kept_by_gate(Words("Gradient along the state, by the update gate", "沿隐状态的梯度，随更新门取值而变"), "z"),),
        step=_path.gru_step,
        direct=Words("the update gate z at each step", "每步乘以更新门 z"),
        start=Words("PyTorch draws all weights and biases from U(−1/√H, 1/√H), so z begins near 0.5; a positive bias on z lengthens the memory", "PyTorch 的权重和偏置都取自 U(−1/√H, 1/√H)，z 起初约为 0.5；给 z 一个正偏置可延长记忆"),
        pitfalls=(
            Words("In PyTorch z KEEPS the old state; others write h' = z⊙n + (1 − z)⊙h, where the bias must be negative.", "在 PyTorch 中 z“保留”旧状态；也有文献写作 h' = z⊙n + (1 − z)⊙h，那时偏置应取负。"),
            Words("PyTorch applies r after the product, r⊙(U·h + b'), the paper before it, U·(r⊙h): weights do not carry over.", "PyTorch 在矩阵乘法之后用重置门：r⊙(U·h + b')；论文在之前：U·(r⊙h)。两者的权重不能互换。"),
        ),
    ),
)  # fmt: skip
