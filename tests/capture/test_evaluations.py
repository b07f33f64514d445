"""What capture sees of evaluation: losses, modes, norms, inputs, and that it changes nothing."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from gradoctor.capture.watching import ending

from .sinks import Listing, watched

DRAW = torch.Generator().manual_seed(0)
x, y = torch.randn(96, 8, generator=DRAW), torch.randint(0, 3, (96,), generator=DRAW)


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3)
    )


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> None:
    for i in range(steps):
        optimizer.zero_grad()
        part = slice(24 * (i % 4), 24 * (i % 4) + 24)
        F.cross_entropy(model(x[part]), y[part]).backward()
        optimizer.step()


def seen(sink: Listing, statistic: str) -> list[float]:
    return [v for _, _, row in sink.frames for (_, s), v in row.items() if s == statistic]


class TestLosses:
    def test_mean_over_the_pass_is_weighted_by_batches(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(2):
                model.train()
                train(model, optimizer)
                model.eval()
                with torch.no_grad():
                    for part in (slice(0, 80), slice(80, 96)):
                        F.cross_entropy(model(x[part]), y[part])
        with torch.no_grad():
            expected = F.cross_entropy(model(x), y).item()
            right = [
                (model(x[p]).argmax(1) == y[p]).float().mean() for p in (slice(80), slice(80, 96))
            ]
        losses = seen(sink, "eval.loss")
        assert len(losses) == 2
        assert losses[-1] == pytest.approx(expected, rel=1e-5)
        assert seen(sink, "eval.samples") == [96.0, 96.0]
        assert seen(sink, "eval.accuracy")[-1] == pytest.approx(float(sum(right)) / 2)
        assert sink.metas["steps"] == 8
        assert len(sink.cycles) == 8
        fact = sink.one("evaluation")
        assert fact.data["passes"] == 2
        assert fact.data["batches"] == 2
        assert fact.data["train_mode"] == 0

    @pytest.mark.parametrize("reduction", ["sum", "none"])
    def test_reductions_come_to_the_same(self, reduction: str) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            train(model, optimizer)
            model.eval()
            with torch.no_grad():
                expected = F.cross_entropy(model(x), y, reduction=reduction)
        mean = float(expected.mean() if reduction == "none" else expected / 96)
        assert seen(sink, "eval.loss") == [pytest.approx(mean, rel=1e-5)]

    def test_two_loaders_through_one_function_are_told_apart(self) -> None:
        def evaluate(model: nn.Module, part: slice) -> None:
            model.eval()
            with torch.no_grad():
                F.cross_entropy(model(x[part]), y[part])

        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(3):
                model.train()
                train(model, optimizer)
                for part in (slice(0, 48), slice(48, 96)):
                    evaluate(model, part)
        sites = {f.site for f in sink.of("evaluation")}
        assert len(sites) == 2
        assert len(seen(sink, "eval.loss")) == 6

    def test_a_prediction_may_lie_where_one_in_training_lay(self) -> None:
        again = 0
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(40):
                prediction = model.train()(x[:24])
                F.cross_entropy(prediction, y[:24]).backward()
                F.cross_entropy(prediction.detach(), y[:24])  # what training has, once more
                optimizer.step()
                address = prediction.data_ptr()
                del prediction
                model.eval()
                with torch.no_grad():
                    tried = [torch.zeros(24, 3) for _ in range(200)]
                    same = [t for t in tried if t.data_ptr() == address]
                    again += len(same)
                    F.cross_entropy((same or tried)[0], y[:24])
        assert again > 0
        assert seen(sink, "eval.samples") == [24.0] * 40

    def test_evaluation_with_gradient_counts_in_eval_mode(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            train(model, optimizer)
            model.eval()
            F.cross_entropy(model(x), y)
            model.train()
            train(model, optimizer)
        assert len(seen(sink, "eval.loss")) == 1

    def test_training_in_eval_mode_is_no_evaluation(self) -> None:
        with watched() as sink:
            model = net().eval()
            train(model, torch.optim.SGD(model.parameters(), lr=0.1), 12)
        assert not seen(sink, "eval.loss")

    def test_the_training_output_looked_at_once_more_is_no_evaluation(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(5):
                out = model(x)
                F.cross_entropy(out, y).backward()
                optimizer.step()
                with torch.no_grad():
                    F.cross_entropy(out, y)
                    F.nll_loss(out.detach(), y)
        assert not seen(sink, "eval.loss")

    def test_what_has_no_value_of_its_own_is_passed_over(self) -> None:
        with watched() as sink:
            model = net()
            train(model, torch.optim.SGD(model.parameters(), lr=0.1))
            with torch.no_grad():
                torch.vmap(lambda a: F.mse_loss(a, a + 1))(x)
                F.mse_loss(x.to("meta"), x.to("meta"))
        assert not seen(sink, "eval.loss")

    def test_scripted_and_traced_losses_work_as_before(self) -> None:
        with watched():
            scripted = torch.jit.script(nn.CrossEntropyLoss())
            traced = torch.fx.symbolic_trace(nn.MSELoss())
            logits = torch.randn(96, 3)
            assert scripted(logits, y).item() == pytest.approx(F.cross_entropy(logits, y).item())
            assert traced(x, x + 2).item() == pytest.approx(4.0)


class TestModes:
    def run(self, *, norm: bool = True, calls_eval: bool = False) -> Listing:
        with watched() as sink:
            model = net() if norm else nn.Sequential(nn.Linear(8, 3), nn.Dropout(0.2))
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(3):
                train(model.train(), optimizer)
                if calls_eval:
                    model.eval()
                with torch.no_grad():
                    for part in (slice(0, 48), slice(48, 96)):
                        F.cross_entropy(model(x[part]), y[part])
        return sink

    def test_batch_norm_counts_what_it_is_evaluated_on(self) -> None:
        data = self.run().one("evaluation").data
        assert (data["train_mode"], data["norms_moved"], data["eval_called"]) == (3, 3, False)
        assert data["modules"] == ["1", "3"]

    def test_dropout_alone(self) -> None:
        data = self.run(norm=False).one("evaluation").data
        assert (data["train_mode"], data["norms_moved"]) == (3, 0)

    def test_eval_mode(self) -> None:
        data = self.run(calls_eval=True).one("evaluation").data
        assert (data["train_mode"], data["norms_moved"], data["eval_called"]) == (0, 0, True)


class TestNormsAndInputs:
    def test_running_statistics_against_a_batch(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
            train(model, optimizer, 60)
            model.eval()
            with torch.no_grad():
                F.cross_entropy(model(x), y)
                inner = model[0](x)
            train(model.train(), optimizer, 1)
        bn = model[1]
        got = seen(sink, "norm.eval_mean_gap")[-1]
        std = (inner.var(0) + bn.eps).sqrt()
        # one training step came after the evaluation, with a tenth of a batch's share
        assert got == pytest.approx(
            float(((bn.running_mean - inner.mean(0)).abs() / std).median()), abs=0.1
        )
        assert abs(seen(sink, "norm.eval_var_ratio")[-1]) < 0.3
        assert seen(sink, "norm.mean_gap")[0] > seen(sink, "norm.mean_gap")[-1]
        assert seen(sink, "norm.small_gain") == [0.0] * len(seen(sink, "norm.small_gain"))

    def test_inputs_on_another_scale(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            train(model, optimizer, 8)
            model.eval()
            with torch.no_grad():
                model(4 * x + 8)
        assert seen(sink, "input.eval_scale")[-1] == pytest.approx(2.0, abs=0.1)
        assert seen(sink, "input.eval_shift")[-1] == pytest.approx(8.0, rel=0.4)
        assert len(sink.of("eval_input")) == 1

    def test_evaluation_is_looked_at_ever_more_rarely(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(100):
                train(model.train(), optimizer, 1)
                model.eval()
                with torch.no_grad():
                    F.cross_entropy(model(x), y)
        assert len(seen(sink, "eval.loss")) == 100
        assert 8 <= len(seen(sink, "norm.eval_mean_gap")) < 60


class TestStructure:
    def test_frozen_parameters_that_an_optimizer_goes_on_moving(self) -> None:
        with watched() as sink:
            model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
            optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
            train(model, optimizer, 4)
            model[0].requires_grad_(False)
            train(model, optimizer, 4)
            cleared = sink.facts
            for p in model.parameters():
                p.grad = torch.zeros_like(p)
            for _ in range(6):
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
        moves = {
            sink.sites[f.site].name: f.data["frozen_moves"] for f in cleared.values()
            if f.kind == "wiring"
        }  # fmt: skip
        assert moves["0.weight"] >= 5
        assert moves["2.weight"] == 0

    def test_sizes_and_momentum_of_batch_norm(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for size in (24, 24, 24, 7):
                F.cross_entropy(model(x[:size]), y[:size]).backward()
                optimizer.step()
        (fact,) = [f for f in sink.of("mode") if f.data["tracks"]]
        assert (fact.data["usual_samples"], fact.data["fewest_samples"]) == (24, 7)
        assert fact.data["momentum"] == 0.1

    def test_checkpoints_are_dated(self) -> None:
        with watched() as sink:
            model = net()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            train(model, optimizer, 3)
            model.state_dict()
            train(model, optimizer, 3)
        fact = sink.one("checkpoint")
        assert (fact.first_step, fact.last_step, fact.count) == (3, 3, 1)

    def test_a_batch_of_one_is_known(self) -> None:
        with pytest.raises(ValueError, match="more than 1 value") as raised:
            net()(x[:1])
        told = ending(raised.value)
        assert told is not None
        assert told["known"] == "one_sample"
        assert not math.isnan(len(told["message"]))
