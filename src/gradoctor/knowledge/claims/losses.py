"""Claims on losses."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim
from gradoctor.knowledge.language import Words

CLAIMS: tuple[Claim, ...] = (
    Claim(
        19, "losses",
        Words(
            "Cross-entropy measures the distance between two distributions.",
            "交叉熵衡量两个概率分布之间的距离。",
        ),
        "partly",
        Words(
            "For a fixed p it is smallest at q = p, which is all that training needs. But it is no distance: "
            "H(p, p) is the entropy of p, not 0, and swapping p and q changes it. H(p, q) = H(p) + KL(p‖q), "
            "and KL too is neither symmetric nor bound by the triangle inequality.",
            "固定 p 时，它在 q = p 处最小，训练所需的仅此而已。但它不是距离：H(p, p) 等于 p 的熵而不是 0，"
            "交换 p 与 q 结果也不同。H(p, q) = H(p) + KL(p‖q)，而 KL 散度同样不对称，也不满足三角不等式。",
        ),
    ),
    Claim(
        20, "losses",
        Words(
            "Cross-entropy is convex and therefore suits gradient descent.",
            "交叉熵是凸函数，因此适合用梯度下降优化。",
        ),
        "partly",
        Words(
            "It is convex in the logits, and so in the weights of a linear model. In the weights of a "
            "network with a hidden layer its Hessian has negative eigenvalues. What makes it suit gradient "
            "descent there is its gradient p − y, which does not vanish where a softmax is wrong and sure.",
            "它关于 logits 是凸的，因而关于线性模型的权重也是凸的；但关于含隐藏层网络的权重，其黑塞矩阵有负特征值。"
            "它之所以仍适合梯度下降，是因为梯度为 p − y：即使 softmax 自信地判错，梯度也不会消失。",
        ),
    ),
    Claim(
        21, "losses",
        Words(
            "For regression use the mean squared error (MSE) or its root (RMSE) as the loss.",
            "回归任务可用均方误差（MSE）或其平方根（RMSE）作为损失函数。",
        ),
        "partly",
        Words(
            "Both have the same minimum (the notes print MES). But the root's gradient does not fade as the "
            "error does, and at an error of exactly 0 it is NaN (0/0). Train on MSE and report RMSE, or put "
            "a small constant under the root.",
            "两者的最小值点相同（笔记误写为 MES）。但开方后，梯度不随误差减小而减小，误差恰为 0 时更是 NaN（0/0）。"
            "应当用 MSE 训练、用 RMSE 报告结果，或在根号内加一个小常数。",
        ),
    ),
    Claim(
        45, "losses",
        Words(
            "The notes' code builds a three-layer network and shows what the sigmoid does to gradients.",
            "笔记中的代码搭建了一个三层网络，演示 sigmoid 对梯度的影响。",
        ),
        "false",
        Words(
            "It has one linear layer and calls no backward, so no parameter gets a gradient. To show the "
            "effect, stack the layers, compute a loss, call backward() and compare the layers' weight.grad. "
            "(torch.sigmoid or nn.Sigmoid is the usual spelling today.)",
            "代码只有一个线性层，也没有调用 backward，因此没有任何参数得到梯度。要演示这一效应，应堆叠多层、计算损失、"
            "调用 backward()，再比较各层的 weight.grad。（如今通常写作 torch.sigmoid 或 nn.Sigmoid。）",
        ),
    ),
    Claim(
        51, "losses",
        Words(
            "Gradient descent updates the second layer by W2 ← W1 − α dW2.",
            "梯度下降按 W2 ← W1 − α dW2 更新第二层的权重。",
        ),
        "false",
        Words(
            "A slip of the pen: it is W2 ← W2 − α dW2. The printed step can not even be taken when the two "
            "matrices differ in shape. Where it can, W2 starts again from W1 at each step and learns "
            "nothing of its own; the loss still falls, because W1 learns, but stays several times higher.",
            "这是笔误，应为 W2 ← W2 − α dW2。两个矩阵形状不同时，印出的式子根本无法执行；形状相同时，W2 每一步都从 W1 "
            "重新开始，自己什么也积累不下来。由于 W1 仍在学习，损失还会下降，但要高出好几倍。",
        ),
    ),
    Claim(
        66, "losses",
        Words(
            "The optimizer is the way in which the loss is passed back to the layers in front.",
            "优化器就是把损失传回前面各层的方式。",
        ),
        "false",
        Words(
            "The backward pass does that: autograd applies the chain rule from the loss to each parameter. "
            "The optimizer reads the gradients that it finds and moves the parameters; without a backward "
            "pass it has nothing to do, and the gradients are the same whichever optimizer stands by.",
            "传回损失的是反向传播：autograd 按链式法则从损失一直求到每个参数。优化器只读取已有的梯度并更新参数；"
            "没有反向传播，它无事可做；而换用任何优化器，同一处的梯度都一样。",
        ),
    ),
)  # fmt: skip
