"""Remedies for step size, schedule and clipping; and the tests that tell what to look at next."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

OPTIMISATION: tuple[Remedy, ...] = (
    remedy(
        "lower_learning_rate",
        "102:5 106:3 201:1 202:5 203:1 207:2 208:2 401:1 402:1 406:2 412:2 418:2 419:1 513:2 701:4",
        """
        for group in optimizer.param_groups:
            group["lr"] /= 10
        """,
    ),
    remedy(
        "lower_rate_below_threshold",
        "416:1",
        """
        ratio = 4.0  # sharpness over threshold, as the probe said
        for group in optimizer.param_groups:
            group["lr"] /= 2 * ratio
        """,
    ),
    remedy(
        "raise_learning_rate",
        "403:1 420:2",
        """
        for group in optimizer.param_groups:
            group["lr"] *= 10
        """,
    ),
    remedy(
        "warm_up_learning_rate",
        "106:2 201:2 207:1 208:1 401:2 402:3 406:1 416:2 808:2",
        """
        warm = 200  # steps
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, (step + 1) / warm)
        )  # call scheduler.step() after every optimizer.step()
        """,
    ),
    remedy(
        "decay_towards_first_weights",
        "419:3",
        """
        first = [p.detach().clone() for p in model.parameters()]  # once
        for inputs, targets in loader:
            loss = loss_fn(model(inputs), targets)
            for p, p0 in zip(model.parameters(), first):
                loss = loss + 1e-3 * (p - p0).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        """,
    ),
    remedy(
        "shrink_and_perturb",
        "419:4",
        """
        import copy

        new = copy.deepcopy(model)  # at the start of each task
        for module in new.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
        with torch.no_grad():
            for p, drawn in zip(model.parameters(), new.parameters()):
                p.mul_(0.8).add_(0.2 * drawn)
        """,
    ),
    remedy(
        "draw_dormant_units_again",
        "419:5",
        """
        before, behind = model.body[0], model.body[2]  # around a ReLU
        new = nn.Linear(before.in_features, before.out_features)
        with torch.no_grad():  # every thousand steps or so
            size = F.relu(before(inputs)).mean(0)
            dormant = size <= 0.025 * size.mean()
            before.weight[dormant] = new.weight[dormant]
            before.bias[dormant] = new.bias[dormant]
            behind.weight[:, dormant] = 0.0
        """,
    ),
    remedy(
        "let_learning_rate_fall",
        "402:2",
        """
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, T_max=epochs * len(loader)
        )  # call scheduler.step() after every optimizer.step()
        """,
    ),
    remedy(
        "average_weights",
        "402:4",
        """
        averaged = torch.optim.swa_utils.AveragedModel(
            model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.99)
        )
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss_fn(model(inputs), targets).backward()
            optimizer.step()
            averaged.update_parameters(model)  # evaluate this one
        """,
    ),
    remedy(
        "print_steep_batches",
        "109:2",
        """
        for step, (inputs, targets) in enumerate(loader):
            optimizer.zero_grad()
            loss_fn(model(inputs), targets).backward()
            norm = torch.nn.utils.get_total_norm(
                [p.grad for p in model.parameters() if p.grad is not None]
            )
            if norm > 10:
                print(step, norm.item(), inputs.min(), inputs.max())
        """,
    ),
    remedy(
        "clip_gradients",
        "102:2 108:4 109:1 201:7 401:3 408:2 416:3 418:1 701:5",
        """
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        """,
    ),
    remedy(
        "return_to_checkpoint",
        "401:4 418:4",
        """
        checkpoint = torch.load("before_the_spike.pt")
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        """,
    ),
    remedy(
        "lower_adam_beta2",
        "408:1 418:3",
        """
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=3e-4, betas=(0.9, 0.95)
        )
        """,
    ),
    remedy(
        "use_adamw",
        "101:6",
        "optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)",
    ),
    remedy(
        "use_adam_instead",
        "420:1 421:1",
        """
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        """,
    ),
    remedy(
        "decouple_weight_decay",
        "415:1",
        """
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=1e-3, weight_decay=0.01
        )
        """,
    ),
    remedy(
        "lower_weight_decay",
        "413:1",
        """
        for group in optimizer.param_groups:
            group["weight_decay"] /= 10
        """,
    ),
    remedy(
        "lower_adam_epsilon",
        "407:2",
        """
        for group in optimizer.param_groups:
            group["eps"] = 1e-15  # in float32 only
        """,
    ),
    remedy(
        "scale_loss_for_adam",
        "407:1",
        """
        (1000 * loss).backward()  # Adam's step does not depend on it
        """,
    ),
    remedy(
        "lower_momentum",
        "412:1",
        """
        for group in optimizer.param_groups:
            group["momentum"] = 0.9
        """,
    ),
    remedy(
        "clip_at_usual_norm",
        "410:1",
        """
        norms = []  # of the last steps
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss_fn(model(inputs), targets).backward()
            bound = numpy.percentile(norms, 90) if norms else 1.0
            norm = torch.nn.utils.clip_grad_norm_(
                model.parameters(), max_norm=float(bound)
            )
            norms = [*norms[-199:], norm.item()]
            optimizer.step()
        """,
    ),
    remedy(
        "count_what_schedule_counts",
        "405:5",
        """
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, T_max=epochs
        )  # and call scheduler.step() once an epoch
        """,
    ),
    remedy(
        "find_learning_rate",
        "211:2 403:2 417:2 509:2",
        """
        for group in optimizer.param_groups:
            group["lr"] = 1e-7
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            optimizer.step()
            print(f"{optimizer.param_groups[0]['lr']:.1e} {loss.item():.4f}")
            for group in optimizer.param_groups:
                group["lr"] *= 1.1  # the loss rises: take a tenth
        """,
    ),
    remedy(
        "overfit_one_batch",
        "211:1 215:2 417:1 509:1 611:2",
        """
        inputs, targets = next(iter(loader))
        inputs, targets = inputs[:8], targets[:8]
        for step in range(200):
            optimizer.zero_grad()
            loss = loss_fn(model(inputs), targets)
            loss.backward()
            optimizer.step()
        print(loss.item())  # near 0: the wiring is sound
        """,
    ),
    remedy(
        "print_gradient_norms",
        "103:1 104:1 404:1",
        """
        loss.backward()
        for name, p in model.named_parameters():
            print(name, None if p.grad is None else f"{p.grad.norm():.1e}")
        """,
    ),
    remedy(
        "step_scheduler_after_optimizer",
        "405:1",
        """
        for epoch in range(epochs):
            for inputs, targets in loader:
                optimizer.zero_grad()
                loss_fn(model(inputs), targets).backward()
                optimizer.step()
                scheduler.step()  # counts batches
            # counts epochs: call it here instead
        """,
    ),
    remedy(
        "match_schedule_to_steps",
        "405:2",
        """
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, T_max=epochs * len(loader)
        )  # as many as the calls of scheduler.step() in the whole run
        """,
    ),
    remedy(
        "return_factor_from_lambda",
        "405:3",
        """
        scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: max(0.01, 0.5 ** (step / 1000))
        )  # a factor of the initial rate, not a rate
        """,
    ),
    remedy(
        "watch_falling_metric",
        "405:4",
        """
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimizer, mode="min"
        )  # mode="max" is for an accuracy
        scheduler.step(loss.item())
        """,
    ),
    remedy(
        "clip_between_backward_and_step",
        "411:1",
        """
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        optimizer.step()
        """,
    ),
    remedy(
        "unscale_before_clipping",
        "411:2 705:2",
        """
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
        scaler.step(optimizer)
        scaler.update()
        """,
    ),
    remedy(
        "clip_all_parameters",
        "411:3",
        """
        params = list(model.parameters())  # a generator can be used once
        torch.nn.utils.clip_grad_norm_(params, max_norm=1.0)
        """,
    ),
    remedy(
        "make_the_optimizer_once",
        "422:1",
        """
        # before the loop, not in it
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
        """,
    ),
    remedy(
        "load_the_optimizer_too",
        "422:2",
        """
        kept = torch.load("last.pt")
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        """,
    ),
)
