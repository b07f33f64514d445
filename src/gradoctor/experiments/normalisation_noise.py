"""Batch norm where its statistics are a trouble: in time, and where noise does harm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import SGD, Adam

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import band, halves, line, once, over
from gradoctor.experiments._networks import generator
from gradoctor.experiments._training import accuracy, batches, seeded, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Grid, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5

# ---- claim 36 ------------------------------------------------------------------------------------
STATISTICS = {
    "none": Words("no batch norm", "无批归一化"),
    "shared": Words("one set for all steps", "各时间步共用一组"),
    "each": Words("one set for each step", "每个时间步一组"),
}


class Recurrent(nn.Module):
    """A tanh RNN that reads a digit in some steps, with batch norm before each tanh.

    Args:
        statistics: ``none``, ``shared`` by all steps, or of ``each`` step.
    """

    def __init__(self, statistics: str, steps: int, seed: int, width: int = 32) -> None:
        super().__init__()
        self.steps, self.width = steps, width
        with seeded(seed):
            self.inputs = nn.Linear(64 // steps, width)
            self.state = nn.Linear(width, width, bias=False)
            nn.init.orthogonal_(self.state.weight)
            self.head = nn.Linear(width, 10)
        count = {"none": 0, "shared": 1, "each": steps}[statistics]
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        """The head's output after the last step."""
        state = x.new_zeros(len(x), self.width)
        for step, part in enumerate(x.chunk(self.steps, 1)):
            state = self.inputs(part) + self.state(state)
            if self.norms:
                state = self.norms[step % len(self.norms)](state)
            state = state.tanh()
        out: Tensor = self.head(state)
        return out


def read(statistics: str, seed: int, steps: int = 16) -> tuple[float, float]:
    """Test accuracy of such a network after 300 steps of SGD: in evaluation, and in training."""
    net, data = Recurrent(statistics, steps, seed), digits()
    train(net, data, SGD(net.parameters(), 0.1), steps=300, seed=seed)
    with torch.no_grad():
        right = net.train()(data.test_x).argmax(1) == data.test_y
    return accuracy(net, data.test_x, data.test_y), float(right.double().mean())


def stored(statistics: str, steps: int) -> int:
    """Numbers that the statistics take."""
    return sum(b.numel() for b in Recurrent(statistics, steps, 0).buffers() if b.dim())


def norm_in_time() -> Outcome:
    """Claim 36.

    Three parts, a tanh RNN on digits read in 16 steps, 5 seeds. Not directly: with one set of
    statistics for all steps, test accuracy in evaluation is at least 5 points below that of the
    same network with the batch's own statistics, in every seed. Not at all: with a set for each
    step it is, in the median, over a point below that without batch norm. Memory: the numbers kept
    double from 16 to 32 steps with a set for each step.
    """
    found = {kind: [read(kind, seed) for seed in range(SEEDS)] for kind in STATISTICS}
    told = {kind: Spread.of(run[0] for run in runs) for kind, runs in found.items()}
    own = {kind: Spread.of(run[1] for run in runs) for kind, runs in found.items()}
    memory = {steps: stored("each", steps) for steps in (8, 16, 32, 64)}
    measured = Words(
        f"Test accuracy: {told['none']} without batch norm; with one set of statistics for all "
        f"steps {own['shared']} on the batch's own statistics but {told['shared']} on the running "
        f"ones; with a set for each step {own['each']} and {told['each']}. The sets take "
        f"{memory[16]} numbers for 16 steps and {memory[32]} for 32.",
        f"测试准确率：无批归一化时 {told['none']}；各时间步共用一组统计量时，用当前批的统计量为 "
        f"{own['shared']}，"
        f"用滑动统计量（评估模式）只有 {told['shared']}；每个时间步一组时分别为 {own['each']} 和 "
        f"{told['each']}。"
        f"每步一组的统计量，16 步需存 {memory[16]} 个数，32 步需存 {memory[32]} 个。",
    )
    grid = Grid(
        Words("Test accuracy of an RNN with batch norm", "加批归一化的 RNN 的测试准确率"),
        tuple(STATISTICS.values()),
        (Words("running statistics", "滑动统计量"), Words("the batch's own", "当前批的统计量")),
        tuple((told[kind].middle, own[kind].middle) for kind in STATISTICS),
        Words("accuracy", "准确率"),
    )
    figures = {f"accuracy.{kind}": spread for kind, spread in told.items()}
    figures |= {f"batch.{kind}": spread for kind, spread in own.items()}
    figures |= {f"memory.{steps}": once(count) for steps, count in memory.items()}
    verdict = halves(
        all(batch - kept >= 0.05 for kept, batch in found["shared"]),
        told["each"].middle < told["none"].middle - 0.01,
        memory[32] == 2 * memory[16],
    )
    return Outcome(verdict, measured, figures, (grid,), SEEDS)


# ---- claim 37 ------------------------------------------------------------------------------------
NORMS = {
    "none": Words("none", "无归一化"),
    "bn": Words("batch norm", "批归一化"),
    "wn": Words("weight norm", "权重归一化"),
    "gn": Words("group norm", "组归一化"),
}
COMPANIONS = (4, 16, 64, 128)


def perceptron(norm: str, *sizes: int, seed: int) -> nn.Sequential:
    """Linear layers with a normalisation and ReLU between them."""
    parts: list[nn.Module] = []
    with seeded(seed):
        for inputs, outputs in pairwise(sizes[:-1]):
            linear = nn.Linear(inputs, outputs)
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            parts.append(weight_norm(linear) if norm == "wn" else linear)
            parts += [nn.BatchNorm1d(outputs)] if norm == "bn" else []
            parts += [nn.GroupNorm(8, outputs)] if norm == "gn" else []
            parts.append(nn.ReLU())
        return nn.Sequential(*parts, nn.Linear(sizes[-2], sizes[-1]))


def companions_noise(norm: str, size: int, seed: int, draws: int = 30) -> float:
    """How far the gradient of one example's loss depends on who else is in its batch.

    Its standard deviation over random companions, relative to the length of its mean.
    """
    net, data, chance = perceptron(norm, 64, 64, 64, 10, seed=seed), digits(), generator(seed)
    found = []
    for _ in range(draws):
        taken = torch.cat(
            [torch.tensor([0]), 1 + torch.randperm(1296, generator=chance)[: size - 1]]
        )
        loss = nn.functional.cross_entropy(net(data.x[taken])[:1], data.y[:1])
        parts = torch.autograd.grad(loss, [*net.parameters()])
        found.append(torch.cat([part.flatten() for part in parts]).double())
    all_ = torch.stack(found)
    return float(all_.var(0).sum().sqrt() / all_.mean(0).norm())


def autoencoder(norm: str, seed: int, steps: int = 400) -> float:
    """What a small variational autoencoder makes of unseen digits: minus the evidence bound."""
    coder = perceptron(norm, 64, 64, 64, 16, seed=seed)
    decoder = perceptron(norm, 8, 64, 64, 64, seed=seed + 100)
    optimizer = Adam([*coder.parameters(), *decoder.parameters()], 1e-3)

    def bound(x: Tensor) -> Tensor:
        mean, log_variance = coder(x).chunk(2, 1)
        code = mean + torch.randn(mean.shape) * (log_variance / 2).exp()
        prior = (mean**2 + log_variance.exp() - log_variance - 1).sum(1) / 2
        value: Tensor = (2 * (decoder(code) - x).square().sum(1) + prior).mean()
        return value

    with seeded(seed):
        for x, _ in batches(digits(), 16, steps, seed):
            optimizer.zero_grad()
            bound(x).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            coder.eval(), decoder.eval()
            return float(sum(bound(digits().test_x) for _ in range(5)) / 5)


def policy(norm: str, seed: int, steps: int = 400) -> float:
    """The share of wrong answers of a policy that learns digits from rewards alone (REINFORCE)."""
    net, data, usual = perceptron(norm, 64, 64, 64, 10, seed=seed), digits(), 0.1
    optimizer = Adam(net.parameters(), 3e-3)
    with seeded(seed):
        for x, y in batches(data, 16, steps, seed):
            logs = net(x).log_softmax(1)
            action = torch.multinomial(logs.detach().exp(), 1)
            reward = (action[:, 0] == y).float()
            optimizer.zero_grad()
            (-(reward - usual) * logs.gather(1, action)[:, 0]).mean().backward()
            optimizer.step()
            usual = 0.95 * usual + 0.05 * float(reward.mean())
    return 1 - accuracy(net, data.test_x, data.test_y)


def ring(count: int, chance: torch.Generator) -> Tensor:
    """Points around eight centres on a circle."""
    angle = torch.randint(8, (count,), generator=chance) * (torch.pi / 4)
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(
        count, 2, generator=chance
    )


def adversary(norm: str, seed: int, steps: int = 500) -> float:
    """How far what a small generative adversarial network draws is from the ring (sliced W1)."""
    maker = perceptron(norm, 8, 64, 64, 2, seed=seed)
    judge = perceptron(norm, 2, 64, 64, 1, seed=seed + 100)
    make, judges = (Adam(net.parameters(), 1e-3, (0.5, 0.999)) for net in (maker, judge))
    chance, softplus = generator(seed, "ring"), nn.functional.softplus
    for _ in range(steps):
        drawn = maker(torch.randn(32, 8, generator=chance))
        judges.zero_grad()
        loss = softplus(-judge(ring(32, chance))) + softplus(judge(drawn.detach()))
        loss.mean().backward()  # type: ignore[no-untyped-call]
        judges.step()
        make.zero_grad()
        softplus(-judge(drawn)).mean().backward()  # type: ignore[no-untyped-call]
        make.step()
    angles = torch.arange(32) * torch.pi / 32
    sides = torch.stack([angles.cos(), angles.sin()])
    with torch.no_grad():
        seen = maker.eval()(torch.randn(2000, 8, generator=chance)) @ sides
    return float((seen.sort(0)[0] - (ring(2000, chance) @ sides).sort(0)[0]).abs().mean())


TASKS: dict[str, tuple[Words, Callable[[str, int], float]]] = {
    "VAE": (Words.same("VAE"), autoencoder),
    "RL": (Words("policy gradient", "策略梯度"), policy),
    "GAN": (Words.same("GAN"), adversary),
}


def noise_sensitive() -> Outcome:
    """Claim 37.

    Four parts, 5 seeds. Weight norm brings less noise: the gradient of one example depends by over
    10 % on its three companions in a batch of 4 with batch norm, not at all (below 1e-5) with
    weight norm. Batch norm is unsuitable, in each of three small tasks: for a variational
    autoencoder, for a policy gradient, for a generative adversarial network what is to be small
    (negative bound, wrong answers, distance to the data) ends higher in the median than without
    normalisation and than with weight norm.
    """
    seeds = range(SEEDS)
    noise = {
        norm: {size: [companions_noise(norm, size, seed) for seed in seeds] for size in COMPANIONS}
        for norm in ("bn", "wn", "gn")
    }
    ends = {
        task: {norm: over(seeds, partial(run, norm)) for norm in ("none", "bn", "wn")}
        for task, (_, run) in TASKS.items()
    }
    few, many = (Spread.of(noise["bn"][size]) for size in (4, 128))
    calm = max(max(runs) for norm in ("wn", "gn") for runs in noise[norm].values())
    said = {task: [str(spread) for spread in row.values()] for task, row in ends.items()}
    measured = Words(
        f"With batch norm an example's gradient varies with its companions by {few} of its size in "
        f"batches of 4, {many} in batches of 128; with weight or group norm by {calm:.1g}. Without "
        f"normalisation, with batch norm, with weight norm: VAE's negative bound "
        f"{', '.join(said['VAE'])}; a policy's wrong answers {', '.join(said['RL'])}; a GAN's "
        f"distance {', '.join(said['GAN'])}.",
        f"用批归一化时，单个样本的梯度随同批样本而变，批量 4 时波动为自身大小的 {few}，批量 128 "
        f"时为 {many}；"
        f"用权重归一化或组归一化时为 {calm:.1g}。以下依次为无归一化、批归一化、权重归一化：VAE 的"
        f"负证据下界 "
        f"{'、'.join(said['VAE'])}；策略梯度的错误率 {'、'.join(said['RL'])}；GAN 与真实分布的距离 "
        f"{'、'.join(said['GAN'])}。",
    )
    figures = {f"noise.{n}.{b}": Spread.of(v) for n, row in noise.items() for b, v in row.items()}
    figures |= {f"{task}.{norm}": s for task, row in ends.items() for norm, s in row.items()}
    worse = [row["bn"].middle > max(row["none"].middle, row["wn"].middle) for row in ends.values()]
    verdict = halves(few.low > 0.1 and calm < 1e-5, *worse)
    return Outcome(verdict, measured, figures, _pictured(noise, ends), SEEDS)


def _pictured(
    noise: dict[str, dict[int, list[float]]], ends: dict[str, dict[str, Spread]]
) -> tuple[Plot, Grid]:
    return (
        Plot(
            Words(
                "How an example's gradient depends on its batch", "单个样本的梯度受同批样本的影响"
            ),
            Words("batch size", "批量大小"),
            Words("deviation over companions, relative", "随同批样本的相对波动"),
            (
                *(
                    band(NORMS[n], COMPANIONS, [*zip(*noise[n].values(), strict=True)])
                    for n in ("bn", "wn")
                ),
                line(NORMS["gn"], COMPANIONS, (max(v) for v in noise["gn"].values()), points=True),
            ),
            log_x=True,
        ),
        Grid(
            Words(
                "What is to be small, as a multiple of that without",
                "越小越好的指标（相对无归一化的倍数）",
            ),
            tuple(TASKS[task][0] for task in ends),
            tuple(NORMS[norm] for norm in ("none", "bn", "wn")),
            tuple(
                tuple(s.middle / row["none"].middle for s in row.values()) for row in ends.values()
            ),
        ),
    )
