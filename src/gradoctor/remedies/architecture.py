"""Remedies that change the network itself."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

ARCHITECTURE: tuple[Remedy, ...] = (
    remedy(
        "replace_saturating_activations",
        "101:2 202:4",
        """
        # hidden layers only: leave an output activation as it is
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, (nn.Sigmoid, nn.Tanh)):
                    setattr(parent, name, nn.ReLU())
        """,
    ),
    remedy(
        "normalise_before_activations",
        "101:3 102:3 103:3 201:4 202:3 204:2 205:2 306:3",
        "block = nn.Sequential(nn.Linear(d, d), nn.LayerNorm(d), nn.ReLU())",
    ),
    remedy(
        "add_residual_connections",
        "101:4 103:2 106:1 204:1 306:4",
        """
        class Residual(nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return x + self.inner(x)

        block = Residual(nn.Sequential(nn.Linear(d, d), nn.ReLU()))
        """,
    ),
    remedy(
        "scale_residual_branches",
        "102:4 205:3 308:1",
        "x = x + branch(x) / (2 * depth) ** 0.5  # depth: number of blocks",
    ),
    remedy(
        "use_gated_recurrence",
        "101:5 108:1",
        "rnn = nn.LSTM(input_size, hidden_size, batch_first=True)  # not nn.RNN",
    ),
    remedy(
        "use_leaky_relu",
        "201:5",
        """
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.ReLU):
                    setattr(parent, name, nn.LeakyReLU(0.01))
        """,
    ),
    remedy(
        "revive_dead_units",
        "104:2 201:6",
        """
        # dead: mask of the dead units of layer; following: the next layer
        with torch.no_grad():
            fresh = torch.empty_like(layer.weight)
            nn.init.kaiming_normal_(fresh, nonlinearity="relu")
            layer.weight[dead] = fresh[dead]
            layer.bias[dead] = 0.0
            following.weight[:, dead] = 0.0
        """,
    ),
    remedy(
        "normalise_queries_and_keys",
        "204:4",
        """
        query = F.layer_norm(query, query.shape[-1:])
        key = F.layer_norm(key, key.shape[-1:])
        out = F.scaled_dot_product_attention(query, key, value)
        """,
    ),
    remedy(
        "pass_training_to_dropout",
        "804:1",
        "x = F.dropout(x, p=0.1, training=self.training)",
    ),
    remedy(
        "use_dropout_modules",
        "804:2",
        """
        self.dropout = nn.Dropout(0.1)  # in __init__
        x = self.dropout(x)  # in forward: eval() switches it off
        """,
    ),
    remedy(
        "lower_dropout",
        "804:3",
        """
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = min(module.p, 0.2)
        """,
    ),
    remedy(
        "remove_bias_before_norm",
        "805:1",
        """
        block = nn.Sequential(
            nn.Linear(d, d, bias=False), nn.BatchNorm1d(d), nn.ReLU()
        )
        """,
    ),
    remedy(
        "normalise_before_branches",
        "308:3",
        """
        class PreNorm(nn.Module):
            def __init__(self, width, branch):
                super().__init__()
                self.norm, self.branch = nn.LayerNorm(width), branch

            def forward(self, x):
                return x + self.branch(self.norm(x))
        """,
    ),
)
