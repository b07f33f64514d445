import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.images, dtype=torch.float32)[:, None] / 16, torch.tensor(d.target)
by_class = [x[y == k] for k in range(10)]


def conv_block(i, o):
    return nn.Sequential(
        nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)
    )


encoder = nn.Sequential(conv_block(1, 32), conv_block(32, 32), conv_block(32, 32), nn.Flatten())


def episode(classes, way=4, shot=3, query=5):
    ks = classes[torch.randperm(len(classes))[:way]]
    xs, xq = [], []
    for k in ks.tolist():
        i = torch.randperm(len(by_class[k]))[: shot + query]
        xs.append(by_class[k][i[:shot]])
        xq.append(by_class[k][i[shot:]])
    z = encoder(torch.cat(xs + xq))
    z_proto = z[: way * shot].view(way, shot, -1).mean(1)
    dists = torch.cdist(z[way * shot :], z_proto) ** 2
    target = torch.arange(way).repeat_interleave(query)
    log_p_y = F.log_softmax(-dists, dim=1)
    loss = -log_p_y.gather(1, target.unsqueeze(1)).mean()
    return loss, (log_p_y.argmax(1) == target).float().mean()


optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 100, gamma=0.5)
for step in range(300):
    encoder.train()
    optimizer.zero_grad()
    loss, acc = episode(torch.arange(0, 7))
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 50 == 0:
        print(step, loss.item(), acc.item())
encoder.eval()
with torch.no_grad():
    print(
        "new classes",
        torch.stack([episode(torch.tensor([7, 8, 9]), way=3)[1] for _ in range(30)]).mean().item(),
    )
