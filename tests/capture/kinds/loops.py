"""Loops: how weights get their updates, and what happens between."""

from __future__ import annotations

import copy
import io

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical
from torch.utils.data import DataLoader, TensorDataset

from capture.nets import (
    STEPS,
    Outcome,
    data,
    fit,
    mlp,
)

from ._kind import kind


@kind
def policy_gradient() -> Outcome:
    x, _ = data()
    model = mlp()
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)

    def loss(_: int) -> torch.Tensor:
        with torch.no_grad():
            drawn = Categorical(logits=model(x)).sample()
        chosen = Categorical(logits=model(x))
        again = chosen.probs.multinomial(1).flatten()
        rewards = (drawn == 1).float() - (again == 2).float()
        return -(chosen.log_prob(drawn) * rewards).mean()

    return fit(model, opt, loss)


@kind
def update_by_hand() -> Outcome:
    x, y = data()
    model = mlp()
    losses = []
    for _ in range(STEPS):
        loss = F.cross_entropy(model(x), y)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data.add_(-0.1 * p.grad)
        losses.append(loss.detach())
    return [*losses, *(p.detach() for p in model.parameters())]


@kind
def tensors_without_any_module() -> Outcome:
    x, y = data()
    w = torch.randn(8, 3, requires_grad=True)
    b = torch.zeros(3, requires_grad=True)
    for _ in range(STEPS):
        loss = F.cross_entropy(x @ w + b, y)
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p.sub_(0.1 * p.grad)
                p.grad.zero_()
    return [w.detach(), b.detach(), loss.detach()]


@kind
def gradients_by_autograd_grad() -> Outcome:
    x, y = data()
    model = mlp()
    for _ in range(STEPS):
        params = list(model.parameters())
        grads = torch.autograd.grad(F.cross_entropy(model(x), y), params)
        with torch.no_grad():
            for p, g in zip(params, grads, strict=True):
                p.sub_(0.1 * g)
    return [p.detach() for p in model.parameters()]


@kind
def lbfgs_with_a_closure() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5)

    def closure() -> torch.Tensor:
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    losses = [opt.step(closure) for _ in range(8)]
    return [*losses, *(p.detach() for p in model.parameters())]


@kind
def gan_with_two_optimizers() -> Outcome:
    real = torch.randn(64, 2) * 0.5 + 1
    gen, disc = mlp(4, 16, 2), mlp(2, 16, 1, nn.LeakyReLU)
    og = torch.optim.Adam(gen.parameters(), lr=1e-3)
    od = torch.optim.Adam(disc.parameters(), lr=1e-3)
    bce = nn.BCEWithLogitsLoss()
    ones, zeros = torch.ones(64, 1), torch.zeros(64, 1)
    for _ in range(STEPS):
        fake = gen(torch.randn(64, 4))
        od.zero_grad()
        (bce(disc(real), ones) + bce(disc(fake.detach()), zeros)).backward()
        od.step()
        og.zero_grad()
        bce(disc(fake), ones).backward()
        og.step()
    return [p.detach() for m in (gen, disc) for p in m.parameters()]


@kind
def policy_gradient_with_many_forwards() -> Outcome:
    policy = mlp(4, 16, 2, nn.Tanh)
    opt = torch.optim.Adam(policy.parameters(), lr=1e-2)
    for _ in range(8):
        state, logs, rewards = torch.randn(4), [], []
        for _ in range(12):
            dist = torch.distributions.Categorical(logits=policy(state))
            action = dist.sample()
            logs.append(dist.log_prob(action))
            state = state * 0.9 + 0.1 * (action.float() - 0.5) + 0.05 * torch.randn(4)
            rewards.append(-float(state.abs().sum()))
        returns = torch.tensor(rewards).flip(0).cumsum(0).flip(0)
        opt.zero_grad()
        (-(torch.stack(logs) * (returns - returns.mean())).mean()).backward()
        opt.step()
    return [p.detach() for p in policy.parameters()]


@kind
def gradient_accumulation_with_clipping() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.SGD(model.parameters(), lr=0.2)
    sched = torch.optim.lr_scheduler.CosineAnnealingLR(opt, T_max=STEPS)
    for _ in range(STEPS):
        for part in range(3):
            cut = slice(part * 32, part * 32 + 32)
            (F.cross_entropy(model(x[cut]), y[cut]) / 3).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad()
        sched.step()
    return [p.detach() for p in model.parameters()]


@kind
def autocast_in_bfloat16() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def loss_of(_: int) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return F.cross_entropy(model(x), y)

    return fit(model, opt, loss_of)


@kind
def autocast_in_float16() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(STEPS):
        opt.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()
    return [p.detach() for p in model.parameters()]


@kind
def gradient_scaler() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for step in range(STEPS):
        opt.zero_grad()
        loss = F.cross_entropy(model(x), y) * (float("inf") if step == 5 else 1.0)
        scaler.scale(loss).backward()
        scaler.unscale_(opt)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
    return [scaler.get_scale(), *(p.detach() for p in model.parameters())]


@kind
def ema_by_deepcopy_and_saved_whole() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    ema = copy.deepcopy(model)
    for _ in range(STEPS):
        opt.zero_grad()
        F.cross_entropy(model(x), y).backward()
        opt.step()
        with torch.no_grad():
            for p, q in zip(ema.parameters(), model.parameters(), strict=True):
                p.lerp_(q, 0.1)
    kept = io.BytesIO()
    torch.save(model, kept)
    size = kept.tell()
    kept.seek(0)
    again = torch.load(kept, weights_only=False)
    return [size, again(x).detach(), *(p.detach() for p in ema.parameters())]


@kind
def evaluation_between_epochs() -> Outcome:
    x, y = data()
    model = nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 3)
    )
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, patience=1)
    loader = DataLoader(TensorDataset(x, y), batch_size=24, shuffle=True)
    scores = []
    for _ in range(6):
        model.train()
        for a, b in loader:
            opt.zero_grad()
            F.cross_entropy(model(a), b).backward()
            opt.step()
        model.eval()
        with torch.no_grad():
            scores.append(F.cross_entropy(model(x), y))
        plateau.step(scores[-1])
    return [*scores, opt.param_groups[0]["lr"], *(p.detach() for p in model.parameters())]


@kind
def loader_with_workers() -> Outcome:
    x, y = data()
    model = mlp()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True, num_workers=2):
        opt.zero_grad()
        F.cross_entropy(model(a), b).backward()
        opt.step()
    return [p.detach() for p in model.parameters()]


@kind
def several_models_in_one_script() -> Outcome:
    x, y = data()
    out: Outcome = []
    for width in (4, 8, 16):
        model = mlp(h=width)
        opt = torch.optim.Adam(model.parameters(), lr=1e-2)
        out += fit(model, opt, lambda _, m=model: F.cross_entropy(m(x), y))
    return out


@kind
def gradient_penalty() -> Outcome:
    x, _ = data()
    critic = mlp(8, 16, 1, nn.LeakyReLU)
    opt = torch.optim.Adam(critic.parameters(), lr=1e-3)

    def loss_of(_: int) -> torch.Tensor:
        mix = torch.randn_like(x).requires_grad_()
        (slope,) = torch.autograd.grad(critic(mix).sum(), mix, create_graph=True)
        return critic(x).mean() - critic(mix).mean() + 10 * ((slope.norm(dim=1) - 1) ** 2).mean()

    return fit(critic, opt, loss_of)
