"""Statistics of targets beside what they belong to: the input's ids, the prediction, its range."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from gradoctor.statistics._tensors import sample, values_of

REACH = ("target.outside", "target.beyond")
OFFSETS = ("label.copy", "label.next", "label.after_next", "label.previous", "label.padding")
CLASSES = (
    "class.imbalance", "class.rare_recall", "class.frequent_recall", "class.rare_share",
    "class.rare_seen",
)  # fmt: skip

DOUBTS = ("label.contradicted", "label.undecided", "label.doubt_pattern")

FEWEST_POSITIONS = 4
"""Positions in a row from which on a shift of the labels can be told from chance."""
KEEP = 0.9
"""What each batch leaves of the tallies before it."""
SELDOM = 10
"""Times a class is rarer than the most frequent one to count as rare."""
_NAN = float("nan")


@torch.no_grad()
def summarise_reach(target: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """The columns ``REACH``, float32 ``[2]``: how much of a target no prediction can reach.

    Args:
        low, high: the range of the activation that makes the prediction.
    """
    values = sample(values_of(target), 65536).double()
    slack = 1e-3 * (high - low if high - low < float("inf") else 1.0)
    beyond = (low - values).clamp_min(0) + (values - high).clamp_min(0)
    return torch.stack([(beyond > slack).double().mean(), (beyond**2).mean()]).float()


@torch.no_grad()
def compare_with_ids(
    ids: Iterable[torch.Tensor], labels: torch.Tensor, ignore_index: int
) -> torch.Tensor | None:
    """The columns ``OFFSETS``, float32 ``[5]``: the shares of labels equal to an id of the input.

    Args:
        ids: candidates ``[batch, time]`` (or ``[time, batch]``) for the input of the labels; each
            share is the largest that any of them gives.
        labels: integers of the same number, or one fewer in each row, in any shape.

    Returns:
        None where no candidate belongs to the labels.
    """
    flat = labels.detach().reshape(-1)
    found = [
        shares
        for x in ids
        for axis in (1, 0)
        if (shares := _offsets(x.detach(), flat, axis, ignore_index)) is not None
    ]
    return torch.stack(found).amax(0) if found else None


def _offsets(
    x: torch.Tensor, flat: torch.Tensor, axis: int, ignore_index: int
) -> torch.Tensor | None:
    if x.dim() != 2 or x.shape[axis] < FEWEST_POSITIONS:
        return None
    time, others = x.shape[axis], x.shape[1 - axis]
    length = flat.numel() // max(1, others)
    if length not in (time, time - 1) or length * others != flat.numel():
        return None
    rows = flat.reshape((others, length) if axis else (length, others))
    if not axis:
        x, rows = x.T, rows.T
    counted = (rows != ignore_index) & (rows >= 0)
    shares = []
    for shift in (0, 1, 2, -1):
        first, last = max(0, -shift), min(length, time - shift)
        kept = counted[:, first:last]
        equal = (rows[:, first:last] == x[:, first + shift : last + shift]) & kept
        shares.append(equal.sum() / kept.sum().clamp_min(1))
    padded = padding_of(x)[:, :length] & counted & (rows == x[:, -1:])
    shares.append(padded.sum() / counted.sum().clamp_min(1))
    return torch.stack(shares).float()


def padding_of(ids: torch.Tensor) -> torch.Tensor:
    """True where ids ``[batch, time]`` end in a run of two or more of the id that most rows end in.

    The first of a run may be the mark of the end; it counts as padding like the rest.
    """
    last = ids[:, -1]
    pad = last.mode().values
    run = (ids == pad).flip(1).long().cumprod(1).flip(1).bool()
    return run & (run.sum(1, keepdim=True) > 1)


@torch.no_grad()
def padding_fraction(ids: torch.Tensor) -> torch.Tensor:
    """Share of ids ``[batch, time]`` that are padding (0-dim float32); NaN where none can be."""
    if ids.dim() != 2 or ids.shape[1] < FEWEST_POSITIONS or ids.is_floating_point():
        return torch.full((), _NAN, device=ids.device)
    return padding_of(ids).float().mean()


@torch.no_grad()
def log_partition(scores: torch.Tensor) -> torch.Tensor:
    """Mean logsumexp of rows of logits ``[rows, K]`` (0-dim float32), from up to 1,024 of them."""
    some = scores.detach()[:: max(1, scores.shape[0] // 1024)]
    return some.float().logsumexp(1).mean()


class ClassTally:
    """How often each class is met, predicted and found, old batches fading away.

    Args:
        classes: number of classes K.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._met = self._said = self._found = self._total = torch.zeros(0)

    @torch.no_grad()
    def add(self, predicted: torch.Tensor, labels: torch.Tensor) -> None:
        """Add a batch of predicted classes and labels, both integer ``[n]``."""
        keep = (labels >= 0) & (labels < self.classes)
        predicted, labels = predicted[keep].long(), labels[keep].long()
        hits = labels[predicted == labels]
        now = [torch.bincount(part, minlength=self.classes) for part in (labels, predicted, hits)]
        if not self._met.numel():
            self._met, self._said, self._found = (part.double() for part in now)
            self._total = self._met
            return
        self._total = self._total + now[0]
        self._met = KEEP * self._met + now[0]
        self._said = KEEP * self._said + now[1]
        self._found = KEEP * self._found + now[2]

    @torch.no_grad()
    def summary(self) -> torch.Tensor:
        """The columns ``CLASSES``, float32 ``[5]``.

        Rare are the classes that occur less than a tenth as often as the most frequent one; NaN
        where there are none.
        """
        counts = self._total
        most = counts.max()
        occurs = counts > 0
        least = torch.where(occurs, counts, most).min()
        rare = occurs & (counts * SELDOM < most)
        often = counts == most

        def share(part: torch.Tensor, whole: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
            below = (whole * chosen).sum()
            return torch.where(below > 0, (part * chosen).sum() / below.clamp_min(1e-9), _NAN)

        columns = [
            most / least.clamp_min(1), share(self._found, self._met, rare),
            share(self._found, self._met, often), share(self._said, self._met, rare),
            (self._met * rare).sum(),
        ]  # fmt: skip
        return torch.stack(columns).float()


class DoubtTally:
    """Labels that a classifier contradicts firmly, and whether what they are has a pattern.

    Labels that were changed at random are of any class, whatever was said; samples that are hard
    to tell get labels of the few classes that look like it.

    Args:
        classes: number of classes K.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes
        self._pairs = self._parts = self._met = torch.zeros(0)
        self._squares = torch.zeros(())

    @torch.no_grad()
    def add(self, scores: torch.Tensor, labels: torch.Tensor) -> None:
        """Add a batch of logits or log-probabilities ``[n, K]`` and its labels ``[n]``."""
        keep = (labels >= 0) & (labels < self.classes)
        chances, labels = scores[keep].float().softmax(1), labels[keep].long()
        most, said = chances.max(1)
        own = chances.gather(1, labels[:, None])[:, 0]
        sure = most >= 0.5
        right = sure & (said == labels)
        against = sure & (own < 0.1 * most)
        pairs = torch.bincount(
            said[against] * self.classes + labels[against], minlength=self.classes**2
        ).double()
        parts = torch.stack([against.sum(), (~right & ~against).sum(), keep.sum()]).double()
        met = torch.bincount(labels, minlength=self.classes).double()
        if not self._met.numel():
            self._pairs, self._parts, self._met = pairs, parts, met
            self._squares = parts[0]
            return
        self._pairs = KEEP * self._pairs + pairs
        self._parts = KEEP * self._parts + parts
        self._met = KEEP * self._met + met
        self._squares = KEEP**2 * self._squares + parts[0]

    @torch.no_grad()
    def summary(self) -> torch.Tensor:
        """The columns ``DOUBTS``, float32 ``[3]``.

        The pattern is what the predicted class tells of a contradicting label beyond the classes'
        frequencies, in nats, less what chance gives; NaN below 30 contradictions.
        """
        pairs = self._pairs.reshape(self.classes, self.classes)
        count = pairs.sum()
        off = 1.0 - torch.eye(self.classes, dtype=torch.float64, device=pairs.device)
        usual = self._met * off
        usual = usual / usual.sum(1, keepdim=True).clamp_min(1e-9)
        expected = (pairs.sum(1, keepdim=True) * usual).clamp_min(1e-12)
        told = torch.where(pairs > 0, pairs * (pairs / expected).log(), 0.0).sum()
        free = ((expected > 1e-9).sum() - (pairs.sum(1) > 0).sum()).clamp_min(0)
        samples = count**2 / self._squares.clamp_min(1e-9)  # that weigh as much as if all were new
        pattern = told / count.clamp_min(1e-9) - 0.5 * free / samples.clamp_min(1e-9)
        shares = self._parts[:2] / self._parts[2].clamp_min(1.0)
        return torch.cat([shares, torch.where(samples >= 30, pattern, _NAN)[None]]).float()
