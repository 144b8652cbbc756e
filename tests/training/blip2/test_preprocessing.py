"""Preprocessing as data: upright RGB, exact sizes, unknown formats refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from catalog.errors import SelvedgeError
from training.blip2.augmentation import random_views, source_size, view_square
from training.blip2.preprocessing import Preprocessing
from training.blip2.prompt import Prompt

RULE = Preprocessing(32, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))


def picture(width: int = 40, height: int = 60) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_pixels_are_normalised_by_channel():
    white = RULE.pixels([Image.new("RGB", (9, 9), "white")])
    assert white.shape == (1, 3, 32, 32) and white.dtype == torch.float32
    expected = (1 - torch.tensor(RULE.mean)) / torch.tensor(RULE.std)
    assert torch.allclose(white[0, :, 5, 5], expected, atol=1e-5)
    assert RULE.pixels([]).shape == (0, 3, 32, 32)


def test_one_picture_in_any_dress_gives_the_same_pixels():
    plain = picture()
    turned = plain.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 270 to see it upright"
    turned.info["exif"] = exif.tobytes()
    turned._exif = exif
    reference = RULE.square(plain)
    assert np.array_equal(RULE.square(np.asarray(plain)), reference)
    assert np.array_equal(RULE.square(plain.convert("RGBA")), reference)
    assert np.array_equal(RULE.square(turned), reference)


def test_transparency_lies_on_white():
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert (RULE.square(clear) == 255).all()


def test_padding_keeps_the_aspect_ratio():
    tall = Image.new("RGB", (20, 40), "black")
    padded = replace(RULE, resize="pad").square(tall)
    assert (padded[:, :6] == 255).all() and (padded[:, 12:20] == 0).all()
    assert (RULE.square(tall) == 0).all()


def test_rules_travel_as_data_and_unknown_ones_are_refused():
    assert Preprocessing.from_dict(RULE.to_dict()) == RULE
    assert Prompt.from_dict(Prompt().to_dict()) == Prompt()
    assert replace(RULE, size=33).digest() != RULE.digest() == Preprocessing.from_dict(RULE.to_dict()).digest()
    for kind, values in ((Preprocessing, RULE.to_dict()), (Prompt, Prompt().to_dict())):
        with pytest.raises(SelvedgeError, match="format 9 is not known"):
            kind.from_dict(values | {"format": 9})
        with pytest.raises(SelvedgeError, match="format"):
            kind.from_dict({name: value for name, value in values.items() if name != "format"})
    with pytest.raises(SelvedgeError, match="resize 'crop' is unknown"):
        replace(RULE, resize="crop")
    with pytest.raises(SelvedgeError, match="holds no"):
        Prompt("Answer:")


def test_a_question_may_hold_braces():
    assert Prompt().text("what {is} it?") == "Question: what {is} it? Answer:"


def test_views_are_the_same_every_time_and_the_first_is_the_picture():
    one = picture()
    assert np.array_equal(view_square(one, RULE, "a", 0), RULE.square(one))
    first, again = view_square(one, RULE, "a", 1), view_square(one, RULE, "a", 1)
    assert np.array_equal(first, again) and first.shape == (32, 32, 3)
    assert not np.array_equal(first, view_square(one, RULE, "a", 2))
    assert not np.array_equal(first, view_square(one, RULE, "b", 1))


@pytest.mark.parametrize("view", range(1, 9))
def test_views_keep_the_hue(view: int):
    """Light may change, the ratio of the channels may not: colour is what the catalogue asks about."""
    red = Image.new("RGB", (50, 50), (160, 40, 40))
    seen = view_square(red, RULE, "x", view).reshape(-1, 3).astype(float)
    assert np.allclose(seen[:, 0] / seen[:, 1], 4, atol=0.25) and 130 < seen[:, 0].mean() < 190


def test_batches_of_views_stay_close_to_the_picture():
    size = source_size(RULE)
    squares = torch.full((4, size, size, 3), 100, dtype=torch.uint8)
    squares[:, size // 4 : -size // 4, size // 4 : -size // 4] = 200
    views = random_views(squares, 32, torch.Generator().manual_seed(0))
    assert views.shape == (4, 32, 32, 3) and views.dtype == torch.uint8
    assert (views[:, 14:18, 14:18].float().mean(dim=(1, 2, 3)) > 170).all()
    assert (views[:, 0].float().mean(dim=(1, 2)) < 125).all()
