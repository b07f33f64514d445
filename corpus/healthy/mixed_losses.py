import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class MultiTask(nn.Module):
    """Class, mask of the ink, and centre of mass from one trunk."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.SiLU(),
            nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.SiLU(),
        )
        self.mask = nn.Conv2d(16, 1, 1)
        self.label = nn.Linear(16 * 16, 10)
        self.centre = nn.Linear(16 * 16, 2)

    def forward(self, x):
        h = self.trunk(x)
        flat = F.max_pool2d(h, 2).flatten(1)
        return self.label(flat), self.mask(h), self.centre(flat)


def main():
    torch.manual_seed(0)
    d = load_digits()
    clean = torch.tensor(d.images / 16, dtype=torch.float32).unsqueeze(1)
    y = torch.tensor(d.target)
    ink = (clean > 0.4).float()
    grid = torch.linspace(-1, 1, 8)
    mass = clean.sum((1, 2, 3))
    centre = torch.stack([(clean.sum((1, 2)) * grid).sum(1) / mass, (clean.sum((1, 3)) * grid).sum(1) / mass], 1)
    model = MultiTask()
    log_var = nn.Parameter(torch.zeros(3))  # how much each task counts is learnt too
    opt = torch.optim.AdamW([*model.parameters(), log_var], lr=3e-3)
    for epoch in range(8):
        for i in torch.randperm(len(clean)).split(64):
            label, mask, where = model(clean[i] + 0.2 * torch.randn_like(clean[i]))
            losses = torch.stack([
                F.cross_entropy(label, y[i]),
                F.binary_cross_entropy_with_logits(mask, ink[i]),
                F.smooth_l1_loss(where, centre[i]),
            ])
            loss = (losses * torch.exp(-log_var) + log_var).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
        print(epoch, [round(v, 4) for v in losses.tolist()], "weights", torch.exp(-log_var).tolist())


if __name__ == "__main__":
    main()
