"""The loss: roots of backward, and the loss functions that made them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn import functional

from gradoctor import statistics as kernels
from gradoctor.capture.graph import parents
from gradoctor.capture.handwritten import Handwritten, Written
from gradoctor.capture.recorder import Look, Recorder
from gradoctor.capture.source import caller
from gradoctor.capture.targets import Targets

LOSSES: dict[Any, str] = {
    getattr(functional, name): name
    for name in (
        "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
        "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "gaussian_nll_loss",
        "poisson_nll_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
        "soft_margin_loss", "multilabel_soft_margin_loss", "triplet_margin_loss",
        "cosine_embedding_loss", "ctc_loss",
    )
}  # fmt: skip

CLASSIFYING = frozenset({"cross_entropy", "nll_loss"})
POSITIONS = {
    "cross_entropy": (
        "weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing",
    ),
    "nll_loss": ("weight", "size_average", "ignore_index", "reduce", "reduction"),
    "binary_cross_entropy": ("weight", "size_average", "reduce", "reduction"),
    "binary_cross_entropy_with_logits": ("weight", "size_average", "reduce", "reduction"),
    "mse_loss": ("size_average", "reduce", "reduction", "weight"),
    "l1_loss": ("size_average", "reduce", "reduction", "weight"),
    "smooth_l1_loss": ("size_average", "reduce", "reduction", "beta"),
    "huber_loss": ("reduction", "delta", "weight"),
    "kl_div": ("size_average", "reduce", "reduction", "log_target"),
}  # fmt: skip
_THROUGH = frozenset(
    f"{name}Backward{number}"
    for name in (
        "View", "Squeeze", "Unsqueeze", "ReshapeAlias", "UnsafeView", "Transpose", "T", "ToCopy",
        "Permute", "Select", "Slice", "Clone", "Alias", "Div", "Mul", "Mean", "Sum",
    )
    for number in (0, 1)
)  # fmt: skip
"""Operations that a loss or a prediction may pass through and stay what it is."""


@dataclass(slots=True)
class LossCall:
    """What is known of one line that calls a loss function."""

    site: int
    function: str
    baseline: kernels.Baseline
    file: str | None
    line: int | None
    data: dict[str, Any] = field(default_factory=dict)
    counts: kernels.LabelCounts | None = None


SAME = 0.01
"""Of a factor and the number of terms that it is taken for."""

Key = tuple[str, str | None, int | None, int]
"""Function, file, line and number of classes: a new head makes it another loss."""


class Losses:
    """Watches loss functions during looks, and every root of backward."""

    def __init__(self, recorder: Recorder, targets: Targets) -> None:
        self.recorder = recorder
        self.targets = targets
        self.scale = 1.0
        self.calls: dict[Key, LossCall] = {}
        self.latest: list[tuple[LossCall, Any, float]] = []
        self.roots: dict[int, list[float | torch.Tensor]] = {}
        self.batch: int | None = None
        self.made: dict[Any, tuple[str | None, int | None, str]] = {}
        self.skipped: list[LossCall] = []
        self.written = Handwritten()
        self._joined: list[Any] = []

    # ---- loss functions ----------------------------------------------------------------------
    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """A loss function was called in training."""
        name = LOSSES[func]
        given = dict(zip(("input", "target"), args, strict=False)) | kwargs
        given |= dict(zip(POSITIONS.get(name, ()), args[2:], strict=False))
        prediction, target = given.get("input"), given.get("target")
        if not isinstance(prediction, torch.Tensor) or not isinstance(target, torch.Tensor):
            return
        if not (isinstance(out, torch.Tensor) and out.requires_grad):
            return
        file, line = caller()
        width = prediction.shape[1] if name in CLASSIFYING and prediction.dim() > 1 else 0
        key = (name, file, line, width)
        call = self.calls.get(key) or self._meet(key, given)
        value = out.detach()
        self.latest.append((call, out.grad_fn, float(value.float().mean())))
        self.batch = prediction.shape[0] if prediction.dim() else 1
        with torch.no_grad(), torch._C.DisableTorchFunction():
            terms = self._measure(call, prediction.detach(), target.detach(), value, given)
            self._describe(call, prediction, target, value, given)
        self.targets.weigh(call.site, out, terms, lambda: self.scale)

    def _meet(self, key: Key, given: dict[str, Any]) -> LossCall:
        name, file, line, _ = key
        reduction = given.get("reduction") or "mean"
        site = self.recorder.site(
            "lossfn", name, key=key, type=name, file=file, line=line,
            meta={"function": name, "reduction": reduction, "loss": None},
        )  # fmt: skip
        options = {
            k: given[k] for k in ("label_smoothing", "weight", "ignore_index", "delta", "beta")
            if given.get(k) is not None
        }  # fmt: skip
        call = LossCall(site, name, kernels.Baseline(name, **options), file, line)
        self.calls[key] = call
        return call

    def _measure(
        self,
        call: LossCall,
        prediction: torch.Tensor,
        target: torch.Tensor,
        value: torch.Tensor,
        given: dict[str, Any],
    ) -> float | torch.Tensor:
        """Record what the call was given; gives the terms that its value is a sum over."""
        put = self.recorder.put
        classes = call.function in CLASSIFYING and prediction.dim() >= 1
        class_dim = 1 if prediction.dim() > 1 else 0
        count = prediction.shape[class_dim] if classes else None
        ignore = given.get("ignore_index", -100) if classes else None
        call.baseline.add(target, count)
        terms = _terms(call.function, target, ignore, given)
        put(call.site, ("lossfn.value",), (value.float().mean() / terms).reshape(1))
        put(call.site, ("lossfn.baseline",), call.baseline.value())
        put(call.site, kernels.PREDICTION, kernels.summarise_prediction(prediction, classes))
        put(call.site, kernels.SHAPE, kernels.summarise_probability_shape(prediction, class_dim))
        put(call.site, kernels.TARGET, kernels.summarise_target(target, ignore))
        labels = call.baseline.labels
        if labels is not None and classes:
            self._measure_labels(call, labels, prediction, target, class_dim)
        elif prediction.dim():
            self.targets.two_classes(call.site, call.function, prediction, target)
        return terms

    def _measure_labels(
        self,
        call: LossCall,
        labels: kernels.LabelCounts,
        prediction: torch.Tensor,
        target: torch.Tensor,
        class_dim: int,
    ) -> None:
        put = self.recorder.put
        put(call.site, ("label.entropy",), labels.batch_entropy(target))
        expected = labels.expected_batch_entropy(target.numel())
        put(call.site, ("label.expected_entropy",), expected)
        rows = prediction.float().movedim(class_dim, -1).reshape(-1, prediction.shape[class_dim])
        logits = call.function == "cross_entropy"
        mean = (rows.softmax(1) if logits else rows.exp()).mean(0)
        put(call.site, ("lossfn.kl",), labels.kl_to(mean))
        if logits:
            put(call.site, ("lossfn.logz",), kernels.log_partition(rows).reshape(1))
        ignore = -100 if labels.ignore_index is None else labels.ignore_index
        self.targets.labels(call.site, target, ignore)
        if prediction.dim() == 2:
            self.targets.classes(call.site, labels.classes, rows.argmax(1), target)
            self.targets.doubts(call.site, rows, target)

    def _describe(
        self,
        call: LossCall,
        prediction: torch.Tensor,
        target: torch.Tensor,
        value: torch.Tensor,
        given: dict[str, Any],
    ) -> None:
        made_by = self._producer(prediction)
        self.targets.reach(call.site, call.function, made_by["producer"], target.detach())
        data = call.data
        data["calls"] = data.get("calls", 0) + 1
        data["negative"] = data.get("negative", 0) + int(bool((value < 0).any()))
        if self.recorder.look < Look.DEEP and data["calls"] > 5:
            labels = call.baseline.labels
            if labels is None or labels.counts is None:
                return
        data |= {
            "function": call.function, "reduction": given.get("reduction") or "mean",
            "prediction_shape": list(prediction.shape), "target_shape": list(target.shape),
            "target_dtype": str(target.dtype).removeprefix("torch."),
            **made_by, "label_smoothing": given.get("label_smoothing", 0.0),
            "weighted": given.get("weight") is not None, "classes": None,
            "binary": bool(((target == 0) | (target == 1)).all()),
        }  # fmt: skip
        if call.function in CLASSIFYING:
            data["classes"] = prediction.shape[1 if prediction.dim() > 1 else 0]
        labels = call.baseline.labels
        if labels is not None and labels.counts is not None:
            if labels.classes <= 1024:
                data["label_counts"] = [int(c) for c in labels.counts.tolist()]
            data["ignore_index"] = labels.ignore_index
            data["ignored"] = 1 - float(labels.counts.sum()) / max(1, labels.seen)
        if target.dim() == 2 and target.shape == prediction.shape:
            self._describe_rows(data, target)
        self.recorder.fact("loss_call", call.site, file=call.file, line=call.line, **data)

    def _producer(self, prediction: torch.Tensor) -> dict[str, Any]:
        name, node = producer(prediction)
        file, line, module = self.made.get(node, (None, None, ""))
        return {
            "producer": name, "producer_file": file, "producer_line": line,
            "producer_module": module,
        }  # fmt: skip

    @staticmethod
    def _describe_rows(data: dict[str, Any], target: torch.Tensor) -> None:
        binary = bool(((target == 0) | (target == 1)).all())
        ones = target.sum(1)
        data["one_hot"] = binary and bool((ones == 1).all())
        data["multi_label"] = binary and not bool((ones == 1).all())

    # ---- roots of backward -------------------------------------------------------------------
    def root(self, tensor: torch.Tensor, scale: float) -> int:
        """A backward starts from this tensor; gives the id of its loss site."""
        file, line = caller()
        function = tensor.grad_fn.name() if tensor.grad_fn is not None else ""
        site = self.recorder.site(
            "loss", f"loss@{line}" if line else "loss", key=(file, line), type=function, file=file,
            line=line,
            meta={"function": function, "dtype": str(tensor.dtype).removeprefix("torch.")},
        )  # fmt: skip
        self.roots.setdefault(site, []).append(_value(tensor, scale))
        self.scale = scale
        if not (self.latest and self._link(site, tensor, scale)):
            written = self.written.behind(tensor)
            if written is not None and tensor.numel() == 1:
                self._see_written(written, site, tensor, scale)
        return site

    def _see_written(self, written: Written, site: int, tensor: torch.Tensor, scale: float) -> None:
        """A root is a loss function that the script writes out, alone: as if it was called."""
        prediction, target = written.prediction, written.target
        with torch.no_grad(), torch._C.DisableTorchFunction():
            value = written.value()
            number, root = float(value), float(tensor.detach()) / scale
            factor = root / number if number else 1.0
            if factor <= 0:
                return  # what grows is no loss of this kind
            terms = written.terms
            summed = terms > 1 and abs(factor / terms - 1) < SAME
            given = {"reduction": "sum" if summed else "mean"}
            width = prediction.shape[1] if written.function in CLASSIFYING else 0
            key = (written.function, *written.place, width)
            call = self.calls.get(key) or self._meet(key, given)
            self.batch = prediction.shape[0] if prediction.dim() else 1
            self._measure(call, prediction.detach(), target.detach(), value, {})
            self._describe(call, prediction, target, value, given)
            self.recorder.put(call.site, ("lossfn.coefficient",), (factor,))
        self._join(call, site, tensor, scale, number)

    def _link(self, site: int, tensor: torch.Tensor, scale: float) -> bool:
        """Find the loss function that this root hangs on alone, and the factor between them."""
        node, depth = tensor.grad_fn, 0
        while node is not None and depth < 12:
            for call, made, value in self.latest:
                if made is node:
                    self._joined.append(node)
                    self._join(call, site, tensor, scale, value)
                    return True
            behind = parents(node)
            node = behind[0] if len(behind) == 1 and node.name() in _THROUGH else None
            depth += 1
        return False

    def _join(
        self, call: LossCall, site: int, tensor: torch.Tensor, scale: float, value: float
    ) -> None:
        old = self.recorder.get(call.site)
        if old.meta.get("loss") != site:
            self.recorder.update_site(call.site, meta={**old.meta, "loss": site})
        root = float(tensor.detach().float().mean()) / scale
        factor = root / value if value else None
        if factor is not None and math.isfinite(factor):
            call.data["factor"] = factor
            if self.recorder.known_fact("loss_call", call.site):
                self.recorder.fact("loss_call", call.site, count=0, factor=factor)

    # ---- the step's end ----------------------------------------------------------------------
    def _put_later(self, site: int, values: list[torch.Tensor]) -> None:
        """The same for values that are still on another device."""
        mean = torch.stack(values).mean()
        nan, inf = torch.isnan(mean).float(), torch.isinf(mean).float()
        shown = torch.where(torch.isfinite(mean), mean, torch.full_like(mean, math.nan))
        self.recorder.put(
            site, ("loss.value", "loss.nonfinite"), torch.stack([shown, nan + 2 * inf])
        )

    def close_step(self) -> bool:
        """Record the loss of the step; True when it was not finite."""
        bad = False
        for site, values in self.roots.items():
            numbers = [v for v in values if isinstance(v, float)]
            if len(numbers) == len(values):
                number = sum(numbers) / len(numbers)
                code = 0.0 if math.isfinite(number) else (1.0 if math.isnan(number) else 2.0)
                bad = bad or code > 0
                shown = math.nan if code else number
                self.recorder.put(site, ("loss.value", "loss.nonfinite"), (shown, code))
            else:
                self._put_later(site, [torch.as_tensor(v) for v in values])
        # a value that is NaN and of which no backward came: the script passed over it
        lost = (
            []
            if bad
            else [
                call
                for call, m, value in self.latest
                if not math.isfinite(value) and m not in self._joined
            ]
        )
        self.skipped = lost
        self.roots, self.latest, self._joined = {}, [], []
        self.made.clear()
        self.written.close_step()
        return bad


def _value(tensor: torch.Tensor, scale: float) -> float | torch.Tensor:
    """Mean of a root: a number on the CPU, elsewhere a tensor that nobody has to wait for."""
    value = tensor.detach()
    if value.device.type != "cpu":
        return value.float().mean() / scale
    return float(value if value.numel() == 1 else value.float().mean()) / scale


def _terms(
    function: str, target: torch.Tensor, ignore: int | None, given: dict[str, Any]
) -> float | torch.Tensor:
    """Terms that a sum is over, 1 for a mean: baselines are per term."""
    if given.get("reduction") != "sum":
        return 1.0
    if function not in CLASSIFYING:
        return float(max(1, target.numel()))
    if target.is_floating_point():
        return float(max(1, target.numel() // max(1, target.shape[1 if target.dim() > 1 else 0])))
    return torch.ne(target, -100 if ignore is None else ignore).sum().clamp_min(1)


def producer(prediction: torch.Tensor) -> tuple[str, Any]:
    """What made a tensor, views passed over (softmax, sigmoid, addmm, ...), and its node."""
    node = prediction.grad_fn
    for _ in range(8):
        if node is None:
            return "", None
        name = str(node.name())
        if name not in _THROUGH or name in {"DivBackward0", "MulBackward0"}:
            return _words(name), node
        behind = parents(node)
        node = behind[0] if len(behind) == 1 else None
    return "", None


def _words(name: str) -> str:
    stem = name.split("Backward", maxsplit=1)[0]
    out = "".join(f"_{c.lower()}" if c.isupper() else c for c in stem)
    return out.strip("_")
