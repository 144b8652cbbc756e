"""Planted faults: for every guideline, pictures that break it by a known amount.

Belongs here: drawing faults with PIL and numpy. Not here: finding them (inference/ad_images/quality, of which nothing
is used), the table (ad_quality.py).

`FAULTS[guideline]` is (unit of the severity, severities, the least one that must be found, the planter).
"""
# ruff: noqa: ARG001 - planters of one table share a signature

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from benchmarks.ad_growth import expansion
from benchmarks.ad_pictures import (
    SIDE,
    Parts,
    assemble,
    blurred,
    cast_shadow,
    clean_parts,
    drawn,
    over,
    paint_background,
    placed_at,
    product,
    shrunk_to,
)
from inference.ad_images.plan import Support
from inference.ad_images.scene import AdPicture

Plant = Callable[[int, int, float, np.random.Generator], AdPicture]
WORDS = (
    "SALE",
    "New season",
    "Shop now",
    "50% OFF",
    "Only today",
    "Free delivery",
    "Click here",
    "Best price",
    "limited",
)
PRODUCTS = 40


@dataclass(frozen=True)
class Fault:
    """One kind: severities in a unit, and from which on a miss counts."""

    unit: str
    severities: tuple[float, ...]
    counts_from: float
    plant: Plant
    falling: bool = False  # a smaller number is the worse fault

    def counted(self, severity: float) -> bool:
        return severity <= self.counts_from if self.falling else severity >= self.counts_from


def _overlaid(parts: Parts, layer: Image.Image) -> AdPicture:
    """A layer over the finished picture, the product left as it is; the background has it, too."""
    picture = assemble(parts)
    shown = np.asarray(
        Image.alpha_composite(Image.fromarray(picture.pixels).convert("RGBA"), layer).convert("RGB")
    ).copy()
    behind = np.asarray(
        Image.alpha_composite(Image.fromarray(picture.background).convert("RGBA"), layer).convert("RGB")
    )
    product = picture.placed.alpha > 0
    shown[product] = picture.pixels[product]
    return replace(picture, pixels=shown, background=behind)


def _shown(parts: Parts, background: np.ndarray) -> AdPicture:
    return assemble(replace(parts, background=np.clip(background, 0, 255)))


def _identity(number: int, seed: int, levels: float, rng: np.random.Generator) -> AdPicture:
    """A few kept pixels moved, as a round trip through an encoder moves them."""
    picture = assemble(clean_parts(number, seed))
    pixels = picture.pixels.copy()
    rows, columns = np.nonzero(picture.placed.kept)
    at = rng.integers(0, len(rows), 30)
    moved = pixels[rows[at], columns[at]].astype(int)
    pixels[rows[at], columns[at]] = np.where(moved > 127, moved - levels, moved + levels).astype(np.uint8)
    return replace(picture, pixels=pixels)


def _halo(number: int, seed: int, share: float, rng: np.random.Generator) -> AdPicture:
    """A rim of one to two pixels mixed with the old background."""
    picture = assemble(clean_parts(number, seed))
    alpha = picture.placed.alpha
    edge = (alpha > 0) & (blurred(alpha == 255, 1.0 + (seed % 2)) < 0.97)
    pixels = picture.pixels.astype(float)
    near = [pixels[picture.placed.kept].mean(axis=0), picture.background.astype(float).mean(axis=(0, 1))]
    choices = [np.array(old, float) for old in ((250, 250, 250), (225, 225, 220), (60, 200, 80))]
    old = max(choices, key=lambda old: min(float(np.linalg.norm(old - colour)) for colour in near))  # one that shows
    pixels[edge] = (1 - share) * pixels[edge] + share * old
    pixels[picture.placed.kept] = picture.pixels[picture.placed.kept]
    return replace(picture, pixels=np.rint(pixels).astype(np.uint8))


def _duplicate(number: int, seed: int, scale: float, rng: np.random.Generator) -> AdPicture:
    """The product again, at a share of its size, perhaps mirrored, a little turned and lighter or darker."""
    parts = clean_parts(number, seed, scale=0.42)
    left, top, right, _ = parts.placed.box
    again = drawn(number).rotate(float(rng.uniform(-8, 8)), expand=True)
    if rng.random() < 0.5:
        again = again.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = shrunk_to(again, round(scale * 0.42 * SIDE)).astype(float)
    pixels[..., :3] = np.clip(pixels[..., :3] * float(rng.uniform(0.88, 1.1)), 0, pixels[..., 3:])
    height, width = pixels.shape[:2]
    places = [(left - width - 6, top), (right + 6, top), (left, top - height - 6), (8, 8), (SIDE - width - 8, 8)]
    fits = [(x, y) for x, y in places if x >= 2 and y >= 2 and x + width < SIDE - 2 and y + height < SIDE - 2]
    x, y = max(fits, key=lambda at: abs(at[0] - left) + abs(at[1] - top)) if fits else (4, 4)
    return _shown(parts, over(parts.background, placed_at(pixels.astype(np.uint8), x, y, Support.LIES, 0, 1).pixels))


def _clipped(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """The product pushed over an edge by a share of its width or height."""
    parts = clean_parts(number, seed)
    pixels = product(number, round(parts.placed.plan.scale * SIDE))
    height, width = pixels.shape[:2]
    x, y = parts.placed.box[0], parts.placed.box[1]
    rows, columns = np.nonzero(pixels[..., 3] >= 200)
    side = int(rng.integers(4))
    over_x, over_y = round(width * percent / 100), round(height * percent / 100)
    x = {0: -over_x - columns.min(), 1: SIDE - 1 - columns.max() + over_x}.get(side, x)
    y = {2: -over_y - rows.min(), 3: SIDE - 1 - rows.max() + over_y}.get(side, y)
    placed = placed_at(pixels, int(x), int(y), parts.placed.plan.support, 0, parts.placed.plan.scale)
    return assemble(replace(parts, placed=placed, shadow=cast_shadow(placed, parts.scene.light)))


def _free_place(parts: Parts, width: int, height: int, rng: np.random.Generator) -> tuple[int, int]:
    """A corner of a box beside the product where there is room, else the one that it hides least."""
    best, least = (4, 4), math.inf
    for _ in range(40):
        x, y = int(rng.integers(4, max(5, SIDE - width - 4))), int(rng.integers(4, max(5, SIDE - height - 4)))
        hidden = float((parts.placed.alpha[y : y + height, x : x + width] > 0).sum())
        if hidden < least:
            best, least = (x, y), hidden
    return best


def _ink(background: np.ndarray, box: tuple[int, int, int, int], rng: np.random.Generator) -> tuple[int, int, int]:
    """A colour that stands out at this place."""
    left, top, right, bottom = box
    there = background[top:bottom, left:right].mean()
    light = there < 128 if rng.random() < 0.8 else there < 160
    tone = rng.uniform(0.0, 0.25, 3) * 255
    red, green, blue = (255 - tone if light else tone).astype(int)
    return int(red), int(green), int(blue)


def _text(number: int, seed: int, pixels: float, rng: np.random.Generator) -> AdPicture:
    """One to three lines over the picture, letters of this height."""
    parts = clean_parts(number, seed)
    font = ImageFont.load_default(pixels / 0.72)
    lines = [str(word) for word in rng.choice(WORDS, int(rng.integers(1, 4)), replace=False)]
    text = "\n".join(line.upper() if rng.random() < 0.5 else line for line in lines)
    layer = Image.new("RGBA", (SIDE, SIDE))
    draw = ImageDraw.Draw(layer)
    left, top, right, bottom = (round(side) for side in draw.multiline_textbbox((0, 0), text, font))
    x, y = _free_place(parts, right - left, bottom - top, rng)
    ink = _ink(parts.background, (x, y, x + right - left, y + bottom - top), rng)
    draw.multiline_text((x - left, y - top), text, ink, font)
    return _overlaid(parts, layer)


def _overlay(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """A button, a badge or a logo of flat colours, this share of the frame."""
    parts = clean_parts(number, seed)
    area = percent / 100 * SIDE * SIDE
    shape = int(rng.integers(4))
    ratio = float(rng.uniform(2.0, 4.0)) if shape < 2 else 1.0
    height = round(math.sqrt(area / ratio))
    width = round(height * ratio)
    layer = Image.new("RGBA", (SIDE, SIDE))
    x, y = _free_place(parts, width, height, rng)
    box = (x, y, x + width, y + height)
    draw = ImageDraw.Draw(layer)
    fill = _ink(parts.background, box, rng)
    if shape == 0:
        draw.rectangle(box, fill)
    elif shape == 1:
        draw.rounded_rectangle(box, height // 2, fill)
    elif shape == 2:
        draw.ellipse(box, fill)
    else:
        draw.regular_polygon((x + width / 2, y + height / 2, height / 2), int(rng.integers(5, 9)), fill=fill)
    label = ("BUY", "NEW", "%", "")[int(rng.integers(4))]
    other = (255, 255, 255) if sum(fill) < 384 else (20, 20, 20)
    draw.text((x + width / 2, y + height / 2), label, other, ImageFont.load_default(max(8, height * 0.35)), anchor="mm")
    return _overlaid(parts, layer)


def _no_shadow(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """The shadow weakened so that at most this share of the light is missing anywhere."""
    parts = clean_parts(number, seed)
    most = 1 - (1 - percent / 100) ** (1 / 2.2)  # of code values, which stand to light as its 2.2th root
    return assemble(replace(parts, shadow=parts.shadow * (most / float(parts.shadow.max()))))


def _wrong_side(number: int, seed: int, degrees: float, rng: np.random.Generator) -> AdPicture:
    """A shadow for a light that stands elsewhere: mirrored for what stands, turned for what lies.

    A standing product that hides its shadow shows no side; then another place is drawn.
    """
    while True:
        parts = clean_parts(number, seed)
        light = parts.scene.light
        turn = degrees * float(rng.choice([-1, 1]))
        elsewhere = 180 - light.azimuth if parts.placed.plan.support is Support.STANDS else light.azimuth + turn
        shadow = cast_shadow(parts.placed, replace(light, azimuth=elsewhere))
        left, _, right, _ = parts.placed.box
        visible = np.where(parts.placed.alpha > 0, 0, shadow)
        beside = visible.sum() - visible[:, left:right].sum()
        if parts.placed.plan.support is Support.LIES or beside > 0.15 * visible.sum():
            return assemble(replace(parts, shadow=shadow))
        seed, number = seed + 10_000, number // PRODUCTS * PRODUCTS + (number + 1) % PRODUCTS


def _floats(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """The horizon this share of the height below the product's foot."""
    parts = clean_parts(number, seed, standing=True)
    horizon = min(0.97, parts.placed.box[3] / SIDE + percent / 100)
    scene = replace(parts.scene, horizon=horizon)
    asked = scene if seed % 2 else parts.scene  # half of them: the backend did not paint what was asked
    return assemble(
        replace(parts, background=paint_background(scene, rng), scene=replace(asked, horizon=asked.horizon))
    )


def _tilted(number: int, seed: int, degrees: float, rng: np.random.Generator) -> AdPicture:
    """The background turned about its middle."""
    parts = clean_parts(number, seed, standing=True)
    wide = np.asarray(Image.fromarray(parts.background.astype(np.uint8)).resize((2 * SIDE, 2 * SIDE)))
    turned = Image.fromarray(wide).rotate(degrees * float(rng.choice([-1, 1])), Image.Resampling.BICUBIC)
    quarter = SIDE // 2
    cut = np.asarray(turned.crop((quarter, quarter, quarter + SIDE, quarter + SIDE))).astype(float)
    return _shown(parts, cut)


def _burnt(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """This share of the background brighter than any sensor takes, as one pool of light."""
    return _pool(number, seed, percent, rng, 255.0)


def _black(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    return _pool(number, seed, percent, rng, 0.0)


def _pool(number: int, seed: int, percent: float, rng: np.random.Generator, level: float) -> AdPicture:
    parts = clean_parts(number, seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - rng.uniform(0, SIDE), (columns - rng.uniform(0, SIDE)) * rng.uniform(0.5, 1.5))
    outside = parts.placed.alpha == 0
    radius = float(np.quantile(distance[outside], percent / 100))
    share = np.clip((radius + 25 - distance) / 25, 0, 1)[..., None]
    return _shown(parts, (1 - share) * parts.background + share * level)


def _dark(number: int, seed: int, lightness: float, rng: np.random.Generator) -> AdPicture:
    """The background scaled down to about this mean lightness."""
    parts = clean_parts(number, seed)
    level = 255 * (((lightness + 16) / 116) ** 3) ** (1 / 2.2)
    return _shown(parts, parts.background * level / parts.background.mean())


def _off_palette(number: int, seed: int, distance: float, rng: np.random.Generator) -> AdPicture:
    """Wall and floor in a strong colour: violet, pink, lime or blue, mixed in until the colours lie this far off."""
    parts = clean_parts(number, seed)
    strong = np.array(((128, 0, 200), (255, 20, 147), (60, 230, 0), (0, 40, 255))[seed % 4], float)
    return _shown(parts, parts.background * (1 - distance) + strong * distance)


def _lost(number: int, seed: int, apart: float, rng: np.random.Generator) -> AdPicture:
    """A background in the product's own colours: its blurred copy spread over the canvas."""
    parts = clean_parts(number, seed)
    alpha = parts.placed.alpha.astype(float) / 255
    far = [Image.fromarray(np.ascontiguousarray(layer)) for layer in np.moveaxis(parts.placed.pixels, 2, 0)]
    spread = [np.asarray(layer.filter(ImageFilter.BoxBlur(24))).astype(float) for layer in far]
    weight = np.maximum(spread[3], 1e-3)[..., None] / 255
    near = np.dstack(spread[:3]) / weight
    mean = (parts.placed.pixels[..., :3][alpha == 1]).mean(axis=0)
    known = np.clip(weight * 8, 0, 1)
    shift = np.where(near.mean() > 128, -1, 1) * apart
    return assemble(
        replace(parts, background=np.clip(known * near + (1 - known) * mean + shift, 0, 255), shadow=0.3 * parts.shadow)
    )


def _small(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    return assemble(clean_parts(number, seed, scale=percent / 100))


def _cornered(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """A small product far from any crossing of thirds: in a corner."""
    pixels = product(number, round(percent / 100 * SIDE))
    height, width = pixels.shape[:2]
    parts = clean_parts(number, seed)
    x, y = int(rng.choice([3, SIDE - width - 3])), int(rng.choice([3, SIDE - height - 3]))
    placed = placed_at(pixels, x, y, parts.placed.plan.support, 0, percent / 100)
    return assemble(replace(parts, placed=placed, shadow=cast_shadow(placed, parts.scene.light)))


def _tinted(number: int, seed: int, levels: float, rng: np.random.Generator) -> AdPicture:
    """A main image whose white is this many levels short, over the whole background or a half of it."""
    parts = clean_parts(number, seed)
    background = np.full((SIDE, SIDE, 3), 255.0)
    part = slice(0, SIDE if seed % 2 else SIDE // 2)
    background[part] -= levels
    return assemble(replace(parts, background=background, shadow=np.zeros((SIDE, SIDE))))


def _soft(number: int, seed: int, radius: float, rng: np.random.Generator) -> AdPicture:
    """A blurred product before a background of fine sharp lines."""
    parts = clean_parts(number, seed)
    channels = [Image.fromarray(np.ascontiguousarray(layer)) for layer in np.moveaxis(parts.placed.pixels, 2, 0)]
    pixels = np.dstack([np.asarray(layer.filter(ImageFilter.GaussianBlur(radius))) for layer in channels])
    pixels[..., :3] = np.minimum(pixels[..., :3], pixels[..., 3:])
    lines = 25.0 * (np.indices((SIDE, SIDE)).sum(axis=0) // 4 % 2 * 2 - 1)[..., None]
    return assemble(
        replace(
            parts, placed=replace(parts.placed, pixels=pixels), background=np.clip(parts.background + lines, 0, 255)
        )
    )


def _busy(number: int, seed: int, spacing: float, rng: np.random.Generator) -> AdPicture:
    """Boxes of many colours all over the background, this many pixels wide."""
    parts = clean_parts(number, seed)
    count = math.ceil(SIDE / spacing)
    colours = rng.uniform(30, 230, (count, count, 3)).astype(np.uint8)
    boxes = Image.fromarray(colours).resize((round(count * spacing),) * 2, Image.Resampling.NEAREST)
    return _shown(parts, np.asarray(boxes)[:SIDE, :SIDE].astype(float))


FAULTS: dict[str, Fault] = {
    "product_identity": Fault("levels", (1, 3, 10, 40), 1, _identity),
    "object_expansion": Fault("% of product", (1, 2, 3, 4, 6, 10), 3, expansion),
    "halo": Fault("share of old background", (0.2, 0.35, 0.5, 0.65, 0.8), 0.5, _halo),
    "duplicates": Fault("times as large", (0.45, 0.6, 0.8, 1.0), 0.45, _duplicate),
    "clipping": Fault("% of product", (1, 3, 6, 10), 1, _clipped),
    "frame_share": Fault("% of frame", (8, 12, 16, 20), 20, _small, falling=True),
    "thirds": Fault("% of frame", (10, 14, 18), 18, _cornered, falling=True),
    "white_background": Fault("levels short", (2, 4, 8, 16), 2, _tinted),
    "text_area": Fault("px of capitals", (8, 11, 14, 20, 28, 36), 11, _text),
    "overlay_area": Fault("% of frame", (0.3, 0.6, 1, 2, 4, 8), 0.6, _overlay),
    "contact_shadow": Fault("% of light missing", (0, 3, 6, 10, 20), 6, _no_shadow, falling=True),
    "shadow_side": Fault("° off", (95, 110, 130, 150, 180), 130, _wrong_side),
    "horizon": Fault("% of height", (1, 2, 4, 8), 2, _floats),
    "horizon_tilt": Fault("°", (1, 2, 3, 5, 8), 2, _tilted),
    "highlights": Fault("% of background", (5, 12, 20, 40), 12, _burnt),
    "blacks": Fault("% of background", (8, 18, 30, 50), 18, _black),
    "brightness": Fault("L*", (5, 12, 20, 25), 25, _dark, falling=True),
    "palette": Fault("share of a strong colour", (0.3, 0.5, 0.7, 0.9), 0.7, _off_palette),
    "contrast": Fault("levels apart", (0, 4, 8), 8, _lost, falling=True),
    "sharpness": Fault("px of blur", (2, 3, 5), 3, _soft),
    "clutter": Fault("px of boxes", (2, 2.5, 3, 4, 6), 2.5, _busy, falling=True),  # the limit is half of all pixels
}
