import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    def __init__(self):
        d = load_digits()
        self.images, self.target = d.images.astype("float32") / 16, d.target

    def __len__(self):
        return len(self.target)

    def __getitem__(self, i):
        return torch.from_numpy(self.images[i]).unsqueeze(0), int(self.target[i])


if __name__ == "__main__":
    torch.manual_seed(0)
    loader = DataLoader(Digits(), batch_size=64, shuffle=True, num_workers=2, persistent_workers=True)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(256, 10))
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    for epoch in range(10):
        hits = 0
        for x, y in loader:
            opt.zero_grad()
            out = model(x)
            loss = nn.functional.cross_entropy(out, y)
            loss.backward()
            opt.step()
            hits += (out.argmax(1) == y).sum().item()
        print(f"epoch {epoch} loss {loss.item():.4f} accuracy {hits / len(loader.dataset):.4f}")
