import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader

torch.manual_seed(0)


class AutoEncoder(nn.Module):
    def __init__(self, code=8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 4, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 32 * 4), nn.ReLU(), nn.Unflatten(1, (32, 2, 2)),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


images = torch.from_numpy(load_digits().images).float().div(16).unsqueeze(1)
loader = DataLoader(images, batch_size=64, shuffle=True, drop_last=True)
model = AutoEncoder()
optimizer = optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.MSELoss()
for epoch in range(12):
    running = 0.0
    for clean in loader:
        noisy = (clean + 0.15 * torch.randn_like(clean)).clamp(0, 1)
        optimizer.zero_grad()
        loss = criterion(model(noisy), clean)
        loss.backward()
        optimizer.step()
        running += loss.item()
    print(f"[{epoch + 1}] reconstruction {running / len(loader):.5f} (variance {images.var().item():.3f})")
