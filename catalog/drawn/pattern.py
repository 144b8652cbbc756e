"""Pattern: stripes, checks, dots and prints on the cloth.

Belongs here: one repeat of a pattern as an image. Not here: the weave under it (fabric.py).

The base colour keeps the larger part of every repeat, so that it stays the product's colour.
"""

import math

import numpy as np
import skia

from catalog.drawn.colours import Rgb, lab_to_rgb
from catalog.drawn.spec import GarmentSpec

OVERSAMPLE = 2  # image pixels per 1/256 of the frame


def pattern_tile(spec: GarmentSpec) -> tuple[skia.Image, float] | None:
    """One repeat of the spec's pattern and its angle in degrees; None for a solid cloth."""
    pattern = spec.attributes.get("Pattern", "Solid")
    if pattern == "Solid":
        return None
    rng = spec.rng("print")
    base, second, third = (lab_to_rgb(lab) for lab in (spec.base_lab, spec.second_lab, spec.third_lab))
    if pattern == "Striped":
        return _stripes(rng, base, second, third, spec.article_type)
    if pattern == "Checked":
        return _checks(rng, base, second, third)
    if pattern == "Polka Dots":
        return _dots(rng, base, second)
    return _print(rng, base, second, third)


def colour(rgb: Rgb, alpha: float = 1.0) -> int:
    """A skia colour from 8-bit sRGB and an opacity in [0, 1]."""
    return skia.ColorSetARGB(round(255 * alpha), *rgb)


def _canvas(width: int, height: int, base: Rgb) -> tuple[skia.Surface, skia.Canvas]:
    surface = skia.Surface(width * OVERSAMPLE, height * OVERSAMPLE)
    canvas = surface.getCanvas()
    canvas.clear(colour(base))
    canvas.scale(OVERSAMPLE, OVERSAMPLE)
    return surface, canvas


def _finish(surface: skia.Surface) -> skia.Image:
    return surface.makeImageSnapshot().withDefaultMipmaps()


def _fill(rgb: Rgb, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=colour(rgb, alpha))


def _stripes(rng: np.random.Generator, base: Rgb, second: Rgb, third: Rgb, article: str) -> tuple[skia.Image, float]:
    period = int(rng.choice([10, 13, 16, 20, 26]))
    width = period * float(rng.uniform(0.24, 0.4))
    surface, canvas = _canvas(period, 4, base)
    canvas.drawRect(skia.Rect.MakeXYWH(period * 0.2, 0, width, 4), _fill(second))
    if period >= 16 and rng.random() < 0.4:
        canvas.drawRect(skia.Rect.MakeXYWH(period * 0.2 + width * 1.35, 0, width * 0.22, 4), _fill(third))
    level = {"Shirts": 0.2, "Trousers": 0.02, "Jackets": 0.3}.get(article, 0.65)
    mark = rng.random()
    angle = 90.0 if mark < level else 0.0 if mark < level + (1 - level) * 0.8 else 45.0
    return _finish(surface), angle


def _checks(rng: np.random.Generator, base: Rgb, second: Rgb, third: Rgb) -> tuple[skia.Image, float]:
    period = int(rng.choice([14, 18, 24, 30]))
    surface, canvas = _canvas(period, period, base)
    kind = rng.integers(3)
    if kind == 0:  # gingham
        band = period * 0.31
        canvas.drawRect(skia.Rect.MakeXYWH(0, 0, band, period), _fill(second, 0.5))
        canvas.drawRect(skia.Rect.MakeXYWH(0, 0, period, band), _fill(second, 0.5))
    elif kind == 1:  # windowpane
        line = max(2.2, period * 0.11)
        canvas.drawRect(skia.Rect.MakeXYWH(2, 0, line, period), _fill(second))
        canvas.drawRect(skia.Rect.MakeXYWH(0, 2, period, line), _fill(second))
    else:  # tartan
        band = period * 0.24
        for turned in (False, True):
            for start, width, rgb, alpha in (
                (0, band, second, 0.55),
                (band + period * 0.26, period * 0.09, third, 0.9),
            ):
                box = (0, start, period, width) if turned else (start, 0, width, period)
                canvas.drawRect(skia.Rect.MakeXYWH(*box), _fill(rgb, alpha))
    return _finish(surface), 45.0 if rng.random() < 0.12 else 0.0


def _dots(rng: np.random.Generator, base: Rgb, second: Rgb) -> tuple[skia.Image, float]:
    period = int(rng.choice([12, 16, 20, 26]))
    radius = period * float(rng.uniform(0.17, 0.235))
    surface, canvas = _canvas(period, period, base)
    paint = _fill(second)
    for x, y in ((0.25, 0.25), (0.75, 0.75)):
        canvas.drawCircle(period * x, period * y, radius, paint)
    return _finish(surface), 0.0


def _print(rng: np.random.Generator, base: Rgb, second: Rgb, third: Rgb) -> tuple[skia.Image, float]:
    size = 72
    surface, canvas = _canvas(size, size, base)
    kind = int(rng.integers(5))
    scale = float(rng.uniform(0.8, 1.35))
    cells = 3
    for row in range(cells):
        for column in range(cells):
            x = (column + 0.5 + float(rng.uniform(-0.22, 0.22)) + 0.5 * (row % 2)) * size / cells
            y = (row + 0.5 + float(rng.uniform(-0.22, 0.22))) * size / cells
            turn, growth = float(rng.uniform(0, 360)), scale * float(rng.uniform(0.75, 1.15))
            first = second if rng.random() < 0.68 else third
            for dx in (-size, 0, size):
                for dy in (-size, 0, size):
                    if -16 < x + dx < size + 16 and -16 < y + dy < size + 16:
                        canvas.save()
                        canvas.translate(x + dx, y + dy)
                        canvas.rotate(turn)
                        canvas.scale(growth, growth)
                        _motif(canvas, kind, first, third if first is second else second)
                        canvas.restore()
    return _finish(surface), 0.0


def _motif(canvas: skia.Canvas, kind: int, first: Rgb, other: Rgb) -> None:
    """One flower, leaf, triangle, brush stroke or star, about 16 pixels wide, at the origin."""
    paint, accent = _fill(first), _fill(other)
    if kind == 0:
        for petal in range(5):
            angle = petal * 2 * math.pi / 5
            canvas.drawCircle(4.6 * math.cos(angle), 4.6 * math.sin(angle), 3.5, paint)
        canvas.drawCircle(0, 0, 2.4, accent)
    elif kind == 1:
        leaf = skia.Path().moveTo(-9, 0).quadTo(0, -7.5, 9, 0).quadTo(0, 7.5, -9, 0)
        canvas.drawPath(leaf, paint)
        vein = skia.Paint(AntiAlias=True, Color=colour(other), Style=skia.Paint.kStroke_Style, StrokeWidth=1.1)
        canvas.drawLine(-8, 0, 8, 0, vein)
    elif kind == 2:
        canvas.drawPath(skia.Path().moveTo(0, -7.5).lineTo(7, 5).lineTo(-7, 5).close(), paint)
        canvas.drawPath(skia.Path().moveTo(0, -2).lineTo(3, 3.4).lineTo(-3, 3.4).close(), accent)
    elif kind == 3:
        blob = skia.Path().moveTo(-8, -2).cubicTo(-4, -9, 3, -4, 8, -5).cubicTo(10, 1, 4, 4, 1, 7)
        canvas.drawPath(blob.cubicTo(-5, 6, -9, 4, -8, -2), paint)
        canvas.drawCircle(1, 0, 1.6, accent)
    else:
        star = skia.Path()
        for point in range(10):
            radius, angle = (8 if point % 2 == 0 else 3.6), point * math.pi / 5
            star.lineTo(radius * math.sin(angle), -radius * math.cos(angle)) if point else star.moveTo(0, -radius)
        canvas.drawPath(star.close(), paint)
