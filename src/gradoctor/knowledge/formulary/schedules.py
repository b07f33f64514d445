"""Learning-rate schedules: the rate over the course of training."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradoctor.knowledge.formulary import _schedule
from gradoctor.knowledge.formulary._schedule import Schedule, picture, rates
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

_SETUP = "model = nn.Linear(4, 1)\noptimizer = torch.optim.SGD(model.parameters(), lr=0.1)\n"
_LOOP = (
    "for _ in range(3):\n"
    "    model(torch.randn(8, 4)).square().mean().backward()\n"
    "    optimizer.step()\n"
    "    optimizer.zero_grad()\n"
    "    scheduler.step()  # after optimizer.step()"
)
_FREE = Words("one number a step", "每步只计算一个数")
_LAST_EPOCH = Words(
    "steps taken already. −1 begins anew and notes the optimizer's rate as the initial one; any other value needs `initial_lr` in the parameter groups, so load a state_dict instead.",
    "已走的步数。−1 表示从头开始，并把优化器当前的学习率记为初始学习率；其他值要求参数组中已有 `initial_lr`，因此恢复训练应改用 load_state_dict。",
)
_UNITS = Words(
    "Its steps are what you call step() on: counted in epochs and called per batch, the rate collapses within an epoch.",
    "它的“步”就是调用 step() 的次数：参数按轮次设定却每个批次调用一次，学习率会在一轮之内就降到底。",
)
_ORDER = Words(
    "Called before optimizer.step() it skips the first rate; PyTorch warns.",
    "若在 optimizer.step() 之前调用，会跳过第一个学习率；PyTorch 会给出警告。",
)


def _draw_lambda() -> tuple[Picture, ...]:
    functions: dict[str, Callable[[int], float]] = {
        "0.95**t": lambda t: 0.95**t,
        "0.99**t": lambda t: 0.99**t,
        "1/(1 + t/50)": lambda t: 1 / (1 + t / 50),
        "min((t + 1)/20, (20/(t + 1))**0.5)": lambda t: min((t + 1) / 20, (20 / (t + 1)) ** 0.5),
    }
    curves = (
        rates(Words.same(name), _schedule.lambda_lr, 200, lr_lambda=function)
        for name, function in functions.items()
    )
    title = Words("LambdaLR: any factor of the step", "LambdaLR：步数的任意函数作因子")
    return (picture(title, *curves),)


def _draw_step() -> tuple[Picture, ...]:
    curves = (
        rates(
            Words.same(f"step_size = {size}, gamma = {gamma}"),
            _schedule.step_lr, 100, step_size=size, gamma=gamma,
        )
        for size, gamma in ((30, 0.1), (30, 0.5), (10, 0.5))
    )  # fmt: skip
    several = rates(
        Words.same("MultiStepLR, milestones = [50, 75], gamma = 0.1"),
        _schedule.multi_step, 100, milestones=(50, 75),
    )  # fmt: skip
    return (picture(Words("Steps down", "阶梯式下降"), *curves, several, log=True),)


def _draw_exponential() -> tuple[Picture, ...]:
    curves = [
        rates(Words.same(f"gamma = {gamma}"), _schedule.exponential, 200, gamma=gamma)
        for gamma in (0.9, 0.95, 0.99)
    ]
    title = Words("The same factor at each step", "每步乘以同一因子")
    return (picture(title, *curves), picture(title, *curves, log=True))


def _draw_cosine() -> tuple[Picture, ...]:
    curves = (
        rates(
            Words.same(f"T_max = {top}, eta_min = {low:g}·base"),
            _schedule.cosine, 200, T_max=top, eta_min=low,
        )
        for top, low in ((200, 0.0), (200, 0.1), (50, 0.0))
    )  # fmt: skip
    title = Words(
        "Half a cosine; past T_max the rate rises again", "半个余弦；超过 T_max 后学习率重新上升"
    )
    return (picture(title, *curves),)


def _losses(count: int) -> list[float]:
    """Losses that fall, level off, and begin to fall again."""
    return [math.exp(-min(t, 40) / 15) + 0.3 * math.exp(-max(t - 80, 0) / 20) for t in range(count)]


def _draw_plateau() -> tuple[Picture, ...]:
    losses = _losses(160)

    def rate(step: int, base: float, **parameters: float) -> float:
        return _schedule.plateau(losses[:step], base, **parameters)  # type: ignore[arg-type]

    curves = (
        rates(Words.same(f"factor = {factor}, patience = {patience}"), rate, 160,
              factor=factor, patience=patience)
        for factor, patience in ((0.1, 10), (0.5, 10), (0.5, 5))
    )  # fmt: skip
    seen = Curve(Words("validation loss", "验证损失"), tuple(map(float, range(160))), tuple(losses))
    title = Words("The rate falls while the loss is level", "损失停滞期间学习率下降")
    return (
        picture(title, *curves, log=True),
        Plot(Words("The loss it looks at", "它所监视的损失"), Words("step", "步数"),
             Words("loss", "损失"), (seen,)),
    )  # fmt: skip


def _draw_one_cycle() -> tuple[Picture, ...]:
    curves = (
        rates(
            Words.same(f"pct_start = {share}, div_factor = {divisor:g}"),
            _schedule.one_cycle, 200, total_steps=200, pct_start=share, div_factor=divisor,
        )
        for share, divisor in ((0.3, 25.0), (0.1, 25.0), (0.3, 4.0))
    )  # fmt: skip
    momenta = tuple(_schedule.one_cycle_momentum(t, total_steps=200) for t in range(200))
    label = Words("momentum, pct_start = 0.3", "动量，pct_start = 0.3")
    return (
        picture(Words("Up to max_lr and down to almost 0", "升到 max_lr，再降到接近 0"), *curves),
        Plot(Words("Momentum goes the other way", "动量反向变化"), Words("step", "步数"),
             Words("momentum", "动量"), (Curve(label, tuple(map(float, range(200))), momenta),)),
    )  # fmt: skip


def _draw_warm_up() -> tuple[Picture, ...]:
    lines = (
        rates(
            Words(f"linear, {warm} steps from {first:.2g}", f"线性，{warm} 步，从 {first:.2g} 起"),
            _schedule.warm_up, 200, start_factor=first, total_iters=warm,
        )
        for warm, first in ((5, 1 / 3), (40, 0.01))
    )  # fmt: skip
    both = (
        rates(
            Words(f"{warm} steps linear, then cosine", f"{warm} 步线性预热，然后余弦下降"),
            _schedule.warm_up_cosine, 200, warm=warm, total=200,
        )
        for warm in (10, 40)
    )  # fmt: skip
    return (
        picture(Words("Linear warm-up", "线性预热"), *lines),
        picture(Words("Warm-up, then a cosine", "先预热，再余弦下降"), *both),
    )


ENTRIES: tuple[Schedule, ...] = (
    Schedule(
        name="lambda_lr",
        kind="schedules",
        title=Words("A factor of your own (LambdaLR)", "自定义因子（LambdaLR）"),
        formula="ηₜ = η₀·f(t)",
        gradient=Words(
            "It leaves the gradient alone and scales the step, with Adam as with SGD.",
            "不改变梯度，只缩放步长；对 Adam 和 SGD 都一样。",
        ),
        cost=_FREE,
        use=Words("any schedule with a formula: inverse root, polynomial, warm-up", "任何有公式的策略：平方根倒数、多项式、预热"),
        avoid=Words("where a named scheduler says the same: a lambda is not saved by state_dict", "已有现成调度器时：lambda 函数不会被 state_dict 保存"),
        torch="torch.optim.lr_scheduler.LambdaLR",
        code=_SETUP + "scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 0.95**t)\n" + _LOOP,
        reference="PyTorch documentation, torch.optim.lr_scheduler.LambdaLR.",
        aliases=("lambda",),
        draw=_draw_lambda,
        rate=_schedule.lambda_lr,
        parameters={
            "lr_lambda": Words("a function of the number of steps taken, from 0; or a list of them, one for each parameter group", "已走步数（从 0 起）的函数；也可为列表，每个参数组一个"),
            "last_epoch": _LAST_EPOCH,
        },
        pitfalls=(
            Words("The function gives a FACTOR of the initial rate, not a rate: one that returns 0.01 under lr=0.01 trains at 0.0001.", "函数返回的是初始学习率的“倍数”，不是学习率本身：lr=0.01 时返回 0.01，实际学习率是 0.0001。"),
            Words("It begins with f(0): a warm-up of t/1000 has a first step of 0.", "从 f(0) 开始：预热写成 t/1000 时，第一步的学习率为 0。"),
            _UNITS, _ORDER,
        ),
    ),
    Schedule(
        name="step_lr",
        kind="schedules",
        title=Words("Step decay (StepLR, MultiStepLR)", "阶梯衰减（StepLR、MultiStepLR）"),
        formula="ηₜ = η₀·γ^⌊t/step_size⌋\nMultiStepLR: ηₜ = η₀·γ^(milestones passed)",
        gradient=Words(
            "Each drop lowers the floor that gradient noise sets, so the loss falls at once; progress along flat directions slows by the same factor.",
            "每次下降都会降低梯度噪声决定的损失下限，损失随即下降；平缓方向上的进展也按同一倍数变慢。",
        ),
        cost=_FREE,
        use=Words("convolutional networks under SGD, with drops where the loss has levelled off", "用 SGD 训练卷积网络，在损失趋平处下降"),
        avoid=Words("where the length of training is not known: an early drop freezes the run", "训练时长未知时：过早下降会使训练停滞"),
        torch="torch.optim.lr_scheduler.StepLR",
        code=_SETUP + "scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.1)\n" + _LOOP,
        reference="K. He et al. Deep Residual Learning for Image Recognition. CVPR 2016 (the rate divided by 10 where the error levels off).",
        aliases=("step", "step_decay", "multi_step", "MultiStepLR"),
        draw=_draw_step,
        rate=_schedule.step_lr,
        parameters={
            "step_size": Words("steps between two drops", "两次下降之间的步数"),
            "milestones": Words("MultiStepLR: after how many steps it drops", "MultiStepLR：在走完多少步之后下降"),
            "gamma": Words("what the rate is multiplied by at a drop", "每次下降时学习率乘以的因子"),
            "last_epoch": _LAST_EPOCH,
        },
        pitfalls=(
            _UNITS, _ORDER,
            Words("Two schedulers on one optimizer multiply: each changes the rate that the other left.", "同一优化器上的两个调度器效果相乘：各自都在对方改过的学习率上修改。"),
        ),
    ),
    Schedule(
        name="exponential",
        kind="schedules",
        title=Words("Exponential decay", "指数衰减"),
        formula="ηₜ = η₀·γᵗ",
        gradient=Words(
            "The step shrinks by the same share each time. The rates add up to η₀/(1 − γ) only: what lies farther than that many unit gradients is never reached by SGD.",
            "步长每次按同一比例缩小。所有学习率之和只有 η₀/(1 − γ)：用 SGD 时，超出这一总路程（以单位梯度计）的目标永远无法到达。",
        ),
        cost=_FREE,
        use=Words("smooth decay where one number must do", "只想用一个参数做平滑衰减时"),
        avoid=Words("long runs with γ chosen by feel: 0.9 a step is 2.7e-5 after 100", "长时间训练而 γ 凭感觉取值：每步 0.9，100 步后只剩 2.7e-5"),
        torch="torch.optim.lr_scheduler.ExponentialLR",
        code=_SETUP + "scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.95)\n" + _LOOP,
        reference="PyTorch documentation, torch.optim.lr_scheduler.ExponentialLR.",
        aliases=("exponential_decay", "exp_decay"),
        draw=_draw_exponential,
        rate=_schedule.exponential,
        parameters={
            "gamma": Words("the factor of one step; for a final share r after T steps take γ = r^(1/T)", "每步的因子；若希望 T 步后剩下比例 r，取 γ = r^(1/T)"),
            "last_epoch": _LAST_EPOCH,
        },
        pitfalls=(_UNITS, _ORDER),
    ),
    Schedule(
        name="cosine",
        kind="schedules",
        title=Words("Cosine annealing", "余弦退火"),
        formula="ηₜ = η_min + (η₀ − η_min)·(1 + cos(π·t/T_max))/2",
        gradient=Words(
            "The rate stays high for half of the time and ends flat near η_min, where the noise of the gradient averages out.",
            "前半程学习率保持较高，最后在 η_min 附近变得平缓，使梯度噪声得以平均掉。",
        ),
        cost=_FREE,
        use=Words("runs of a known length; with warm-up the standard for transformers and vision", "训练时长已知时；配合预热是 Transformer 与视觉模型的标准做法"),
        avoid=Words("runs that may be stopped early or prolonged", "可能提前停止或延长的训练"),
        torch="torch.optim.lr_scheduler.CosineAnnealingLR",
        code=_SETUP + "scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100)\n" + _LOOP,
        reference="I. Loshchilov, F. Hutter. SGDR: Stochastic Gradient Descent with Warm Restarts. ICLR 2017.",
        aliases=("cosine_annealing", "cosine_decay"),
        draw=_draw_cosine,
        rate=_schedule.cosine,
        parameters={
            "T_max": Words("steps from the top to the bottom: HALF a period", "从最高到最低的步数：只是半个周期"),
            "eta_min": Words("the lowest rate, as a rate and not as a factor", "最低学习率，是学习率而不是倍数"),
            "last_epoch": _LAST_EPOCH,
        },
        pitfalls=(
            Words("It is periodic: past T_max the rate climbs back to the initial one at 2·T_max. T_max in epochs and step() per batch makes it swing.", "它是周期性的：超过 T_max 后学习率回升，到 2·T_max 时回到初始值。若 T_max 按轮次设定却每批次调用 step()，学习率会来回摆动。"),
            Words("It does not jump back up; for restarts take CosineAnnealingWarmRestarts.", "它不会突然跳回高点；需要重启时用 CosineAnnealingWarmRestarts。"),
            _ORDER,
        ),
    ),
    Schedule(
        name="plateau",
        kind="schedules",
        title=Words("Reduce on a plateau", "停滞时降低学习率"),
        formula="more than `patience` looks without a loss below best·(1 − threshold):\nη ← max(factor·η, min_lr)",
        gradient=Words(
            "It answers to the loss, not to time: the rate falls once the noise of the gradient, or a valley too narrow for the rate, keeps the loss level. A plateau of a vanishing gradient only gets worse by it.",
            "它根据损失而非时间调整：当梯度噪声或相对学习率过窄的谷底使损失停滞时，降低学习率。但若停滞源于梯度消失，降低学习率只会更糟。",
        ),
        cost=Words("a validation loss at each look", "每次判断需要一个验证损失"),
        use=Words("runs of unknown length with a validation loss that can be trusted", "时长未知、验证损失可信的训练"),
        avoid=Words("noisy losses with little patience; losses that fall by less than the threshold at each look", "损失噪声大而 patience 小；或每次判断时损失的降幅低于 threshold"),
        torch="torch.optim.lr_scheduler.ReduceLROnPlateau",
        code=_SETUP
        + "scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)\n"
        "for _ in range(3):\n"
        "    loss = model(torch.randn(8, 4)).square().mean()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    optimizer.zero_grad()\n"
        "    scheduler.step(loss.item())  # it needs the loss",
        reference="PyTorch documentation, torch.optim.lr_scheduler.ReduceLROnPlateau.",
        aliases=("reduce_on_plateau", "reduce_lr_on_plateau"),
        draw=_draw_plateau,
        rate=_schedule.plateau,
        parameters={
            "mode": Words("'min' for a loss, 'max' for an accuracy", "损失用 'min'，准确率用 'max'"),
            "factor": Words("what the rate is multiplied by", "学习率乘以的因子"),
            "patience": Words("looks without improvement that are borne; it acts at the next", "可容忍的无改善次数；再多一次就降低"),
            "threshold": Words("how much better than the best counts", "比最佳值好多少才算改善"),
            "threshold_mode": Words("'rel': the threshold is a share of the best; 'abs': it is a difference", "'rel'：threshold 是最佳值的比例；'abs'：是差值"),
            "cooldown": Words("looks after a drop that do not count", "降低之后不计数的次数"),
            "min_lr": Words("the lowest rate", "学习率下限"),
            "eps": Words("a drop smaller than this is not made", "降幅小于此值则不降"),
        },
        pitfalls=(
            Words("mode='min' with an accuracy takes each improvement for a setback.", "监视准确率却用 mode='min' 时，会把进步当作退步。"),
            Words("The relative threshold fails for a loss below 0: best·(1 − threshold) is above the best.", "损失为负时相对阈值失效：best·(1 − threshold) 反而高于最佳值。"),
            Words("Its patience counts calls: called per batch, ten noisy batches are a plateau.", "patience 按调用次数计：每批次调用时，十个有噪声的批次就被当作停滞。"),
        ),
    ),
    Schedule(
        name="one_cycle",
        kind="schedules",
        title=Words("One cycle (1cycle)", "单周期（1cycle）"),
        formula="η: max_lr/div_factor → max_lr over pct_start·total_steps\nthen → max_lr/(div_factor·final_div_factor), along cosines\nmomentum: 0.95 → 0.85 → 0.95",
        gradient=Words(
            "Small steps while gradients are large and point anywhere, large ones in the middle, tiny ones at the end; momentum falls while the rate is high, so that η/(1 − μ) grows less.",
            "起初梯度大而方向杂乱时步长小，中段步长大，最后极小；学习率高时动量降低，使 η/(1 − μ) 增长较缓。",
        ),
        cost=_FREE,
        use=Words("short runs of a known length at a large rate", "时长已知、学习率较大的短训练"),
        avoid=Words("runs whose number of batches is not known", "批次总数未知的训练"),
        torch="torch.optim.lr_scheduler.OneCycleLR",
        code="model = nn.Linear(4, 1)\n"
        "optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)\n"
        "scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=100)\n" + _LOOP,
        reference="L. N. Smith, N. Topin. Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates. arXiv:1708.07120, 2017.",
        aliases=("1cycle",),
        draw=_draw_one_cycle,
        rate=_schedule.one_cycle,
        parameters={
            "max_lr": Words("the highest rate; the optimizer's lr is overwritten", "最高学习率；优化器的 lr 会被覆盖"),
            "total_steps": Words("batches in the whole run; or epochs × steps_per_epoch", "整个训练的批次数；或 epochs × steps_per_epoch"),
            "epochs": Words("with steps_per_epoch, in place of total_steps", "与 steps_per_epoch 一起代替 total_steps"),
            "steps_per_epoch": Words("batches in an epoch", "每轮的批次数"),
            "pct_start": Words("the share of the run that rises", "上升阶段所占比例"),
            "anneal_strategy": Words("'cos' or 'linear'", "'cos' 或 'linear'"),
            "cycle_momentum": Words("whether momentum (Adam: β₁) cycles against the rate", "动量（Adam 为 β₁）是否与学习率反向变化"),
            "base_momentum": Words("momentum where the rate is highest", "学习率最高时的动量"),
            "max_momentum": Words("momentum at both ends", "两端的动量"),
            "div_factor": Words("max_lr / initial rate", "max_lr 与初始学习率之比"),
            "final_div_factor": Words("initial rate / last rate", "初始学习率与最终学习率之比"),
            "three_phase": Words("down to the initial rate as long as it rose, then to the last", "先用与上升等长的阶段降回初始学习率，再降到最终值"),
            "last_epoch": _LAST_EPOCH,
        },
        pitfalls=(
            Words("It is called per BATCH; called per epoch it never gets beyond the rise.", "应每个“批次”调用一次；若每轮调用一次，学习率到训练结束仍处于上升初期。"),
            Words("A step beyond total_steps raises ValueError.", "超过 total_steps 再调用会抛出 ValueError。"),
            Words("It overwrites the optimizer's lr and momentum; without momentum (or betas) it raises ValueError unless cycle_momentum=False.", "它会覆盖优化器的 lr 和动量；优化器没有动量（或 betas）时会抛出 ValueError，除非设 cycle_momentum=False。"),
        ),
    ),
    Schedule(
        name="warm_up",
        kind="schedules",
        title=Words("Linear warm-up", "线性预热"),
        formula="ηₜ = η₀·(start + (end − start)·min(t, total_iters)/total_iters)",
        gradient=Words(
            "Small steps while the network is near its initial weights, where curvature is high and Adam's averages rest on few gradients.",
            "网络尚在初始权重附近时只走小步：那里曲率大，Adam 的滑动平均也只基于少数几个梯度。",
        ),
        cost=_FREE,
        use=Words("transformers, large batches, large rates, Adam; then a decay, most often a cosine", "Transformer、大批量、大学习率、Adam；之后接衰减，最常见的是余弦"),
        avoid=Words("as a cure: a run that only survives with thousands of warm-up steps may lack normalisation or a sound initialisation", "当作万能药：若不预热数千步就会发散，问题可能在于缺少归一化或初始化不当"),
        torch="torch.optim.lr_scheduler.LinearLR",
        code=_SETUP
        + "warm = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.01, total_iters=10)\n"
        "cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=90)\n"
        "scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], milestones=[10])\n"
        + _LOOP,
        reference="P. Goyal et al. Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour. arXiv:1706.02677, 2017.",
        aliases=("linear_warm_up", "linear", "warm_up_cosine"),
        draw=_draw_warm_up,
        rate=_schedule.warm_up,
        parameters={
            "start_factor": Words("the first factor; 0 is not allowed", "起始因子；不能为 0"),
            "end_factor": Words("the last factor", "最终因子"),
            "total_iters": Words("steps from the first factor to the last", "从起始因子到最终因子的步数"),
            "last_epoch": _LAST_EPOCH,
        },
        pitfalls=(
            Words("The default is 5 steps from 1/3: hardly a warm-up.", "默认只有 5 步、从 1/3 起：几乎算不上预热。"),
            Words("PyTorch refuses start_factor=0.", "PyTorch 不接受 start_factor=0。"),
            Words("Followed by a cosine, take T_max = total − warm-up steps.", "后接余弦时，T_max 应取总步数减去预热步数。"),
            _UNITS, _ORDER,
        ),
    ),
)  # fmt: skip
