"""Remedies that change what the weights are before the first step."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

INITIALISATION: tuple[Remedy, ...] = (
    remedy(
        "use_he_initialisation",
        "101:1 102:1 104:3 201:3 204:3 205:1 301:1 302:1 303:1 304:1 305:1 306:1",
        """
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        """,
    ),
    remedy(
        "use_xavier_initialisation",
        "202:2 215:1 302:2 304:2 305:2 306:2",
        """
        gain = nn.init.calculate_gain("tanh")  # 5/3; "sigmoid": 1
        for module in model.modules():
            if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
                nn.init.xavier_normal_(module.weight, gain=gain)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        """,
    ),
    remedy(
        "rescale_layers_by_data",
        "303:2 807:1",
        """
        @torch.no_grad()
        def to_unit_variance(layer, args, output):
            scale = output.std()
            layer.weight /= scale
            if layer.bias is not None:
                layer.bias /= scale
            return output / scale

        kinds = (nn.Linear, nn.Conv2d)
        layers = [m for m in model.modules() if isinstance(m, kinds)]
        hooks = [m.register_forward_hook(to_unit_variance) for m in layers]
        with torch.no_grad():
            model(inputs)
        for hook in hooks:
            hook.remove()
        """,
    ),
    remedy(
        "divide_by_root_of_fan_in",
        "304:3",
        "weight = nn.Parameter(torch.randn(fan_out, fan_in) / fan_in**0.5)",
    ),
    remedy(
        "load_weights_strictly",
        "301:2",
        "model.load_state_dict(state, strict=True)",
    ),
    remedy(
        "shrink_head_initialisation",
        "309:1",
        """
        nn.init.normal_(head.weight, std=0.01)  # head: the last nn.Linear
        nn.init.zeros_(head.bias)
        """,
    ),
    remedy(
        "set_head_bias_to_class_frequencies",
        "309:2",
        """
        counts = torch.bincount(train_labels, minlength=head.out_features)
        with torch.no_grad():
            head.bias.copy_(torch.log((counts + 1) / (counts + 1).sum()))
        """,
    ),
    remedy(
        "set_head_bias_to_target_mean",
        "507:2",
        """
        with torch.no_grad():
            head.bias.copy_(train_targets.mean(0))  # head: the last nn.Linear
        """,
    ),
    remedy(
        "open_forget_gates",
        "108:2 312:1",
        """
        # rnn: an nn.LSTM; its gates stand in the order i, f, g, o
        h = rnn.hidden_size
        with torch.no_grad():
            for name, bias in rnn.named_parameters():
                if name.startswith("bias_ih"):
                    bias[h : 2 * h] = 1.0
        """,
    ),
    remedy(
        "use_orthogonal_recurrence",
        "108:3",
        """
        for name, weight in rnn.named_parameters():
            if name.startswith("weight_hh"):
                for gate in weight.split(rnn.hidden_size):
                    nn.init.orthogonal_(gate)
        """,
    ),
    remedy(
        "start_branches_at_zero",
        "308:2",
        """
        for block in blocks:  # last: the last layer of a block's branch
            nn.init.zeros_(block.last.weight)
            nn.init.zeros_(block.last.bias)
        """,
    ),
    remedy(
        "draw_small_embedding",
        "311:1",
        """
        nn.init.normal_(embedding.weight, std=0.02)  # before training
        """,
    ),
    remedy(
        "scale_embedding_on_the_way_in",
        "311:2",
        """
        d = embedding.embedding_dim
        nn.init.normal_(embedding.weight, std=d**-0.5)
        x = embedding(tokens) * d**0.5  # in forward
        """,
    ),
    remedy(
        "make_layers_one_by_one",
        "314:1",
        """
        layers = nn.ModuleList(nn.Linear(d, d) for _ in range(depth))
        """,
    ),
    remedy(
        "draw_copies_again",
        "314:2",
        """
        for layer in layers:  # copies of one layer
            layer.reset_parameters()
        """,
    ),
)
