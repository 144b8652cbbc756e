"""Augmentation: pictures and masks move together, backgrounds change and garments stay."""

import numpy as np
import torch

from tests.training.segmenter.squares import SIDE, drawn, settings
from training.picture_tensors import to_float
from training.segmenter.augmentation import backdrop_of, backgrounds, vary

SIZE = 32


def batch(n: int = 12):
    pictures, masks = drawn(n, 0, SIZE)
    return to_float(torch.from_numpy(pictures)), torch.from_numpy(masks).long()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_mask_stays_on_the_garment():
    pictures, masks = batch()
    varied, moved = vary(pictures, masks, settings(backgrounds=0.0), seeded())
    assert varied.shape == pictures.shape and moved.shape == masks.shape and moved.dtype == torch.int64
    red, blue = varied[:, 0] - varied[:, 2] > 0.2, varied[:, 2] - varied[:, 0] > 0.2
    assert (moved == 1)[red].float().mean() > 0.9 and (moved == 2)[blue].float().mean() > 0.9
    assert not torch.equal(moved, masks)


def test_backgrounds_change_and_the_garment_does_not():
    pictures, masks = batch()
    white, where = vary(pictures, masks, settings(backgrounds=0.0), seeded())
    coloured, same = vary(pictures, masks, settings(backgrounds=1.0), seeded())
    assert torch.equal(where, same)
    inside = torch.nn.functional.max_pool2d((where == 0).float()[:, None], 3, 1, 1)[:, 0] == 0
    outside = torch.nn.functional.max_pool2d((where > 0).float()[:, None], 3, 1, 1)[:, 0] == 0
    apart = (white - coloured).abs().mean(dim=1)
    assert apart[inside].max() < 1e-5 and apart[outside].mean() > 0.3


def test_a_share_of_the_pictures_gets_another_background():
    pictures, masks = batch(200)
    white, _ = vary(pictures, masks, settings(backgrounds=0.0), seeded())
    mixed, _ = vary(pictures, masks, settings(backgrounds=0.3), seeded())
    changed = (white - mixed).abs().amax(dim=(1, 2, 3)) > 0.05
    assert 0.2 < changed.float().mean() < 0.4


def test_jitter_changes_the_garment_and_not_the_backdrop():
    pictures, masks = batch()
    still, where = vary(pictures, masks, settings(backgrounds=0.0, jitter=0.0), seeded())
    recoloured, _ = vary(pictures, masks, settings(backgrounds=0.0, jitter=1.0), seeded())
    apart = (still - recoloured).abs().mean(dim=1)
    assert apart[where > 0].mean() > 0.2 and apart[where > 0].mean() > 2 * apart[where == 0].mean()


def test_without_mirroring_what_is_left_stays_left():
    pictures, masks = batch(40)
    masks[:, :, SIZE // 2 :] = torch.where(masks[:, :, SIZE // 2 :] > 0, 2, 0)
    masks[:, :, : SIZE // 2] = torch.where(masks[:, :, : SIZE // 2] > 0, 1, 0)
    x = torch.arange(SIZE).float()

    def left_first(mirror):
        _, moved = vary(pictures, masks, settings(mirror=mirror), seeded())
        centres = [[(mask == k).float().sum(dim=0).mul(x).sum() / (mask == k).sum() for k in (1, 2)] for mask in moved]
        return np.mean([float(upper) < float(lower) for upper, lower in centres])

    assert left_first(False) == 1 and 0.2 < left_first(True) < 0.8


def test_it_follows_from_the_generator():
    pictures, masks = batch(4)
    first, again, other = (vary(pictures, masks, settings(jitter=0.5), seeded(seed))[0] for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    fresh = backgrounds(64, SIDE, seeded())
    assert fresh.shape == (64, 3, SIDE, SIDE) and fresh.abs().max() <= 1
    assert fresh.mean(dim=(2, 3)).std(dim=0).min() > 0.2


def test_the_backdrop_is_the_mean_outside_and_white_where_there_is_none():
    pictures, masks = batch(2)
    masks[1] = 1
    pictures[0][:, masks[0] == 0] = 0.25
    backdrop = backdrop_of(pictures, masks)
    assert torch.allclose(backdrop[0], torch.tensor(0.25)) and (backdrop[1] == 1).all()
