"""Digits from their principal components: the projection is given, the rest is learnt."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split


class OnComponents(nn.Module):
    def __init__(self, pca, hidden=48, classes=10):
        super().__init__()
        self.projection = nn.Linear(64, pca.n_components_)
        self.hidden = nn.Linear(pca.n_components_, hidden)
        self.classifier = nn.Linear(hidden, classes)
        with torch.no_grad():
            scale = torch.tensor(pca.explained_variance_**-0.5).float()
            weight = torch.tensor(pca.components_).float() * scale[:, None]
            self.projection.weight.copy_(weight)
            self.projection.bias.copy_(-weight @ torch.tensor(pca.mean_).float())

    def forward(self, x):
        return self.classifier(torch.relu(self.hidden(self.projection(x))))


torch.manual_seed(1)
x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=8)
pca = PCA(24).fit(x_train)
x_train, x_test = torch.tensor(x_train).float(), torch.tensor(x_test).float()
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

model = OnComponents(pca)
for name, parameter in model.named_parameters():
    if name.startswith("projection"):
        parameter.requires_grad = False

optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=3e-4)
criterion = nn.CrossEntropyLoss()
for epoch in range(12):
    order = torch.randperm(len(x_train))
    for index in order.split(50):
        loss = criterion(model(x_train[index]), y_train[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"epoch {epoch} loss {loss.item():.3f} accuracy {accuracy:.3f}")
