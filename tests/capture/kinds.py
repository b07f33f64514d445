"""Thirty ways to train, each a few steps long: what people really write.

Every function trains from a fixed seed; what it returns must not differ by a bit when watched.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical
from torch.utils.data import DataLoader, TensorDataset

from .nets import STEPS, LowRank, Odd, Outcome, Shared, TiedLanguageModel, data, fit, mlp, recurrent

KINDS: dict[str, Callable[[], Outcome]] = {}


def kind(function: Callable[[], Outcome]) -> Callable[[], Outcome]:
    KINDS[function.__name__] = function
    return function


@kind
def mlp_with_dropout() -> Outcome:
    x, y = data()
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))
    opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return fit(model, opt, lambda _: F.cross_entropy(model(x[torch.randperm(96)[:32]]), y[:32]))


@kind
def convolutions_with_batch_norm() -> Outcome:
    x, y = torch.randn(32, 3, 8, 8), torch.randint(0, 4, (32,))
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 4),
    )  # fmt: skip
    opt = torch.optim.AdamW(model.parameters(), lr=1e-2)
    out = fit(model, opt, lambda _: F.cross_entropy(model(x), y))
    return [*out, *(b.clone() for b in model.buffers())]


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
def latent_samples_and_two_views() -> Outcome:
    x, _ = data()
    encoder, decoder = mlp(8, 16, 6), mlp(3, 16, 8)
    opt = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])

    def loss_of(_: int) -> torch.Tensor:
        mean, log_std = encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * log_std.exp()
        one, two = (
            F.normalize(decoder(z), dim=1),
            decoder(torch.distributions.Normal(mean, log_std.exp()).rsample()).detach(),
        )
        return F.mse_loss(one, x) - F.cosine_similarity(one, two).mean() + (one @ one.T).mean()

    return fit(encoder, opt, loss_of)


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


for cell in (nn.LSTM, nn.GRU, nn.RNN):
    KINDS[cell.__name__.lower()] = partial(recurrent, cell)


@kind
def recurrent_cell_in_a_loop() -> Outcome:
    x, y = torch.randn(16, 6, 4), torch.randint(0, 2, (16,))
    cell, head = nn.GRUCell(4, 8), nn.Linear(8, 2)
    model = nn.ModuleList([cell, head])
    opt = torch.optim.RMSprop(model.parameters(), lr=1e-3)

    def loss_of(_: int) -> torch.Tensor:
        h = torch.zeros(16, 8)
        for t in range(6):
            h = cell(x[:, t], h)
        return F.cross_entropy(head(h), y)

    return fit(model, opt, loss_of)


@kind
def transformer_with_tied_weights() -> Outcome:
    ids = torch.randint(0, 20, (8, 6))
    model = TiedLanguageModel()
    opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
    return fit(
        model, opt,
        lambda _: F.cross_entropy(model(ids)["logits"][:, :-1].flatten(0, 1), ids[:, 1:].flatten()),
    )  # fmt: skip


@kind
def shared_modules() -> Outcome:
    x, y = data()
    model = Shared()
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    return fit(model, opt, lambda _: F.cross_entropy(model(x), y))


@kind
def parametrizations() -> Outcome:
    x, y = data()
    model = mlp()
    nn.utils.parametrizations.weight_norm(model[0])
    nn.utils.parametrizations.spectral_norm(model[2])
    opt = torch.optim.SGD(model.parameters(), lr=0.05)
    return fit(model, opt, lambda _: F.cross_entropy(model(x), y))


@kind
def sparse_embeddings() -> Outcome:
    ids, y = torch.randint(0, 50, (32, 4)), torch.randint(0, 3, (32,))
    bag = nn.EmbeddingBag(50, 8, sparse=True)
    head = nn.Linear(8, 3)
    first = torch.optim.SparseAdam(bag.parameters(), lr=1e-2)
    second = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(STEPS):
        first.zero_grad()
        second.zero_grad()
        F.cross_entropy(head(bag(ids)), y).backward()
        first.step()
        second.step()
    return [bag.weight.detach(), head.weight.detach()]


@kind
def low_rank_adapters_on_a_frozen_backbone() -> Outcome:
    x, y = data()
    model = mlp()
    for p in model.parameters():
        p.requires_grad_(False)
    model[2] = LowRank(model[2])
    model[4] = nn.Linear(16, 3)
    opt = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    return fit(model, opt, lambda _: F.cross_entropy(model(x), y))


@kind
def modules_that_return_odd_things() -> Outcome:
    x, y = data()
    model = Odd()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    return fit(model, opt, lambda _: model(x, y).loss)


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
def checkpointed_activations() -> Outcome:
    from torch.utils.checkpoint import checkpoint

    x, y = data()
    body = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.2))
    head = nn.Linear(16, 3)
    model = nn.ModuleList([body, head])
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    return fit(
        model, opt,
        lambda _: F.cross_entropy(head(checkpoint(body, x, use_reentrant=False)), y),
    )  # fmt: skip


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


@kind
def users_own_hooks_and_modes() -> Outcome:
    x, y = data()
    model = mlp()
    seen: list[float] = []
    model[1].register_forward_hook(lambda m, a, o: seen.append(float(o.detach().mean())))
    model[2].register_full_backward_hook(lambda m, gi, go: seen.append(float(go[0].norm())))
    model[0].weight.register_hook(lambda g: g * 0.5)
    opt = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.device("cpu"):
        out = fit(model, opt, lambda _: F.cross_entropy(model(x), y))
    return [*out, *seen]


@kind
def two_dtypes_and_empty_batches() -> Outcome:
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    opt = torch.optim.SGD(model.parameters(), lr=0.1)

    def loss_of(step: int) -> torch.Tensor:
        x = torch.randn(0 if step == 3 else 8, 4, dtype=torch.float64)
        return (model(x) ** 2).sum()

    return fit(model, opt, loss_of)
