"""Graph attention over a random graph with four communities: few labels, the whole graph a step."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(6)
N, K, D = 240, 4, 60
community = torch.arange(N) % K
odds = torch.where(community[:, None] == community, 0.08, 0.01)
edges = torch.bernoulli(odds).triu(1)
linked = (edges + edges.T + torch.eye(N)) > 0
features = torch.bernoulli(0.03 + 0.12 * (torch.arange(D) % K == community[:, None]).float())
order = torch.randperm(N)
seen, unseen = order[:60], order[60:]


class Attend(nn.Module):
    def __init__(self, width_in, width_out, heads):
        super().__init__()
        self.heads, self.map = heads, nn.Linear(width_in, heads * width_out, bias=False)
        self.source, self.target = (nn.Parameter(torch.randn(heads, width_out) * 0.2) for _ in range(2))

    def forward(self, x):
        h = self.map(x).view(len(x), self.heads, -1).transpose(0, 1)
        score = torch.einsum("hnd,hd->hn", h, self.source)[:, :, None] + torch.einsum("hnd,hd->hn", h, self.target)[:, None]
        share = F.leaky_relu(score, 0.2).masked_fill(~linked, float("-inf")).softmax(-1)
        return (F.dropout(share, 0.3, self.training) @ h).transpose(0, 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = Attend(D, 8, 4), Attend(32, K, 1)

    def forward(self, x):
        return self.last(F.elu(self.first(F.dropout(x, 0.3, self.training)).flatten(1))).mean(1)


net = Net()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=5e-5)
for step in range(200):
    net.train()
    loss = F.cross_entropy(net(features)[seen], community[seen])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 39:
        net.eval()
        with torch.no_grad():
            right = (net(features)[unseen].argmax(1) == community[unseen]).float().mean()
        print(step, loss.item(), "right", right.item())
