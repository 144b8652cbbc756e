"""The main image of a listing: pure white, the product fills the frame, large enough, or a sentence."""

from dataclasses import replace

import numpy as np
import pytest

from inference.ad_images.backdrops.white import White
from inference.ad_images.composition import isolated_plan, place
from inference.ad_images.finding import Strictness
from inference.ad_images.plan import Support
from inference.ad_images.quality.brand import Brand, Guideline, read_brand
from inference.ad_images.quality.framing import frame_share, white_background
from inference.ad_images.quality.view import View
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.inference.ad_images.drawn_products import block, brief_of
from tests.inference.ad_images.shop import HEELS, SHIRT, a_pipeline, a_request

MAIN = read_brand("main_image")


def main_pipeline(brand=MAIN):
    return replace(a_pipeline(brand), backdrop=White())


def smaller():
    """The preset, asking for no size, so that small photographs serve; the pictures are judged by all the rest."""
    return Brand(MAIN.name, MAIN.palette, tuple(rule for rule in MAIN.guidelines if rule.name != "longer_side"))


@pytest.mark.parametrize("product", [HEELS, SHIRT])
def test_everything_that_is_not_product_is_white_and_the_product_fills_the_frame(product):
    result = main_pipeline(smaller()).make(a_request(product))
    (judged,) = result.pictures
    picture = judged.picture
    view = View(picture, MAIN.palette)
    assert white_background(view) == 100 and frame_share(view) >= 85 and not judged.failed
    assert (picture.pixels[picture.placed.alpha == 0] == 255).all() and (picture.background == 255).all()
    left, top, right, bottom = picture.placed.box
    assert abs(left + right - 256) <= 2 and abs(top + bottom - 256) <= 2  # in the middle
    assert "on pure white" in result.caption and len(result.attempts) == 1


@pytest.mark.parametrize("size", [(1024, 1024), (768, 1152), (1152, 768)])
@pytest.mark.parametrize("product", [(600, 900), (900, 300), (700, 700)])
@pytest.mark.parametrize("support", list(Support))
def test_any_product_fills_any_canvas_along_one_side(size, product, support):
    cutout, brief = block(*product), brief_of(support, size=size)
    left, top, right, bottom = place(cutout, isolated_plan(brief, cutout), size).box
    assert max((right - left) / size[0], (bottom - top) / size[1]) >= 0.85
    assert left > 0 and top > 0 and right < size[0] and bottom < size[1]


def test_a_picture_that_is_too_small_is_refused_before_any_work(monkeypatch):
    pipeline = main_pipeline()
    monkeypatch.setattr(type(pipeline), "_cut", lambda *_: pytest.fail("cut out"))
    with pytest.raises(AdRefused, match=r"at least 1,000 pixels long, not 256 x 256; ask for 1024\.") as refused:
        pipeline.make(a_request(HEELS))
    assert refused.value.code is RefusalCode.BAD_SIZE


def test_a_photograph_that_is_too_small_is_refused_with_the_pixels_it_needs():
    with pytest.raises(AdRefused, match=r"has \d+ pixels in its photograph.*at least 441\.") as refused:
        main_pipeline().make(a_request(HEELS, size=(1024, 1024)))
    assert refused.value.code is RefusalCode.PHOTO_TOO_SMALL


def test_what_a_brand_asks_of_every_picture():
    lifestyle = read_brand("lifestyle")
    assert (MAIN.asks_for_white, MAIN.least_side) == (True, 1000)
    assert (lifestyle.asks_for_white, lifestyle.least_side) == (False, 0)
    flexible = Guideline("white_background", Strictness.FLEXIBLE, 99.5)
    assert not Brand("b", (), (flexible,)).asks_for_white


def test_what_the_channel_asks_for_is_held_to_whoever_wishes_otherwise():
    pipeline = main_pipeline(smaller())
    result = pipeline.rework(pipeline.make(a_request(SHIRT)), "much smaller please")
    assert frame_share(View(result.attempts[0].judged[0].picture, ())) < 60 and len(result.attempts) == 2
    assert frame_share(View(result.pictures[0].picture, ())) >= 85


def test_white_is_painted_at_any_size_up_to_its_own():
    with pytest.raises(AdRefused, match="at most 4096"):
        White().check((8000, 100), "studio")
    White().check((1000, 1000), "studio")
    placed = place(block(40, 40), isolated_plan(brief_of(size=(96, 64)), block(40, 40)), (96, 64))
    assert (White().paint([None], [placed])[0] == np.full((64, 96, 3), 255)).all()  # type: ignore[list-item]
