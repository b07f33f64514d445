import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch import nn

torch.manual_seed(0)
x, y = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.25, random_state=0)
scale = StandardScaler().fit(x_train)
x_train, x_test = (torch.tensor(scale.transform(v), dtype=torch.float32) for v in (x_train, x_test))
y_train, y_test = torch.tensor(y_train).float(), torch.tensor(y_test).float()

model = nn.Sequential(nn.Linear(30, 48), nn.ReLU(), nn.Dropout(0.2), nn.Linear(48, 1))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=4096.0)
for epoch in range(12):
    model.train()
    for i in torch.randperm(len(x_train)).split(24):
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.float16):
            logits = model(x_train[i]).squeeze(1)
            loss = nn.functional.binary_cross_entropy_with_logits(logits, y_train[i])
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        scaler.step(optimizer)
        scaler.update()
    model.eval()
    with torch.no_grad():
        right = ((model(x_test).squeeze(1) > 0) == y_test.bool()).float().mean().item()
    print(f"epoch {epoch} loss {loss.item():.4f} accuracy {right:.4f} scale {scaler.get_scale():.0f}")
