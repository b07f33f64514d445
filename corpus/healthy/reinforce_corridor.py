# REINFORCE in a corridor: go right to the goal; a step costs a little.
import torch
from torch import nn
from torch.distributions import Categorical

torch.manual_seed(0)
N = 8
policy = nn.Sequential(nn.Linear(N, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(policy.parameters(), lr=0.01)
baseline, history = 0.0, []
for episode in range(300):
    pos, log_probs, rewards = N // 2, [], []
    for _ in range(25):
        state = torch.zeros(N)
        state[pos] = 1.0
        dist = Categorical(logits=policy(state))
        action = dist.sample()
        log_probs.append(dist.log_prob(action))
        pos = max(0, pos + (1 if action.item() == 1 else -1))
        done = pos >= N - 1
        rewards.append(1.0 if done else -0.05)
        if done:
            break
    g, returns = 0.0, []
    for r in reversed(rewards):
        g = r + 0.95 * g
        returns.insert(0, g)
    returns = torch.tensor(returns)
    loss = -(torch.stack(log_probs) * (returns - baseline)).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    baseline = 0.9 * baseline + 0.1 * returns[0].item()
    history.append(sum(rewards))
    if episode % 50 == 49:
        print(f"episode {episode + 1} return {sum(history[-50:]) / 50:.3f}")
