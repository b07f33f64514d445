"""Optimizers: how gradients become steps."""

from __future__ import annotations

from gradoctor.knowledge.formulary import _curvature, _updates
from gradoctor.knowledge.formulary._muon import muon_pictures
from gradoctor.knowledge.formulary._optimizer import (
    Optimizer,
    drawer,
    noisy_path,
    rates_of_descent,
)
from gradoctor.knowledge.language import Words

_SETUP = "model = nn.Linear(4, 1)\n"
_STEP = (
    "model(torch.randn(8, 4)).square().mean().backward()\noptimizer.step()\noptimizer.zero_grad()"
)
_EPSILON = Words("as far as ε is small beside the gradient", "前提是 ε 远小于梯度")
_NONE = Words("none", "无")

_SGD = Optimizer(
    name="sgd",
    kind="optimizers",
    title=Words("Stochastic gradient descent", "随机梯度下降"),
    formula="w ← w − η·g,   g = ∇L over a mini-batch",
    gradient=Words(
        "The step is the gradient times the rate, so a gradient that is a thousand times smaller in the early layers gives steps a thousand times smaller there. The mini-batch gradient is unbiased where examples are drawn at random and the loss is their mean; its variance falls as 1/B for batch size B.",
        "步长就是梯度乘以学习率：前面几层的梯度若小一千倍，那里的步长也小一千倍。样本随机抽取且损失取平均时，小批量梯度是无偏的，其方差随批量大小 B 按 1/B 下降。",
    ),
    cost=Words(
        "no state; one multiplication and one subtraction a weight",
        "没有状态；每个权重一次乘法、一次减法",
    ),
    use=Words(
        "large data sets; well scaled networks (normalisation, residual paths), most often with momentum and a falling rate",
        "大数据集；尺度良好的网络（有归一化、残差连接），通常配合动量和递减的学习率",
    ),
    avoid=Words(
        "where gradients of different layers differ by orders of magnitude, as in transformers and recurrent networks",
        "各层梯度相差几个数量级时，例如 Transformer 和循环网络",
    ),
    torch="torch.optim.SGD",
    code=_SETUP + "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n" + _STEP,
    reference="H. Robbins, S. Monro. A Stochastic Approximation Method. Annals of Mathematical Statistics, 1951.",
    aliases=("stochastic_gradient_descent", "mini_batch"),
    draw=noisy_path,
    start=_updates.start_sgd,
    step=_updates.sgd,
    floats=0,
    state=_NONE,
    defaults={"lr": 1e-3, "momentum": 0, "dampening": 0, "weight_decay": 0, "nesterov": False},
    rates=(1e-3, 1.0),
    invariant=("rotation",),
    pitfalls=(
        Words(
            "At a constant rate the loss stops at a floor that noise sets; only a falling rate or a larger batch gets below it.",
            "学习率固定时，噪声使损失停在某个高度；只有降低学习率或增大批量才能继续下降。",
        ),
        Words(
            "With a loss that is a sum over the batch, the rate must be divided by the batch size.",
            "若损失对批量求和而非取平均，学习率须除以批量大小。",
        ),
    ),
)

_GRADIENT_DESCENT = Optimizer(
    name="gradient_descent",
    kind="optimizers",
    title=Words("Gradient descent over the full batch", "全批量梯度下降"),
    formula="w ← w − η·g,   g = ∇L over all examples",
    gradient=Words(
        "Along a direction of curvature λ the error is multiplied by 1 − ηλ at each step: it converges for η < 2/λmax, and the flattest direction needs about λmax/λmin steps.",
        "在曲率为 λ 的方向上，误差每步乘以 1 − ηλ：当 η < 2/λmax 时收敛，最平缓的方向大约需要 λmax/λmin 步。",
    ),
    cost=Words(
        "no state, but each step is a pass over all data (or its gradients summed in pieces)",
        "没有状态，但每一步都要遍历全部数据（或分块累加梯度）",
    ),
    use=Words(
        "small data sets, and checks: without noise, a loss that grows shows a rate that is too large",
        "小数据集；也适合排查问题：没有噪声时，损失上升就说明学习率过大",
    ),
    avoid=Words(
        "large data sets: one step costs as much as N/B mini-batch steps (N examples, batches of B)",
        "大数据集：走一步的代价相当于 N/B 个小批量步（N 为样本数，B 为批量大小）",
    ),
    torch="torch.optim.SGD",
    code=_SETUP
    + "optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # all data in each step\n"
    + _STEP,
    reference="A.-L. Cauchy. Méthode générale pour la résolution des systèmes d'équations simultanées. Comptes rendus de l'Académie des sciences, 1847.",
    aliases=("gd", "full_batch", "batch_gradient_descent", "steepest_descent"),
    draw=rates_of_descent,
    start=_updates.start_sgd,
    step=_updates.sgd,
    floats=0,
    state=_NONE,
    defaults={"lr": 1e-3},
    rates=(1e-3, 1.0),
    invariant=("rotation",),
    pitfalls=(
        Words(
            "One rate serves all directions: what the steepest allows, the flattest crawls with.",
            "所有方向共用一个学习率：最陡的方向决定了上限，最平缓的方向只能缓慢前进。",
        ),
        Words(
            "Batch normalisation and dropout make even the full-batch loss depend on the mode or on chance.",
            "有批归一化或 dropout 时，即使是全批量的损失也取决于模式或随机性。",
        ),
    ),
)

_MOMENTUM = Optimizer(
    name="momentum",
    kind="optimizers",
    title=Words("SGD with momentum (heavy ball)", "带动量的 SGD（重球法）"),
    formula="b ← μ·b + g   (b = g at the first step)\nw ← w − η·b",
    gradient=Words(
        "Gradients that agree add up to a step of η/(1 − μ) times the gradient, 10 times at μ = 0.9; those that alternate cancel. A vanishing gradient vanishes all the same.",
        "方向一致的梯度会累加，步长最终为梯度的 η/(1 − μ) 倍，μ = 0.9 时为 10 倍；正负交替的梯度则相互抵消。消失的梯度仍然会消失。",
    ),
    cost=Words(
        "1 float a weight; two multiplications and two additions",
        "每个权重 1 个浮点数；两次乘法、两次加法",
    ),
    use=Words(
        "the standard for convolutional networks: μ = 0.9 and a falling rate",
        "卷积网络的标准选择：μ = 0.9，配合递减的学习率",
    ),
    avoid=Words(
        "where μ near 1 meets a large rate: it overshoots and swings",
        "μ 接近 1 且学习率较大时：会冲过头并来回摆动",
    ),
    torch="torch.optim.SGD",
    code=_SETUP + "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n" + _STEP,
    reference="B. T. Polyak. Some methods of speeding up the convergence of iteration methods. USSR Computational Mathematics and Mathematical Physics, 1964.",
    aliases=("heavy_ball", "sgd_momentum"),
    draw=drawer(
        "momentum", _updates.start_sgd, _updates.momentum, noisy=True, lr=0.008, momentum=0.9
    ),
    start=_updates.start_sgd,
    step=_updates.momentum,
    floats=1,
    state=Words(
        "a sum b of past gradients, each weighted by μ to its age",
        "过去梯度的加权和 b，权重为 μ 的“年龄”次幂",
    ),
    defaults={"momentum": 0, "dampening": 0},
    rates=(1e-3, 0.3),
    invariant=("rotation",),
    pitfalls=(
        Words(
            "The rate is outside the sum in PyTorch: adding μ = 0.9 makes steps 10 times longer unless the rate is divided by 10.",
            "PyTorch 的学习率在累加之外：加上 μ = 0.9 会使步长变为 10 倍，除非把学习率除以 10。",
        ),
        Words(
            "On a quadratic it is stable up to η = 2(1 + μ)/λmax.",
            "在二次函数上，η 小于 2(1 + μ)/λmax 时稳定。",
        ),
    ),
)

_NESTEROV = Optimizer(
    name="nesterov",
    kind="optimizers",
    title=Words("SGD with Nesterov's momentum", "带 Nesterov 动量的 SGD"),
    formula="b ← μ·b + g   (b = g at the first step)\nw ← w − η·(g + μ·b)",
    gradient=Words(
        "The newest gradient counts (1 + μ)-fold, as if it were taken where the momentum is about to go; steep directions swing less than with the heavy ball.",
        "最新的梯度以 (1 + μ) 倍计入，相当于在动量将要到达的位置求梯度；陡峭方向上的摆动比重球法小。",
    ),
    cost=Words(
        "1 float a weight; one addition more than momentum",
        "每个权重 1 个浮点数；比动量法多一次加法",
    ),
    use=Words("where momentum is used; it damps a little better", "凡是用动量的地方；阻尼略好"),
    avoid=Words(
        "large rates at high curvature: on a quadratic it is stable only up to η = 2(1 + μ)/((1 + 2μ)·λmax), less than the heavy ball",
        "高曲率配大学习率：在二次函数上只在 η < 2(1 + μ)/((1 + 2μ)·λmax) 时稳定，上限低于重球法",
    ),
    torch="torch.optim.SGD",
    code=_SETUP
    + "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)\n"
    + _STEP,
    reference="Y. Nesterov. A method for solving the convex programming problem with convergence rate O(1/k²). Soviet Mathematics Doklady, 1983; I. Sutskever et al. On the importance of initialization and momentum in deep learning. ICML 2013.",
    aliases=("nag", "nesterov_momentum"),
    draw=drawer("nesterov", _updates.start_sgd, _updates.nesterov, lr=0.008, momentum=0.9),
    start=_updates.start_sgd,
    step=_updates.nesterov,
    floats=1,
    state=Words("the sum b of momentum", "与动量法相同的累加量 b"),
    defaults={"momentum": 0, "nesterov": False},
    rates=(1e-3, 0.3),
    invariant=("rotation",),
    pitfalls=(
        Words(
            "PyTorch refuses nesterov=True without momentum, or with dampening.",
            "momentum 为 0 或 dampening 不为 0 时，PyTorch 不接受 nesterov=True。",
        ),
    ),
)

_ADAGRAD = Optimizer(
    name="adagrad",
    kind="optimizers",
    title=Words.same("Adagrad"),
    formula="s ← s + g²\nw ← w − η·g/(√s + ε)",
    gradient=Words(
        "Each weight's gradient is measured against all of its own past: layers with small gradients step as far as those with large ones, and rare features keep a large rate.",
        "每个权重的梯度都与自身全部历史相比：梯度小的层与梯度大的层步长相当，稀有特征也能保持较大的学习率。",
    ),
    cost=Words(
        "1 float a weight; a square, a root and a division",
        "每个权重 1 个浮点数；一次平方、一次开方、一次除法",
    ),
    use=Words(
        "sparse features: embeddings, linear models over words", "稀疏特征：嵌入、词袋线性模型"
    ),
    avoid=Words(
        "long training of deep networks: its rate dies", "深层网络的长时间训练：学习率会衰竭"
    ),
    torch="torch.optim.Adagrad",
    code=_SETUP + "optimizer = torch.optim.Adagrad(model.parameters(), lr=0.01)\n" + _STEP,
    reference="J. Duchi, E. Hazan, Y. Singer. Adaptive Subgradient Methods for Online Learning and Stochastic Optimization. JMLR, 2011.",
    draw=drawer("adagrad", _updates.start_adagrad, _updates.adagrad, lr=0.8),
    start=_updates.start_adagrad,
    step=_updates.adagrad,
    floats=1,
    state=Words("the sum s of all squared gradients", "全部梯度平方之和 s"),
    defaults={"lr": 1e-2, "lr_decay": 0, "weight_decay": 0, "eps": 1e-10},
    rates=(1e-3, 0.1),
    invariant=("scale", "diagonal"),
    proviso=_EPSILON,
    pitfalls=(
        Words(
            "The sum only grows: under a steady gradient the step falls as η/√t, and one huge gradient early on slows a weight for good.",
            "累加量只增不减：梯度平稳时步长按 η/√t 下降；早期一次巨大的梯度会让该权重永久变慢。",
        ),
    ),
)

_ADADELTA = Optimizer(
    name="adadelta",
    kind="optimizers",
    title=Words.same("Adadelta"),
    formula="s ← ρ·s + (1 − ρ)·g²\nΔ = g·√(d + ε)/√(s + ε)\nd ← ρ·d + (1 − ρ)·Δ²\nw ← w − η·Δ",
    gradient=Words(
        "The step has the size of recent steps, whatever the scale of the gradient. It begins at about √(ε/(1 − ρ)) = 0.003 for any gradient and grows from there.",
        "步长取决于最近的步长，与梯度的尺度无关。无论梯度多大，第一步约为 √(ε/(1 − ρ)) = 0.003，此后逐渐变大。",
    ),
    cost=Words(
        "2 floats a weight; two roots and a division", "每个权重 2 个浮点数；两次开方、一次除法"
    ),
    use=Words("rarely now; where no rate can be tuned", "如今很少使用；用于无法调学习率的场合"),
    avoid=Words("short runs: it starts slowly", "短时间训练：起步很慢"),
    torch="torch.optim.Adadelta",
    code=_SETUP + "optimizer = torch.optim.Adadelta(model.parameters())\n" + _STEP,
    reference="M. D. Zeiler. ADADELTA: An Adaptive Learning Rate Method. arXiv:1212.5701, 2012.",
    draw=drawer("adadelta", _updates.start_adadelta, _updates.adadelta),
    start=_updates.start_adadelta,
    step=_updates.adadelta,
    floats=2,
    state=Words(
        "running mean squares of the gradient (s) and of the change (d)",
        "梯度平方与更新量平方的滑动平均 s 和 d",
    ),
    defaults={"lr": 1.0, "rho": 0.9, "eps": 1e-6, "weight_decay": 0},
    rates=(0.1, 1.0),
    invariant=("scale", "diagonal"),
    proviso=Words("as far as g² is large beside ε = 1e-6", "前提是 g² 远大于 ε = 1e-6"),
    pitfalls=(
        Words(
            "ε is no mere guard: it sets the first steps. A rate of 0.001, copied from Adam, stops it.",
            "ε 不只是防止除零：它决定了最初的步长。若照搬 Adam 的学习率 0.001，几乎不会前进。",
        ),
    ),
)

_RMSPROP = Optimizer(
    name="rmsprop",
    kind="optimizers",
    title=Words.same("RMSprop"),
    formula="s ← α·s + (1 − α)·g²\nw ← w − η·g/(√s + ε)",
    gradient=Words(
        "The gradient is divided by its recent size, so small gradients of early layers make steps of full length. Its sign still counts: one that is noise gives steps of noise.",
        "梯度除以其近期大小，因此前面几层的小梯度也能产生完整的步长。但方向仍由梯度决定：如果梯度只是噪声，步长也只是噪声。",
    ),
    cost=Words(
        "1 float a weight (2 or 3 with momentum, centred); a root and a division",
        "每个权重 1 个浮点数（加动量、centered 时为 2 或 3 个）；一次开方、一次除法",
    ),
    use=Words(
        "recurrent networks, reinforcement learning: targets that move",
        "循环网络、强化学习等目标不断变化的任务",
    ),
    avoid=Words(
        "the first steps at a full rate: they are up to 1/√(1 − α) = 10 times η",
        "一开始就用完整学习率：最初的步长可达 η 的 1/√(1 − α) = 10 倍",
    ),
    torch="torch.optim.RMSprop",
    code=_SETUP + "optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)\n" + _STEP,
    reference="T. Tieleman, G. Hinton. Lecture 6.5 – rmsprop: Divide the gradient by a running average of its recent magnitude. COURSERA: Neural Networks for Machine Learning, 2012.",
    draw=drawer("rmsprop", _updates.start_rmsprop, _updates.rmsprop, noisy=True, lr=0.05),
    start=_updates.start_rmsprop,
    step=_updates.rmsprop,
    floats=1,
    state=Words("a running mean s of squared gradients", "梯度平方的滑动平均 s"),
    defaults={
        "lr": 1e-2,
        "alpha": 0.99,
        "eps": 1e-8,
        "weight_decay": 0,
        "momentum": 0,
        "centered": False,
    },
    rates=(1e-4, 1e-2),
    invariant=("scale", "diagonal"),
    proviso=_EPSILON,
    pitfalls=(
        Words(
            "PyTorch adds ε after the root, √s + ε; some other frameworks add it inside. A run moved between them needs another ε.",
            "PyTorch 在开方之后加 ε，即 √s + ε；有的框架加在根号内。移植时要相应调整 ε。",
        ),
        Words(
            "s starts from 0 and is not corrected, unlike Adam's: the first step is η/√(1 − α).",
            "s 从 0 开始且不作偏差修正（Adam 会修正）：第一步长为 η/√(1 − α)。",
        ),
    ),
)

_RPROP = Optimizer(
    name="rprop",
    kind="optimizers",
    title=Words("Rprop (resilient backpropagation)", "Rprop（弹性反向传播）"),
    formula="Δ ← Δ·η⁺ where g keeps its sign (1.2), Δ·η⁻ where it changes (0.5)\nw ← w − sign(g)·Δ, and no step where the sign has changed",
    gradient=Words(
        "Only the sign of each gradient counts; each weight has a step size of its own. A gradient may be as small as it likes, but not exactly 0.",
        "只看每个梯度的符号；每个权重有自己的步长。梯度再小也无妨，只要不恰好为 0。",
    ),
    cost=Words(
        "2 floats a weight; comparisons and one multiplication",
        "每个权重 2 个浮点数；几次比较、一次乘法",
    ),
    use=Words("full batches: small data, small networks", "全批量：小数据、小网络"),
    avoid=Words(
        "mini-batches: with nine gradients of +0.1 and one of −0.9 the mean is 0, yet it moves",
        "小批量：九个 +0.1 与一个 −0.9 的梯度平均为 0，它却仍会移动",
    ),
    torch="torch.optim.Rprop",
    code=_SETUP
    + "optimizer = torch.optim.Rprop(model.parameters(), lr=0.01)  # all data in each step\n"
    + _STEP,
    reference="M. Riedmiller, H. Braun. A direct adaptive method for faster backpropagation learning: the RPROP algorithm. IEEE International Conference on Neural Networks, 1993.",
    aliases=("resilient_backpropagation",),
    draw=drawer("rprop", _updates.start_rprop, _updates.rprop, noisy=True, lr=0.1),
    start=_updates.start_rprop,
    step=_updates.rprop,
    floats=2,
    state=Words("the last gradient and the step size Δ", "上一次的梯度和步长 Δ"),
    defaults={"lr": 1e-2, "etas": (0.5, 1.2), "step_sizes": (1e-6, 50)},
    rates=(1e-3, 0.1),
    invariant=("scale", "diagonal", "sign"),
    pitfalls=(
        Words(
            "With mini-batches signs flip by chance: step sizes shrink where noise rules and the mean gradient is lost.",
            "小批量下符号会随机翻转：噪声占主导处步长不断缩小，平均梯度的信息丢失。",
        ),
        Words(
            "The rate sets the first step only; it hardly matters after a few dozen steps.",
            "学习率只决定第一步；几十步之后几乎没有影响。",
        ),
    ),
)

_ADAM = Optimizer(
    name="adam",
    kind="optimizers",
    title=Words.same("Adam"),
    formula="m ← β₁·m + (1 − β₁)·g\ns ← β₂·s + (1 − β₂)·g²\nw ← w − η·(m/(1 − β₁ᵗ)) / (√(s/(1 − β₂ᵗ)) + ε)",
    gradient=Words(
        "The step is the mean gradient over its root mean square: near η where gradients agree, small where they are noise, and the same for a gradient of 1e-6 as for one of 1, so it hides a vanishing gradient until it meets ε = 1e-8.",
        "步长是平均梯度与其均方根之比：梯度方向一致时接近 η，全是噪声时很小；梯度为 1e-6 与为 1 时步长相同，因此会掩盖梯度消失，直到梯度小到与 ε = 1e-8 相当。",
    ),
    cost=Words(
        "2 floats a weight; about ten operations, one root and one division among them",
        "每个权重 2 个浮点数；约十次运算，含一次开方、一次除法",
    ),
    use=Words(
        "the first choice where gradients differ by layer: transformers, GANs, recurrent networks, sparse features",
        "各层梯度差别较大时的首选：Transformer、GAN、循环网络、稀疏特征",
    ),
    avoid=Words(
        "with L2 regularisation (use AdamW); where memory is short; where tuned SGD is known to generalise better",
        "配合 L2 正则化时（应改用 AdamW）；显存不足时；已知调好的 SGD 泛化更好时",
    ),
    torch="torch.optim.Adam",
    code=_SETUP + "optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)\n" + _STEP,
    reference="D. P. Kingma, J. Ba. Adam: A Method for Stochastic Optimization. ICLR 2015.",
    draw=drawer("adam", _updates.start_adam, _updates.adam, noisy=True, lr=0.2),
    start=_updates.start_adam,
    step=_updates.adam,
    floats=2,
    state=Words(
        "running means of the gradient (m) and of its square (s)", "梯度及其平方的滑动平均 m 和 s"
    ),
    defaults={"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False},
    rates=(1e-5, 1e-2),
    invariant=("scale", "diagonal"),
    proviso=_EPSILON,
    pitfalls=(
        Words(
            "weight_decay is L2 in the gradient: it is divided by √s too, so weights with large gradients hardly decay.",
            "weight_decay 是加进梯度的 L2：它同样被 √s 除，因此梯度大的权重几乎不衰减。",
        ),
        Words(
            "The first step is η in every weight, whatever the gradient: without warm-up a large rate does its harm at once.",
            "无论梯度多大，每个权重的第一步都是 η：不做预热时，过大的学习率立刻造成损害。",
        ),
        Words(
            "After a calm of hundreds of steps a sudden gradient makes a step of up to (1 − β₁)/√(1 − β₂) ≈ 3.2 times η.",
            "在数百步的平静之后，突然出现的梯度会造成最多约 (1 − β₁)/√(1 − β₂) ≈ 3.2 倍 η 的步长。",
        ),
    ),
)

_ADAMAX = Optimizer(
    name="adamax",
    kind="optimizers",
    title=Words.same("Adamax"),
    formula="m ← β₁·m + (1 − β₁)·g\nu ← max(β₂·u, |g| + ε)\nw ← w − η/(1 − β₁ᵗ)·m/u",
    gradient=Words(
        "Adam with the decaying maximum of |g| in place of the root mean square: a step is never longer than η once the mean is corrected, and one outlier holds a weight back for about 1/(1 − β₂) = 1000 steps.",
        "用 |g| 的衰减最大值代替 Adam 的均方根：修正后的步长不会超过 η，但一个异常值会让该权重变慢约 1/(1 − β₂) = 1000 步。",
    ),
    cost=Words("2 floats a weight; no root", "每个权重 2 个浮点数；无需开方"),
    use=Words("gradients with rare spikes, embeddings", "偶有尖峰的梯度、嵌入层"),
    avoid=Words("as a default: Adam is better known", "作为默认选择：Adam 更为常用、经验更多"),
    torch="torch.optim.Adamax",
    code=_SETUP + "optimizer = torch.optim.Adamax(model.parameters(), lr=2e-3)\n" + _STEP,
    reference="D. P. Kingma, J. Ba. Adam: A Method for Stochastic Optimization. ICLR 2015 (section 7.1).",
    draw=drawer("adamax", _updates.start_adam, _updates.adamax, lr=0.2),
    start=_updates.start_adam,
    step=_updates.adamax,
    floats=2,
    state=Words(
        "running mean m of the gradient, decaying maximum u of its size",
        "梯度的滑动平均 m 与梯度大小的衰减最大值 u",
    ),
    defaults={"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0},
    rates=(1e-4, 1e-2),
    invariant=("scale", "diagonal"),
    proviso=_EPSILON,
    pitfalls=(
        Words(
            "PyTorch adds ε to |g| inside the maximum, and its default rate is twice Adam's.",
            "PyTorch 在取最大值之前把 ε 加到 |g| 上；默认学习率是 Adam 的两倍。",
        ),
    ),
)

_NADAM = Optimizer(
    name="nadam",
    kind="optimizers",
    title=Words("NAdam (Adam with Nesterov's momentum)", "NAdam（带 Nesterov 动量的 Adam）"),
    formula="m, s as in Adam;   μₜ = β₁·(1 − 0.96^(0.004·t)/2)\nw ← w − η·[ (1 − μₜ)·g/(1 − μ₁⋯μₜ) + μₜ₊₁·m/(1 − μ₁⋯μₜ₊₁) ] / (√(s/(1 − β₂ᵗ)) + ε)",
    gradient=Words(
        "As Adam; the newest gradient counts more, so that it turns sooner. The weight of momentum rises from 0.45 towards β₁ = 0.9 over tens of thousands of steps.",
        "与 Adam 相同，但最新梯度的权重更大，转向更快。动量的权重在数万步内由 0.45 升至 β₁ = 0.9。",
    ),
    cost=Words(
        "2 floats a weight, and one for each tensor", "每个权重 2 个浮点数，另外每个张量 1 个"
    ),
    use=Words(
        "where Adam is used and steps should follow the gradient faster",
        "可用 Adam 且希望更快跟随梯度变化时",
    ),
    avoid=Words(
        "where Adam's recipe is known to work: there is little to gain",
        "已有成熟的 Adam 配方时：收益很小",
    ),
    torch="torch.optim.NAdam",
    code=_SETUP + "optimizer = torch.optim.NAdam(model.parameters(), lr=2e-3)\n" + _STEP,
    reference="T. Dozat. Incorporating Nesterov Momentum into Adam. ICLR 2016 workshop.",
    draw=drawer("nadam", _updates.start_nadam, _updates.nadam, lr=0.2),
    start=_updates.start_nadam,
    step=_updates.nadam,
    floats=2,
    state=Words(
        "Adam's, and the product of the momenta so far", "Adam 的状态，以及至今各步动量之积"
    ),
    defaults={
        "lr": 2e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0,
        "momentum_decay": 4e-3,
        "decoupled_weight_decay": False,
    },
    rates=(1e-4, 1e-2),
    invariant=("scale", "diagonal"),
    proviso=_EPSILON,
    pitfalls=(
        Words(
            "Its weight_decay is L2, as Adam's, unless decoupled_weight_decay=True.",
            "除非设 decoupled_weight_decay=True，weight_decay 与 Adam 一样是 L2。",
        ),
    ),
)

_RADAM = Optimizer(
    name="radam",
    kind="optimizers",
    title=Words("RAdam (rectified Adam)", "RAdam（修正的 Adam）"),
    formula="m, s as in Adam;   ρ∞ = 2/(1 − β₂) − 1;   ρ = ρ∞ − 2·t·β₂ᵗ/(1 − β₂ᵗ)\nρ ≤ 5:  w ← w − η·m/(1 − β₁ᵗ)\nρ > 5:  w ← w − η·r·(m/(1 − β₁ᵗ))·√(1 − β₂ᵗ)/(√s + ε),   r² = (ρ−4)(ρ−2)ρ∞ / ((ρ∞−4)(ρ∞−2)ρ)",
    gradient=Words(
        "The first 5 steps are momentum's, in proportion to the gradient; from the 6th it is Adam with a factor r that rises from 0.03 to 1 over thousands of steps: a warm-up that is built in.",
        "前 5 步是动量法，与梯度成正比；从第 6 步起是 Adam 乘以因子 r，r 在数千步内由 0.03 升至 1：相当于内置的预热。",
    ),
    cost=Words("2 floats a weight, as Adam", "每个权重 2 个浮点数，与 Adam 相同"),
    use=Words("in place of Adam with a hand-made warm-up", "代替 Adam 加手工预热"),
    avoid=Words(
        "short runs, and huge gradients at the start: the first steps are not normalised",
        "短时间训练，以及起始梯度巨大时：前几步没有归一化",
    ),
    torch="torch.optim.RAdam",
    code=_SETUP + "optimizer = torch.optim.RAdam(model.parameters(), lr=1e-3)\n" + _STEP,
    reference="L. Liu et al. On the Variance of the Adaptive Learning Rate and Beyond. ICLR 2020.",
    aliases=("rectified_adam",),
    draw=drawer("radam", _updates.start_adam, _updates.radam, lr=0.03),
    start=_updates.start_adam,
    step=_updates.radam,
    floats=2,
    state=Words(
        "running means of the gradient (m) and of its square (s)", "梯度及其平方的滑动平均 m 和 s"
    ),
    defaults={
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0,
        "decoupled_weight_decay": False,
    },
    rates=(1e-4, 1e-2),
    invariant=(),
    pitfalls=(
        Words(
            "For 5 steps the rate multiplies the raw gradient: gradients of 1000 make steps of 1000·η.",
            "前 5 步学习率直接乘以原始梯度：梯度为 1000 时步长就是 1000·η。",
        ),
    ),
)

_ADAMW = Optimizer(
    name="adamw",
    kind="optimizers",
    title=Words("AdamW (decoupled weight decay)", "AdamW（解耦权重衰减）"),
    formula="w ← (1 − η·λ)·w\nthen Adam's step without L2",
    gradient=Words(
        "As Adam. The decay does not pass through the averages, so every weight shrinks by the same factor 1 − η·λ at each step.",
        "与 Adam 相同。权重衰减不经过滑动平均，因此每个权重每步都按同一因子 1 − η·λ 缩小。",
    ),
    cost=Words(
        "2 floats a weight, and one multiplication more than Adam",
        "每个权重 2 个浮点数；比 Adam 多一次乘法",
    ),
    use=Words(
        "transformers, and wherever Adam meets weight decay",
        "Transformer，以及一切需要 Adam 加权重衰减的场合",
    ),
    avoid=Words(
        "decay on biases and gains of normalisers: put them in a group with weight_decay=0",
        "对偏置和归一化的增益做衰减：应放入 weight_decay=0 的参数组",
    ),
    torch="torch.optim.AdamW",
    code=_SETUP
    + "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)\n"
    + _STEP,
    reference="I. Loshchilov, F. Hutter. Decoupled Weight Decay Regularization. ICLR 2019.",
    draw=drawer("adamw", _updates.start_adam, _updates.adamw, lr=0.2),
    start=_updates.start_adam,
    step=_updates.adamw,
    floats=2,
    state=Words("Adam's", "与 Adam 相同"),
    defaults={
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 1e-2,
        "amsgrad": False,
    },
    rates=(1e-5, 1e-2),
    invariant=("scale", "diagonal"),
    proviso=_EPSILON,
    pitfalls=(
        Words(
            "In PyTorch the decay is η·λ: when the rate falls, so does the decay; and λ is not Adam's weight_decay by another name, it needs tuning afresh.",
            "在 PyTorch 中衰减量为 η·λ：学习率下降时衰减也随之减弱；λ 的取值与 Adam 的 weight_decay 不通用，需要重新调整。",
        ),
        Words("weight_decay is 0.01 unless set.", "weight_decay 默认为 0.01，并不是 0。"),
    ),
)

_LBFGS = Optimizer(
    name="lbfgs",
    kind="optimizers",
    title=Words("L-BFGS (limited-memory quasi-Newton)", "L-BFGS（有限内存拟牛顿法）"),
    formula="s = wₜ − wₜ₋₁,   y = gₜ − gₜ₋₁\nd = −H·g,   H ≈ (∇²L)⁻¹ from the last pairs (s, y), by the two-loop recursion\nw ← w + η·d   (first step: η·min(1, 1/‖g‖₁)·d)",
    gradient=Words(
        "The gradient is divided by the curvature that its own changes reveal: flat directions are taken in long steps. Pairs without positive curvature are left out.",
        "利用梯度自身的变化估计曲率，再用曲率去除梯度：平缓方向迈大步。曲率不为正的数据对会被丢弃。",
    ),
    cost=Words(
        "2·history_size + 2 floats a weight, 202 by default; about 4·history_size multiplications; up to 20 evaluations a step",
        "每个权重 2·history_size + 2 个浮点数，默认 202 个；约 4·history_size 次乘法；每步最多 20 次求值",
    ),
    use=Words(
        "smooth full-batch problems with few weights: style transfer, physics-informed networks, fitting",
        "光滑、全批量、参数较少的问题：风格迁移、物理信息神经网络、曲线拟合",
    ),
    avoid=Words(
        "mini-batches, dropout, batch normalisation: noise ruins the differences of gradients",
        "小批量、dropout、批归一化：噪声会破坏梯度之差",
    ),
    torch="torch.optim.LBFGS",
    code=_SETUP
    + "optimizer = torch.optim.LBFGS(model.parameters(), line_search_fn='strong_wolfe')\n"
    "x = torch.randn(8, 4)\n"
    "def closure():\n"
    "    optimizer.zero_grad()\n"
    "    loss = model(x).square().mean()\n"
    "    loss.backward()\n"
    "    return loss\n"
    "optimizer.step(closure)",
    reference="D. C. Liu, J. Nocedal. On the limited memory BFGS method for large scale optimization. Mathematical Programming, 1989.",
    aliases=("quasi_newton",),
    draw=drawer(
        "lbfgs", _curvature.start_lbfgs, _curvature.lbfgs, noisy=True, closure=True, max_iter=1
    ),
    start=_curvature.start_lbfgs,
    step=_curvature.lbfgs,
    floats=202,
    state=Words(
        "up to history_size pairs (s, y), the last gradient and direction",
        "至多 history_size 对 (s, y)，以及上一次的梯度和方向",
    ),
    defaults={
        "lr": 1,
        "max_iter": 20,
        "max_eval": None,
        "tolerance_grad": 1e-7,
        "tolerance_change": 1e-9,
        "history_size": 100,
        "line_search_fn": None,
    },
    rates=(0.1, 1.0),
    invariant=("scale", "rotation"),
    proviso=Words(
        "from the second step on; the length of the first depends on ‖g‖₁",
        "从第二步起；第一步的长度取决于 ‖g‖₁",
    ),
    pitfalls=(
        Words(
            "There is no line search unless line_search_fn='strong_wolfe': far from a minimum a step of 1 may overshoot.",
            "除非设 line_search_fn='strong_wolfe'，否则不做线搜索：远离极小值时，步长 1 可能冲过头。",
        ),
        Words(
            "step needs a closure, and takes one parameter group only.",
            "step 需要传入闭包，且只支持一个参数组。",
        ),
    ),
)

_MUON = Optimizer(
    name="muon",
    kind="optimizers",
    title=Words("Muon (momentum, orthogonalised)", "Muon（动量正交化）"),
    formula="B ← μ·B + (1 − μ)·G;   U = μ·B + (1 − μ)·G\nO = Newton–Schulz(U) ≈ P·Qᵀ where U = P·Σ·Qᵀ\nW ← (1 − η·λ)·W − η·√max(1, rows/columns)·O",
    gradient=Words(
        "All singular values of the update are brought near 1 (0.7 to 1.2 after 5 iterations, unless they were tiny): directions with a small gradient step as far as those with a large one, whatever the scale of the whole.",
        "更新矩阵的所有奇异值都被拉到 1 附近（5 次迭代后在 0.7 到 1.2 之间，原本极小者除外）：梯度小的方向与梯度大的方向步长相当，且与整体尺度无关。",
    ),
    cost=Words(
        "1 float a weight; 5 iterations of 3 matrix products each, in bfloat16",
        "每个权重 1 个浮点数；5 次迭代，每次 3 个矩阵乘法，以 bfloat16 计算",
    ),
    use=Words(
        "weight matrices of hidden layers; AdamW for all else", "隐藏层的权重矩阵；其余参数用 AdamW"
    ),
    avoid=Words(
        "embeddings, output layers, biases, gains; PyTorch's takes 2-D parameters only",
        "嵌入层、输出层、偏置、增益；PyTorch 的实现只接受二维参数",
    ),
    torch="torch.optim.Muon",
    code=_SETUP + "hidden = [p for p in model.parameters() if p.ndim == 2]\n"
    "optimizer = torch.optim.Muon(hidden, lr=0.02)  # the biases need another optimizer\n" + _STEP,
    reference="K. Jordan et al. Muon: An optimizer for hidden layers in neural networks. 2024 (kellerjordan.github.io/posts/muon).",
    draw=muon_pictures,
    start=_curvature.start_muon,
    step=_curvature.muon,
    floats=1,
    state=Words("a running mean B of the gradient matrix", "梯度矩阵的滑动平均 B"),
    defaults={
        "lr": 1e-3,
        "weight_decay": 0.1,
        "momentum": 0.95,
        "nesterov": True,
        "eps": 1e-7,
        "ns_steps": 5,
    },
    rates=(1e-3, 0.05),
    invariant=("scale", "orthogonal"),
    proviso=Words(
        "as far as ε is small beside the gradient's norm; the decay aside",
        "前提是 ε 远小于梯度的范数；不计权重衰减",
    ),
    pitfalls=(
        Words("weight_decay is 0.1 unless set.", "weight_decay 默认为 0.1，并不是 0。"),
        Words(
            "Steps have a fixed size, about η in spectral norm: without a falling rate it does not settle.",
            "步长固定，谱范数约为 η：学习率不下降就不会稳定下来。",
        ),
    ),
)

ENTRIES: tuple[Optimizer, ...] = (
    _SGD,
    _GRADIENT_DESCENT,
    _MOMENTUM,
    _NESTEROV,
    _ADAGRAD,
    _ADADELTA,
    _RMSPROP,
    _RPROP,
    _ADAM,
    _ADAMAX,
    _NADAM,
    _RADAM,
    _ADAMW,
    _LBFGS,
    _MUON,
)  # sgd first: it is what `torch.optim.SGD` finds
