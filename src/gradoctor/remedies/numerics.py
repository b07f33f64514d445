"""Remedies for numbers that overflow, vanish or are lost."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

NUMERICS: tuple[Remedy, ...] = (
    remedy(
        "detect_anomaly",
        "701:1 711:3",
        """
        with torch.autograd.detect_anomaly():  # slow: for the search only
            loss = loss_fn(model(inputs), targets)
            loss.backward()
        """,
    ),
    remedy(
        "use_stable_operations",
        "510:2 701:2 708:1",
        """
        log_p = F.log_softmax(logits, dim=-1)  # not log(softmax(...))
        log_s = F.logsigmoid(logits)  # not log(sigmoid(...))
        log_x = torch.log(x.clamp_min(1e-8))
        ratio = a / b.clamp_min(1e-8)
        root = torch.sqrt(x.clamp_min(1e-12))
        """,
    ),
    remedy(
        "check_data_for_nonfinite",
        "701:3",
        """
        assert inputs.isfinite().all(), "inputs hold NaN or infinity"
        assert targets.isfinite().all(), "targets hold NaN or infinity"
        """,
    ),
    remedy(
        "keep_parameters_in_float32",
        "704:1 710:1",
        """
        model = model.float()  # build the optimizer after this
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            loss = loss_fn(model(inputs), targets)
        """,
    ),
    remedy(
        "keep_float32_master_weights",
        "704:2",
        """
        params = list(model.parameters())
        masters = [p.detach().float().requires_grad_() for p in params]
        optimizer = torch.optim.AdamW(masters, lr=1e-3)

        def step():  # after loss.backward()
            for master, p in zip(masters, params):
                master.grad = None if p.grad is None else p.grad.float()
            optimizer.step()
            with torch.no_grad():
                for master, p in zip(masters, params):
                    p.copy_(master)
            model.zero_grad()
        """,
    ),
    remedy(
        "raise_epsilon",
        "710:2",
        """
        # float16 holds nothing below 6e-8
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-4)
        """,
    ),
    remedy(
        "order_scaler_calls",
        "705:1",
        """
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)  # unscales the gradients first
        scaler.update()
        """,
    ),
    remedy(
        "scale_the_loss",
        "702:1",
        """
        scaler = torch.amp.GradScaler(inputs.device.type)  # once

        optimizer.zero_grad()
        with torch.autocast(inputs.device.type, dtype=torch.float16):
            loss = loss_fn(model(inputs), targets)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        """,
    ),
    remedy(
        "compute_in_float32",
        "703:2 706:2",
        """
        # around what overflows
        with torch.autocast(inputs.device.type, enabled=False):
            scores = a.float() @ b.float().T
        """,
    ),
    remedy(
        "stop_when_the_scale_collapses",
        "706:1",
        """
        if scaler.get_scale() < 1.0:  # after scaler.update()
            raise FloatingPointError("no loss scale makes gradients finite")
        """,
    ),
    remedy(
        "use_bfloat16_autocast",
        "206:1 702:2 703:1 705:3 706:3",
        """
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            loss = loss_fn(model(inputs), targets)
        loss.backward()  # no GradScaler: bfloat16 has float32's range
        optimizer.step()
        """,
    ),
    remedy(
        "fail_on_nonfinite_gradients",
        "711:1",
        """
        torch.nn.utils.clip_grad_norm_(
            model.parameters(), max_norm=1.0, error_if_nonfinite=True
        )
        """,
    ),
    remedy(
        "stop_at_nonfinite_loss",
        "711:2",
        """
        if not torch.isfinite(loss):
            raise FloatingPointError(f"loss is {loss.item()}")
        """,
    ),
    remedy(
        "take_the_loss_in_float32",
        "709:1",
        "loss = loss_fn(model(inputs).float(), targets)",
    ),
)
