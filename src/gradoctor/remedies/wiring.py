"""Remedies for the training loop and for what the model and the optimizer hold."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

WIRING: tuple[Remedy, ...] = (
    remedy(
        "call_zero_grad",
        "901:1",
        """
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        """,
    ),
    remedy(
        "add_parameters_to_optimizer",
        "902:1",
        """
        held = {id(p) for g in optimizer.param_groups for p in g["params"]}
        trained = [p for p in model.parameters() if p.requires_grad]
        missing = [p for p in trained if id(p) not in held]
        if missing:
            optimizer.add_param_group({"params": missing})
        """,
    ),
    remedy(
        "give_optimizer_all_parameters",
        "902:2",
        "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)",
    ),
    remedy(
        "freeze_openly",
        "902:3",
        "frozen.requires_grad_(False)  # if this module is not meant to learn",
    ),
    remedy(
        "keep_tensors_in_graph",
        "903:1",
        """
        h = encoder(inputs)  # no .detach(), .data, .item(), .numpy()
        loss = loss_fn(decoder(h), targets)
        loss.backward()
        total += loss.item()  # for logging only
        """,
    ),
    remedy(
        "use_straight_through_gradient",
        "903:2",
        "y = x + (x.round() - x).detach()  # backward: as if y were x",
    ),
    remedy(
        "use_gumbel_softmax",
        "903:3",
        "choice = F.gumbel_softmax(logits, tau=1.0, hard=True)  # not argmax",
    ),
    remedy(
        "call_optimizer_step",
        "905:1",
        """
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        """,
    ),
    remedy(
        "call_model_train",
        "906:1",
        """
        for epoch in range(epochs):
            model.train()
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss_fn(model(inputs), targets).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                for inputs, targets in loader:  # the validation loader
                    model(inputs)
        """,
    ),
    remedy(
        "freeze_batch_norm_openly",
        "906:2",
        """
        model.train()
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()
        """,
    ),
    remedy(
        "divide_loss_by_accumulation_steps",
        "908:1",
        """
        for step, (inputs, targets) in enumerate(loader):
            loss = loss_fn(model(inputs), targets) / accumulation_steps
            loss.backward()
            if (step + 1) % accumulation_steps == 0:
                optimizer.step()
                optimizer.zero_grad()
        """,
    ),
    remedy(
        "build_optimizer_last",
        "910:1",
        """
        model = model.to(device)  # first load, replace layers, move, convert
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        """,
    ),
    remedy(
        "mask_the_future",
        "916:1",
        """
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        length = x.shape[1]
        future = torch.ones(length, length, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))  # before the softmax
        """,
    ),
    remedy(
        "use_module_list",
        "912:1 921:1",
        "self.layers = nn.ModuleList([nn.Linear(d, d) for _ in range(depth)])",
    ),
    remedy(
        "register_parameters",
        "921:2",
        """
        self.scale = nn.Parameter(torch.ones(d))  # not a plain tensor
        self.tables = nn.ParameterList([torch.zeros(d) for _ in range(depth)])
        """,
    ),
    remedy(
        "evaluate_in_eval_mode",
        "907:1",
        """
        model.eval()
        with torch.no_grad():
            valid_loss = loss_fn(model(inputs), targets).item()
        model.train()
        """,
    ),
    remedy(
        "freeze_by_module",
        "904:1",
        """
        encoder.requires_grad_(False)  # what is to stay, and nothing else
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-3)
        """,
    ),
    remedy(
        "clear_gradients_when_freezing",
        "920:1",
        """
        for p in frozen.parameters():
            p.requires_grad_(False)
            p.grad = None  # the optimizer passes over it from now on
        """,
    ),
    remedy(
        "find_unused_modules",
        "909:1",
        """
        model(inputs).sum().backward()
        for name, p in model.named_parameters():
            if p.grad is None:
                print(name)  # call its module in forward, or delete it
        """,
    ),
    remedy(
        "step_once",
        "911:1",
        """
        optimizer.zero_grad()
        loss.backward()  # once
        optimizer.step()  # once, here and nowhere else
        """,
    ),
    remedy(
        "let_the_average_follow",
        "913:1",
        """
        with torch.no_grad():
            for mean, own in zip(average.parameters(), model.parameters()):
                mean.lerp_(own, 0.01)  # the average follows, not the model
        """,
    ),
    remedy(
        "load_once_before_training",
        "913:2",
        """
        model.load_state_dict(torch.load("start.pt"))  # before the loop
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss_fn(model(inputs), targets).backward()
            optimizer.step()
        """,
    ),
    remedy(
        "keep_numbers_only",
        "914:1",
        """
        loss.backward()  # without retain_graph
        total += loss.item()  # a number: no graph hangs on it
        """,
    ),
)
