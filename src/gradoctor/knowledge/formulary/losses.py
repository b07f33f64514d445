"""Losses, with the value a constant predictor reaches."""

from __future__ import annotations

from statistics import fmean, median

from gradoctor.knowledge.formulary._loss import Loss
from gradoctor.knowledge.formulary._loss_pictures import (
    draw_bce,
    draw_bce_with_logits,
    draw_cross_entropy,
    draw_hinge,
    draw_huber,
    draw_kl_div,
    draw_mae,
    draw_mse,
    draw_nll,
    draw_rmse,
)
from gradoctor.knowledge.formulary._loss_values import (
    bce,
    bce_gradients,
    bce_with_logits,
    bce_with_logits_gradients,
    cross_entropy,
    cross_entropy_gradients,
    hinge,
    hinge_gradients,
    huber,
    huber_centre,
    huber_gradients,
    kl_div,
    kl_div_gradients,
    log_mixture,
    log_odds,
    log_shares,
    mae,
    mae_gradients,
    majority,
    mse,
    mse_gradients,
    nll,
    nll_gradients,
    rmse,
    rmse_gradients,
)
from gradoctor.knowledge.language import Words

ENTRIES = (
    Loss(
        name="mse",
        title=Words("Mean squared error", "均方误差"),
        formula="L = 1/n Σ (o_i − t_i)²",
        derivative="∂L/∂o_i = 2 (o_i − t_i) / n",
        range="[0, ∞)",
        limits="o_i → ±∞: ∞, like a square",
        gradient=Words(
            "Proportional to the residual: it fades as the fit becomes good, and one outlier of 100 pulls as hard as a hundred residuals of 1. After a sigmoid it dies: at logit −10 with target 1, as wrong as can be, 9.1e-5 is left, where BCE with logits leaves 1.0.",
            "与残差成正比：拟合越好梯度越小；一个大小为 100 的离群残差，拉力相当于一百个大小为 1 的残差。放在 Sigmoid 之后会消失：目标为 1 而 logit 为 −10（错得离谱）时只剩 9.1e-5，带 logit 的二元交叉熵则为 1.0。",
        ),
        cost=Words(
            "One subtraction and one square per element; autograd keeps outputs and targets.",
            "每个元素一次减法、一次平方；反向传播保存输出和目标。",
        ),
        use=Words(
            "Regression with noise of about equal size everywhere; standardise the targets first, so that the trivial loss is 1.",
            "噪声大小大致均匀的回归；先将目标标准化，使平凡损失为 1。",
        ),
        avoid=Words(
            "Outliers (Huber or MAE), targets over several powers of ten (take logarithms), classification after a sigmoid or softmax.",
            "有离群值（用 Huber 或 MAE）、目标跨多个数量级（先取对数）、Sigmoid 或 Softmax 之后的分类。",
        ),
        torch="torch.nn.MSELoss",
        code="output = nn.Linear(8, 1)(torch.randn(4, 8)).squeeze(-1)\nloss = nn.MSELoss()(output, torch.randn(4))",
        reference="Gauss: Theoria combinationis observationum erroribus minimis obnoxiae. 1823.",
        aliases=("l2_loss", "mean_squared_error"),
        value=mse,
        gradients=mse_gradients,
        constant=fmean,
        wants=Words(
            "any real numbers; output and target of the same shape", "任意实数；输出与目标形状相同"
        ),
        trivial=Words("the variance of the targets, by their mean", "目标的方差（恒预测均值）"),
        pitfalls=Words(
            "Shapes (n, 1) and (n,) broadcast to n × n with only a warning, and the model learns the mean. `sum` makes the learning rate depend on the batch size. Averaging over pixels and over examples differs by a factor.",
            "形状 (n, 1) 与 (n,) 会广播成 n × n，只给警告，模型只学到均值。`sum` 使学习率依赖批大小。按像素平均与按样本平均相差一个倍数。",
        ),
        draw=draw_mse,
    ),
    Loss(
        name="rmse",
        title=Words("Root mean squared error", "均方根误差"),
        formula="L = √(1/n Σ (o_i − t_i)²)",
        derivative="∂L/∂o_i = (o_i − t_i) / (n L)",
        range="[0, ∞)",
        limits="o_i → ±∞: |o_i| / √n",
        gradient=Words(
            "Its length is always 1/√n, however good or bad the fit: it does not fade near the minimum, so steps of fixed size overshoot there. At exactly zero error autograd gives 0 × ∞ = NaN, which spreads through all weights. All examples of a batch share one root, so the mean over batches is not the RMSE of the data.",
            "其长度恒为 1/√n，与拟合好坏无关：接近最小值时不减小，固定步长会来回越过。误差恰好为零时自动求导得 0 × ∞ = NaN，并传遍所有权重。一批样本共用一个根号，因此各批的平均不等于整个数据集的 RMSE。",
        ),
        cost=Words("MSE and one square root per batch.", "均方误差，外加每批一次开方。"),
        use=Words(
            "Reporting: it has the unit of the target. For training take MSE, which has the same minimum.",
            "用于报告：单位与目标相同。训练则用 MSE，二者最小点相同。",
        ),
        avoid=Words(
            "Training without protection at zero. With an adaptive optimizer the gradient's scale cancels anyway.",
            "在零点没有保护就用于训练。若用自适应优化器，梯度的尺度反正会被抵消。",
        ),
        torch="",
        code="from gradoctor.nn import RMSELoss\noutput = torch.randn(4, requires_grad=True)\nloss = RMSELoss()(output, torch.zeros(4))\nloss.backward()  # torch.sqrt(mse) would give NaN at zero error",
        reference="PyTorch documentation, torch.sqrt and Autograd mechanics (gradients at points of infinite slope).",
        aliases=("root_mean_squared_error", "rmse_loss"),
        value=rmse,
        gradients=rmse_gradients,
        constant=fmean,
        wants=Words(
            "any real numbers; output and target of the same shape", "任意实数；输出与目标形状相同"
        ),
        trivial=Words(
            "the standard deviation of the targets, by their mean", "目标的标准差（恒预测均值）"
        ),
        pitfalls=Words(
            "An epsilon under the root (√(mse + 1e-8)) removes the NaN but makes the least loss 1e-4. Adding 1e-8 outside the root removes nothing. `gradoctor.nn.RMSELoss` gives 0 for the gradient at zero.",
            "在根号内加 ε（√(mse + 1e-8)）可消除 NaN，但最小损失变为 1e-4；加在根号外则毫无作用。`gradoctor.nn.RMSELoss` 在零点给出梯度 0。",
        ),
        draw=draw_rmse,
    ),
    Loss(
        name="mae",
        title=Words("Mean absolute error", "平均绝对误差"),
        formula="L = 1/n Σ |o_i − t_i|",
        derivative="∂L/∂o_i = sign(o_i − t_i) / n (PyTorch gives 0 where they are equal)",
        range="[0, ∞)",
        limits="o_i → ±∞: |o_i| / n",
        gradient=Words(
            "±1/n whatever the size of the residual: outliers pull no harder than the rest, but near the minimum it does not fade, and the output hops to and fro by about the learning rate unless that decays.",
            "不论残差大小，恒为 ±1/n：离群值的拉力与其他样本相同；但接近最小值时不减小，若学习率不衰减，输出会以约等于学习率的幅度来回跳动。",
        ),
        cost=Words(
            "One subtraction and one absolute value per element; autograd keeps outputs and targets.",
            "每个元素一次减法、一次取绝对值；反向传播保存输出和目标。",
        ),
        use=Words(
            "Heavy-tailed noise, images (sharper than MSE), when the median is wanted rather than the mean.",
            "重尾噪声、图像（比 MSE 清晰）、想预测中位数而非均值的场合。",
        ),
        avoid=Words(
            "When the mean is wanted and the noise is skewed; with a constant learning rate to the end.",
            "噪声有偏而又想要均值时；自始至终使用恒定学习率时。",
        ),
        torch="torch.nn.L1Loss",
        code="loss = nn.L1Loss()(torch.randn(4), torch.randn(4))",
        reference="Koenker, Bassett: Regression quantiles. Econometrica 1978.",
        aliases=("l1", "mean_absolute_error"),
        value=mae,
        gradients=mae_gradients,
        constant=median,
        wants=Words(
            "any real numbers; output and target of the same shape", "任意实数；输出与目标形状相同"
        ),
        trivial=Words("the mean distance from the median", "到中位数的平均距离（恒预测中位数）"),
        pitfalls=Words(
            "Not comparable with MSE: on N(0, 1) targets the trivial MAE is 0.798 and the trivial MSE 1. The same broadcasting as MSE.",
            "与 MSE 不可比：目标服从 N(0, 1) 时，平凡 MAE 为 0.798，平凡 MSE 为 1。同样会发生广播。",
        ),
        draw=draw_mae,
    ),
    Loss(
        name="huber",
        title=Words("Huber loss (and smooth L1)", "Huber 损失（及平滑 L1）"),
        formula="ℓ(r) = r²/2 if |r| ≤ δ, else δ (|r| − δ/2);  L = mean ℓ(o_i − t_i)    (δ = 1)",
        derivative="∂L/∂o_i = min(max(o_i − t_i, −δ), δ) / n",
        range="[0, ∞)",
        limits="o_i → ±∞: δ |o_i| / n",
        gradient=Words(
            "The residual, cut off at ±δ: it fades near the minimum as MSE's does, and no outlier pulls harder than δ. It is gradient clipping for each example.",
            "即截断在 ±δ 的残差：接近最小值时像 MSE 那样减小，而离群值的拉力不超过 δ。相当于对每个样本做梯度裁剪。",
        ),
        cost=Words(
            "MSE and one comparison per element; autograd keeps outputs and targets.",
            "均方误差，外加每个元素一次比较；反向传播保存输出和目标。",
        ),
        use=Words(
            "Regression with some outliers: box coordinates, Q-values; δ about the size of ordinary noise.",
            "带少量离群值的回归：检测框坐标、Q 值；δ 取正常噪声的量级。",
        ),
        avoid=Words(
            "Targets that are not scaled: with all residuals above δ it is MAE, with all below half of MSE.",
            "目标未缩放：残差都大于 δ 时等同于 MAE，都小于 δ 时等同于 MSE 的一半。",
        ),
        torch="torch.nn.HuberLoss",
        code="loss = nn.HuberLoss(delta=1.0)(torch.randn(4), torch.randn(4))",
        reference="Huber: Robust estimation of a location parameter. Annals of Mathematical Statistics 1964.",
        aliases=("smooth_l1", "smooth_l1_loss"),
        value=huber,
        gradients=huber_gradients,
        constant=huber_centre,
        wants=Words(
            "any real numbers; output and target of the same shape", "任意实数；输出与目标形状相同"
        ),
        trivial=Words(
            "its own minimum over constants, between those of half the MSE and the MAE",
            "在常数上的最小值，介于“MSE 的一半”与 MAE 两者的情形之间",
        ),
        pitfalls=Words(
            "Half of MSE for small residuals, so learning rates do not carry over. `SmoothL1Loss(beta)` is Huber divided by δ = beta: the same only at 1.",
            "残差小时只有 MSE 的一半，学习率不能照搬。`SmoothL1Loss(beta)` 等于 Huber 除以 δ = beta，只在 1 时两者相同。",
        ),
        draw=draw_huber,
    ),
    Loss(
        name="cross_entropy",
        title=Words("Cross-entropy of logits", "交叉熵（输入 logit）"),
        formula="L = −1/n Σ log softmax(o_i)[t_i]",
        derivative="∂L/∂o_ik = (softmax(o_i)_k − [k = t_i]) / n",
        range="[0, ∞)",
        limits="right logit → +∞: 0; right logit → −∞: like its lag behind the largest",
        gradient=Words(
            "Probability minus truth: at most 1 per logit, near 1 for a confident mistake, and 0 only once the answer is right and sure. It never dies on a wrong answer. The gradients of one example's logits add up to 0. On separable data the loss goes to 0 only as the weights grow without end.",
            "即“概率减真值”：每个 logit 至多为 1，自信的错误接近 1，只有答对且确定之后才趋于 0，不会在错误答案上消失。同一样本各 logit 的梯度之和为 0。数据可分时，只有权重无限增大损失才趋于 0。",
        ),
        cost=Words(
            "An exponential per logit and one logarithm per example; autograd keeps the log-probabilities: with a vocabulary of 100,000 that is the largest tensor of a language model.",
            "每个 logit 一次指数，每个样本一次对数；反向传播保存对数概率：词表十万时，这是语言模型里最大的张量。",
        ),
        use=Words(
            "Classification with one right class; it takes logits and class numbers.",
            "只有一个正确类别的分类；输入 logit 和类别编号。",
        ),
        avoid=Words(
            "Several labels at once (BCE with logits); outputs that have been through softmax already: ten classes then stay above 1.46.",
            "多标签（用带 logit 的二元交叉熵）；已经做过 Softmax 的输出：十类时损失降不到 1.46 以下。",
        ),
        torch="torch.nn.CrossEntropyLoss",
        code="logits = nn.Linear(8, 3)(torch.randn(4, 8))\nloss = nn.CrossEntropyLoss()(logits, torch.tensor([0, 2, 1, 0]))",
        reference="Bridle: Probabilistic interpretation of feedforward classification network outputs. In: Neurocomputing, 1990.",
        aliases=("softmax_loss", "ce", "categorical_cross_entropy"),
        value=cross_entropy,
        gradients=cross_entropy_gradients,
        constant=log_shares,
        wants=Words(
            "logits (n, classes, …) and class numbers (n, …) or probabilities",
            "logit (n, C, …) 与类别编号 (n, …) 或概率；C 为类别数",
        ),
        trivial=Words(
            "the entropy of the labels in nats: log 10 = 2.303 for ten equal classes",
            "标签的熵（单位奈特）：十类均衡时为 log 10 = 2.303",
        ),
        pitfalls=Words(
            "With `weight` the mean divides by the sum of the weights of the labels seen, not by n. A batch that is all `ignore_index` gives NaN. Class numbers must be integers; the classes stand in dimension 1, not last. With label smoothing the least loss is not 0.",
            "使用 `weight` 时，平均是除以所见标签的权重之和而非 n。整批都是 `ignore_index` 时得 NaN。类别编号须为整数；类别在第 1 维而不是最后一维。使用标签平滑时最小损失不为 0。",
        ),
        draw=draw_cross_entropy,
    ),
    Loss(
        name="nll",
        title=Words("Negative log-likelihood", "负对数似然"),
        formula="L = −1/n Σ o_i[t_i],  o the log-probabilities",
        derivative="∂L/∂o_ik = −[k = t_i] / n",
        range="[0, ∞) for log-probabilities",
        limits="right log-probability → −∞: ∞",
        gradient=Words(
            "Constant, −1/n at the right class and 0 elsewhere: all that matters is in what made the log-probabilities. Behind log-softmax it is cross-entropy. Behind softmax without the logarithm it is not bounded by 0: the loss goes to −1, and the gradient dies for confident mistakes.",
            "恒定：正确类处为 −1/n，其余为 0；一切取决于对数概率如何得来。接在对数 Softmax 之后就是交叉熵。若前面只有 Softmax 而没有取对数，损失会降到 −1，且自信的错误没有梯度。",
        ),
        cost=Words(
            "Picks one number per example; autograd keeps the targets.",
            "每个样本取一个数；反向传播保存目标。",
        ),
        use=Words(
            "When the log-probabilities are at hand for another reason: mixtures, sequence models, distributions.",
            "对数概率因别的用途已经算好时：混合模型、序列模型、概率分布。",
        ),
        avoid=Words(
            "On logits: nothing complains, and the loss falls without end. Plain classifiers: take cross-entropy.",
            "直接用于 logit：不会报错，损失却无止境地下降。普通分类器用交叉熵即可。",
        ),
        torch="torch.nn.NLLLoss",
        code="logp = torch.log_softmax(torch.randn(4, 3), dim=-1)\nloss = nn.NLLLoss()(logp, torch.tensor([0, 2, 1, 0]))",
        reference="Fisher: On the mathematical foundations of theoretical statistics. Philosophical Transactions of the Royal Society A 1922.",
        aliases=("negative_log_likelihood",),
        value=nll,
        gradients=nll_gradients,
        constant=log_shares,
        wants=Words(
            "log-probabilities (n, classes, …) and class numbers",
            "对数概率 (n, C, …) 与类别编号；C 为类别数",
        ),
        trivial=Words("the entropy of the labels, by their shares", "标签的熵（恒预测各类占比）"),
        pitfalls=Words(
            "A negative loss shows that the outputs are no log-probabilities. Weights and `ignore_index` as in cross-entropy.",
            "损失为负，说明输出不是对数概率。权重与 `ignore_index` 同交叉熵。",
        ),
        draw=draw_nll,
    ),
    Loss(
        name="bce",
        title=Words("Binary cross-entropy of probabilities", "二元交叉熵（输入概率）"),
        formula="L = −1/n Σ t_i log p_i + (1 − t_i) log(1 − p_i)",
        derivative="∂L/∂p_i = (p_i − t_i) / (p_i (1 − p_i)) / n",
        range="[0, 100] in PyTorch",
        limits="p → 1 − t: ∞, cut off at 100 in PyTorch",
        gradient=Words(
            "At the probability it explodes towards a sure mistake (PyTorch divides by no less than 1e-12: up to 1e12); the sigmoid before it should cancel that. In float32 it cannot: from a logit of about 17 upwards sigmoid is exactly 1, the loss is 100, and the gradient at the logit exactly 0: a sure mistake is never mended.",
            "在概率处，越接近确定的错误梯度越爆炸（PyTorch 的除数不小于 1e-12，即至多 1e12）；本应由前面的 Sigmoid 抵消。float32 中却做不到：logit 约大于 17 时 Sigmoid 恰为 1，损失为 100，而 logit 处的梯度恰为 0：确定的错误永远无法纠正。",
        ),
        cost=Words(
            "Two logarithms per element; autograd keeps probabilities and targets.",
            "每个元素两次对数；反向传播保存概率和目标。",
        ),
        use=Words(
            "Probabilities that come from elsewhere than a sigmoid, such as a product or a mixture of probabilities.",
            "概率并非来自 Sigmoid 的场合，如概率的乘积或混合。",
        ),
        avoid=Words(
            "After a sigmoid: take BCE with logits. Under autocast to float16 on CUDA, where PyTorch refuses it.",
            "Sigmoid 之后：改用带 logit 的二元交叉熵。CUDA 的 float16 自动混合精度下（PyTorch 会拒绝）。",
        ),
        torch="torch.nn.BCELoss",
        code="p = torch.rand(4)\nloss = nn.BCELoss()(p, torch.tensor([0.0, 1.0, 1.0, 0.0]))",
        reference="Cox: The regression analysis of binary sequences. Journal of the Royal Statistical Society B 1958.",
        aliases=("binary_cross_entropy", "log_loss"),
        value=bce,
        gradients=bce_gradients,
        constant=fmean,
        wants=Words(
            "probabilities in [0, 1] (others raise) and targets as floats of the same shape",
            "[0, 1] 内的概率（否则报错）与同形状的浮点目标",
        ),
        trivial=Words(
            "the entropy of the label: 0.693 for even odds", "标签的熵：正负均衡时为 0.693"
        ),
        pitfalls=Words(
            "The clamp at −100 hides infinite losses. `weight` weighs elements, not classes; there is no `pos_weight`.",
            "截断在 −100，掩盖了无穷大的损失。`weight` 是按元素而非按类别加权；没有 `pos_weight`。",
        ),
        draw=draw_bce,
    ),
    Loss(
        name="bce_with_logits",
        title=Words("Binary cross-entropy of logits", "二元交叉熵（输入 logit）"),
        formula="L = 1/n Σ max(x, 0) − x t + log(1 + e^(−|x|))",
        derivative="∂L/∂x_i = (σ(x_i) − t_i) / n",
        range="[0, ∞)",
        limits="x → the right side: 0, x → the wrong side: |x|",
        gradient=Words(
            "Probability minus truth: at most 1, near 1 for a sure mistake, 0 only for a sure right answer. It neither dies on mistakes nor explodes, at any logit.",
            "即“概率减真值”：至多为 1，确定的错误接近 1，只有确定且正确时为 0。无论 logit 多大，都不会在错误上消失，也不会爆炸。",
        ),
        cost=Words(
            "One exponential and one logarithm per element; autograd keeps logits and targets.",
            "每个元素一次指数、一次对数；反向传播保存 logit 和目标。",
        ),
        use=Words(
            "Yes/no questions, several labels at once, masks, discriminators.",
            "二分类、多标签、分割掩码、判别器。",
        ),
        avoid=Words(
            "After a sigmoid: nothing complains, but the probabilities of the model then lie between 0.5 and 0.731 and the loss stays above 0.313 for positive and 0.693 for negative labels.",
            "Sigmoid 之后：不会报错，但模型的概率只能在 0.5 与 0.731 之间，正例损失降不到 0.313 以下，负例降不到 0.693 以下。",
        ),
        torch="torch.nn.BCEWithLogitsLoss",
        code="logits = torch.randn(4)\nloss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))(logits, torch.tensor([0.0, 1.0, 0.0, 0.0]))",
        reference="Cox: The regression analysis of binary sequences. Journal of the Royal Statistical Society B 1958.",
        aliases=("binary_cross_entropy_with_logits", "sigmoid_cross_entropy", "logistic_loss"),
        value=bce_with_logits,
        gradients=bce_with_logits_gradients,
        constant=log_odds,
        wants=Words("logits and targets as floats of the same shape", "logit 与同形状的浮点目标"),
        trivial=Words(
            "the entropy of the label: 0.693 for even odds, 0.325 for one positive in ten",
            "标签的熵：正负均衡为 0.693，正例占一成为 0.325",
        ),
        pitfalls=Words(
            "`pos_weight` multiplies the positive terms only, raises the trivial loss, and shifts the probabilities: do not read them as frequencies. (n, 1) against (n,) raises.",
            "`pos_weight` 只乘正例项，会抬高平凡损失并使概率偏移，不能再当作频率解读。(n, 1) 对 (n,) 会报错。",
        ),
        draw=draw_bce_with_logits,
    ),
    Loss(
        name="kl_div",
        title=Words("Kullback–Leibler divergence", "KL 散度"),
        formula="L = 1/n Σ_i Σ_k t_ik (log t_ik − o_ik),  o the log-probabilities",
        derivative="∂L/∂o_ik = −t_ik / n",
        range="[0, ∞) for log-probabilities",
        limits="o_ik → −∞ where t_ik > 0: ∞",
        gradient=Words(
            "Constant at the log-probabilities; behind log-softmax it is probability minus target, as in cross-entropy. Where the target is 0 the output gets no pull of its own. The entropy of the target is taken off, so the least value is 0; the gradient is that of cross-entropy.",
            "在对数概率处恒定；接在对数 Softmax 之后就是“概率减目标”，与交叉熵相同。目标为 0 处的输出没有自己的拉力。它减去了目标的熵，所以最小值为 0；梯度与交叉熵一致。",
        ),
        cost=Words(
            "One logarithm and one product per element; autograd keeps the targets.",
            "每个元素一次对数、一次乘法；反向传播保存目标。",
        ),
        use=Words(
            "Distillation and soft targets; closed forms for Gaussians (`torch.distributions.kl_divergence`) in variational models.",
            "知识蒸馏与软目标；变分模型中高斯分布用闭式解（`torch.distributions.kl_divergence`）。",
        ),
        avoid=Words(
            "Hard labels (cross-entropy). It is not symmetric: input and target must not change places.",
            "硬标签（用交叉熵）。它不对称：输入与目标不可互换。",
        ),
        torch="torch.nn.KLDivLoss",
        code='logp = torch.log_softmax(torch.randn(4, 3), dim=-1)\ntarget = torch.softmax(torch.randn(4, 3), dim=-1)\nloss = nn.KLDivLoss(reduction="batchmean")(logp, target)',
        reference="Kullback, Leibler: On information and sufficiency. Annals of Mathematical Statistics 1951.",
        aliases=("kl", "kullback_leibler", "relative_entropy"),
        value=kl_div,
        gradients=kl_div_gradients,
        constant=log_mixture,
        wants=Words(
            "log-probabilities first, then probabilities (log-probabilities with `log_target=True`)",
            "先对数概率，后概率（`log_target=True` 时为对数概率）",
        ),
        trivial=Words(
            "the mean divergence of the targets from their mean", "各目标到其平均分布的平均散度"
        ),
        pitfalls=Words(
            'The default `reduction="mean"` divides by the number of classes too and is no divergence; this entry is `"batchmean"`. Probabilities in place of log-probabilities give negative losses. In distillation at temperature T multiply by T².',
            '默认的 `reduction="mean"` 还会除以类别数，不是真正的散度；本条按 `"batchmean"`。把概率当对数概率传入会得到负损失。温度为 T 的蒸馏要再乘 T²。',
        ),
        draw=draw_kl_div,
    ),
    Loss(
        name="hinge",
        title=Words("Hinge loss (binary)", "合页损失（二分类）"),
        formula="L = 1/n Σ max(0, 1 − t_i x_i),  t_i = −1 or 1",
        derivative="∂L/∂x_i = −t_i / n if t_i x_i < 1, else 0",
        range="[0, ∞)",
        limits="t x → +∞: 0, t x → −∞: |x|",
        gradient=Words(
            "1/n for each example inside the margin, exactly 0 beyond: once all are beyond it, training stops by itself, and only weight decay still acts. It never dies on a mistake.",
            "间隔以内的每个样本为 1/n，以外恰好为 0：一旦全部样本都在间隔之外，训练自行停止，只剩权重衰减在起作用。错误的样本上不会消失。",
        ),
        cost=Words(
            "One product and one comparison per element, no exponential.",
            "每个元素一次乘法、一次比较，没有指数。",
        ),
        use=Words(
            "Linear support vector machines, GAN discriminators, rankings: where only the margin counts.",
            "线性支持向量机、GAN 判别器、排序：只关心间隔的场合。",
        ),
        avoid=Words(
            "When probabilities are wanted. Do not take `HingeEmbeddingLoss` for it: that wants a distance, not a score.",
            "需要概率时。不要误用 `HingeEmbeddingLoss`：它的输入是距离而不是得分。",
        ),
        torch="",
        code="score, target = torch.randn(4), torch.tensor([-1.0, 1.0, 1.0, -1.0])\nloss = nn.MarginRankingLoss(margin=1.0)(score, torch.zeros_like(score), target)",
        reference="Cortes, Vapnik: Support-vector networks. Machine Learning 1995.",
        aliases=("hinge_loss", "svm_loss"),
        value=hinge,
        gradients=hinge_gradients,
        constant=majority,
        wants=Words(
            "scores, and targets −1 or 1 (not 0 or 1)", "得分，以及取 −1 或 1 的目标（不是 0 和 1）"
        ),
        trivial=Words(
            "twice the share of the rarer class, by the sign of the commoner",
            "少数类占比的两倍（恒预测多数类的符号）",
        ),
        pitfalls=Words(
            "PyTorch has none of this name. `MarginRankingLoss(margin=1)` against a score of 0 is exactly it; `MultiMarginLoss` is the multiclass one and divides by the number of classes, so that for two classes it is half.",
            "PyTorch 没有同名损失。`MarginRankingLoss(margin=1)` 与得分 0 比较恰好就是它；`MultiMarginLoss` 是多分类版本，还要除以类别数，两类时为其一半。",
        ),
        draw=draw_hinge,
    ),
)
