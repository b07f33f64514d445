"""What an adaptive optimizer remembers, against values worked out by hand and against Adam."""

from __future__ import annotations

import pytest
import torch

from gradoctor.capture.optimizers import Optimizers
from gradoctor.statistics import SecondMoment, summarise_moments

second_moment = Optimizers.second_moment


class TestKernel:
    def test_by_hand(self):
        v = torch.tensor([[1e-18, 4e-18, 1.0, 0.0]])
        g = torch.tensor([[0.0, 0.0, 3.0, 0.0]])
        share, surprise = summarise_moments([SecondMoment(v, 1.0, 1e-8)], [g])[0].tolist()
        assert share == pytest.approx(2 / 3)  # the last element never had a gradient
        assert surprise == pytest.approx((9.0 / 4) ** 0.5)

    def test_what_is_missing_is_nan(self):
        v = SecondMoment(torch.ones(2, 2), 1.0, 1e-8)
        table = summarise_moments([v, None, v], [None, torch.ones(2, 2), torch.ones(3, 2)])
        assert bool(table.isnan().all())
        assert table.shape == (3, 2)

    def test_gradients_of_constant_size_are_no_surprise(self):
        w = torch.nn.Parameter(torch.zeros(4, 4))
        optimizer = torch.optim.Adam([w])
        for _ in range(5):
            w.grad = torch.full((4, 4), 0.3)
            optimizer.step()
        moment = second_moment(optimizer, optimizer.param_groups[0], w)
        share, surprise = summarise_moments([moment], [w.grad])[0].tolist()
        assert share == 0.0
        assert surprise == pytest.approx(1.0, rel=1e-4)


class TestWhatOptimizersKeep:
    @pytest.mark.parametrize("kind", ["Adam", "AdamW", "NAdam", "RAdam", "RMSprop"])
    def test_those_that_have_one(self, kind):
        w = torch.nn.Parameter(torch.zeros(2, 2))
        optimizer = getattr(torch.optim, kind)([w])
        assert second_moment(optimizer, optimizer.param_groups[0], w) is None
        w.grad = torch.ones(2, 2)
        optimizer.step()
        moment = second_moment(optimizer, optimizer.param_groups[0], w)
        assert moment is not None
        assert moment.epsilon == 1e-8

    @pytest.mark.parametrize("kind", ["SGD", "Adagrad", "Adadelta", "Rprop"])
    def test_those_that_have_none(self, kind):
        w = torch.nn.Parameter(torch.zeros(2, 2))
        optimizer = getattr(torch.optim, kind)([w], lr=0.1)
        w.grad = torch.ones(2, 2)
        optimizer.step()
        assert second_moment(optimizer, optimizer.param_groups[0], w) is None
