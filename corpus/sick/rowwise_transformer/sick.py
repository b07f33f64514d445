import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(0)
images, labels = load_digits(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(images / 16, labels, test_size=0.25, random_state=0)
train_x, test_x = (torch.tensor(a, dtype=torch.float32).view(-1, 8, 8) for a in (train_x, test_x))
train_y, test_y = torch.tensor(train_y), torch.tensor(test_y)


class RowTransformer(nn.Module):
    """Reads a digit as a sequence of its eight rows."""

    def __init__(self, width=32, heads=4, layers=2):
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.position = nn.Parameter(0.1 * torch.randn(8, width))
        block = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, rows):
        return self.head(self.encoder(self.embed(rows) + self.position).mean(dim=1))


model = RowTransformer()
optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
criterion = nn.CrossEntropyLoss()

step = 0
for epoch in range(12):
    order = torch.randperm(len(train_x))
    for batch in order.split(48):
        optimizer.zero_grad()
        loss = criterion(model(train_x[batch]), train_y[batch])
        loss.backward()
        optimizer.step()
        step += 1
    with torch.no_grad():
        accuracy = (model(test_x).argmax(dim=1) == test_y).float().mean().item()
    print(f"epoch {epoch + 1}: step {step}, loss {loss.item():.3f}, test accuracy {accuracy:.3f}")
