"""Modules that PyTorch does not have."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812


class Maxout(nn.Module):
    """The largest of several linear maps: ``max_k (x W_k + b_k)``.

    Goodfellow, Warde-Farley, Mirza, Courville, Bengio: Maxout networks. ICML 2013.

    Args:
        in_features: size of each input sample.
        out_features: size of each output sample.
        pieces: linear maps that compete for each output, at least 2.

    Shape:
        ``(*, in_features)`` to ``(*, out_features)``.

    Raises:
        ValueError: fewer than two pieces.
    """

    def __init__(
        self, in_features: int, out_features: int, pieces: int = 2, bias: bool = True
    ) -> None:
        super().__init__()
        if pieces < 2:
            raise ValueError(f"pieces={pieces}: a maximum needs at least 2.")
        self.pieces = pieces
        self.linear = nn.Linear(in_features, out_features * pieces, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The maximum over the pieces."""
        pieces: torch.Tensor = self.linear(x).unflatten(-1, (-1, self.pieces))
        return pieces.amax(dim=-1)

    def extra_repr(self) -> str:
        """What ``print`` adds."""
        return f"pieces={self.pieces}"


class RMSELoss(nn.Module):
    """The root of the mean squared error, with a gradient that is finite at zero error.

    ``sqrt(mse)`` has the gradient ``0 / 0 = NaN`` where the prediction is exact. Here it is 0
    there, as for any loss at its minimum; elsewhere the value and gradient are those of the root.

    Shape:
        any two tensors of one shape, to a scalar.
    """

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """The loss.

        Raises:
            ValueError: the shapes differ (broadcasting them would compare every pair).
        """
        if prediction.shape != target.shape:
            raise ValueError(
                f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ "
                "in shape; squeeze or reshape one of them."
            )
        mse = F.mse_loss(prediction, target)
        exact = mse == 0
        # the root never sees the zero, so its infinite slope never meets the zero before it
        return torch.where(exact, mse, torch.where(exact, torch.ones_like(mse), mse).sqrt())


class SwiGLU(nn.Module):
    """A gated feed-forward layer: ``(SiLU(x W) * (x V)) U``.

    Shazeer: GLU variants improve Transformer. arXiv:2002.05202, 2020.

    Args:
        features: size of each sample, in and out.
        hidden: size between; by default 8/3 of ``features``, which has as many parameters as a
            plain layer of four times the features.

    Shape:
        ``(*, features)`` to ``(*, features)``.
    """

    def __init__(self, features: int, hidden: int | None = None, bias: bool = False) -> None:
        super().__init__()
        hidden = hidden or max(1, round(features * 8 / 3))
        self.gate = nn.Linear(features, hidden, bias=bias)
        self.up = nn.Linear(features, hidden, bias=bias)
        self.down = nn.Linear(hidden, features, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The gated layer."""
        out: torch.Tensor = self.down(F.silu(self.gate(x)) * self.up(x))
        return out
