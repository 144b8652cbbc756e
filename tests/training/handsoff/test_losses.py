"""The losses against plain formulas and against derivatives taken by hand."""

import pytest
import torch

from tests.training.handsoff.small import settings
from training.handsoff.discriminator import Discriminator
from training.handsoff.losses import discriminator_loss, generator_loss, penalties


def test_pairs_are_scored_by_their_difference_and_each_side_wants_the_opposite():
    real, drawn = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    expected = torch.log1p(torch.exp(drawn - real)).mean()
    assert discriminator_loss(real, drawn) == pytest.approx(float(expected))
    assert generator_loss(real, drawn) == pytest.approx(float(torch.log1p(torch.exp(real - drawn)).mean()))
    assert discriminator_loss(real + 9, drawn + 9) == pytest.approx(float(expected))  # only pairs mean something


def test_penalties_are_the_squared_gradients_of_autograd_and_reach_the_weights():
    torch.manual_seed(0)
    discriminator = Discriminator(settings())
    real, drawn = torch.rand(2, 3, 3, 16, 16)
    r1, r2 = penalties(discriminator, real, drawn, gamma=0.5, every=8)
    by_hand = []
    for pictures in (real, drawn):  # one picture at a time: the batch takes no part in a picture's gradient
        total = torch.zeros(())
        for picture in pictures:
            shown = picture[None].clone().requires_grad_()
            total = total + torch.autograd.grad(discriminator(shown)[0], shown, create_graph=True)[0].square().sum()
        by_hand.append(8 * 0.5 / 2 * total / len(pictures))
    assert [r1.item(), r2.item()] == [pytest.approx(value.item(), rel=1e-4) for value in by_hand]
    weights = [discriminator.levels["16"].second.weight, discriminator.colours.weight, discriminator.head.weight]
    for got, wanted in zip(
        torch.autograd.grad(r1 + r2, weights), torch.autograd.grad(sum(by_hand), weights), strict=True
    ):
        assert got.abs().sum() > 0 and torch.allclose(got, wanted, rtol=1e-3, atol=1e-6)
