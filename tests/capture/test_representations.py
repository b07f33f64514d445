"""What capture sees of latent distributions, compared embeddings, and critics of generators."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal

from .sinks import watched

x = torch.randn(32, 8)


def sum_of(mean, std):
    return mean + torch.randn_like(std) * std


def in_place(mean, std):
    return torch.randn_like(std).mul(std).add_(mean)


def by_distribution(mean, std):
    return Normal(mean, std).rsample()


def in_one(mean, std):
    return torch.addcmul(mean, std, torch.randn(32, 3))


def fit(loss_of, *modules: nn.Module, steps: int = 4) -> None:
    optimizer = torch.optim.SGD([p for m in modules for p in m.parameters()], lr=0.01)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of().backward()
        optimizer.step()


@pytest.mark.parametrize("draw", [sum_of, in_place, by_distribution, in_one])
def test_a_latent_distribution(draw) -> None:
    with watched() as seen:
        encoder, decoder = nn.Linear(8, 6), nn.Linear(3, 8)

        def loss():
            mean, log_std = encoder(x).chunk(2, 1)
            return F.mse_loss(decoder(draw(mean, log_std.exp())), x)

        fit(loss, encoder, decoder)
    (site,) = [s for s in seen.sites.values() if s.meta.get("role") == "latent"]
    assert len(seen.series(site.name, "latent.kl")) == 4
    assert site.file == __file__
    with torch.no_grad():
        mean, log_std = encoder(x).chunk(2, 1)
        right = 0.5 * (mean**2 + (2 * log_std).exp() - 1 - 2 * log_std).sum(1).mean()
    assert seen.series(site.name, "latent.kl")[-1] == pytest.approx(float(right), rel=0.3)


def noise_on_the_input(model):
    return model(x + 0.1 * torch.randn_like(x))


def noise_of_fixed_size(model):
    out = model(x)
    return out + 0.1 * torch.randn_like(out)


def noise_on_weights(model):
    return F.linear(x, model.weight + model.scale * torch.randn_like(model.scale), model.bias)


@pytest.mark.parametrize("forward", [noise_on_the_input, noise_of_fixed_size, noise_on_weights])
def test_noise_that_is_no_latent(forward) -> None:
    with watched() as seen:
        model = nn.Linear(8, 8)
        model.scale = nn.Parameter(torch.full((8, 8), 0.1))
        fit(lambda: forward(model).square().mean(), model)
    assert not [s for s in seen.sites.values() if s.meta.get("role") == "latent"]


def compared(seen):
    return [s for s in seen.sites.values() if s.meta.get("role") == "compared"]


def test_both_sides_of_a_cosine() -> None:
    with watched() as seen:
        model, head = nn.Linear(8, 16), nn.Linear(16, 16)
        cosine = nn.CosineSimilarity(dim=1)
        fit(lambda: -cosine(head(model(x)), model(x).detach()).mean(), model, head)
    assert [s.meta["source"] for s in compared(seen)] == ["graph", "model"]
    assert all(len(seen.series(s.name, "embedding.spread")) == 4 for s in compared(seen))


def test_a_teacher_and_data() -> None:
    with watched() as seen:
        model, teacher = nn.Linear(8, 16), nn.Linear(8, 16)
        given = torch.randn(32, 16)

        def loss():
            with torch.no_grad():
                wanted = teacher(x)
            out = F.normalize(model(x), dim=-1)
            near = F.cosine_similarity(out, wanted, dim=-1)
            return -(near + F.cosine_similarity(out, given)).mean()

        fit(loss, model)
    assert [s.meta["source"] for s in compared(seen)] == [
        "graph",
        "graph",
        "model",
        "graph",
        "data",
    ]


def test_rows_that_meet_themselves() -> None:
    with watched() as seen:
        model = nn.Linear(8, 16)

        def loss():
            z = F.normalize(model(x), dim=1)
            return F.cross_entropy(z @ z.T / 0.5, torch.arange(32))

        fit(loss, model)
    (site,) = compared(seen)
    assert site.meta["paired"]


def test_weights_and_vectors_of_a_few_numbers_are_no_embeddings() -> None:
    with watched() as seen:
        model, small = nn.Linear(8, 16), nn.Linear(8, 3)
        fit(
            lambda: (x @ F.normalize(model.weight, dim=1).T).sum()
            + F.cosine_similarity(small(x), x[:, :3]).sum(),
            model, small,
        )  # fmt: skip
    assert not compared(seen)


@pytest.mark.parametrize("generator_first", [False, True])
def test_a_critic_and_a_generator(generator_first: bool) -> None:
    with watched() as seen:
        generator, critic = nn.Linear(4, 8), nn.Linear(8, 1)
        of_generator = torch.optim.SGD(generator.parameters(), lr=0.01)
        of_critic = torch.optim.SGD(critic.parameters(), lr=0.01)
        with torch.no_grad():
            generator.weight.mul_(1e-3)

        def improve_generator(fake):
            of_generator.zero_grad()
            F.softplus(-critic(fake)).mean().backward()
            of_generator.step()

        for _ in range(5):
            fake = generator(torch.randn(32, 4))
            if generator_first:
                improve_generator(fake)
            loss = F.softplus(-critic(x)).mean() + F.softplus(critic(fake.detach())).mean()
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            if not generator_first:
                improve_generator(fake)
    (site,) = [s for s in seen.sites.values() if s.meta.get("makers")]
    assert (site.name, site.meta["makers"]) == ("critic.input", ["generator"])
    diversity = seen.series("critic.input", "samples.diversity")
    assert len(diversity) >= 3
    assert max(diversity) < 0.02


def test_an_encoder_and_its_decoder_are_no_contest() -> None:
    with watched() as seen:
        encoder, decoder = nn.Linear(8, 4), nn.Linear(4, 8)
        fit(lambda: F.mse_loss(decoder(encoder(x)), x), encoder, decoder)
    assert not [k for _, _, row in seen.frames for _, k in row if k.startswith("samples.")]


def test_labels_that_are_contradicted() -> None:
    with watched() as seen:
        model = nn.Linear(8, 5)
        y = torch.randint(0, 5, (32,))
        fit(lambda: F.cross_entropy(model(x), y), model)
    (name,) = {s.name for s in seen.sites.values() if s.kind == "lossfn"}
    assert len(seen.series(name, "label.contradicted")) == 4
