"""PPO on a small game: move the paddle under the ball before it lands."""
import torch
import torch.nn as nn
from torch.distributions import Categorical

torch.manual_seed(0)
WIDTH, HEIGHT, GAMES = 7, 7, 32


class Catch:
    def __init__(self, games):
        self.ball = torch.randint(WIDTH, (games,))
        self.paddle = torch.randint(WIDTH, (games,))
        self.fallen = 0

    def observe(self):
        height = torch.full_like(self.ball, self.fallen)
        return torch.stack([self.ball / WIDTH, self.paddle / WIDTH, height / HEIGHT, (self.ball - self.paddle) / WIDTH], 1)

    def step(self, action):
        self.paddle = (self.paddle + action - 1).clamp(0, WIDTH - 1)
        self.fallen += 1
        done = self.fallen == HEIGHT - 1
        reward = torch.where(self.ball == self.paddle, 1.0, -1.0) if done else torch.zeros(len(self.ball))
        return reward, done


class ActorCritic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh())
        self.pi = nn.Linear(64, 3)
        self.v = nn.Linear(64, 1)
        nn.init.orthogonal_(self.pi.weight, 0.01)
        nn.init.zeros_(self.pi.bias)

    def forward(self, x):
        h = self.body(x)
        return Categorical(logits=self.pi(h)), self.v(h).squeeze(-1)


@torch.no_grad()
def play(net, gamma=0.97, lam=0.95):
    env = Catch(GAMES)
    seen, actions, logs, values, rewards = [], [], [], [], []
    done = False
    while not done:
        obs = env.observe()
        dist, value = net(obs)
        action = dist.sample()
        reward, done = env.step(action)
        for store, item in zip((seen, actions, logs, values, rewards), (obs, action, dist.log_prob(action), value, reward)):
            store.append(item)
    advantage, last, after = [], 0.0, 0.0
    for r, v in zip(reversed(rewards), reversed(values)):
        last = r + gamma * after - v + gamma * lam * last
        after = v
        advantage.insert(0, last)
    flat = [torch.cat(x) for x in (seen, actions, logs, advantage)]
    return *flat, flat[3] + torch.cat(values), rewards[-1].mean().item()


net = ActorCritic()
opt = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-5)
for update in range(60):
    obs, act, old, adv, ret, score = play(net)
    for _ in range(4):
        for i in torch.randperm(len(obs)).split(48):
            dist, value = net(obs[i])
            ratio = (dist.log_prob(act[i]) - old[i]).exp()
            a = (adv[i] - adv[i].mean()) / (adv[i].std() + 1e-8)
            policy = -torch.min(ratio * a, ratio.clamp(0.8, 1.2) * a).mean()
            loss = policy + 0.5 * (value - ret[i]).pow(2).mean() - 0.01 * dist.entropy().mean()
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            opt.step()
    if update % 10 == 9:
        print("update", update, "score", score)
