"""Deep Q-learning in a corridor; the target network is brought up to date every 200 frames."""
import copy
import random
from collections import deque

import torch
import torch.nn.functional as F
from torch import nn


class Corridor:
    def __init__(self, length=10):
        self.length = length

    def observe(self):
        return F.one_hot(torch.tensor(self.place), self.length).float()

    def reset(self):
        self.place = 0
        return self.observe()

    def step(self, action):
        self.place = max(0, min(self.length - 1, self.place + (1 if action == 1 else -1)))
        done = self.place == self.length - 1
        return self.observe(), 1.0 if done else -0.01, done


torch.manual_seed(1)
random.seed(1)
env = Corridor()
policy = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
target = copy.deepcopy(policy)
optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
memory = deque(maxlen=5000)

state = env.reset()
for frame in range(2500):
    epsilon = max(0.05, 1 - frame / 1000)
    if random.random() < epsilon:
        action = random.randrange(2)
    else:
        with torch.no_grad():
            action = policy(state).argmax().item()
    after, reward, done = env.step(action)
    memory.append((state, action, reward, after, float(done)))
    state = env.reset() if done else after

    if len(memory) >= 64:
        s, a, r, n, d = zip(*random.sample(memory, 64))
        with torch.no_grad():
            best = target(torch.stack(n)).max(dim=1).values
            y = torch.tensor(r) + 0.95 * (1 - torch.tensor(d)) * best
        q = policy(torch.stack(s)).gather(1, torch.tensor(a)[:, None]).squeeze(1)
        loss = F.smooth_l1_loss(q, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    if frame % 200 == 0:
        target.load_state_dict(policy.state_dict())

print("values along the corridor", policy(torch.eye(10)).max(dim=1).values)
