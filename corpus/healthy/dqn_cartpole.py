"""Deep Q-learning on a cart-pole written in a few lines."""
import copy
import math
import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F


class CartPole:
    def reset(self):
        self.s = [random.uniform(-0.05, 0.05) for _ in range(4)]
        self.t = 0
        return list(self.s)

    def step(self, action):
        x, v, a, w = self.s
        force = 10.0 if action else -10.0
        tmp = (force + 0.05 * w * w * math.sin(a)) / 1.1
        acc_a = (9.8 * math.sin(a) - math.cos(a) * tmp) / (0.5 * (4 / 3 - 0.1 * math.cos(a) ** 2 / 1.1))
        acc_x = tmp - 0.05 * acc_a * math.cos(a) / 1.1
        self.s = [x + 0.02 * v, v + 0.02 * acc_x, a + 0.02 * w, w + 0.02 * acc_a]
        self.t += 1
        fell = abs(self.s[0]) > 2.4 or abs(self.s[2]) > 0.21
        return list(self.s), 1.0, fell, fell or self.t >= 200


random.seed(0)
torch.manual_seed(0)
q = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
target = copy.deepcopy(q)
opt = torch.optim.Adam(q.parameters(), lr=1e-3)
memory = deque(maxlen=10000)
env, returns, frames = CartPole(), [], 0
for episode in range(150):
    s, total, done = env.reset(), 0.0, False
    while not done:
        eps = max(0.05, 1 - frames / 1500)
        if random.random() < eps:
            a = random.randrange(2)
        else:
            with torch.no_grad():
                a = int(q(torch.tensor(s)).argmax())
        s2, r, fell, done = env.step(a)
        memory.append((s, a, r, s2, fell))
        s, total, frames = s2, total + r, frames + 1
        if len(memory) >= 300 and frames % 2 == 0:
            bs, ba, br, bs2, bf = zip(*random.sample(memory, 64))
            with torch.no_grad():
                goal = torch.tensor(br) + 0.97 * (1 - torch.tensor(bf).float()) * target(torch.tensor(bs2)).max(1).values
            value = q(torch.tensor(bs)).gather(1, torch.tensor(ba)[:, None]).squeeze(1)
            loss = F.smooth_l1_loss(value, goal)
            opt.zero_grad()
            loss.backward()
            opt.step()
        if frames % 200 == 0:
            target.load_state_dict(q.state_dict())
    returns.append(total)
    if episode % 25 == 24:
        print(f"episode {episode + 1} mean return {sum(returns[-25:]) / 25:.1f}")
    if frames > 7000:
        break
print("last ten", sum(returns[-10:]) / 10, "first ten", sum(returns[:10]) / 10)
