"""Remedies for the loss function and what goes into it."""

from __future__ import annotations

from gradoctor.remedies._remedy import Remedy, remedy

LOSSES: tuple[Remedy, ...] = (
    remedy(
        "remove_softmax_before_cross_entropy",
        "501:1",
        """
        logits = model(inputs)  # the model ends with nn.Linear, without softmax
        loss = F.cross_entropy(logits, targets)
        """,
    ),
    remedy(
        "take_softmax_for_prediction_only",
        "501:2",
        """
        with torch.no_grad():
            probabilities = model(inputs).softmax(dim=-1)
        """,
    ),
    remedy(
        "use_cross_entropy_on_logits",
        "502:1",
        "loss = F.cross_entropy(logits, targets)  # in place of nll_loss",
    ),
    remedy(
        "apply_log_softmax_before_nll",
        "502:2",
        "loss = F.nll_loss(F.log_softmax(logits, dim=-1), targets)",
    ),
    remedy(
        "use_bce_with_logits",
        "503:1 506:2",
        """
        logits = model(inputs)  # without sigmoid
        loss = F.binary_cross_entropy_with_logits(logits, targets.float())
        """,
    ),
    remedy(
        "map_targets_to_zero_one",
        "503:2",
        "targets = (targets > 0).float()  # from -1/1 or 0/255",
    ),
    remedy(
        "shift_labels_to_zero",
        "504:1",
        "targets = targets - 1  # labels 1 to K become 0 to K-1",
    ),
    remedy(
        "use_class_indices",
        "504:2",
        "targets = one_hot.argmax(dim=1)  # one class a sample",
    ),
    remedy(
        "use_bce_for_several_labels",
        "504:3",
        "loss = F.binary_cross_entropy_with_logits(logits, multi_hot.float())",
    ),
    remedy(
        "use_binary_loss_for_one_output",
        "504:5",
        """
        logit = logits.squeeze(-1)  # one output a sample
        loss = F.binary_cross_entropy_with_logits(logit, labels.float())
        """,
    ),
    remedy(
        "match_head_to_classes",
        "504:4",
        "head = nn.Linear(head.in_features, int(train_labels.max()) + 1)",
    ),
    remedy(
        "squeeze_prediction",
        "505:1",
        "loss = F.mse_loss(prediction.squeeze(-1), target)  # both [batch]",
    ),
    remedy(
        "unsqueeze_target",
        "505:2",
        "loss = F.mse_loss(prediction, target.unsqueeze(-1))  # both [batch, 1]",
    ),
    remedy(
        "standardise_targets",
        "507:1",
        """
        mean, std = train_targets.mean(0), train_targets.std(0)
        loss = F.mse_loss(model(inputs), (target - mean) / std)
        prediction = model(inputs) * std + mean  # in the target's unit
        """,
    ),
    remedy(
        "use_cross_entropy_for_classes",
        "506:1",
        "loss = F.cross_entropy(logits, targets)  # no softmax, no mse_loss",
    ),
    remedy(
        "end_with_a_linear_layer",
        "508:1",
        "prediction = head(encoder(inputs))  # head: nn.Linear, no activation",
    ),
    remedy(
        "bring_targets_into_range",
        "508:2",
        """
        low, high = train_targets.amin(0), train_targets.amax(0)
        target = (target - low) / (high - low)  # 0 to 1, as a sigmoid gives
        """,
    ),
    remedy(
        "divide_by_counted_targets",
        "512:1",
        """
        counted = (targets != -100).sum().clamp_min(1)
        total = F.cross_entropy(logits, targets, reduction="sum")
        loss = total / counted
        """,
    ),
    remedy(
        "ignore_a_number_no_class_has",
        "512:2",
        "loss = F.cross_entropy(logits, targets, ignore_index=-100)",
    ),
    remedy(
        "average_the_loss",
        "513:1",
        'loss = F.cross_entropy(logits, targets, reduction="mean")',
    ),
    remedy(
        "shift_labels_once",
        "519:1",
        """
        inputs, labels = tokens[:, :-1], tokens[:, 1:]
        logits = model(inputs)
        loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten())
        """,
    ),
    remedy(
        "add_epsilon_under_the_root",
        "510:1",
        "loss = torch.sqrt(F.mse_loss(prediction, target) + 1e-8)",
    ),
    remedy(
        "add_z_loss",
        "511:1",
        """
        log_z = logits.logsumexp(dim=-1)
        loss = F.cross_entropy(logits, targets) + 1e-4 * log_z.pow(2).mean()
        """,
    ),
    remedy(
        "compare_gradients_of_terms",
        "514:1",
        """
        for name, term in terms.items():
            (gradient,) = torch.autograd.grad(
                term, shared.weight, retain_graph=True
            )
            print(name, gradient.norm().item())
        """,
    ),
    remedy(
        "sum_reconstruction_over_a_sample",
        "515:1",
        """
        # both terms summed over the elements of a sample, mean over the batch
        reconstruction = F.mse_loss(reconstructed, x, reduction="sum")
        loss = reconstruction / len(x) + divergence
        """,
    ),
    remedy(
        "warm_up_the_divergence",
        "515:2",
        """
        beta = min(1.0, step / 2000)
        loss = reconstruction + beta * divergence
        """,
    ),
    remedy(
        "keep_free_bits",
        "515:3",
        """
        each = 0.5 * (mean**2 + log_var.exp() - 1 - log_var)
        divergence = each.mean(dim=0).clamp_min(0.1).sum()
        loss = reconstruction + divergence
        """,
    ),
    remedy(
        "slow_the_stronger_player",
        "516:1",
        """
        # slower: the player that wins; momentum hurts in a game
        g_optimizer = torch.optim.Adam(
            generator.parameters(), lr=2e-4, betas=(0.5, 0.999)
        )
        d_optimizer = torch.optim.Adam(
            discriminator.parameters(), lr=1e-4, betas=(0.5, 0.999)
        )
        """,
    ),
    remedy(
        "use_the_non_saturating_loss",
        "516:2",
        """
        made = generator(noise)
        d_loss = (
            F.softplus(-discriminator(real)).mean()
            + F.softplus(discriminator(made.detach())).mean()
        )
        g_loss = F.softplus(-discriminator(made)).mean()
        """,
    ),
    remedy(
        "penalise_the_slope_on_data",
        "516:3",
        """
        real = real.detach().requires_grad_()
        scores = discriminator(real).sum()
        (slope,) = torch.autograd.grad(scores, real, create_graph=True)
        d_loss = d_loss + 5.0 * slope.flatten(1).square().sum(1).mean()
        """,
    ),
    remedy(
        "stop_the_gradient_on_one_side",
        "517:1",
        """
        # predictor: a small network after the projector, on one side
        loss = -F.cosine_similarity(predictor(one), two.detach()).mean()
        """,
    ),
    remedy(
        "take_other_samples_as_negatives",
        "517:2",
        """
        one, two = F.normalize(one, dim=1), F.normalize(two, dim=1)
        pairs = torch.arange(len(one), device=one.device)
        loss = F.cross_entropy(one @ two.T / 0.2, pairs)
        """,
    ),
    remedy(
        "hold_the_spread_of_embeddings",
        "517:3",
        """
        for z in (one, two):
            std = (z.var(dim=0) + 1e-4).sqrt()
            loss = loss + F.relu(1 - std).mean()
        """,
    ),
)
