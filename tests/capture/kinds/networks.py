"""Networks: what a forward is made of."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from capture.nets import (
    STEPS,
    LowRank,
    Odd,
    Outcome,
    Shared,
    TiedLanguageModel,
    data,
    fit,
    mlp,
    recurrent,
)

from ._kind import KINDS, kind


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
def an_ensemble_by_vmap() -> Outcome:
    x, y = data()
    models = [mlp() for _ in range(3)]
    params, buffers = torch.func.stack_module_state(models)
    stacked = {name: p.detach().requires_grad_() for name, p in params.items()}

    def one(weights: dict[str, torch.Tensor], state: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(models[0], (weights, state), (x,))

    def loss(_: int) -> torch.Tensor:
        scores = torch.vmap(one)(stacked, buffers)
        return F.cross_entropy(scores.flatten(0, 1), y.repeat(3))

    opt = torch.optim.Adam([*stacked.values()], lr=1e-2)
    losses = []
    for step in range(STEPS):
        opt.zero_grad()
        value = loss(step)
        value.backward()
        opt.step()
        losses.append(value.detach())
    return [*losses, *(p.detach().clone() for p in stacked.values())]


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


for cell in (nn.LSTM, nn.GRU, nn.RNN):
    KINDS[cell.__name__.lower()] = partial(recurrent, cell)
