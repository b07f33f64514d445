"""Remedies for the data and the order in which they come."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

DATA: tuple[Remedy, ...] = (
    remedy(
        "standardise_inputs",
        "202:1 601:1",
        """
        mean, std = train_inputs.mean(0), train_inputs.std(0)
        inputs = (inputs - mean) / (std + 1e-8)  # at evaluation too
        """,
    ),
    remedy(
        "compress_heavy_tails",
        "601:2",
        "inputs = inputs.sign() * torch.log1p(inputs.abs())",
    ),
    remedy(
        "begin_with_batch_norm",
        "601:3",
        "model = nn.Sequential(nn.BatchNorm1d(inputs.shape[1]), model)",
    ),
    remedy(
        "find_nonfinite_samples",
        "602:1",
        """
        for number, (inputs, targets) in enumerate(loader):
            bad = ~inputs.isfinite().flatten(1).all(dim=1)
            if bad.any():
                print(number, bad.nonzero().flatten().tolist())
        """,
    ),
    remedy(
        "mark_missing_values",
        "602:2",
        """
        missing = inputs.isnan()
        inputs = torch.cat([inputs.nan_to_num(0.0), missing.float()], dim=1)
        """,
    ),
    remedy(
        "shuffle_training_data",
        "603:1",
        """
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=64, shuffle=True
        )
        """,
    ),
    remedy(
        "shuffle_tensors_each_epoch",
        "603:2",
        """
        for epoch in range(epochs):
            order = torch.randperm(len(train_inputs))
            for rows in order.split(64):
                inputs, targets = train_inputs[rows], train_labels[rows]
        """,
    ),
    remedy(
        "set_sampler_epoch",
        "603:3 917:1",
        """
        for epoch in range(epochs):
            sampler.set_epoch(epoch)  # torch.utils.data.DistributedSampler
        """,
    ),
    remedy(
        "iterate_the_loader",
        "608:1",
        """
        for inputs, targets in loader:  # not next(iter(loader)) in the loop
            optimizer.zero_grad()
            loss_fn(model(inputs), targets).backward()
            optimizer.step()
        """,
    ),
    remedy(
        "seed_workers",
        "608:2",
        """
        def seed_worker(worker_id):
            numpy.random.seed(torch.initial_seed() % 2**32)

        loader = torch.utils.data.DataLoader(
            dataset, batch_size=64, shuffle=True, worker_init_fn=seed_worker
        )
        """,
    ),
    remedy(
        "keep_the_best_weights",
        "605:3 610:1",
        """
        best, patience = float("inf"), 0
        for epoch in range(epochs):
            ...  # train, then evaluate: valid_loss
            if valid_loss < best:
                best, patience = valid_loss, 0
                kept = {k: v.clone() for k, v in model.state_dict().items()}
            elif (patience := patience + 1) >= 10:
                break
        model.load_state_dict(kept)
        """,
    ),
    remedy(
        "regularise_more",
        "610:2",
        """
        model = nn.Sequential(nn.Linear(d, 32), nn.ReLU(), nn.Dropout(0.3),
                              nn.Linear(32, d))
        optimizer = torch.optim.AdamW(
            model.parameters(), lr=1e-3, weight_decay=0.1
        )
        """,
    ),
    remedy(
        "drop_the_last_batch",
        "612:1",
        """
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=8, shuffle=True, drop_last=True
        )
        """,
    ),
    remedy(
        "preprocess_alike",
        "615:1",
        """
        mean, std = train_inputs.mean(0), train_inputs.std(0) + 1e-8


        def prepare(x):  # the one way in, for training and evaluation
            return (x - mean) / std


        model.eval()
        with torch.no_grad():
            out = model(prepare(inputs))
        """,
    ),
    remedy(
        "weight_classes_by_rarity",
        "604:1",
        """
        counts = torch.bincount(train_labels).clamp_min(1)
        weight = counts.sum() / (len(counts) * counts)
        loss = F.cross_entropy(logits, targets, weight=weight)
        """,
    ),
    remedy(
        "draw_classes_evenly",
        "604:2",
        """
        counts = torch.bincount(train_labels)
        sampler = torch.utils.data.WeightedRandomSampler(
            1.0 / counts[train_labels], len(train_labels)
        )
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=64, sampler=sampler
        )
        """,
    ),
    remedy(
        "list_the_largest_samples",
        "609:1",
        """
        largest = train_inputs.abs().flatten(1).amax(1)
        for row in largest.argsort(descending=True)[:10].tolist():
            print(row, largest[row].item())
        """,
    ),
    remedy(
        "leave_padding_out_of_the_loss",
        "613:1",
        """
        loss = F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), ignore_index=padding_id
        )
        """,
    ),
    remedy(
        "batch_by_length",
        "613:2",
        """
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        batches = [order[i : i + 64] for i in range(0, len(order), 64)]
        random.shuffle(batches)
        """,
    ),
    remedy(
        "look_at_pairs_of_inputs_and_labels",
        "616:1",
        """
        for inputs, targets in loader:
            for x, y in list(zip(inputs, targets))[:5]:
                print(y.item(), x.flatten()[:8].tolist())
            break
        """,
    ),
    remedy(
        "use_a_robust_loss",
        "609:2",
        "loss = F.huber_loss(prediction, target, delta=1.0)",
    ),
    remedy(
        "list_contradicted_labels",
        "605:1",
        """
        model.eval()
        with torch.no_grad():
            logits = model(train_inputs)
        losses = F.cross_entropy(logits, train_labels, reduction="none")
        for i in losses.argsort(descending=True)[:50].tolist():
            print(i, int(train_labels[i]), int(logits[i].argmax()))
        """,
    ),
    remedy(
        "smooth_labels",
        "605:2",
        "loss = F.cross_entropy(model(inputs), targets, label_smoothing=0.1)",
    ),
    remedy(
        "train_with_larger_batches",
        "606:1",
        """
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=64, shuffle=True
        )
        """,
    ),
    remedy(
        "train_with_smaller_batches",
        "607:1",
        """
        loader = torch.utils.data.DataLoader(
            dataset, batch_size=32, shuffle=True
        )
        """,
    ),
)
