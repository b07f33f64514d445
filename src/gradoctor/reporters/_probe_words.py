"""What probes say, in both languages: what was done, what was seen, what it means, what next."""

from __future__ import annotations

from typing import NamedTuple

from gradoctor.knowledge.language import Words


class Said(NamedTuple):
    """One verdict of one probe in words; ``{names}`` are values of the answer."""

    title: Words
    saw: Words
    means: Words
    next: Words


DID: dict[str, Words] = {
    "overfit": Words(
        "Your own loop trained on its first batch again and again, cut to {samples} of {of} "
        "samples, without dropout.",
        "用你自己的训练循环反复训练第一批数据（从 {of} 个样本中取 {samples} 个），dropout 关闭。",
    ),
    "train-eval": Words(
        "After {steps} steps the same batch went through {model} in train mode (without dropout) "
        "and in eval mode.",
        "训练 {steps} 步之后，同一批数据分别以训练模式（dropout 关闭）和评估模式通过 {model}。",
    ),
    "learning-rate": Words(
        "Three runs of {steps} steps with the same seed and batches: at a tenth of the learning "
        "rate, at the rate itself, and at ten times it.",
        "用同样的种子和同样的批次跑了三次，每次 {steps} 步："
        "学习率的十分之一、原学习率、十倍学习率。",
    ),
    "precision": Words(
        "{steps} steps as the script is and, where it uses less than float32, the same steps in "
        "float32 (no autocast, no gradient scaler).",
        "先按脚本原样跑 {steps} 步；若用到低于 float32 的精度，再以 float32 跑同样的步"
        "（关闭 autocast 和梯度缩放）。",
    ),
    "causal": Words(
        "After a few steps the input of {model} was changed at single positions, in eval mode, to "
        "see which outputs change.",
        "训练几步之后，在评估模式下逐个改动 {model} 输入中的单个位置，看哪些输出随之改变。",
    ),
    "init": Words(
        "Before the first step the gradient was followed through {model} on the real batch, on "
        "N(0, 1) noise, and on the batch standardised.",
        "在第一步之前，分别用真实批次、N(0, 1) 噪声和标准化后的批次，跟踪梯度在 {model} 中的传播。",
    ),
    "sharpness": Words(
        "In {looked} of {steps} steps the sharpness was measured: the largest eigenvalue of the "
        "Hessian of the step's own loss, on its batch and dropout masks{table}.",
        "在 {steps} 步中的 {looked} 步测量了锐度，即该步损失（同一批次、同样的 dropout 掩码）的"
        "海森矩阵的最大特征值{table}。",
    ),
    "plasticity": Words(
        "After {steps} steps the targets of one batch were drawn anew at random, and the script's "
        "own loss and optimizer (fresh) learnt them: from the model's first weights, and from "
        "those it has now.",
        "训练 {steps} 步之后，把一批数据的目标随机重抽，"
        "用脚本自己的损失和（清空状态的）优化器去学："
        "一次从模型最初的权重出发，一次从现在的权重出发。",
    ),
}

SAID: dict[tuple[str, str], Said] = {
    # ---- overfit
    ("overfit", "memorises"): Said(
        Words("the optimisation path works", "优化路径没有问题"),
        Words("The loss went from {start:.4g} to {end:.4g} in {steps} steps{right}.",
              "损失在 {steps} 步内从 {start:.4g} 降到 {end:.4g}{right}。"),
        Words("Model, loss, gradients and optimizer can learn these samples by heart: they are "
              "wired up well.",
              "模型、损失、梯度和优化器能把这些样本背下来：它们的连接没有问题。"),
        Words("If the whole run still does badly, look at the data (labels, preprocessing, "
              "shuffling), at regularisation, and at the validation code.",
              "如果完整训练仍然不好，请检查数据（标签、预处理、打乱）、正则化以及验证代码。"),
    ),
    ("overfit", "falling"): Said(
        Words("not there yet, still falling", "还没到，仍在下降"),
        Words("The loss went from {start:.4g} to {end:.4g} in {steps} steps and is still "
              "falling{right}.",
              "损失在 {steps} 步内从 {start:.4g} 降到 {end:.4g}，并且仍在下降{right}。"),
        Words("It learns, but slowly: nothing is proven either way.",
              "它在学习，只是很慢：目前什么都还不能证明。"),
        Words("Give it more steps (--steps), or ask `gradoctor probe learning-rate`.",
              "给它更多步数（--steps），或者运行 `gradoctor probe learning-rate`。"),
    ),
    ("overfit", "part"): Said(
        Words("it learns only a part", "只学会了一部分"),
        Words("The loss went from {start:.4g} to {end:.4g} and stayed there{right}.",
              "损失从 {start:.4g} 降到 {end:.4g} 后就停住了{right}。"),
        Words("It can be a loss with a floor of its own (a KL or penalty term, soft targets, mixed "
              "samples, noise drawn at every step); if yours has none, the model is too small or "
              "something limits it.",
              "可能是损失本身有下限（KL 项或惩罚项、软标签、混合样本、每步重新抽取的噪声）；"
              "如果没有这样的下限，则是模型太小，或有什么限制了它。"),
        Words("Compare the value it stays at with the least that your loss can be.",
              "把停住时的值与你的损失所能达到的最小值作比较。"),
    ),
    ("overfit", "stuck"): Said(
        Words("it cannot even learn these samples", "连这几个样本都学不会"),
        Words("The loss went from {start:.4g} to {end:.4g} in {steps} steps{right}.",
              "{steps} 步之后损失从 {start:.4g} 变为 {end:.4g}{right}。"),
        Words("The data is not to blame: the fault is in the wiring (optimizer, graph, targets), "
              "in the initialisation, in the loss, or in the learning rate.",
              "问题不在数据：毛病出在连接（优化器、计算图、目标）、初始化、损失函数或学习率上。"),
        Words("Run `gradoctor run` on it for a diagnosis, and `gradoctor probe learning-rate`.",
              "用 `gradoctor run` 作诊断，并运行 `gradoctor probe learning-rate`。"),
    ),
    ("overfit", "unknown-loss"): Said(
        Words("the batch cannot be held", "无法固定批次"),
        Words("The script uses no DataLoader, and its loss is none of torch's loss functions.",
              "脚本没有使用 DataLoader，损失也不是 torch 的损失函数。"),
        Words("The inputs can be held but not the targets, so this says nothing.",
              "输入可以固定，目标却不能，因此得不出结论。"),
        Words("Draw the batch once before the loop, or compute the loss with a function of "
              "torch.nn.functional.",
              "在循环之前只取一次批次，或者用 torch.nn.functional 的函数计算损失。"),
    ),
    ("overfit", "not-fixed"): Said(
        Words("the batch did not stay the same", "批次没有保持不变"),
        Words("The model was given something else at each step although the batch was held.",
              "虽然批次已固定，模型每一步得到的输入仍然不同。"),
        Words("The script draws or augments the inputs itself after they left the loader, so this "
              "says nothing.",
              "数据离开加载器之后，脚本又自行抽取或增强了输入，因此得不出结论。"),
        Words("Switch off the augmentation for this probe.", "为这个探查关闭数据增强。"),
    ),
    ("overfit", "several-optimizers"): Said(
        Words("several optimizers take turns", "有多个优化器交替更新"),
        Words("Several optimizers step in turn; the leading loss went from {start:.4g} to "
              "{end:.4g}.",
              "有多个优化器轮流更新；主要损失从 {start:.4g} 变为 {end:.4g}。"),
        Words("Where models play against each other a loss need not fall, so this says nothing.",
              "当模型相互对抗时，损失不一定下降，因此得不出结论。"),
        Words("Probe a script that trains one of the models alone.",
              "请探查只训练其中一个模型的脚本。"),
    ),
    ("overfit", "crashed"): Said(
        Words("the script does not run on one batch", "脚本无法只用一个批次运行"),
        Words("It ended with an error before 20 steps, also with the whole batch.",
              "即使使用整个批次，它也在 20 步之前出错退出。"),
        Words("Something in it depends on batches that differ, so this says nothing.",
              "脚本中有些地方依赖于不同的批次，因此得不出结论。"),
        Words("Check that the script runs by itself.", "请确认脚本本身可以运行。"),
    ),
    # ---- train-eval
    ("train-eval", "same"): Said(
        Words("both modes agree", "两种模式一致"),
        Words("Loss in train mode {loss_train:.4g}, in eval mode {loss_eval:.4g}; the outputs "
              "differ by {outputs:.2g} of their size.",
              "训练模式下损失为 {loss_train:.4g}，评估模式下为 {loss_eval:.4g}；"
              "输出相差其大小的 {outputs:.2g} 倍。"),
        Words("Normalisation in eval mode does what it does in training.",
              "评估模式下的归一化与训练时作用一致。"),
        Words("If validation is much worse than training, look at the data and at overfitting.",
              "如果验证远差于训练，请检查数据和过拟合。"),
    ),
    ("train-eval", "no-modes"): Said(
        Words("both modes are the same", "两种模式完全相同"),
        Words("Apart from dropout the outputs are equal to the last bit.",
              "除 dropout 之外，输出逐位相同。"),
        Words("Nothing in this model behaves differently in eval mode.",
              "这个模型里没有在评估模式下行为不同的部分。"),
        Words("If validation is much worse than training, look at the data and at overfitting.",
              "如果验证远差于训练，请检查数据和过拟合。"),
    ),
    ("train-eval", "norm"): Said(
        Words("eval mode breaks at a normalisation layer", "评估模式在某个归一化层处失效"),
        Words("Loss in train mode {loss_train:.4g}, in eval mode {loss_eval:.4g}. The running "
              "statistics of {norm} ({class}, momentum {momentum}) are the first that are not the "
              "batch's: the mean is {shift:.2g} standard deviations away, the variance "
              "{scale:+.1f} bits.",
              "训练模式下损失为 {loss_train:.4g}，评估模式下为 {loss_eval:.4g}。"
              ""
              "{norm}（{class}，momentum {momentum}）的滑动统计量最先与批次不符："
              "均值相差 {shift:.2g} 个标准差，方差相差 {scale:+.1f} 比特。"),
        Words("Its running mean and variance are not those of the batches it trains on: what was "
              "learnt is lost in evaluation.",
              "它的滑动均值和方差与训练所用批次的统计量不符：学到的东西在评估时丢失了。"),
        Words("Check its momentum and that it sees the same kind of batch in training as in "
              "evaluation; or use GroupNorm or LayerNorm.",
              "检查它的 momentum，并确认训练和评估时看到的是同一类批次；"
              "或者改用 GroupNorm、LayerNorm。"),
    ),
    ("train-eval", "modes"): Said(
        Words("eval mode does something else", "评估模式的行为不同"),
        Words("Loss in train mode {loss_train:.4g}, in eval mode {loss_eval:.4g}; the outputs "
              "differ by {outputs:.2g} of their size. The running statistics of its norms are "
              "those of the batch.",
              "训练模式下损失为 {loss_train:.4g}，评估模式下为 {loss_eval:.4g}；"
              "输出相差其大小的 {outputs:.2g} 倍。归一化层的滑动统计量与批次相符。"),
        Words("Something asks for the mode (`self.training`), and eval mode is another function "
              "than the one that is trained.",
              "某处代码依赖模式（`self.training`），使评估模式成为与训练不同的函数。"),
        Words("Look for `self.training` in the model.", "在模型中查找 `self.training`。"),
    ),
    ("train-eval", "early"): Said(
        Words("too early to say", "为时过早"),
        Words("Loss in train mode {loss_train:.4g}, in eval mode {loss_eval:.4g}, but {norm} has "
              "seen only {batches} batches at a momentum of {momentum}.",
              "训练模式下损失为 {loss_train:.4g}，评估模式下为 {loss_eval:.4g}，"
              "但 {norm} 在 momentum {momentum} 下只见过 {batches} 个批次。"),
        Words("Its running statistics still remember their first values.",
              "它的滑动统计量还带着初始值。"),
        Words("Ask again with more steps: --steps.", "用更多步数再问一次：--steps。"),
    ),
    ("train-eval", "eval-already"): Said(
        Words("it trains in eval mode", "它在评估模式下训练"),
        Words("No module was in train mode in the training forward.",
              "训练的前向过程中没有任何模块处于训练模式。"),
        Words("Dropout is off and running statistics do not move while it trains.",
              "训练时 dropout 是关闭的，滑动统计量也不更新。"),
        Words("Call model.train() before training, unless this is meant (fine-tuning).",
              "除非是有意为之（微调），请在训练前调用 model.train()。"),
    ),
    # ---- learning rate
    ("learning-rate", "right"): Said(
        Words("the learning rate is about right", "学习率大致合适"),
        Words("Losses at the end: {end_low:.4g} at a tenth, {end:.4g} as it is, {end_high:.4g} at "
              "ten times.",
              "最后的损失：十分之一学习率 {end_low:.4g}，原学习率 {end:.4g}，"
              "十倍学习率 {end_high:.4g}。"),
        Words("Neither a tenth nor ten times the rate is clearly better.",
              "十分之一和十倍都没有明显更好。"),
        Words("Look elsewhere, or tune by factors of 2 to 3.", "请检查别处，或以 2 到 3 倍微调。"),
    ),
    ("learning-rate", "lower"): Said(
        Words("a tenth of the rate is better", "十分之一的学习率更好"),
        Words("Losses at the end: {end_low:.4g} at a tenth, {end:.4g} as it is. It was lower in "
              "{share_low:.0%} of the steps (sign test p = {p_low:.1g}).",
              "最后的损失：十分之一学习率 {end_low:.4g}，原学习率 {end:.4g}。"
              "在 {share_low:.0%} 的步中更低（符号检验 p = {p_low:.1g}）。"),
        Words("The learning rate is too high for these steps.", "对这些步来说学习率太高。"),
        Words("Lower it to a tenth, or warm up.", "把学习率降到十分之一，或者加入预热。"),
    ),
    ("learning-rate", "higher"): Said(
        Words("ten times the rate is better", "十倍的学习率更好"),
        Words("Losses at the end: {end:.4g} as it is, {end_high:.4g} at ten times. It was lower in "
              "{share_high:.0%} of the steps (sign test p = {p_high:.1g}).",
              "最后的损失：原学习率 {end:.4g}，十倍学习率 {end_high:.4g}。"
              "在 {share_high:.0%} 的步中更低（符号检验 p = {p_high:.1g}）。"),
        Words("In these steps a higher rate learns faster.", "在这些步里，更高的学习率学得更快。"),
        Words("Try 3 to 10 times the rate, and watch the end of the run: what is faster at first "
              "need not end better.",
              "试试 3 到 10 倍的学习率，并留意训练的末尾：开头更快的不一定结束得更好。"),
    ),
    ("learning-rate", "not-the-rate"): Said(
        Words("it is not the learning rate", "问题不在学习率"),
        Words("Losses at the end: {end_low:.4g} at a tenth, {end:.4g} as it is, {end_high:.4g} at "
              "ten times; it began at {start:.4g}.",
              "最后的损失：十分之一学习率 {end_low:.4g}，原学习率 {end:.4g}，十倍学习率 "
              "{end_high:.4g}；开始时为 {start:.4g}。"),
        Words("At none of the three rates does the loss come down.",
              "三种学习率下损失都没有下降。"),
        Words("Ask `gradoctor probe overfit`: it tells data from wiring.",
              "运行 `gradoctor probe overfit`：它能区分数据问题和连接问题。"),
    ),
    ("learning-rate", "diverges-anyway"): Said(
        Words("it diverges at a tenth of the rate too", "十分之一的学习率也发散"),
        Words("The loss is not finite, or far above its start, at the rate as it is and at a tenth "
              "of it.",
              "在原学习率和十分之一学习率下，损失都不是有限数，或远高于开始时。"),
        Words("The learning rate is not the cause.", "学习率不是原因。"),
        Words("Look at the data, the initialisation (`gradoctor probe init`), and the loss.",
              "请检查数据、初始化（`gradoctor probe init`）和损失函数。"),
    ),
    # ---- precision
    ("precision", "full"): Said(
        Words("it trains in float32 already", "它本来就以 float32 训练"),
        Words("Neither autocast nor half precision was seen.", "没有见到 autocast 或半精度。"),
        Words("Precision is not the cause of anything here.", "这里的问题与精度无关。"),
        Words("Look elsewhere.", "请检查别处。"),
    ),
    ("precision", "same"): Said(
        Words("precision costs nothing", "精度没有造成损失"),
        Words("Losses at the end: {end:.4g} as it is ({used}), {end_single:.4g} in float32.",
              "最后的损失：原样（{used}）{end:.4g}，float32 下 {end_single:.4g}。"),
        Words("Float32 is not clearly better.", "float32 没有明显更好。"),
        Words("Look elsewhere.", "请检查别处。"),
    ),
    ("precision", "costs"): Said(
        Words("half precision costs accuracy", "半精度造成了损失"),
        Words("Losses at the end: {end:.4g} as it is ({used}), {end_single:.4g} in float32, which "
              "was lower in {share:.0%} of the steps (sign test p = {p:.1g}).",
              "最后的损失：原样（{used}）{end:.4g}，float32 下 {end_single:.4g}，"
              "在 {share:.0%} 的步中更低（符号检验 p = {p:.1g}）。"),
        Words("Something is lost in {used}: small updates, small gradients, or the loss itself.",
              "{used} 丢掉了一些东西：小的更新、小的梯度，或损失本身。"),
        Words("Keep the weights in float32 and use autocast, with a GradScaler for float16.",
              "让权重保持 float32 并使用 autocast；用 float16 时加上 GradScaler。"),
    ),
    ("precision", "breaks"): Said(
        Words("half precision breaks it", "半精度使训练崩溃"),
        Words("As it is ({used}) the loss is not finite or far above its start; in float32 it ends "
              "at {end_single:.4g}.",
              "原样（{used}）下损失不是有限数或远高于开始时；float32 下最后为 {end_single:.4g}。"),
        Words("A value leaves the range of {used}.", "有数值超出了 {used} 的范围。"),
        Words("Use bfloat16, or keep the place that overflows in float32.",
              "使用 bfloat16，或让溢出之处保持 float32。"),
    ),
    ("precision", "breaks-anyway"): Said(
        Words("it diverges in float32 too", "float32 下也发散"),
        Words("The loss is not finite, or far above its start, in float32 as well.",
              "在 float32 下，损失同样不是有限数，或远高于开始时。"),
        Words("Precision is not the cause.", "精度不是原因。"),
        Words("Ask `gradoctor probe learning-rate`.", "运行 `gradoctor probe learning-rate`。"),
    ),
    # ---- causal
    ("causal", "leak"): Said(
        Words("outputs see what they are to predict", "输出看到了它要预测的内容"),
        Words("Changing input {input} changes output {output}; the targets are the next inputs. "
              "The first module that lets it through is {module} ({class}).",
              "改动第 {input} 个输入会改变第 {output} 个输出；而目标正是下一个输入。"
              "最先让它通过的模块是 {module}（{class}）。"),
        Words("The model can copy the answer: its loss in training means nothing, and it cannot "
              "generate.",
              "模型可以直接抄答案：训练损失没有意义，也无法用来生成。"),
        Words("Mask the future there (is_causal=True, or an upper triangular mask), or shift the "
              "inputs.",
              "在那里屏蔽未来（is_causal=True 或上三角掩码），或者把输入错开。"),
    ),
    ("causal", "causal"): Said(
        Words("no output sees a later input", "没有输出看到后面的输入"),
        Words("In {tries} tries over {size} positions no earlier output changed.",
              "在 {size} 个位置上试了 {tries} 次，没有更早的输出发生改变。"),
        Words("The model is causal.", "模型是因果的。"),
        Words("A loss that is too good has another cause.", "如果损失好得可疑，原因在别处。"),
    ),
    ("causal", "looks-ahead"): Said(
        Words("outputs see later inputs", "输出会看到后面的输入"),
        Words("Changing input {input} changes output {output}. The targets are not the next "
              "inputs.",
              "改动第 {input} 个输入会改变第 {output} 个输出。目标并不是下一个输入。"),
        Words("That is how a bidirectional model works; it is a fault only if the model is to "
              "predict what comes next.",
              "双向模型本来如此；只有当模型要预测后续内容时才是毛病。"),
        Words("If it is to be causal, look at {module} ({class}).",
              "如果它应当是因果的，请检查 {module}（{class}）。"),
    ),
    ("causal", "mixes-samples"): Said(
        Words("samples of a batch see each other", "同一批的样本互相可见"),
        Words("In eval mode a change in one sample changes the outputs of others.",
              "在评估模式下，改动一个样本会改变其他样本的输出。"),
        Words("Something works along the batch instead of the time: attention or a recurrent layer "
              "with batch_first the wrong way round does.",
              "有些运算沿着批次而不是时间进行：batch_first 弄反的注意力或循环层就会这样。"),
        Words("Check batch_first and every transpose and view.",
              "检查 batch_first 以及每个 transpose 和 view。"),
    ),
    ("causal", "pointwise"): Said(
        Words("no position sees another", "各位置互不可见"),
        Words("Only the output at the changed position changed.",
              "只有被改动位置的输出发生了变化。"),
        Words("Nothing leaks, and nothing is learnt from the context either.",
              "没有泄漏，但也没有从上下文中学到任何东西。"),
        Words("If context should matter, check that it is used.",
              "如果上下文应当起作用，请确认它被用到了。"),
    ),
    ("causal", "no-axis"): Said(
        Words("there is no time to look along", "没有可供检查的时间轴"),
        Words("Inputs {inputs} and outputs {outputs} do not share their first two axes.",
              "输入 {inputs} 与输出 {outputs} 的前两个轴不一致。"),
        Words("No output belongs to a position of the input, so this says nothing.",
              "没有输出与输入的位置对应，因此得不出结论。"),
        Words("Probe a model that gives an output for each position.",
              "请探查对每个位置都有输出的模型。"),
    ),
    # ---- init
    ("init", "healthy"): Said(
        Words("signal and gradient come through", "信号和梯度都能通过"),
        Words("Over {layers} layers it changes by {span:+.1f} bits on the real batch; the loudest "
              "layer is at {loudest:+.1f} bits.",
              "在真实批次上，梯度经过 {layers} 层改变了 {span:+.1f} 比特；"
              "最响的一层为 {loudest:+.1f} 比特。"),
        Words("Neither weights nor data stand in its way before training.",
              "训练之前，权重和数据都没有妨碍它。"),
        Words("Look elsewhere.", "请检查别处。"),
    ),
    ("init", "init"): Said(
        Words("it is the weights, not the data", "问题在权重，不在数据"),
        Words("Over {layers} layers the gradient changes by {span:+.1f} bits on the real batch, on "
              "noise by {span_noise}; the loudest layer is at {loudest:+.1f} bits, on noise at "
              "{loudest_noise}.",
              "梯度经过 {layers} 层，在真实批次上改变 {span:+.1f} 比特，在噪声上改变 {span_noise}；"
              "最响的一层为 {loudest:+.1f} 比特，在噪声上为 {loudest_noise}。"),
        Words("Other inputs do not heal it: initialisation or architecture is at fault.",
              "换输入也治不好：毛病在初始化或结构上。"),
        Words("Draw the weights to match: gradoctor.nn.initialise(model, inputs); see "
              "`gradoctor run --checkup`.",
              "按层匹配地重新初始化：gradoctor.nn.initialise(model, inputs)；"
              "另见 `gradoctor run --checkup`。"),
    ),
    ("init", "data-scale"): Said(
        Words("it is the scale of the data", "问题在数据的尺度"),
        Words("On the real batch the gradient changes by {span:+.1f} bits and the loudest layer is "
              "at {loudest:+.1f} bits; on noise {span_noise:+.1f} and {loudest_noise:+.1f}, with "
              "the batch standardised {span_standardised:+.1f} and {loudest_standardised:+.1f}.",
              "在真实批次上梯度改变 {span:+.1f} 比特，最响的一层为 {loudest:+.1f} 比特；"
              "在噪声上为 {span_noise:+.1f} 和 {loudest_noise:+.1f}，"
              "批次标准化后为 {span_standardised:+.1f} 和 {loudest_standardised:+.1f}。"),
        Words("Standardised inputs heal it.", "输入标准化之后就好了。"),
        Words("Standardise the inputs by the mean and standard deviation of the training set.",
              "用训练集的均值和标准差对输入作标准化。"),
    ),
    ("init", "data"): Said(
        Words("it is the data, but not its scale alone", "问题在数据，但不只是尺度"),
        Words("The gradient changes by {span:+.1f} bits on the real batch and by "
              "{span_standardised:+.1f} when it is standardised, but on noise it is well.",
              "梯度在真实批次上改变 {span:+.1f} 比特，标准化后 {span_standardised:+.1f}，"
              "而在噪声上正常。"),
        Words("Something in the inputs other than their scale is at fault: features that are "
              "constant, equal, or sparse.",
              "输入中除尺度之外的东西有问题：恒定、相同或稀疏的特征。"),
        Words("Look at a batch feature by feature.", "逐个特征地检查一个批次。"),
    ),
    ("init", "shallow"): Said(
        Words("too few layers to speak of depth", "层数太少，谈不上深度"),
        Words("The model has {layers} layers before its head.", "模型在输出层之前有 {layers} 层。"),
        Words("A gradient that vanishes or explodes with depth is not the matter.",
              "不存在梯度随深度消失或爆炸的问题。"),
        Words("Look elsewhere.", "请检查别处。"),
    ),
    # ---- sharpness
    ("sharpness", "above"): Said(
        Words("the loss curves more than the steps can stand",
              "损失的曲率超出了步长所能承受的范围"),
        Words("At step {step} the sharpness was {sharpness}, {ratio} times what "
              "{optimizer} stands at a learning rate of {lr:.3g} ({threshold} = {formula}). "
              "The loss is thrown out or stands still: {start:.3g} to {end:.3g}.",
              "第 {step} 步的锐度为 {sharpness}，是 {optimizer} 在学习率 {lr:.3g} 下"
              "所能承受的 {ratio} 倍（阈值 {threshold} = {formula}）。"
              "损失被甩出谷底或停滞不前：从 {start:.3g} 到 {end:.3g}。"),
        Words("Along that direction each step lands higher than the one before: the learning rate "
              "is too high for this loss.",
              "沿着这个方向，每一步都比前一步落得更高：对这个损失来说学习率太高。"),
        Words("Stay below {safe:.2g} (where it meets the threshold), better below half of that; or "
              "make the loss less steep: scale of the inputs, initialisation, warm-up.",
              "学习率应低于 {safe:.2g}（恰在阈值处的值），最好不到它的一半；"
              "或者让损失平缓些：输入的尺度、初始化、学习率热身。"),
    ),
    ("sharpness", "tolerated"): Said(
        Words("steep, and no harm is seen", "曲率大，但没有看到危害"),
        Words("At step {step} the sharpness was {sharpness}, {ratio} times the threshold "
              "({threshold} = {formula}); the loss went from {start:.3g} to {end:.3g}.",
              "第 {step} 步的锐度为 {sharpness}，是阈值（{threshold} = {formula}）的 "
              "{ratio} 倍；损失从 {start:.3g} 变为 {end:.3g}。"),
        Words("The loss falls all the same: a single batch is steeper than all of the data, or the "
              "steepness passes. That is no fault.",
              "损失照样下降：单个批次比全部数据更陡，或者陡峭只是暂时的。这不是毛病。"),
        Words("If the loss is restless, try a lower rate: `gradoctor probe learning-rate`.",
              "如果损失起伏不定，可以试试更低的学习率：`gradoctor probe learning-rate`。"),
    ),
    ("sharpness", "unsettled"): Said(
        Words("steep, but not along the same way on other batches",
              "曲率大，但换一批数据后这个方向并不陡"),
        Words("At step {step} the sharpness was {sharpness}, {ratio} times the threshold "
              "({threshold} = {formula}), and along that direction {elsewhere} times on the "
              "batches that followed; the loss stands still: {start:.3g} to {end:.3g}.",
              "第 {step} 步的锐度为 {sharpness}，是阈值（{threshold} = {formula}）的 {ratio} 倍；"
              "沿同一方向在随后的批次上是 {elsewhere} 倍；"
              "损失停滞不前：从 {start:.3g} 到 {end:.3g}。"),
        Words("Either a single batch is steeper than all of the data, or each step is so long that "
              "it leaves the place: this does not tell which.",
              "可能是单个批次比全部数据更陡，也可能是每一步都大得离开了原处：由此无法分辨。"),
        Words("Ask `gradoctor probe learning-rate`.", "请运行 `gradoctor probe learning-rate`。"),
    ),
    ("sharpness", "at-edge"): Said(
        Words("at the edge of stability, which is normal", "处于稳定边缘，属于正常"),
        Words("At step {step} the sharpness was {sharpness}, {ratio} times the threshold "
              "({threshold} = {formula}); the loss went from {start:.3g} to {end:.3g}.",
              "第 {step} 步的锐度为 {sharpness}，是阈值（{threshold} = {formula}）的 "
              "{ratio} 倍；损失从 {start:.3g} 变为 {end:.3g}。"),
        Words("Training tends to sharpen the loss until it hovers at the threshold: by itself this "
              "is no fault.",
              "训练往往会使损失变陡，直到锐度在阈值附近徘徊：这本身不是毛病。"),
        Words("Whether another rate does better is what `gradoctor probe learning-rate` tells.",
              "换一个学习率是否更好，要看 `gradoctor probe learning-rate`。"),
    ),
    ("sharpness", "below"): Said(
        Words("the steps are short against the curvature", "相对于曲率，步长不大"),
        Words("At step {step} the sharpness was {sharpness}, {ratio} times the threshold "
              "({threshold} = {formula}); the loss went from {start:.3g} to {end:.3g}.",
              "第 {step} 步的锐度为 {sharpness}，是阈值（{threshold} = {formula}）的 "
              "{ratio} 倍；损失从 {start:.3g} 变为 {end:.3g}。"),
        Words("The learning rate is not beyond stability at the steps that were looked at; with "
              "small batches this is usual.",
              "在查看过的各步，学习率没有越过稳定界限；小批量训练通常如此。"),
        Words("If the loss does not fall, look elsewhere: `gradoctor run`.",
              "如果损失不下降，请检查别处：`gradoctor run`。"),
    ),
    ("sharpness", "crossed"): Said(
        Words("the threshold is crossed, and the loss is thrown out",
              "越过了阈值，损失被甩出谷底"),
        Words("Around the step at which the loss left its start ({start:.3g}, at the end "
              "{end:.3g}) the sharpness was {sharpness} at most, {ratio} times the "
              "threshold ({threshold} = {formula}).",
              "损失离开起点（{start:.3g}，结束时 {end:.3g}）的前后，锐度最大为 {sharpness}，"
              "是阈值（{threshold} = {formula}）的 {ratio} 倍。"),
        Words("It fits a rate that is too high, but many healthy runs are as steep: no proof.",
              "这与学习率过高相符，但许多健康的训练也有这么陡：不能算证明。"),
        Words("Ask `gradoctor probe learning-rate`.", "请运行 `gradoctor probe learning-rate`。"),
    ),
    ("sharpness", "other-reason"): Said(
        Words("the loss rose, and not by its curvature", "损失上升了，但原因不是曲率"),
        Words("Around the step at which the loss left its start ({start:.3g}, at the end "
              "{end:.3g}) the sharpness was {sharpness} at most, {ratio} times the "
              "threshold ({threshold} = {formula}).",
              "损失离开起点（{start:.3g}，结束时 {end:.3g}）的前后，锐度最大为 {sharpness}，"
              "是阈值（{threshold} = {formula}）的 {ratio} 倍。"),
        Words("The steps were stable where they were looked at: single batches, the wiring, or "
              "first steps far too long for any curvature to tell are left.",
              "在查看过的各步，更新是稳定的：剩下的可能是个别批次、连接方式，"
              "或者最初几步太大，曲率已说明不了什么。"),
        Words("Look at the batches around that step, and ask `gradoctor probe learning-rate`.",
              "检查那一步前后的批次，并运行 `gradoctor probe learning-rate`。"),
    ),
    ("sharpness", "too-early"): Said(
        Words("the loss rose before anything could be looked at", "损失上升得太早，来不及查看"),
        Words("The loss went from {start:.3g} to {end:.3g}, and left its start before {optimizer} "
              "had a second moment that means anything.",
              "损失从 {start:.3g} 变为 {end:.3g}；它离开起点时，{optimizer} 的二阶矩还没有意义。"),
        Words("What the loss is like afterwards explains nothing.",
              "此后损失的形状说明不了什么。"),
        Words("Ask `gradoctor probe learning-rate`.", "请运行 `gradoctor probe learning-rate`。"),
    ),
    ("sharpness", "no-second-derivative"): Said(
        Words("the curvature cannot be computed", "无法计算曲率"),
        Words("The loss of a step could not be differentiated twice; torch said: {said}.",
              "某一步的损失无法求两次导数；torch 的说法：{said}。"),
        Words("So this could not be asked.", "因此这个问题问不成。"),
        Words("Write the operation that is named with plain ones of torch; for checkpoints say "
              "use_reentrant=False.",
              "用 torch 的普通运算改写所指的运算；若是检查点，请设 use_reentrant=False。"),
    ),
    ("sharpness", "optimizer-unknown"): Said(
        Words("no threshold is known for this optimizer", "这个优化器没有已知的阈值"),
        Words("The script uses {optimizer}; known are SGD, Adam, AdamW and RMSprop.",
              "脚本使用 {optimizer}；已知阈值的有 SGD、Adam、AdamW 和 RMSprop。"),
        Words("So this could not be asked.", "因此这个问题问不成。"),
        Words("Ask `gradoctor probe learning-rate`, which works with any.",
              "请运行 `gradoctor probe learning-rate`，它适用于任何优化器。"),
    ),
    ("sharpness", "several-optimizers"): Said(
        Words("several optimizers take turns", "有多个优化器交替更新"),
        Words("Several optimizers step in turn, each on a loss of its own.",
              "有多个优化器轮流更新，各有各的损失。"),
        Words("One threshold for all of them does not exist, so this could not be asked.",
              "它们没有共同的阈值，因此这个问题问不成。"),
        Words("Probe a script that trains one of the models alone.",
              "请探查只训练其中一个模型的脚本。"),
    ),
    ("sharpness", "other-gradient"): Said(
        Words("the optimizer is given another gradient", "优化器得到的是别的梯度"),
        Words("What {optimizer} steps along is not the gradient of the step's losses, nor a "
              "multiple of it.",
              "{optimizer} 所用的梯度既不是该步损失的梯度，也不是它的倍数。"),
        Words("Gradients are clipped by value, changed by hand, or not cleared before each step "
              "(GD901): the threshold means nothing then, so this could not be asked.",
              "梯度被逐元素裁剪、被手工改动，或者没有在每步之前清零（GD901）："
              "这时阈值没有意义，因此这个问题问不成。"),
        Words("See whether `gradoctor run` finds zero_grad() missing.",
              "看看 `gradoctor run` 是否发现缺少 zero_grad()。"),
    ),
    # ---- plasticity
    ("plasticity", "lost"): Said(
        Words("it learns new things far more slowly than when it was new",
              "学新东西比最初慢得多"),
        Words("Random targets take {now} steps now, with the first weights {initial} ({ratio:.1f} "
              "times as many); tasks that the loss tells apart: {tasks}.",
              "随机目标现在要学 {now} 步，从最初的权重出发只要 {initial} 步（{ratio:.1f} 倍）；"
              "从损失看得出的任务数：{tasks}。"),
        Words("Where tasks follow one another, or the data keep changing, the network has lost "
              "plasticity: each new task costs more than the last one. Where one task is learnt "
              "once, that is no fault.",
              "如果任务接连而来，或数据不断变化，说明网络失去了可塑性：每个新任务都比上一个更费力。"
              "如果只学一次、只有一个任务，这不是毛病。"),
        Words("Lower the rate, put LayerNorm before the activations, decay the weights, or shrink "
              "and perturb them between tasks: `gradoctor explain GD419`.",
              "降低学习率，在激活函数之前加 LayerNorm，使用权重衰减，"
              "或在任务之间收缩并扰动权重：`gradoctor explain GD419`。"),
    ),
    ("plasticity", "slower"): Said(
        Words("somewhat slower than when it was new", "比最初慢一些"),
        Words("Random targets take {now} steps now, with the first weights {initial} ({ratio:.1f} "
              "times as many).",
              "随机目标现在要学 {now} 步，从最初的权重出发要 {initial} 步（{ratio:.1f} 倍）。"),
        Words("More than one and a half times, but not twice in each of three draws: many networks "
              "do that after a single task.",
              "超过一倍半，但三次抽取并非每次都达到两倍：许多网络学完一个任务就会这样。"),
        Words("Ask again after more tasks.", "多学几个任务之后再问一次。"),
    ),
    ("plasticity", "kept"): Said(
        Words("it learns as well as when it was new", "学习能力与最初相当"),
        Words("Random targets take {now} steps now, with the first weights {initial} ({ratio:.1f} "
              "times as many).",
              "随机目标现在要学 {now} 步，从最初的权重出发要 {initial} 步（{ratio:.1f} 倍）。"),
        Words("Its plasticity is kept.", "可塑性保持住了。"),
        Words("If late tasks do badly, look at the tasks themselves and at what is forgotten.",
              "如果后来的任务学得差，请检查任务本身，以及遗忘了什么。"),
    ),
    ("plasticity", "unknown-loss"): Said(
        Words("the step cannot be taken again", "无法重做这一步"),
        Words("No step was seen in which one forward of the model leads to one of torch's loss "
              "functions outside it, or not to the same loss again (autocast to bfloat16).",
              "没有见到这样的一步：模型只前向一次，并在模型之外由 torch 的损失函数算出损失；"
              "或者重算得不到同样的损失（autocast 到 bfloat16）。"),
        Words("The targets cannot be exchanged, so this says nothing.",
              "目标无法替换，因此得不出结论。"),
        Words("Compute the loss with a function of torch.nn.functional, from one forward.",
              "用 torch.nn.functional 的函数、由一次前向计算损失。"),
    ),
    ("plasticity", "no-targets"): Said(
        Words("there are no targets to draw anew", "没有可以重抽的目标"),
        Words("The batch has a single class or value, or its loss has no targets of that kind.",
              "这一批只有一个类别或一个值，或者损失没有这类目标。"),
        Words("Nothing can be learnt by heart, so this says nothing.",
              "没有什么可背，因此得不出结论。"),
        Words("Probe with batches that hold several classes.", "请用含有多个类别的批次来探查。"),
    ),
    ("plasticity", "too-hard"): Said(
        Words("new weights do not learn them either", "最初的权重也学不会"),
        Words("In 200 steps from the first weights the loss on random targets hardly fell.",
              "从最初的权重出发学 200 步，随机目标上的损失几乎没有下降。"),
        Words("There is nothing to compare with, so this says nothing.",
              "没有可比的对象，因此得不出结论。"),
        Words("Ask `gradoctor probe overfit`: it tells whether anything can be learnt by heart.",
              "运行 `gradoctor probe overfit`：它能说明网络背不背得下东西。"),
    ),
    ("plasticity", "too-quick"): Said(
        Words("learnt at once by both", "两者都一下子就学会了"),
        Words("From the first weights random targets take {initial} steps.",
              "从最初的权重出发，随机目标只要 {initial} 步。"),
        Words("So few steps tell nothing apart.", "步数这么少，分不出差别。"),
        Words("Probe with larger batches.", "请用更大的批次来探查。"),
    ),
    ("plasticity", "changed"): Said(
        Words("the model is not the one it was", "模型已不是原来的结构"),
        Words("It has other parameters than at its first forward.",
              "它的参数与第一次前向时不同。"),
        Words("There are no first weights to compare with, so this says nothing.",
              "没有最初的权重可比，因此得不出结论。"),
        Words("Probe a script whose model keeps its layers.", "请探查模型层数不变的脚本。"),
    ),
    ("plasticity", "failed"): Said(
        Words("the model could not be trained from outside", "无法从外部训练这个模型"),
        Words("It ended with {fault}.", "它以 {fault} 结束。"),
        Words("So this says nothing.", "因此得不出结论。"),
        Words("An optimizer that needs a closure, such as LBFGS, cannot be asked.",
              "需要闭包的优化器（例如 LBFGS）无法探查。"),
    ),
}  # fmt: skip

UNSEEN = Said(
    Words("no step could be examined", "没有可供检查的步"),
    Words("The optimizer never stepped after a backward at the step that was to be examined.",
          "在要检查的那一步，反向传播之后优化器没有更新。"),
    Words("So this says nothing.", "因此得不出结论。"),
    Words("Check that the script trains for as many steps as are asked for (--steps).",
          "请确认脚本训练的步数不少于所要求的（--steps）。"),
)  # fmt: skip

CAUTIONS: dict[str, Words] = {
    "cut-short": Words(
        "its time was over before its steps were done: rules do not weigh this answer",
        "规定的步数没跑完时间就到了：规则不采信这个回答",
    ),
    "other-batches": Words(
        "the arms did not see the same batches (something draws without the seed)",
        "各次运行看到的批次不同（有些随机数不受种子控制）",
    ),
    "short-horizon": Words(
        "the first steps of a run do not tell how it ends", "训练的头几步不能说明它的结局"
    ),
    "one-task": Words(
        "the loss shows one task only, and there this is no fault",
        "从损失看只有一个任务，这时它不算毛病",
    ),
    "whole-batch": Words(
        "the batch could not be cut: the whole of it was held", "批次无法裁小：固定了整个批次"
    ),
    "outputs-only": Words(
        "the loss could not be computed again: only outputs were compared",
        "损失无法重新计算：只比较了输出",
    ),
}

LOOKS = Words(
    "; as a multiple of the threshold, by step (+ where the loss then rose): {rows}",
    "；各步锐度是阈值的多少倍（+ 表示随后损失上升）：{rows}",
)
RIGHT = Words(", {accuracy:.0%} right", "，正确率 {accuracy:.0%}")
LABELS = {
    "x1": Words("as it is", "原学习率"), "x0.1": Words("a tenth", "十分之一"),
    "x10": Words("ten times", "十倍"), "as it is": Words("as it is", "原样"),
    "float32": Words.same("float32"), "8 samples": Words("8 samples", "8 个样本"),
    "whole batch": Words("whole batch", "整个批次"), "train-eval": Words("loss", "损失"),
    "causal": Words("loss", "损失"), "init": Words("loss", "损失"),
    "sharpness": Words("loss", "损失"),
    "plasticity": Words("loss", "损失"),
}  # fmt: skip
HEADS = {
    "done": Words("Done:", "做了："), "seen": Words("Seen:", "看到："),
    "means": Words("Means:", "含义："), "next": Words("Next:", "接着："),
    "caution": Words("But:", "但是："),
}  # fmt: skip
