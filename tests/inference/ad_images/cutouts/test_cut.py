"""From a photograph's bytes to a cut-out: what is cut, how well, and what is refused in which words."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from catalog.drawn import draw_garment, sample_spec
from catalog.pictures import Limits
from inference.ad_images.cutout import Cutout
from inference.ad_images.cutouts.cut import cut_out, find_outline
from inference.ad_images.cutouts.matting import soft_alpha
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import OnModel
from tests.photographs import photographs

SIZE = 160


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, kind, **options)
    return sink.getvalue()


def vase(paper: tuple[int, int, int] = (255, 255, 255), body: tuple[int, int, int] = (40, 90, 160)) -> Image.Image:
    """A vase with two handles, holes in them, edges as soft as a camera's."""
    big = Image.new("RGB", (4 * SIZE, 4 * SIZE), paper)
    draw = ImageDraw.Draw(big)
    draw.ellipse((80, 160, 560, 520), fill=body)
    draw.ellipse((140, 220, 500, 460), fill=paper)
    draw.ellipse((200, 80, 440, 600), fill=body)
    return big.resize((SIZE, SIZE), Image.Resampling.BOX)


def cut(content: bytes, **options: object) -> Cutout:
    wanted: dict[str, object] = {"article_type": None, "apparel": False, "on_model": OnModel.REFUSE}
    return cut_out(content, **(wanted | options))  # type: ignore[arg-type]


def refusal(content: bytes, **options: object) -> AdRefused:
    with pytest.raises(AdRefused) as caught:
        cut(content, **options)
    assert str(caught.value).endswith(".") and len(str(caught.value)) < 320
    return caught.value


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def shoe(toe: tuple[int, int, int]) -> Image.Image:
    """A shoe from the side: a dark upper, and a toe cap with a line around it."""
    big = Image.new("RGB", (4 * 224, 4 * 168), (255, 255, 255))
    draw = ImageDraw.Draw(big)
    draw.ellipse((540, 310, 720, 458), fill=toe, outline=(150, 150, 150), width=3)
    draw.rounded_rectangle((120, 200, 620, 460), 60, fill=(30, 60, 120))
    return big.resize((224, 168), Image.Resampling.BOX)


def test_a_shoe_whose_white_toe_would_be_missing_is_refused_and_a_pink_toe_is_kept() -> None:
    assert "a piece of the product is of the backdrop's colour" in str(refusal(encoded(shoe((243, 243, 245)))))
    alpha = cut(encoded(shoe((230, 150, 170)))).alpha
    assert alpha[2 * alpha.shape[0] // 3, -6] == 255


def test_the_holes_of_handles_are_empty_and_the_edge_has_no_rim_of_the_backdrop() -> None:
    made = cut(encoded(vase()))
    alpha = made.alpha
    middle, across = alpha.shape[0] // 2, alpha.shape[1]
    assert alpha[middle, across // 2] == 255 and alpha[middle, across // 5] == 0  # body, hole
    opaque = alpha > 40
    colours = made.pixels[opaque][:, :3] / (made.pixels[opaque][:, 3:] / 255)
    assert np.abs(np.median(colours, axis=0) - (40, 90, 160)).max() < 2
    assert np.quantile(np.abs(colours - (40, 90, 160)).max(axis=1), 0.97) < 40  # white beneath would be 215 off
    assert made.confidence >= 0.9 and not made.person and made.source_sha256


@pytest.mark.parametrize(("product_id", "least"), [(20002, 0.97), (20081, 0.95)], ids=["coloured", "white on white"])
def test_a_drawn_product_is_found_without_its_shadow(product_id: int, least: float) -> None:
    drawing = draw_garment(sample_spec(7, product_id), 384)
    assert drawing.parts is not None
    alpha = soft_alpha(drawing.image.astype(np.float32), find_outline(drawing.image).mask)
    assert overlap(alpha >= 0.5, drawing.parts > 0) >= least


def test_a_soft_shadow_is_no_product() -> None:
    image = np.asarray(vase(), np.float32)
    y, x = np.mgrid[:SIZE, :SIZE]
    shadow = 0.35 * np.exp(-(((x - 80) / 45) ** 2) - ((y - 152) / 14) ** 2)
    shaded = np.where(image.min(axis=-1, keepdims=True) > 250, image * (1 - shadow[..., None]), image)
    plain, below = cut(encoded(vase())), cut(encoded(Image.fromarray(shaded.astype(np.uint8))))
    assert abs(plain.pixels.shape[0] - below.pixels.shape[0]) <= 3


def test_a_file_that_was_cut_out_before_keeps_its_alpha() -> None:
    rgba = vase().convert("RGBA")
    alpha = Image.new("L", rgba.size, 0)
    ImageDraw.Draw(alpha).ellipse((40, 30, 120, 130), fill=255)
    rgba.putalpha(alpha)
    made = cut(encoded(rgba))
    assert made.method == "alpha" and made.confidence == 1.0
    assert np.array_equal(made.alpha, np.asarray(alpha)[30:131, 40:121])


def turned(image: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif.tobytes())


def sixteen_bits(image: Image.Image) -> bytes:
    return encoded(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257))


def animated(image: Image.Image) -> bytes:
    return encoded(image, "GIF", save_all=True, append_images=[Image.new("RGB", image.size, "red")])


@pytest.mark.parametrize(
    "make",
    [
        lambda image: encoded(image.convert("CMYK"), "JPEG", quality=95),
        lambda image: encoded(image.convert("L")),
        sixteen_bits,
        animated,
        turned,
        lambda image: encoded(image.resize((1300, 1300))),
    ],
    ids=["CMYK", "grey", "16 bits", "animated", "turned", "larger than any ad"],
)
def test_other_kinds_of_files_are_cut_alike(make) -> None:  # type: ignore[no-untyped-def]
    made, plain = cut(make(vase())), cut(encoded(vase()))
    height, width = made.pixels.shape[:2]
    assert abs(height / width - plain.pixels.shape[0] / plain.pixels.shape[1]) < 0.06
    assert max(height, width) <= 1024


def test_bad_files_are_refused_with_a_code_and_a_sentence() -> None:
    whole = encoded(vase(), "JPEG")
    assert refusal(whole[: len(whole) // 2]).code is RefusalCode.PHOTO_UNREADABLE
    assert refusal(b"GIF is a word").code is RefusalCode.PHOTO_UNREADABLE
    assert refusal(b"").code is RefusalCode.PHOTO_UNREADABLE
    assert refusal(encoded(Image.new("RGB", (200, 200), "white"))).code is RefusalCode.NOT_A_PRODUCT
    assert refusal(encoded(vase().resize((40, 40)))).code is RefusalCode.PHOTO_TOO_SMALL
    assert refusal(encoded(Image.new("RGB", (5, 5), "red"))).code is RefusalCode.PHOTO_TOO_SMALL
    assert refusal(whole, limits=Limits(pixels=100)).code is RefusalCode.PHOTO_TOO_LARGE
    assert refusal(whole, limits=Limits(image_bytes=100)).code is RefusalCode.PHOTO_TOO_LARGE


def test_nothing_but_a_soft_light_is_no_product() -> None:
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    light = (240 - 30 * (x - 0.4) ** 2 - 20 * y)[..., None].repeat(3, axis=-1)
    assert refusal(encoded(Image.fromarray(light.astype(np.uint8)))).code is RefusalCode.NO_PRODUCT


def test_a_busy_background_is_refused_rather_than_cut() -> None:
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, (SIZE, SIZE, 3)), (3, 3, 0))
    busy = np.clip(128 + 400 * noise, 0, 255).astype(np.uint8)
    assert refusal(encoded(Image.fromarray(busy))).code in (RefusalCode.CUTOUT_UNCERTAIN, RefusalCode.NOT_A_PRODUCT)


def test_a_sheet_of_many_things_and_a_page_of_writing_are_no_product() -> None:
    sheet = Image.new("RGB", (4 * SIZE, 4 * SIZE), "white")
    for number in range(16):
        sheet.paste(vase().resize((SIZE - 20, SIZE - 20)), (number % 4 * SIZE + 10, number // 4 * SIZE + 10))
    assert refusal(encoded(sheet)).code is RefusalCode.NOT_A_PRODUCT
    page = Image.new("RGB", (400, 300), "white")
    for line in range(9):
        ImageDraw.Draw(page).text(
            (20, 20 + 30 * line), "Store in a cool and dry place, and read this label first", "black"
        )
    assert refusal(encoded(page)).code is RefusalCode.NOT_A_PRODUCT


def photographed(paint: Callable[[ImageDraw.ImageDraw], None], side: int = 224) -> np.ndarray:
    """A small JPEG of what is painted on white at four times its size."""
    big = Image.new("RGB", (4 * side, 4 * side), "white")
    paint(ImageDraw.Draw(big))
    content = encoded(big.resize((side, side), Image.Resampling.BOX), "JPEG", quality=92)
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_a_pale_dial_is_part_of_its_watch() -> None:
    def watch(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((360, 40, 536, 856), fill=(60, 58, 56))
        draw.ellipse((180, 180, 716, 716), fill=(30, 30, 34))
        draw.ellipse((230, 230, 666, 666), fill=(248, 248, 247))
        for angle in np.arange(12) * np.pi / 6:
            across, down = np.cos(angle), np.sin(angle)
            ends = (448 + 150 * across, 448 + 150 * down, 448 + 200 * across, 448 + 200 * down)
            draw.line(ends, fill=(70, 70, 74), width=14)

    mask = find_outline(photographed(watch)).mask
    assert mask[112, 80] and mask[112, 112] and mask[90, 130]


def test_the_gap_between_narrow_handles_is_empty() -> None:
    def bag(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((160, 420, 736, 840), fill=(40, 60, 120))
        draw.rectangle((400, 100, 496, 430), fill=(40, 60, 120))
        draw.rectangle((432, 130, 464, 400), fill=(252, 251, 253))  # eight pixels wide, in the handles' light

    mask = find_outline(photographed(bag)).mask
    assert not mask[60:90, 111:113].any() and mask[60, 103] and mask[60, 120] and mask[150, 112]


def can(draw: ImageDraw.ImageDraw) -> None:
    """Metal that shines as white as the backdrop nearly, darkening as softly as a shadow would; a label around it."""
    for x in range(250, 640):
        grey = round(240 - 60 * (x - 250) / 390)
        draw.line((x, 160, x, 860), fill=(grey, grey, grey))
    draw.rectangle((280, 60, 610, 160), fill=(120, 120, 122))
    draw.rectangle((250, 420, 640, 720), fill=(180, 140, 40))


def test_bright_metal_is_no_shadow() -> None:
    mask = find_outline(photographed(can)).mask
    assert mask[50:100, 66:158].mean() > 0.99


def test_a_pale_sole_is_part_of_its_shoe() -> None:
    def shoe(draw: ImageDraw.ImageDraw) -> None:
        draw.polygon([(150, 400), (420, 380), (760, 540), (760, 600), (150, 600)], fill=(60, 58, 60))
        draw.rectangle((150, 590, 780, 660), fill=(236, 236, 236))

    assert find_outline(photographed(shoe)).mask[150:162, 40:190].mean() > 0.99


def bulbs(rows: int) -> np.ndarray:
    """Pale bulbs with dark feet and writing, `rows` by `rows` of them."""

    def paint(draw: ImageDraw.ImageDraw) -> None:
        side = 896 / rows
        for x, y in ((column * side, row * side) for row in range(rows) for column in range(rows)):
            box = (x + 0.1 * side, y - 0.5 * side, x + 0.9 * side, y + 0.75 * side)
            draw.pieslice(box, 0, 180, fill=(243, 243, 243))
            draw.rectangle((x + 0.3 * side, y + 0.6 * side, x + 0.7 * side, y + 0.8 * side), fill=(240, 240, 240))
            for left in (0.36, 0.58):
                foot = (x + left * side, y + 0.8 * side, x + (left + 0.06) * side, y + 0.9 * side)
                draw.rectangle(foot, fill=(110, 105, 100))
            for letter in range(5):
                left = x + (0.36 + 0.05 * letter) * side
                draw.rectangle((left, y + 0.66 * side, left + 0.02 * side, y + 0.7 * side), fill=(170, 170, 170))

    return photographed(paint)


def test_what_stands_out_of_a_pale_product_is_not_taken_for_it_nor_for_many_things() -> None:
    with pytest.raises(AdRefused) as caught:
        find_outline(bulbs(1))
    assert caught.value.code is RefusalCode.CUTOUT_UNCERTAIN
    with pytest.raises(AdRefused, match="shows 16 separate parts") as caught:
        find_outline(bulbs(4))
    assert caught.value.code is RefusalCode.NOT_A_PRODUCT


def test_a_product_that_the_frame_cuts_is_cut_out_to_the_frame() -> None:
    def trousers(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((300, 200, 600, 896), fill=(50, 60, 90))

    outline = find_outline(photographed(trousers))
    assert outline.mask[-1, 80:145].all() and outline.mask[60:, 80:145].all() and not outline.mask[-1, :70].any()


def test_of_a_product_that_the_frame_cuts_no_cutout_is_made() -> None:
    """A person's trousers, cut at the waist, say; one that only touches the frame is whole."""

    def at_the_waist(draw: ImageDraw.ImageDraw) -> None:
        draw.rectangle((250, 0, 420, 150), fill=(200, 215, 235))
        draw.rectangle((250, 150, 420, 700), fill=(60, 60, 70))

    def touching(draw: ImageDraw.ImageDraw) -> None:
        draw.ellipse((0, 200, 600, 700), fill=(50, 60, 90))

    refused = refusal(encoded(Image.fromarray(photographed(at_the_waist))))
    assert refused.code is RefusalCode.PRODUCT_CUT and "cuts the product off (top)" in str(refused)
    assert cut(encoded(Image.fromarray(photographed(touching)))).pixels[..., 3].any()


def test_the_same_photograph_gives_the_same_bytes() -> None:
    assert cut(encoded(vase())).digest == cut(encoded(vase())).digest


class Whole:
    """A segmenter that finds the vase by its colour."""

    name, version = "by-colour", "1"

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        return (np.abs(rgb.astype(int) - (40, 90, 160)).max(axis=-1) < 60).astype(np.float32)


def test_a_segmenter_cuts_where_the_border_is_not_plain_only_if_another_method_agrees() -> None:
    image = np.asarray(vase()).copy()
    image[:, :40] = (200, 30, 30)  # a wall at the left: the border is of two colours
    photo = encoded(Image.fromarray(image))
    assert refusal(photo).code is RefusalCode.CUTOUT_UNCERTAIN

    made = cut(photo, segmenters=[Whole()])
    assert made.method == "by-colour 1, contours" and made.confidence >= 0.9

    class Elsewhere(Whole):
        def mask(self, rgb: np.ndarray) -> np.ndarray:
            return np.roll(super().mask(rgb), 60, axis=1)

    assert refusal(photo, segmenters=[Elsewhere()]).code is RefusalCode.CUTOUT_UNCERTAIN


@pytest.mark.parametrize("name", ["abo-B074M5HPBD/9ea6992d.jpg", "abo-B07GTFSCHB/31afd5f5.jpg"])
def test_a_real_sheet_and_a_real_label_are_refused(name: str) -> None:
    assert refusal((photographs("product-photos") / name).read_bytes()).code is RefusalCode.NOT_A_PRODUCT
