"""Augmentation: gradients flow, white stays white, colours stay, real and generated get the same."""

import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from training.augmentation import Augmentation, augment, draw_augmentation


def drawn(n: int, seed: int = 0) -> Augmentation:
    return draw_augmentation(n, 0.25, 0.25, torch.Generator().manual_seed(seed))


@given(st.integers(1, 5), st.sampled_from([8, 16, 32]), st.integers(0, 2**31))
@hypothesis_settings(max_examples=25, deadline=None)
def test_white_stays_white_and_no_new_colour_appears(n, side, seed):
    changes = drawn(n, seed)
    assert torch.equal(augment(torch.ones(n, 3, side, side), changes), torch.ones(n, 3, side, side))
    colours = torch.tensor([-0.5, 0.25, 0.75])[None, :, None, None].expand(n, 3, side, side)
    after = augment(colours, changes)
    same, white = (after == colours).all(dim=1), (after == 1).all(dim=1)
    assert (same ^ white).all()


def test_a_picture_moves_by_whole_pixels_and_what_is_lost_gets_no_gradient():
    picture = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 3, 4, 4).clone().requires_grad_()
    after = augment(picture, Augmentation(torch.tensor([[0.25, -0.5]]), torch.zeros(1, 2), 0.0))
    wanted = [[1, 1, 1, 1], [2, 3, 1, 1], [6, 7, 1, 1], [10, 11, 1, 1]]
    assert after[0, 0].tolist() == wanted
    after.sum().backward()
    assert picture.grad[0, 0].tolist() == [[0, 0, 1, 1]] * 3 + [[0, 0, 0, 0]]


def test_the_cover_is_white_has_its_size_and_stops_the_gradient():
    pictures = torch.zeros(1, 3, 8, 8, requires_grad=True)
    after = augment(pictures, Augmentation(torch.zeros(1, 2), torch.tensor([[0.5, 0.25]]), 0.5))
    white = (after[0] == 1).all(dim=0)
    assert white.sum() == 16 and white[2:6, :4].all()
    after.sum().backward()
    assert torch.equal(pictures.grad[0, 0] == 0, white)


def test_gradients_flow_to_every_pixel_that_is_seen():
    pictures = torch.rand(6, 3, 16, 16, requires_grad=True)
    changes = drawn(6)
    augment(pictures, changes).sum().backward()
    seen = augment(torch.zeros(6, 3, 16, 16), changes).eq(0).sum(dim=(1, 2, 3))
    assert torch.equal(pictures.grad.sum(dim=(1, 2, 3)), seen.float()) and set(pictures.grad.unique().tolist()) == {
        0,
        1,
    }


def test_the_same_draw_means_the_same_for_both_and_at_every_side():
    pictures, changes = torch.rand(4, 3, 16, 16), drawn(4)
    assert torch.equal(augment(pictures, changes), augment(pictures.clone(), changes))
    large = pictures.repeat_interleave(2, 2).repeat_interleave(2, 3)
    shifts = Augmentation((changes.shift * 16).round() / 16, (changes.cover * 16).round() / 16, 0.25)
    assert torch.equal(augment(large, shifts)[:, :, ::2, ::2], augment(pictures, shifts))


def test_nothing_to_do_changes_nothing():
    pictures = torch.rand(3, 3, 8, 8)
    none = draw_augmentation(3, 0.0, 0.0, torch.Generator())
    assert augment(pictures, none) is pictures
    assert drawn(3).shift.abs().max() <= 0.25 and pytest.approx(0.25) == drawn(3).cut
