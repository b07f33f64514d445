"""Keeps an unstable ball near the middle: a policy gradient weighted with plain returns."""
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(3)
policy = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
BALLS, LONGEST = 16, 120

for update in range(120):
    state = 0.2 * torch.randn(BALLS, 2)
    alive = torch.ones(BALLS, dtype=torch.bool)
    states, actions, masks = [], [], []
    for _ in range(LONGEST):
        with torch.no_grad():
            action = Categorical(logits=policy(state)).sample()
        states.append(state)
        actions.append(action)
        masks.append(alive)
        position, speed = state.unbind(1)
        speed = speed + 0.12 * position + 0.1 * (2 * action - 1) + 0.01 * torch.randn(BALLS)
        state = torch.stack([position + 0.3 * speed, speed], 1)
        alive = alive & (state[:, 0].abs() < 1)
        if not alive.any():
            break
    mask = torch.stack(masks).float()
    returns = mask.flip(0).cumsum(0).flip(0)
    chosen = Categorical(logits=policy(torch.stack(states))).log_prob(torch.stack(actions))
    loss = -(chosen * returns * mask).sum() / mask.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if update % 20 == 0 or update == 119:
        print(f"{update:4d} loss {loss.item():8.2f} steps survived {mask.sum(0).mean():.1f}")
