"""Figures: drawn people and drawn garments without people, to learn the difference from.

Belongs here: bodies, garments, poses, crops and the camera's faults. Not here: learning (train.py).

Units are heads: a grown figure is about 7.5 high. x to the right from the middle of the body, y down from the chin.
"""

import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 96  # pixels of a finished picture
OVERSIZE = 3  # pictures are drawn larger by this and reduced
SKINS = ((255, 224, 196), (241, 194, 155), (224, 172, 125), (198, 134, 90), (141, 85, 54), (92, 56, 38))
HAIRS = ((20, 16, 16), (48, 32, 24), (92, 60, 36), (150, 110, 60), (200, 170, 110), (120, 50, 30), (130, 130, 130))
PAPERS = ((255, 255, 255), (255, 255, 255), (255, 255, 255), (248, 246, 242), (232, 232, 236), (205, 205, 205))

Rgb = tuple[int, int, int]
Point = tuple[float, float]


@dataclass
class Figure:
    """Measures in heads and colours of one drawing."""

    shoulder: float
    waist: float
    hip: float
    torso: float
    leg: float
    skin: Rgb
    hair: Rgb
    sleeve: float  # share of the arm
    hem: float  # of the top, below the waist
    trouser: float  # share of the leg; 0 is none
    skirt: bool
    arms: tuple[tuple[float, float], tuple[float, float]]  # angles of upper and lower arm, degrees from straight down


def draw_example(rng: np.random.Generator, person: bool) -> np.ndarray:
    """One picture, (SIDE, SIDE, 3) uint8, with or without somebody in it."""
    size = SIDE * OVERSIZE
    image = Image.new("RGB", (size, size), _paper(rng))
    figure = _figure(rng)
    kind = rng.random()
    if person:
        view = _view(rng, kind)
        _draw_person(image, figure, rng, view)
        if rng.random() < 0.08:  # a group
            _draw_person(image, _figure(rng), rng, (view[0], view[1] + float(rng.choice((-1.6, 1.6))), view[2]))
    elif kind < 0.2:
        _draw_folded(image, rng)
    elif kind < 0.32:
        _draw_small_piece(image, rng)
    else:
        _draw_flat(image, figure, rng, bottoms=kind > 0.72)
    return _photographed(image, rng)


def photographed(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture of any size with the same faults of light and camera; (SIDE, SIDE, 3) uint8."""
    return _photographed(Image.fromarray(picture), rng)


def _paper(rng: np.random.Generator) -> Rgb:
    return PAPERS[int(rng.integers(len(PAPERS)))]


def _figure(rng: np.random.Generator) -> Figure:
    def one(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    down = one(4, 22)
    poses = (
        ((down, down * 0.6), (one(4, 22), one(0, 14))),
        ((one(20, 40), one(-75, -40)), (one(4, 20), one(0, 14))),  # a hand on the hip
        ((one(20, 38), one(-75, -40)), (one(20, 38), one(-75, -40))),
        ((one(12, 26), one(-30, -5)), (one(12, 26), one(-30, -5))),  # in the pockets
    )
    skin, hair = SKINS[int(rng.integers(len(SKINS)))], HAIRS[int(rng.integers(len(HAIRS)))]
    return Figure(
        one(0.95, 1.35), one(0.62, 0.95), one(0.75, 1.0), one(2.3, 2.8), one(3.3, 4.0),
        _vary(skin, rng), _vary(hair, rng),
        float(rng.choice((0.0, 0.35, 0.42, 0.75, 1.0))), one(0.1, 0.9), float(rng.choice((1.0, 1.0, 1.0, 0.45, 0.7))),
        bool(rng.random() < 0.2), poses[int(rng.integers(len(poses)))],
    )  # fmt: skip


def _vary(rgb: Rgb, rng: np.random.Generator, spread: float = 14) -> Rgb:
    moved = np.clip(np.array(rgb) + rng.normal(0, spread) + rng.normal(0, spread / 3, 3), 0, 255)
    return int(moved[0]), int(moved[1]), int(moved[2])


def _cloth(rng: np.random.Generator) -> Rgb:
    """Any colour, often white, grey, black, and now and then that of skin."""
    kind = rng.random()
    if kind < 0.3:
        grey = int(rng.choice((16, 40, 90, 150, 215, 245)))
        return _vary((grey, grey, grey), rng, 8)
    if kind < 0.42:
        return _vary(SKINS[int(rng.integers(len(SKINS)))], rng)
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _view(rng: np.random.Generator, kind: float) -> tuple[float, float, float]:
    """Heads shown in the height of the picture; x of the body in heads; y of the picture's upper edge in heads."""
    side = float(rng.normal(0, 0.25))
    if kind < 0.5:  # head to thigh
        return float(rng.uniform(4.0, 5.6)), side, float(rng.uniform(-1.7, -1.15))
    if kind < 0.78:  # waist to feet
        return float(rng.uniform(4.8, 6.8)), side, float(rng.uniform(0.6, 2.6))
    if kind < 0.92:  # all of it
        return float(rng.uniform(7.4, 8.8)), side, float(rng.uniform(-1.8, -1.2))
    return float(rng.uniform(3.2, 4.8)), side, float(rng.uniform(-0.6, 0.1))  # chin to thigh


class _Pen:
    """Draws in heads on pixels."""

    def __init__(self, image: Image.Image, scale: float, x: float, y: float) -> None:
        self.draw = ImageDraw.Draw(image)
        self.scale, self.x, self.y = scale, x, y

    def at(self, point: Point) -> Point:
        return (point[0] - self.x) * self.scale, (point[1] - self.y) * self.scale

    def shape(self, points: list[Point], rgb: Rgb) -> None:
        self.draw.polygon([self.at(point) for point in points], fill=rgb)

    def oval(self, x: float, y: float, rx: float, ry: float, rgb: Rgb) -> None:
        self.draw.ellipse((*self.at((x - rx, y - ry)), *self.at((x + rx, y + ry))), fill=rgb)

    def limb(self, start: Point, end: Point, wide: float, narrow: float, rgb: Rgb) -> None:
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length, dx / length
        self.shape(
            [
                (start[0] + nx * wide, start[1] + ny * wide), (end[0] + nx * narrow, end[1] + ny * narrow),
                (end[0] - nx * narrow, end[1] - ny * narrow), (start[0] - nx * wide, start[1] - ny * wide),
            ],
            rgb,
        )  # fmt: skip
        self.oval(*start, wide, wide, rgb)
        self.oval(*end, narrow, narrow, rgb)


def _draw_person(
    image: Image.Image, figure: Figure, rng: np.random.Generator, view: tuple[float, float, float]
) -> None:
    scale = image.height / view[0]
    pen = _Pen(image, scale, view[1] - view[0] / 2, view[2])
    top, bottom, shoe = _cloth(rng), _cloth(rng), _cloth(rng)
    if view[2] > 0 and rng.random() < 0.4:
        top = _vary((232, 236, 240), rng, 10)  # trousers are shown with a pale shirt
    if rng.random() < 0.35:
        bottom = _vary((60, 80, 120), rng, 20)  # jeans
    long_hair = rng.random() < 0.4
    if long_hair:
        pen.shape([(-0.5, -0.9), (0.5, -0.9), (0.65, 0.9), (0.3, 1.1), (-0.3, 1.1), (-0.65, 0.9)], figure.hair)
    if rng.random() < 0.35:  # tucked in
        _draw_top(pen, figure, rng, top, worn=True)
        _draw_legs(pen, figure, rng, bottom, shoe)
    else:
        _draw_legs(pen, figure, rng, bottom, shoe)
        _draw_top(pen, figure, rng, top, worn=True)
    _draw_head(pen, figure, rng, long_hair, top)


def _draw_head(pen: _Pen, figure: Figure, rng: np.random.Generator, long_hair: bool, top: Rgb) -> None:
    shade = _darker(figure.skin, 0.85)
    pen.limb((0, -0.25), (0, 0.25), 0.24, 0.28, shade)
    hood = rng.random() < 0.08
    if hood:
        pen.oval(0, -0.52, 0.56, 0.75, top)
    pen.oval(0, -0.5, 0.36, 0.5, figure.skin)
    if not hood:
        cap = float(rng.uniform(-0.8, -0.62))
        crown = [(-0.4, -0.5), (-0.42, -0.85), (-0.22, -1.12), (0.22, -1.12), (0.42, -0.85), (0.4, -0.5)]
        pen.shape([*crown, (0.3, cap), (-0.3, cap)], figure.hair)
    if long_hair:
        for side in (-1, 1):
            pen.limb((side * 0.36, -0.7), (side * float(rng.uniform(0.3, 0.5)), 0.5), 0.09, 0.13, figure.hair)
    for side in (-1, 1):
        pen.oval(side * 0.15, -0.52, 0.06, 0.03, (30, 24, 22))
        pen.limb((side * 0.08, -0.62), (side * 0.22, -0.63), 0.015, 0.012, figure.hair)
    pen.limb((0, -0.5), (0.02, -0.35), 0.025, 0.04, shade)
    pen.limb((-0.1, -0.2), (0.1, -0.2), 0.025, 0.025, _vary((150, 70, 70), rng))


def _darker(rgb: Rgb, share: float) -> Rgb:
    return int(rgb[0] * share), int(rgb[1] * share), int(rgb[2] * share)


def _body(figure: Figure, hem: float) -> list[Point]:
    side = [(0.3, 0.12), (figure.shoulder, 0.45), (figure.shoulder * 0.9, 1.1)]
    right = [*side, (figure.waist, figure.torso * 0.75), (figure.hip, figure.torso + hem)]
    return [*right, *((-x, y) for x, y in reversed(right))]


def _draw_top(pen: _Pen, figure: Figure, rng: np.random.Generator, rgb: Rgb, worn: bool) -> None:
    hem = figure.hem + (1.4 if figure.skirt and rng.random() < 0.5 else 0)
    upper, lower = 1.45, 1.35
    for side, (first, second) in zip((-1, 1), figure.arms, strict=True):
        if not worn:
            first, second = float(rng.uniform(6, 50)), float(rng.uniform(4, 40))
        shoulder = (side * (figure.shoulder - 0.18), 0.6)
        elbow = (
            shoulder[0] + side * upper * math.sin(math.radians(first)),
            shoulder[1] + upper * math.cos(math.radians(first)),
        )
        wrist = (
            elbow[0] + side * lower * math.sin(math.radians(second)),
            elbow[1] + lower * math.cos(math.radians(second)),
        )
        if worn:
            pen.limb(shoulder, elbow, 0.22, 0.16, figure.skin)
            pen.limb(elbow, wrist, 0.16, 0.11, _darker(figure.skin, 0.93))
            pen.limb(wrist, (wrist[0], wrist[1] + 0.28), 0.12, 0.1, figure.skin)
        _draw_sleeve(pen, (shoulder, elbow, wrist), figure.sleeve, _darker(rgb, 0.93))
    pen.shape(_body(figure, hem), rgb)
    _draw_pattern(pen, figure, rng, rgb, hem)
    neck = float(rng.uniform(0.1, 0.7))
    inside = figure.skin if worn else _darker(rgb, 0.6)
    pen.shape([(-0.3, 0.1), (0.3, 0.1), (0.12, 0.15 + neck), (-0.12, 0.15 + neck)], inside)
    if not worn and rng.random() < 0.2:  # an empty hood
        pen.oval(0, -0.35, 0.5, 0.62, rgb)
        pen.oval(0, -0.25, 0.3, 0.42, _darker(rgb, 0.55))


def _draw_sleeve(pen: _Pen, joints: tuple[Point, Point, Point], share: float, rgb: Rgb) -> None:
    shoulder, elbow, wrist = joints
    if share <= 0:
        return
    part = min(1.0, share / 0.5)
    end = (shoulder[0] + (elbow[0] - shoulder[0]) * part, shoulder[1] + (elbow[1] - shoulder[1]) * part)
    pen.limb(shoulder, end, 0.3, 0.27, rgb)
    if share > 0.5:
        part = (share - 0.5) / 0.5
        end = (elbow[0] + (wrist[0] - elbow[0]) * part, elbow[1] + (wrist[1] - elbow[1]) * part)
        pen.limb(elbow, end, 0.26, 0.19, rgb)


def _draw_pattern(pen: _Pen, figure: Figure, rng: np.random.Generator, rgb: Rgb, hem: float) -> None:
    other, kind, wide = _cloth(rng), rng.random(), figure.waist * 0.9
    if kind < 0.2:
        for y in np.arange(0.9, figure.torso + hem - 0.1, rng.uniform(0.2, 0.6)).tolist():
            pen.shape([(-wide, y), (wide, y), (wide, y + 0.12), (-wide, y + 0.12)], other)
    elif kind < 0.35:
        for x in np.arange(-wide, wide, rng.uniform(0.12, 0.4)).tolist():
            pen.shape([(x, 0.6), (x + 0.06, 0.6), (x + 0.06, figure.torso + hem), (x, figure.torso + hem)], other)
    elif kind < 0.55:  # a print
        for _ in range(int(rng.integers(1, 6))):
            spot = float(rng.uniform(-0.4, 0.4)), float(rng.uniform(0.9, 1.9))
            pen.oval(*spot, float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.05, 0.35)), _cloth(rng))
    elif kind < 0.8:  # a closure
        pen.shape(
            [(-0.04, 0.3), (0.04, 0.3), (0.04, figure.torso + hem), (-0.04, figure.torso + hem)], _darker(rgb, 0.75)
        )


def _draw_legs(pen: _Pen, figure: Figure, rng: np.random.Generator, rgb: Rgb, shoe: Rgb, worn: bool = True) -> None:
    hip, ankle = figure.torso, figure.torso + figure.leg + 0.3
    loose = float(rng.uniform(0.0, 0.12))
    for side in (-1, 1):
        start = (side * figure.hip * 0.5, hip + 0.35)
        end = (side * float(rng.uniform(0.25, 0.75)), ankle)
        if worn:
            knee = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
            pen.limb(start, knee, 0.4, 0.26, figure.skin)
            pen.limb(knee, end, 0.26, 0.14, figure.skin)
            pen.oval(end[0] + side * 0.1, ankle + 0.12, 0.28, 0.15, shoe)
        if figure.trouser and not (figure.skirt and worn):
            cut = (start[0] + (end[0] - start[0]) * figure.trouser, start[1] + (end[1] - start[1]) * figure.trouser)
            pen.limb(
                start,
                cut,
                0.46 + loose,
                0.22 + loose + 0.18 * (1 - figure.trouser),
                _darker(rgb, 1 - 0.04 * (side > 0)),
            )
    if figure.skirt and worn:
        end_y = hip + float(rng.uniform(0.9, 2.6))
        wide = figure.hip + float(rng.uniform(0.0, 0.5))
        pen.shape([(-figure.waist, hip - 0.4), (figure.waist, hip - 0.4), (wide, end_y), (-wide, end_y)], rgb)
    else:
        pen.shape(
            [(-figure.waist, hip - 0.5), (figure.waist, hip - 0.5), (figure.hip, hip + 0.5), (-figure.hip, hip + 0.5)],
            rgb,
        )
    pen.shape(
        [
            (-figure.waist, hip - 0.5),
            (figure.waist, hip - 0.5),
            (figure.waist, hip - 0.36),
            (-figure.waist, hip - 0.36),
        ],
        _darker(rgb, 0.7),
    )


def _draw_flat(image: Image.Image, figure: Figure, rng: np.random.Generator, bottoms: bool) -> None:
    """A garment that lies, or hangs on nobody."""
    rgb = _cloth(rng)
    if bottoms:
        length = figure.torso - 0.5, figure.torso + 0.3 + figure.leg * max(figure.trouser, 0.3) + 0.4
        pen = _fitted(image, rng, length, 2.6)
        _draw_legs(pen, figure, rng, rgb, rgb, worn=False)
    else:
        long = max(figure.torso + figure.hem, 0.6 + 2.8 * figure.sleeve) + 0.3
        pen = _fitted(image, rng, (-0.4, long), 4.2 if figure.sleeve > 0.5 else 3.4)
        _draw_top(pen, figure, rng, rgb, worn=False)


def _fitted(image: Image.Image, rng: np.random.Generator, extent: tuple[float, float], wide: float) -> _Pen:
    high = extent[1] - extent[0]
    scale = image.height * float(rng.uniform(0.5, 0.97)) / max(high, wide)
    middle = float(rng.normal(0, 0.1)), (extent[0] + extent[1]) / 2 + float(rng.normal(0, 0.1))
    return _Pen(image, scale, middle[0] - image.width / scale / 2, middle[1] - image.height / scale / 2)


def _draw_folded(image: Image.Image, rng: np.random.Generator) -> None:
    """A shirt as it is sold: folded to a rectangle with a collar."""
    rgb = _cloth(rng)
    pen = _Pen(image, image.height / 4, -2, -2)
    w, h = float(rng.uniform(0.8, 1.35)), float(rng.uniform(1.3, 1.9))
    pen.shape([(-w, -h * 0.8), (w, -h * 0.8), (w * 1.02, h), (-w * 1.02, h)], rgb)
    for x in np.arange(-w, w, rng.uniform(0.08, 0.3)).tolist() if rng.random() < 0.5 else ():
        pen.shape([(x, -h * 0.8), (x + 0.03, -h * 0.8), (x + 0.03, h), (x, h)], _darker(rgb, 0.8))
    pen.shape([(-0.5, -h * 0.85), (0, -h * 0.4), (0.5, -h * 0.85), (0.4, -h), (-0.4, -h)], _darker(rgb, 0.9))
    pen.oval(0, -h * 0.88, 0.3, 0.12, _darker(rgb, 0.5))
    pen.shape([(-0.05, -h * 0.4), (0.05, -h * 0.4), (0.05, h), (-0.05, h)], _darker(rgb, 0.88))
    if rng.random() < 0.5:
        pen.shape([(-w, h * 0.4), (w * 0.2, h * 0.4), (w * 0.2, h * 0.7), (-w, h * 0.7)], _darker(rgb, 0.92))
    if rng.random() < 0.6:
        pen.shape([(0.25, -h * 0.1), (0.7, -h * 0.1), (0.7, h * 0.25), (0.25, h * 0.25)], _darker(rgb, 0.9))
    pen.shape([(-0.12, -h * 0.8), (0.12, -h * 0.8), (0.12, -h * 0.7), (-0.12, -h * 0.7)], _cloth(rng))


def _draw_small_piece(image: Image.Image, rng: np.random.Generator) -> None:
    """Briefs, skirts, scarves: one piece of few corners."""
    for copy in range(int(rng.integers(1, 4))):
        rgb, pen = _cloth(rng), _Pen(image, image.height / 4, -2, -2 + 0.35 * copy)
        w, h, cut = float(rng.uniform(0.7, 1.6)), float(rng.uniform(0.4, 1.3)), float(rng.uniform(0.1, 1.0))
        pen.shape([(-w, -h), (w, -h), (w * 0.95, -h * 0.5), (w * cut, h), (-w * cut, h), (-w * 0.95, -h * 0.5)], rgb)
        pen.shape([(-w, -h), (w, -h), (w, -h + 0.2), (-w, -h + 0.2)], _cloth(rng))


def _photographed(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Light from a side, folds, blur, noise, JPEG, mirror and frame."""
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(image, np.float32)
    paper = (np.abs(values - values[0, 0]).sum(axis=-1, keepdims=True) < 12).astype(np.float32)
    field = rng.normal(0, 1, (6, 6)).astype(np.float32)
    light = np.asarray(Image.fromarray(field).resize((SIDE, SIDE), Image.Resampling.BICUBIC))[..., None]
    fine = np.asarray(Image.fromarray(rng.normal(0, 1, (24, 24)).astype(np.float32)).resize((SIDE, SIDE)))[..., None]
    values *= 1 + (1 - paper) * (0.12 * light + 0.06 * fine) + paper * 0.01 * light
    values = (values - 128) * rng.uniform(0.85, 1.15) * (1 - paper) + (values - 128) * paper + 128
    values = values + rng.normal(0, rng.uniform(0, 4), values.shape)
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.8))))
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=int(rng.integers(60, 95)))
    return np.asarray(Image.open(sink).convert("RGB"))
