"""The words for measured things: statistics, units, levels, benign contexts, skipped checks."""

from __future__ import annotations

import math

from gradoctor.knowledge.figures import figure
from gradoctor.knowledge.language import Translator, Words
from gradoctor.knowledge.statistics import STATISTICS
from gradoctor.records import Evidence, Skipped

LEVELS = {
    "note": Words("note", "提示"),
    "suspect": Words("suspect", "疑似"),
    "sick": Words("sick", "患病"),
    "confirmed": Words("confirmed", "证实"),
}

# What a statistic is called; with a unit where a rule compares it rather than reads it.
STATISTIC_WORDS: dict[tuple[str, str] | str, Words] = {
    ("act.mean", "ratio"): Words("mean output, against its size", "输出均值与其大小之比"),
    ("act.absmax", "ratio"): Words("largest output, against the rms", "最大输出与均方根之比"),
    ("stream.rms", "bits"): Words("residual stream, end against start", "残差流首尾之比"),
    ("act.rms", "bits"): Words("signal, last layer against first", "信号末层与首层之比"),
    ("actgrad.rms", "bits"): Words("gradient, first layer against last", "梯度，首层与末层之比"),
    ("actgrad.rms", "bits/layer"): Words("gradient, change from layer to layer", "梯度逐层的变化"),
    ("actgrad.rms", "R2"): Words(
        "how evenly it changes with depth (R2)", "随深度变化的均匀程度（R2）"
    ),
    ("act.rms", "bits/layer"): Words("signal, change from layer to layer", "信号逐层的变化"),
    ("update.ratio", "share"): Words(
        "weight update, against the best layer", "权重更新与最好一层之比"
    ),
    ("weight.movement", "share"): Words(
        "weights moved, against the best layer", "权重移动与最好一层之比"
    ),
    ("lossfn.value", "r"): Words("gain of the loss over blind guessing", "损失比盲猜好多少"),
    ("lossfn.value", "ratio"): Words("loss, against blind guessing", "损失与盲猜之比"),
    ("grad.norm", "ratio"): Words("gradient norm, against its usual size", "梯度范数与平时之比"),
    ("loss.value", "times best"): Words("loss, against its own best", "损失与自身最好水平之比"),
    ("update.ratio", "decades"): Words(
        "spread of the updates between layers, in decades", "各层更新相差的数量级"
    ),
    ("update.rms", "of first"): Words("step for a gradient, against the first", "步长与最初之比"),
    ("update.decay_rms", "ratio"): Words(
        "decay, against the gradient's part of the step", "衰减与梯度所占步长之比"
    ),
    ("weight.rms", "of itself/100 steps"): Words(
        "shrinking of the weights in 100 steps", "100 步内权重的缩小"
    ),
    ("clip.norm", "ratio"): Words("gradient norm, against the bound", "梯度范数与上限之比"),
    ("update.predicted", "share"): Words(
        "fall that a step foretells, of the loss", "一步预计的降幅占损失"
    ),
    ("update.predicted", "of loss"): Words(
        "cost of the length of the steps, of the loss", "步子太大的代价占损失"
    ),
    ("loss.value", "MAD"): Words("height of the loss spike", "损失尖峰的高度"),
    ("loss.value", "of baseline/100 steps"): Words(
        "fall of the loss in 100 steps", "100 步内损失的下降"
    ),
    ("lossfn.coefficient", "ratio"): Words(
        "heaviest term of the loss, against this one", "损失最重的一项与这一项之比"
    ),
    ("input.absmax", "ratio"): Words("largest input, against the usual", "最大的输入与平常之比"),
    ("target.max", "ratio"): Words("largest target, against the usual", "最大的目标与平常之比"),
    ("prediction.rms", "slope"): Words(
        "slope of the outputs, against the targets' own", "输出的斜率与目标自身之比"
    ),
    ("label.entropy", "ratio"): Words(
        "variety of labels in a batch, against chance", "批内标签多样性与随机之比"
    ),
    ("grad.rms", "ratio"): Words(
        "gradient of the bias, against its weight's", "偏置的梯度与其权重梯度之比"
    ),
    ("target.std", "bits"): Words("targets, against the first predictions", "目标与最初预测之比"),
    ("input.hash", "steps"): Words("looks in a row at the same batch", "连续看到同一批数据的次数"),
    ("loss.nonfinite", "steps"): Words("steps whose loss is not finite", "损失不是有限数的步数"),
    ("eval.loss", "ratio"): Words("evaluation loss, against training's", "评估损失与训练损失之比"),
    ("loss.value", "fall"): Words("fall of the training loss meanwhile", "其间训练损失的下降"),
    ("norm.eval_var_ratio", "bits"): Words(
        "variance in evaluation, against the running one", "评估时的方差与滑动方差之比"
    ),
    ("update.decay_rms", "share"): Words(
        "weight decay's share of the update", "权重衰减占更新的份额"
    ),
    # Counts and shares that rules make of facts.
    "optimizer.eps": Words("epsilon of the optimizer", "优化器的 epsilon"),
    "repeated.count": Words("entries that are the same layer", "指向同一层的条目数"),
    "loader.epochs": Words("passes over the data in the same order", "以同样顺序遍历数据的次数"),
    "backward.discarded": Words("gradients cleared before a step", "更新之前就被清零的梯度"),
    "backward.doubled": Words(
        "looks with two backwards of one loss", "对同一损失作两次反向传播的观察"
    ),
    "optimizer.repeated": Words(
        "steps on the gradients of the step before", "用上一次更新之梯度的更新"
    ),
    "wiring.unused": Words("weights whose module never ran", "所属模块从未运行的权重"),
    "edited.undone": Words("steps that were taken back", "被收回的更新"),
    "edited.edited": Words("steps after which weights were written to", "之后权重又被写入的更新"),
    "retained.graphs": Words("graphs of earlier losses still held", "仍被持有的旧损失计算图"),
    "optimizer.remade": Words("times that it was made anew", "重新创建的次数"),
    "resumed.optimizers": Words("optimizers that took a saved state", "取用已保存状态的优化器"),
    "cloned.parted": Words("equal at the start, different by now", "起初相等、如今不同"),
    "forget_gate.bias": Words("bias of the forget gates", "遗忘门的偏置"),
    "risky.room": Words("room left to where the operation breaks", "离运算出错处的余量"),
    "loss.terms": Words("values that the loss is taken over", "归约成损失的值的个数"),
    "affine.layers": Words("layers that could be one", "可以合并成一层的层数"),
    "cloned.weights": Words("weights drawn alike", "初值完全相同的权重"),
    "broadcast.numel": Words(
        "values after broadcasting, against the batch", "广播后的元素个数与批大小相比"
    ),
    "clip.active": Words("steps in which clipping bites", "裁剪起作用的步"),
    "clip.misplaced": Words("steps with clipping out of place", "裁剪位置不对的步"),
    "dropout.p": Words("rate of the dropout", "dropout 的丢弃率"),
    "error.no_grad_fn": Words("backward calls without a graph", "没有计算图的 backward 次数"),
    "init.gain": Words("weights, against what the activation needs", "权重与激活函数所需之比"),
    "init.chi": Words("what a layer does to the gradient's mean square", "一层对梯度均方的乘数"),
    "init.depth": Words("depth, against the reach of the gradient", "深度与梯度可达深度之比"),
    "init.logit_std": Words("spread of the first outputs", "最初输出的标准差"),
    "init.clones_later": Words("units that are still copies of others", "仍与别的单元相同的单元"),
    "nonfinite.low": Words("distance of the operand from its edge", "操作数离边缘的距离"),
    "loss_call.floor": Words("loss of a sample at best", "单个样本损失的下限"),
    "probe.gap": Words(
        "loss of one batch lost in eval mode, of that in train mode",
        "同一批在评估模式下多出的损失（相对训练模式）",
    ),
    "probe.left": Words("left of eight samples' loss", "8 个样本的损失所剩"),
    "probe.shift": Words("running mean, from the batch's mean", "滑动均值与该批均值之差"),
    "probe.scale": Words("running variance, from the batch's variance", "滑动方差与该批方差之差"),
    "probe.sharpness": Words("sharpness, against its threshold", "锐度与其阈值之比"),
    "probe.leaks": Words("tries that reached an earlier output", "影响到更早输出的尝试"),
    "probe.plasticity": Words(
        "steps for random targets, against the first weights", "学随机目标的步数与最初权重之比"
    ),
    "tasks.took": Words(
        "steps that late tasks take, against early ones", "后期任务与早期任务的步数之比"
    ),
    "loss_call.classes": Words(
        "outputs, against the classes that occur", "输出个数与出现的类别数相比"
    ),
    "loss_call.one_hot": Words("classes that exclude each other", "互相排斥的类别"),
    "loss_call.multi_label": Words("targets with several ones in a row", "一行里有好几个 1 的目标"),
    "loss.spikes": Words("jumps of the loss right after them", "紧随其后的损失跳升次数"),
    "evaluation.train_mode": Words("evaluations in train mode", "处于 train 模式的评估次数"),
    "error.one_sample": Words("samples in the batch", "批里的样本数"),
    "mode.momentum": Words("momentum of the running statistics", "滑动统计量的动量"),
    "mode.samples": Words("values that a statistic is taken over", "求统计量所用的值的个数"),
    "norm.alpha": Words("alpha that acts on each square", "作用在每个平方上的 alpha"),
    "wiring.frozen": Words("weights frozen as initialised", "冻结在初始化状态的权重"),
    "wiring.frozen_moves": Words("looks at which they had changed", "看到它们变化的次数"),
    "mode.eval": Words(
        "training forwards in eval mode, in a row", "连续处于 eval 模式的训练前向次数"
    ),
    "input.different": Words("different batches seen", "见到的不同批数"),
    "optimizer.momentum": Words("momentum", "动量"),
    "optimizer.weight_decay": Words("weight decay", "权重衰减"),
    "optimizer.orphans": Words("tensors held that no model uses", "没有模型在用、却被持有的张量"),
    "optimizer.steps_without_backward": Words(
        "steps without a backward before them", "之前没有 backward 的更新次数"
    ),
    "scaler.misuse": Words("steps with the scaler's calls out of order", "scaler 调用顺序不对的步"),
    "unregistered.parameters": Words(
        "parameters that the model does not know", "模型不知道的参数个数"
    ),
    "wiring.stale": Words("steps that used gradients not cleared", "用了未清零梯度的步"),
    "wiring.unowned": Words("tensors with gradients and no optimizer", "有梯度却没有优化器的张量"),
    "wiring.without_gradient": Words("tensors that no gradient reaches", "梯度到不了的张量"),
    "backward.count": Words("backward passes a step", "每步反向传播次数"),
    "clip.norm": Words("gradient norm before clipping", "裁剪前的梯度范数"),
    "clip.max_norm": Words("bound of the clipping", "裁剪上限"),
    "scaler.scale": Words("loss scale", "损失缩放倍数"),
    "scaler.skipped": Words("steps skipped by the scaler", "被缩放器跳过的步"),
    "batch.size": Words("batch size", "批大小"),
    "step.seconds": Words("time of a step", "每步用时"),
    "own.seconds": Words("time spent watching", "观察用时"),
    "grad.norm": Words("gradient norm", "梯度范数"),
    "grad.cosine": Words("cosine of this gradient and the one before", "与上一步梯度的余弦"),
    "grad.snr": Words("gradient's signal over its noise", "梯度的信噪比"),
    "update.predicted": Words("predicted change of the loss", "预计的损失变化"),
    "lr": Words("learning rate", "学习率"),
    "loss.value": Words("loss", "损失"),
    "loss.nonfinite": Words("loss is not finite", "损失不是有限数"),
    "lossfn.value": Words("loss", "损失"),
    "lossfn.baseline": Words("loss of blind guessing", "盲猜的损失"),
    "lossfn.kl": Words("distance of predictions from label frequencies", "预测与标签频率的距离"),
    "lossfn.simplex": Words("predictions that are probabilities already", "已是概率的预测"),
    "lossfn.unit": Words("predictions between 0 and 1", "0 与 1 之间的预测"),
    "lossfn.logprob": Words("predictions that are log-probabilities", "已是对数概率的预测"),
    "prediction.mean": Words("mean prediction", "预测均值"),
    "prediction.rms": Words("size of the predictions", "预测的大小"),
    "prediction.centred_ratio": Words("how far predictions differ by sample", "不同样本预测的差异"),
    "target.mean": Words("mean target", "目标均值"),
    "target.std": Words("spread of the targets", "目标的标准差"),
    "target.min": Words("smallest target", "最小的目标"),
    "target.max": Words("largest target", "最大的目标"),
    "target.nonfinite": Words("targets that are not finite", "目标中的非有限数"),
    "target.hash": Words("fingerprint of the targets", "目标的指纹"),
    "target.ignored": Words("targets that the loss passes over", "损失跳过的目标"),
    "target.outside": Words("targets that no output can reach", "任何输出都到不了的目标"),
    "target.beyond": Words(
        "square of how far targets lie out of reach", "目标超出可达范围之距离的平方"
    ),
    "lossfn.coefficient": Words(
        "weight of the mean loss in backward", "平均损失在反向传播中的系数"
    ),
    "lossfn.logz": Words("log of the softmax's denominator", "softmax 分母的对数"),
    "label.copy": Words("labels equal to the input token", "与输入词元相同的标签"),
    "label.next": Words("labels equal to the next token", "与下一个词元相同的标签"),
    "label.after_next": Words(
        "labels equal to the token after the next", "与再下一个词元相同的标签"
    ),
    "label.previous": Words("labels equal to the token before", "与前一个词元相同的标签"),
    "label.padding": Words("labels that count and are padding", "计入损失的填充标签"),
    "class.imbalance": Words(
        "most frequent class, against the rarest", "最多的类别与最少的类别之比"
    ),
    "class.rare_recall": Words("rare samples that are found", "被找出的稀有样本"),
    "class.frequent_recall": Words("frequent samples that are found", "被找出的常见样本"),
    "class.rare_share": Words(
        "predictions of rare classes, against their labels", "稀有类别的预测与标签之比"
    ),
    "class.rare_seen": Words("rare samples seen of late", "近来见到的稀有样本"),
    "label.contradicted": Words("labels that are firmly contradicted", "被模型明确否定的标签"),
    "label.undecided": Words("labels that are left undecided", "模型没有定论的标签"),
    "label.doubt_pattern": Words("pattern in the contradicted labels", "被否定的标签中的规律"),
    "label.entropy": Words("variety of labels in a batch", "批内标签的多样性"),
    "label.expected_entropy": Words(
        "variety of labels expected by chance", "随机时应有的标签多样性"
    ),
    "input.mean": Words("mean input", "输入均值"),
    "input.std": Words("spread of the input", "输入的标准差"),
    "input.absmax": Words("largest input", "最大的输入"),
    "input.nonfinite": Words("inputs that are not finite", "输入中的非有限数"),
    "input.hash": Words("fingerprint of the input", "输入的指纹"),
    "input.duplicates": Words("equal samples in a batch", "批内相同的样本"),
    "input.feature_mean": Words("largest mean of an input feature", "输入特征的最大均值"),
    "input.feature_std": Words("largest spread of an input feature", "输入特征的最大标准差"),
    "input.feature_offset": Words(
        "largest mean over spread of an input feature", "输入特征均值与标准差之比的最大值"
    ),
    "input.feature_spread": Words("widest over narrowest input feature", "最宽与最窄输入特征之比"),
    "input.samples": Words("samples seen", "见到的样本"),
    "input.padding": Words("tokens that are padding", "作填充的词元"),
    "input.eval_shift": Words(
        "shift of the input in evaluation, in standard deviations", "评估时输入的偏移，以标准差计"
    ),
    "input.eval_scale": Words(
        "spread of the input, evaluation against training", "评估与训练时输入离散程度之比"
    ),
    "input.eval_samples": Words("evaluation samples seen", "见到的评估样本"),
    "eval.loss": Words("evaluation loss", "评估损失"),
    "eval.accuracy": Words("right answers in evaluation", "评估时答对的比例"),
    "eval.samples": Words("samples of an evaluation", "一次评估的样本数"),
    "norm.mean_gap": Words(
        "running mean against the batch's, in standard deviations",
        "滑动均值与批均值之差，以标准差计",
    ),
    "norm.var_gap": Words("running variance against the batch's", "滑动方差与批方差之比"),
    "norm.var_ratio": Words("variance of a batch, against the running one", "批方差与滑动方差之比"),
    "norm.eval_mean_gap": Words(
        "running mean against that in evaluation, in standard deviations",
        "滑动均值与评估时均值之差，以标准差计",
    ),
    "norm.eval_var_gap": Words(
        "running variance against that in evaluation", "滑动方差与评估时方差之比"
    ),
    "norm.eval_var_ratio": Words(
        "variance in evaluation, against the running one", "评估时的方差与滑动方差之比"
    ),
    "norm.eps_share": Words(
        "epsilon's share of what a norm divides by", "epsilon 在归一化除数中的份额"
    ),
    "norm.small_gain": Words("gains of a norm that are nearly 0", "归一化层接近 0 的增益"),
    "act.rms": Words("size of the output", "输出的大小"),
    "act.absmax": Words("largest output", "最大的输出"),
    "act.nonfinite": Words("output is not finite", "输出不是有限数"),
    "act.mean": Words("mean output", "输出均值"),
    "act.zero_fraction": Words("outputs that are zero", "输出中的零"),
    "act.centred_ratio": Words("how far outputs differ by sample", "不同样本输出的差异"),
    "act.similarity": Words(
        "likeness of the outputs for different samples", "不同样本输出的相似度"
    ),
    "act.saturated_fraction": Words("saturated units", "饱和单元"),
    "act.gain_loss": Words("slope lost in the activation", "激活函数损失的斜率"),
    "act.dead_fraction": Words("dead units", "死亡单元"),
    "act.dormant_fraction": Words("dormant units", "休眠单元"),
    "act.token_ratio": Words("how far outputs differ by position", "不同位置输出的差异"),
    "attention.entropy": Words("spread of the attention", "注意力的分散程度"),
    "attention.logit_max": Words("largest attention logit", "最大的注意力打分"),
    "stream.rms": Words("size of the residual stream", "残差流的大小"),
    "stream.branch": Words("branch, against the stream", "支路与残差流之比"),
    "latent.kl": Words("latent divergence from the prior", "隐变量与先验之间的散度"),
    "latent.collapsed": Words("latent dimensions equal to the prior", "与先验相同的隐变量维度"),
    "latent.active": Words("latent dimensions in use", "仍在使用的隐变量维度"),
    "embedding.spread": Words("spread of the embeddings' directions", "嵌入方向的离散程度"),
    "embedding.rank": Words("dimensions that embeddings spread over", "嵌入散布的维数"),
    "samples.diversity": Words(
        "spread of generated samples, against the data's", "生成样本与数据的离散程度之比"
    ),
    "samples.distance": Words(
        "generated samples' mean, away from the data's", "生成样本均值偏离数据均值的距离"
    ),
    "samples.separation": Words("pairs that the discriminator orders right", "判别器排对的样本对"),
    "router.load_max": Words("share of the busiest expert", "最忙专家所占份额"),
    "router.starved": Words("experts that get next to nothing", "几乎分不到数据的专家"),
    "act.headroom": Words("room left below float16's largest number", "离 float16 最大数的余量"),
    "actgrad.rms": Words("gradient at the output", "输出处的梯度"),
    "actgrad.absmax": Words("largest gradient at the output", "输出处的最大梯度"),
    "actgrad.nonfinite": Words("gradient is not finite", "梯度不是有限数"),
    "actgrad.zero_fraction": Words("gradients that are zero", "梯度中的零"),
    "actgrad.subnormal_fraction": Words(
        "gradients below float16's normal range", "低于 float16 正规范围的梯度"
    ),
    "actgrad.flushed_fraction": Words(
        "gradients rounded to zero by float16", "被 float16 舍入为零的梯度"
    ),
    "time.slope": Words("gradient, change from time step to time step", "梯度逐时间步的变化"),
    "time.length": Words("length of the sequence", "序列长度"),
    "weight.rms": Words("size of the weights", "权重的大小"),
    "weight.absmax": Words("largest weight", "最大的权重"),
    "weight.nonfinite": Words("weights are not finite", "权重不是有限数"),
    "weight.movement": Words("distance of the weights from their start", "权重离初值的距离"),
    "grad.rms": Words("gradient of the weights", "权重的梯度"),
    "grad.absmax": Words("largest gradient of the weights", "权重的最大梯度"),
    "grad.nonfinite": Words("gradient of the weights is not finite", "权重的梯度不是有限数"),
    "grad.zero_fraction": Words("gradients of the weights that are zero", "权重梯度中的零"),
    "update.rms": Words("size of the update", "更新的大小"),
    "update.ratio": Words("weight update over weight", "权重更新与权重之比"),
    "update.decay_rms": Words("size of the weight decay", "权重衰减的大小"),
    "update.lost_fraction": Words("updates lost to rounding", "因舍入丢失的更新"),
    "moment.epsilon_share": Words(
        "elements whose scale is set by epsilon", "尺度由 epsilon 决定的元素"
    ),
    "moment.surprise": Words(
        "gradient, against what the optimizer remembers", "梯度与优化器所记尺度之比"
    ),
    "update.progress": Words("share of the progress", "在进展中的份额"),
}

# Benign contexts that the evidence protocol and single rules look for.
CONTEXT_WORDS = {
    "adapters": Words("adapters", "适配器"),
    "class-weights": Words("class weights", "类别权重"),
    "converged": Words("already converged", "已经收敛"),
    "embedding": Words("embedding", "嵌入层"),
    "evaluation": Words("evaluation", "评估"),
    "falling-rate": Words("a learning rate that falls", "学习率不断降低"),
    "fine-tuning": Words("fine-tuning", "微调"),
    "gradient-accumulation": Words("gradient accumulation", "梯度累积"),
    "moving-targets": Words("moving targets", "目标随训练变化"),
    "normalised": Words("normalised layers", "带归一化的层"),
    "kept-best": Words("the best weights were kept", "已保存最好的权重"),
    "large-epsilon": Words("an epsilon chosen on purpose", "有意设定的 epsilon"),
    "other-data": Words("later tasks have other data", "后来的任务数据不同"),
    "own-samples": Words("a loss about the network's own samples", "损失针对网络自身的采样"),
    "own-sampler": Words("a sampler of its own", "自定义采样器"),
    "relu-sparsity": Words("ordinary ReLU sparsity", "ReLU 的正常稀疏"),
    "residual": Words("residual sums", "残差连接"),
    "scaler-skips": Words("the scaler finding its scale", "缩放器在寻找倍数"),
    "schedule-tail": Words("end of the learning-rate schedule", "学习率计划的末段"),
    "several-losses": Words("several losses", "多个损失"),
    "successive-tasks": Words("tasks that follow one another", "任务依次出现"),
    "too-early": Words("too early to tell", "为时尚早"),
    "unlike-input": Words("other inputs in evaluation", "评估的输入不同"),
    "unscaled-input": Words("unscaled input", "输入未缩放"),
    "updates-lost": Words("updates lost to rounding", "因舍入丢失的更新"),
    "vanishing": Words("vanishing gradient", "梯度消失"),
    "warm-up": Words("warm-up", "预热"),
    "zero-initialised-branch": Words("zero-initialised branch", "零初始化分支"),
}

# Why a check did not run: the key before the colon of ``Skipped.why``.
REASON_WORDS = {
    "error": Words("the check itself failed", "检查本身出错"),
    "few-evaluations": Words("too few evaluations", "评估次数太少"),
    "missing": Words("does not apply", "不适用"),
    "no-baseline": Words("no loss with a known baseline", "没有基线已知的损失"),
    "no-evaluation": Words("no evaluation seen", "没有见到评估"),
    "not-probed": Words("needs a probe", "需要先作探查"),
    "no-labels": Words("no labels seen", "没有见到标签"),
    "own-samples": Words("a loss about the network's own samples", "损失针对网络自身的采样"),
    "several-losses": Words("several losses", "多个损失"),
    "structured-labels": Words("labels are no plain classes", "标签不是普通类别"),
    "sum-reduction": Words("the loss is a sum", "损失是求和而非平均"),
    "too-short": Words("run too short", "训练太短"),
}

# Units that are said aloud; others are left out or change how a figure is written.
UNIT_WORDS = {
    "bits": Words("bits", "比特"),
    "bits/layer": Words("bits a layer", "比特/层"),
    "bits/step": Words("bits a step", "比特/步"),
    "calls": Words("calls", "次"),
    "MAD": Words("times the usual noise", "倍平常噪声"),
    "looks": Words("looks", "次"),
    "nat": Words("nats", "奈特"),
    "passes": Words("passes", "次"),
    "samples": Words("samples", "个样本"),
    "steps": Words("steps", "步"),
    "s": Words("s", "秒"),
    "tries": Words("tries", "次尝试"),
}
_PERCENT = {
    "fraction",
    "share",
    "r",
    "of baseline/100 steps",
    "of loss",
    "of first",
    "of itself/100 steps",
}
_YES_NO = {"0/1"}
# Spans in bits are compared by rules; a reader understands the factor.
_FACTORS = {"actgrad.rms", "act.rms", "grad.rms", "stream.rms", "target.std"}
_FACTORS = {
    "input.eval_scale",
    "norm.eval_var_gap",
    "norm.eval_var_ratio",
    "norm.var_gap",
    "norm.var_ratio",
    "actgrad.rms",
    "act.rms",
    "grad.rms",
    "target.std",
}


def statistic_words(evidence: Evidence, _: Translator) -> str:
    """What was measured, in words; the statistic's own name when it has none."""
    known = STATISTIC_WORDS.get(
        (evidence.statistic, evidence.unit), STATISTIC_WORDS.get(evidence.statistic)
    )
    return known.told(_.lang) if known else evidence.statistic


def measured(value: float | None, evidence: Evidence, _: Translator) -> str:
    """A value of this evidence (its figure or its limit) with its unit, as one reads it aloud."""
    if value is None or not math.isfinite(value):
        return figure(value)
    unit = unit_of(evidence)
    if unit == "bits" and evidence.statistic in _FACTORS:
        return figure(float(f"{2.0**value:.1e}")) if abs(value) < 1000 else f"2^{figure(value)}"
    if unit in _PERCENT:
        return percent(value)
    if unit in _YES_NO:
        return _("yes") if value else _("no")
    words = UNIT_WORDS.get(unit)
    return f"{figure(value)} {words.told(_.lang)}" if words else figure(value)


def unit_of(evidence: Evidence) -> str:
    """The unit a rule gave, else the statistic's own."""
    if evidence.unit or evidence.statistic not in STATISTICS:
        return evidence.unit
    return STATISTICS[evidence.statistic].unit


def percent(share: float) -> str:
    """A share as a percentage of two or three digits."""
    hundredths = share * 100
    if hundredths and abs(hundredths) < 0.01:
        return "<0.01%" if hundredths > 0 else ">-0.01%"
    if abs(hundredths) >= 1000:
        return f"{figure(hundredths)}%"
    return f"{hundredths:.3g}%" if abs(hundredths) < 99.95 else f"{hundredths:.0f}%"


def context_words(name: str, _: Translator) -> str:
    """A benign context in words."""
    known = CONTEXT_WORDS.get(name)
    return known.told(_.lang) if known else name.replace("-", " ")


def reason_words(skipped: Skipped, _: Translator, *, details: bool) -> str:
    """Why a check did not run; in short, or with what was missing."""
    key, colon, rest = skipped.why.partition(":")
    if key not in REASON_WORDS:
        return skipped.why
    said = REASON_WORDS[key].told(_.lang)
    return f"{said} ({rest.strip()})" if details and colon else said
