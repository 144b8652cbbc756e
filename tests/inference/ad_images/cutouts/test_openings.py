"""The backdrop shows through handles and straps on a catalogue's small JPEG pictures; white parts stay product."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from catalog.drawn import draw_garment, sample_spec
from inference.ad_images.cutouts.cut import find_outline

SIZE = 168
WHITE, INK = (254, 254, 254), (60, 52, 88)


def photographed(image: Image.Image) -> np.ndarray:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=80)
    return np.asarray(Image.open(sink).convert("RGB"))


@pytest.mark.parametrize("product_id", [50005, 50144, 50177])
def test_nothing_white_is_left_in_a_bags_openings(product_id: int) -> None:
    drawing = draw_garment(sample_spec(11, product_id), SIZE)
    assert drawing.parts is not None
    truth = drawing.parts > 0
    openings = ndimage.binary_fill_holes(truth) & ~truth
    large = ndimage.binary_opening(openings, iterations=4)
    assert large.any()
    mask = find_outline(photographed(Image.fromarray(drawing.image))).mask
    assert (mask & large).sum() < 0.15 * large.sum()
    assert (truth & ~mask).sum() < 0.02 * truth.sum()


def bag(print_: bool = False, sole: bool = False) -> np.ndarray:
    """A dark bag before white, drawn four times as large, with a white print, or a white band at its foot that goes to
    the outline: both with a little shade on them."""
    side = 4 * SIZE
    image = Image.new("RGB", (side, side), WHITE)
    cloth = np.full((side, side, 3), WHITE, np.float32) - 14 * np.linspace(0, 1, side)[None, :, None]
    pale = Image.fromarray(cloth.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((120, 160, 552, 520), 30, fill=INK)
    if print_:
        image.paste(pale.crop((270, 300, 400, 390)), (270, 300))
    if sole:
        image.paste(pale.crop((136, 480, 536, 508)), (136, 480))
        draw.rectangle((120, 508, 552, 520), fill=(120, 120, 130))
    return photographed(image.resize((SIZE, SIZE), Image.Resampling.BOX))


@pytest.mark.parametrize("part", [{"print_": True}, {"sole": True}], ids=["print", "band at the edge"])
def test_a_white_part_is_product(part: dict[str, bool]) -> None:
    whole = find_outline(bag()).mask
    mask = find_outline(bag(**part)).mask
    assert (ndimage.binary_erosion(whole, iterations=3) & ~mask).sum() == 0
