"""Losses on cases whose value is known, and pairs that are surely wrong."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from training.gradient_penalty import gradient_penalty, penalty_weight
from training.restgan import losses

LOGITS = torch.tensor([-3.0, 0.0, 0.5, 2.0])


def test_hinge_and_logistic_losses_have_their_known_values():
    assert losses.real_loss(LOGITS, "hinge").tolist() == [4.0, 1.0, 0.5, 0.0]
    assert losses.fake_loss(LOGITS, "hinge").tolist() == [0.0, 1.0, 1.5, 3.0]
    assert losses.generator_loss(LOGITS, "hinge").tolist() == [3.0, -0.0, -0.5, -2.0]
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    for loss, wanted in ((losses.real_loss, 1.0), (losses.fake_loss, 0.0), (losses.generator_loss, 1.0)):
        reference = bce(LOGITS, torch.full_like(LOGITS, wanted), reduction="none")
        torch.testing.assert_close(loss(LOGITS, "logistic"), reference)
    assert torch.isfinite(losses.generator_loss(torch.tensor([-1e4]), "logistic")).all()


def test_attributes_not_mentioned_or_not_known_cost_nothing_and_teach_nothing():
    logits = [torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 5, requires_grad=True)]
    logits.append(torch.zeros(2, 3, requires_grad=True))
    labels = torch.tensor([[0, 4, -1], [2, 1, 1]])
    mentioned = torch.tensor([[True, False, True], [False, False, False]])
    where = losses.counted(labels, mentioned)
    assert where.tolist() == [[True, False, False], [False, False, False]]
    cost = losses.attribute_loss(logits, labels, where)
    cost.backward()
    assert cost.item() == pytest.approx(math.log(3))
    assert logits[0].grad[0].any() and not logits[0].grad[1].any()
    assert not logits[1].grad.any() and not logits[2].grad.any()
    nothing = losses.attribute_loss(logits, labels, torch.zeros_like(where))
    assert nothing.item() == 0 and nothing.requires_grad


def test_attribute_loss_is_the_mean_over_all_that_counts():
    torch.manual_seed(0)
    logits, labels = [torch.randn(6, k) for k in (3, 4, 3)], torch.randint(0, 3, (6, 3))
    everything = torch.ones(6, 3, dtype=torch.bool)
    reference = sum(torch.nn.functional.cross_entropy(logits[a], labels[:, a]) for a in range(3)) / 3
    torch.testing.assert_close(losses.attribute_loss(logits, labels, everything), reference)
    right, of = losses.count_attribute_hits(logits, labels, everything)
    assert of.tolist() == [6, 6, 6]
    assert right.tolist() == [(logits[a].argmax(1) == labels[:, a]).sum().item() for a in range(3)]


def test_the_divergence_is_that_of_the_normal_distributions():
    mean, log_variance = torch.tensor([[0.5, -1.0]]), torch.tensor([[0.2, -0.7]])
    own = torch.distributions.Normal(mean, log_variance.mul(0.5).exp())
    reference = torch.distributions.kl_divergence(own, torch.distributions.Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(losses.divergence(mean, log_variance), reference)
    assert losses.divergence(torch.zeros(2, 3), torch.zeros(2, 3)).item() == 0


@given(st.integers(1, 12), st.integers(0, 2**31))
@hypothesis_settings(max_examples=60, deadline=None)
def test_a_wrong_picture_differs_in_a_mentioned_attribute_or_the_pair_is_left_out(n, seed):
    rng = np.random.default_rng(seed)
    labels = torch.from_numpy(rng.integers(-1, 3, (n, 3)))
    mentioned = torch.from_numpy(rng.random((n, 3)) < 0.5)
    partner, exists = losses.wrong_partners(labels, mentioned, torch.Generator().manual_seed(seed))
    for text in range(n):
        told = [a for a in range(3) if mentioned[text, a] and labels[text, a] >= 0]
        differing = {p for p in range(n) for a in told if labels[p, a] >= 0 and labels[p, a] != labels[text, a]}
        assert bool(exists[text]) == bool(differing)
        assert not differing or int(partner[text]) in differing


def test_wrong_pictures_are_drawn_evenly_among_those_that_differ():
    labels = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 1]])
    mentioned = torch.tensor([[True, False, False]] * 4)
    generator = torch.Generator().manual_seed(0)
    drawn = [int(losses.wrong_partners(labels, mentioned, generator)[0][0]) for _ in range(400)]
    counts = np.bincount(drawn, minlength=4)
    assert counts[0] == counts[3] == 0 and abs(counts[1] - 200) < 50


def test_shifted_pairs_are_never_ones_own_picture():
    partner, exists = losses.shifted_partners(5, torch.device("cpu"))
    assert sorted(partner.tolist()) == list(range(5)) and exists.all()
    assert all(partner[i] != i for i in range(5))
    assert not losses.shifted_partners(1, torch.device("cpu"))[1].any()


def test_r1_of_a_linear_logit_is_its_weights_squared_and_follows_the_rule():
    weight = torch.randn(3, 4, 4, dtype=torch.float64, requires_grad=True)
    pictures = torch.rand(5, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    logits = (pictures * weight).sum(dim=(1, 2, 3))
    penalty = gradient_penalty(logits, pictures, gamma=0.1, every=16)
    torch.testing.assert_close(penalty, 16 * 0.05 * weight.square().sum())
    penalty.backward()
    torch.testing.assert_close(weight.grad, 16 * 0.1 * weight.detach())
    assert penalty_weight(64, 32) == pytest.approx(0.0256) and penalty_weight(128, 64) == pytest.approx(0.0512)


def test_colours_agree_between_stages_whatever_the_detail_and_only_the_large_one_learns():
    small = torch.rand(2, 3, 8, 8, requires_grad=True)
    large = small.detach().repeat_interleave(2, 2).repeat_interleave(2, 3).requires_grad_()
    assert losses.colour_consistency(small, large).item() == pytest.approx(0, abs=1e-10)
    moved = losses.colour_consistency(small, large + torch.tensor([0.3, 0, 0])[:, None, None])
    assert moved.item() == pytest.approx(0.09 / 3, rel=1e-4)
    moved.backward()
    assert small.grad is None and large.grad.abs().sum() > 0
