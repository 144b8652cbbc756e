"""Gobos: shadows of what stands outside of the picture, between it and the light: foliage, a window's bars, blinds.

Belongs here: their shapes as soft masks. Not here: shadows of the product (shadows.py) or of props (props).
"""

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.fields import resized, smoothstep
from inference.ad_images.scene import Light

RESOLUTION = 160  # samples to the shorter side; every edge is softer than that


def frond(canvas, rng: np.random.Generator, root: tuple[float, float], heading: float, length: float) -> None:  # type: ignore[no-untyped-def]
    """A palm frond's silhouette; units, degrees."""
    import skia

    paint = skia.Paint(AntiAlias=True, Color=skia.ColorBLACK)
    bend = rng.uniform(-38, 38)
    steps = 26
    x, y = root
    for step in range(steps):
        share = step / steps
        angle = np.deg2rad(heading + bend * share)
        x, y = x + np.cos(angle) * length / steps, y + np.sin(angle) * length / steps
        reach = length * 0.42 * np.sin(np.pi * (0.12 + 0.86 * share)) ** 0.8
        for side in (-1, 1):
            spread = np.rad2deg(angle) + side * (62 - 30 * share) + rng.normal(0, 4)
            canvas.save()
            canvas.translate(x, y)
            canvas.rotate(float(spread))
            path = skia.Path().moveTo(0, 0)
            path.quadTo(reach * 0.45, -0.011, reach, 0).quadTo(reach * 0.45, 0.011, 0, 0)
            canvas.drawPath(path, paint)
            canvas.restore()


def branch(canvas, rng: np.random.Generator, root: tuple[float, float], heading: float, length: float) -> None:  # type: ignore[no-untyped-def]
    """A twig with broad leaves; units, degrees."""
    import skia

    paint = skia.Paint(AntiAlias=True, Color=skia.ColorBLACK)
    stem = skia.Paint(AntiAlias=True, Color=skia.ColorBLACK, Style=skia.Paint.kStroke_Style, StrokeWidth=0.008)
    x, y = root
    steps = 12
    turn = rng.uniform(-30, 30)
    for step in range(steps):
        angle = np.deg2rad(heading + turn * step / steps)
        onward = x + np.cos(angle) * length / steps, y + np.sin(angle) * length / steps
        canvas.drawLine(x, y, *onward, stem)
        x, y = onward
        for side in (-1, 1):
            size = rng.uniform(0.09, 0.16)
            canvas.save()
            canvas.translate(x, y)
            canvas.rotate(float(np.rad2deg(angle) + side * rng.uniform(30, 75)))
            path = skia.Path().moveTo(0, 0)
            wide = size * rng.uniform(0.22, 0.42)
            path.cubicTo(size * 0.3, -wide, size * 0.75, -wide, size, 0).cubicTo(
                size * 0.75, wide, size * 0.3, wide, 0, 0
            )
            canvas.drawPath(path, paint)
            canvas.restore()


def foliage(canvas, rng: np.random.Generator, light: Light, size: tuple[float, float]) -> None:  # type: ignore[no-untyped-def]
    """Fronds or twigs that reach in from the side of the light."""
    draw = frond if rng.random() < 0.5 else branch
    away = -light.azimuth + 180
    centre = np.array(size) / 2
    for _ in range(int(rng.integers(4, 7))):
        angle = np.deg2rad(-light.azimuth + rng.uniform(-75, 75))
        edge = centre + np.array([np.cos(angle), np.sin(angle)]) * (0.56 * np.array(size) + 0.12)
        draw(canvas, rng, (float(edge[0]), float(edge[1])), away + rng.uniform(-45, 45), rng.uniform(0.45, 0.85))


def window(canvas, rng: np.random.Generator, light: Light, size: tuple[float, float]) -> None:  # type: ignore[no-untyped-def]
    """All dark but the panes of a window, slanted along the light."""
    import skia

    canvas.clear(skia.ColorBLACK)
    clear = skia.Paint(AntiAlias=True, BlendMode=skia.BlendMode.kClear)
    pane_x, pane_y = rng.uniform(0.36, 0.46), rng.uniform(0.44, 0.58)
    bar = 0.045
    canvas.translate(size[0] / 2 + rng.uniform(-0.12, 0.12), size[1] / 2 + rng.uniform(-0.12, 0.12))
    canvas.rotate(float(90 - light.azimuth + rng.uniform(-6, 6)))
    canvas.skew(float(rng.uniform(-0.35, 0.35)), 0)
    for column in (-1, 0):
        for row in (-2, -1, 0, 1):
            left, top = column * pane_x + bar / 2, row * pane_y + bar / 2
            canvas.drawRect(skia.Rect.MakeXYWH(left, top, pane_x - bar, pane_y - bar), clear)


def blinds(canvas, rng: np.random.Generator, light: Light, size: tuple[float, float]) -> None:  # type: ignore[no-untyped-def]
    """Slats across the light, within a window's frame."""
    import skia

    canvas.clear(skia.ColorBLACK)
    clear = skia.Paint(AntiAlias=True, BlendMode=skia.BlendMode.kClear)
    canvas.translate(size[0] / 2, size[1] / 2)
    canvas.rotate(float(90 - light.azimuth + rng.uniform(-12, 12)))
    canvas.skew(float(rng.uniform(-0.3, 0.3)), 0)
    pitch = rng.uniform(0.10, 0.14)
    half = rng.uniform(0.42, 0.6)
    for row in np.arange(-1.6, 1.6, pitch):
        canvas.drawRect(skia.Rect.MakeXYWH(-half, float(row), 2 * half, pitch * 0.56), clear)


GOBOS: dict[str, Callable[..., None]] = {"foliage": foliage, "window": window, "blinds": blinds}


def throw(canvas: StudioCanvas, kind: str, clear: Box, depth: float = 0.42) -> None:
    """Throws a gobo's shadow over what is painted; over the clear box most of it is held off, as the product gets none.

    Args:
        kind: a name of GOBOS. depth: share of the light that full shade takes.
    """
    shade = canvas.reuse(("gobo", kind), lambda: _shade(canvas, kind))
    rows, columns = ((np.arange(length, dtype=np.float32) + 0.5) / length for length in shade.shape)
    left, top, right, bottom = (value / canvas.unit for value in clear)
    across = np.abs(columns[None] * (canvas.width / canvas.unit) - (left + right) / 2) - (right - left) / 2
    down = np.abs(rows[:, None] * (canvas.height / canvas.unit) - (top + bottom) / 2) - (bottom - top) / 2
    outside = smoothstep(-0.10, 0.16, np.maximum(across, down))
    amount = resized(depth * shade * (0.30 + 0.70 * outside), canvas.shape)
    for channel, share in enumerate((1.03, 1.0, 0.90)):  # shade is a little bluer
        canvas.pixels[..., channel] *= 1.05 - np.float32(share + 0.12) * amount


def _shade(canvas: StudioCanvas, kind: str) -> np.ndarray:
    """(rows, columns) float32 at RESOLUTION, 0 in the light to 1 in the shade."""
    import skia

    rng = canvas.stream("gobo")
    size = (canvas.width / canvas.unit, canvas.height / canvas.unit)
    width, height = (max(round(side * RESOLUTION), 8) for side in size)
    shade = np.zeros((height, width), np.float32)
    layers = (0.010, 0.024) if kind == "foliage" else (0.011,)
    for layer, blur in enumerate(layers):
        surface = skia.Surface.MakeRasterN32Premul(width, height)
        with surface as drawing:
            drawing.clear(skia.ColorTRANSPARENT)
            drawing.scale(RESOLUTION, RESOLUTION)
            GOBOS[kind](drawing, rng, canvas.light, size)
        alpha = surface.toarray()[..., 3].astype(np.float32) / 255
        soft = gaussian_filter(alpha, RESOLUTION * blur * (0.5 + canvas.light.softness))
        shade = 1 - (1 - shade) * (1 - soft * (1.0 if layer == 0 else 0.75))
    return shade
