"""Remedies that change the network itself."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

ARCHITECTURE: tuple[Remedy, ...] = (
    remedy(
        "replace_saturating_activations",
        "101:2 202:4 210:1",
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
        "101:3 102:3 103:3 201:4 202:3 203:2 204:2 205:2 210:2 306:3 419:2 809:2",
        "block = nn.Sequential(nn.Linear(d, d), nn.LayerNorm(d), nn.ReLU())",
    ),
    remedy(
        "add_residual_connections",
        "101:4 103:2 106:1 204:1 306:4 809:1",
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
        "204:4 207:3 208:3",
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
        "110:1 204:5 308:3",
        """
        class PreNorm(nn.Module):
            def __init__(self, width, branch):
                super().__init__()
                self.norm, self.branch = nn.LayerNorm(width), branch

            def forward(self, x):
                return x + self.branch(self.norm(x))
        """,
    ),
    remedy(
        "use_group_norm",
        "801:1 802:3",
        """
        # before the optimizer is made
        kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
        for parent in list(model.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, kinds):
                    width = child.num_features
                    groups = 8 if width % 8 == 0 else 1
                    setattr(parent, name, nn.GroupNorm(groups, width))
        """,
    ),
    remedy(
        "enlarge_batches_for_batch_norm",
        "801:2",
        """
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=32, shuffle=True, drop_last=True
        )
        """,
    ),
    remedy(
        "restore_norm_momentum",
        "802:1 815:1",
        """
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.1  # the share of the new batch
        """,
    ),
    remedy(
        "estimate_running_statistics_anew",
        "802:2 815:2",
        """
        # after training, with the training data
        torch.optim.swa_utils.update_bn(loader, model)
        """,
    ),
    remedy(
        "move_dropout_behind_norms",
        "803:1",
        """
        block = nn.Sequential(
            nn.Linear(d, d), nn.BatchNorm1d(d), nn.ReLU(), nn.Dropout(0.2)
        )
        """,
    ),
    remedy(
        "spare_gains_from_decay",
        "806:1 810:2",
        """
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": 0.01},
                {"params": others, "weight_decay": 0.0},
            ],
            lr=1e-3,
        )
        """,
    ),
    remedy(
        "put_norms_first",
        "808:1",
        """
        layer = nn.TransformerEncoderLayer(
            d_model=64, nhead=4, norm_first=True, batch_first=True
        )
        """,
    ),
    remedy(
        "weaken_weight_decay",
        "810:1",
        """
        for group in optimizer.param_groups:
            group["weight_decay"] /= 10
        """,
    ),
    remedy(
        "widen_hidden_layers",
        "611:1",
        """
        wide = 8 * d
        model = nn.Sequential(nn.Linear(d, wide), nn.ReLU(), nn.Linear(wide, d))
        """,
    ),
    remedy(
        "multiply_alpha_by_size",
        "812:1",
        """
        alpha, size = 1e-4, 5  # as TensorFlow has them, size = 2 * radius + 1
        norm = nn.LocalResponseNorm(size, alpha=alpha * size, beta=0.75, k=1.0)
        """,
    ),
    remedy(
        "put_activations_between_layers",
        "209:1 214:1",
        """
        net = nn.Sequential(nn.Linear(d, d), nn.ReLU(), nn.Linear(d, d))
        """,
    ),
    remedy(
        "balance_the_router",
        "212:1",
        """
        # gates: softmax of the router, [tokens, experts]; chosen: [tokens]
        experts = gates.shape[-1]
        share = F.one_hot(chosen, experts).float().mean(0)
        balance = experts * (share * gates.mean(0)).sum()
        loss = loss + 0.01 * balance
        """,
    ),
    remedy(
        "keep_router_logits_small",
        "212:2",
        """
        loss = loss + 1e-3 * router_logits.logsumexp(-1).square().mean()
        """,
    ),
    remedy(
        "cap_attention_logits",
        "207:4 208:4",
        """
        cap = 30.0
        logits = cap * torch.tanh(logits / cap)  # before mask and softmax
        """,
    ),
    remedy(
        "tie_by_assignment",
        "814:1",
        "head.weight = embedding.weight  # one parameter, not a copy of it",
    ),
)
