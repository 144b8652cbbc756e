"""Lighting: what light does to wall and floor of a drawn scene.

Belongs here: pools, windows and leaves between lamp and wall. Not here: the product's shadow
(inference/ad_images/shadows.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.stage import Stage


def pool(stage: Stage, depth: float = 0.5, wide: float = 0.75) -> np.ndarray:
    """(n, width) float32: light gathered in the middle of the floor, a little to the lamp's side."""
    floor = stage.floor
    center = 0.15 * stage.sun_x
    away = floor.v / floor.v[np.argmin(np.abs(floor.depth - 1))] - 1.05
    near = np.exp(-(((floor.u - center) / (wide * floor.depth**0.5)) ** 2) - (away / 0.9) ** 2)
    columns = np.linspace(-1, 1, stage.canvas.width, dtype=np.float32)[None, :]
    return (1 - depth + depth * 1.15 * near) * (1 + 0.14 * stage.sun_x * columns)


def window_on_floor(
    stage: Stage, rng: np.random.Generator, softness: float, panes: tuple[int, int] = (2, 3)
) -> np.ndarray:
    """(n, width) 0 to 1: sun through a window, on the floor; softer with the softness of the light."""
    floor = stage.floor
    slant = float(-stage.sun_x * rng.uniform(0.35, 0.7))
    u = floor.u - slant * (floor.v - floor.v[np.argmin(np.abs(floor.depth - 1))])
    left = float(rng.uniform(-0.5, -0.2))
    base = float(floor.v[np.argmin(np.abs(floor.depth - 1))][0])
    pane = 0.34 * float(rng.uniform(0.9, 1.2))
    return _panes(
        (u - left) / pane, (floor.v - base * rng.uniform(0.72, 0.9)) / (pane * 2.4), panes, 0.03 + 0.16 * softness
    )


def window_on_wall(stage: Stage, x: np.ndarray, y: np.ndarray, rng: np.random.Generator, softness: float) -> np.ndarray:
    """The same on a wall behind; `x`, `y` in shares of the shorter side."""
    tilt = float(stage.sun_x * rng.uniform(0.25, 0.5))
    left, top, pane = float(rng.uniform(0.1, 0.5)), float(rng.uniform(-0.05, 0.08)), float(rng.uniform(0.2, 0.27))
    return _panes((x - left) / pane, (y - top + tilt * (x - 0.5)) / (pane * 1.25), (2, 2), 0.04 + 0.22 * softness)


def _panes(across: np.ndarray, along: np.ndarray, count: tuple[int, int], soft: float) -> np.ndarray:
    """Panes with bars between them; one pane is 1 × 1."""
    bar = 0.05 + 0.3 * soft
    edge = max(soft, 0.02)

    def run(value: np.ndarray, number: int) -> np.ndarray:
        inside = smoothstep(-edge, edge, value) * smoothstep(number + edge, number - edge, value)
        to_bar = np.abs(value - np.clip(np.round(value), 1, max(number - 1, 1)))
        bars = smoothstep(0.25 * bar, 0.25 * bar + edge, to_bar) if number > 1 else 1.0
        return inside * (bars * 0.85 + 0.15)

    return run(across, count[0]) * run(along, count[1])


def frond(
    surface: skia.Canvas,
    rng: np.random.Generator,
    at: tuple[float, float],
    towards: float,
    length: float,
    paint: skia.Paint,
) -> None:
    """A palm leaf: a bent stem with leaflets, from `at` towards a direction (degrees, clockwise from the right)."""
    angle = np.radians(towards)
    bend = float(rng.uniform(-0.5, 0.5))
    stem = [at]
    steps = 22
    for _ in range(steps):
        angle += bend / steps
        stem.append((stem[-1][0] + np.cos(angle) * length / steps, stem[-1][1] + np.sin(angle) * length / steps))
    for step in range(3, steps):
        x, y = stem[step]
        share = step / steps
        reach = length * 0.42 * np.sin(np.pi * (0.12 + 0.86 * share)) ** 0.8
        heading = np.arctan2(stem[step + 1][1] - y, stem[step + 1][0] - x) if step + 1 < len(stem) else angle
        for side in (-1, 1):
            turn = heading + side * (1.15 - 0.55 * share) + float(rng.normal(0, 0.06))
            tip = (x + np.cos(turn) * reach, y + np.sin(turn) * reach)
            wide = reach * 0.075
            mid = ((x + tip[0]) / 2, (y + tip[1]) / 2 + 0.08 * reach)
            path = skia.Path().moveTo(x, y)
            path.quadTo(mid[0] + wide * np.sin(turn), mid[1] - wide * np.cos(turn), *tip)
            path.quadTo(mid[0] - wide * np.sin(turn), mid[1] + wide * np.cos(turn), x, y)
            surface.drawPath(path, paint)
    line = skia.Path().moveTo(*stem[0])
    for point in stem[1:]:
        line.lineTo(*point)
    stroke = skia.Paint(paint)
    stroke.setStyle(skia.Paint.kStroke_Style)
    stroke.setStrokeWidth(length * 0.012)
    surface.drawPath(line, stroke)


def twig(
    surface: skia.Canvas,
    rng: np.random.Generator,
    at: tuple[float, float],
    towards: float,
    length: float,
    paint: skia.Paint,
) -> None:
    """A twig with oval leaves."""
    angle = np.radians(towards)
    x, y = at
    steps = 7
    for step in range(steps):
        angle += float(rng.normal(0, 0.12))
        nx, ny = x + np.cos(angle) * length / steps, y + np.sin(angle) * length / steps
        stroke = skia.Paint(paint)
        stroke.setStyle(skia.Paint.kStroke_Style)
        stroke.setStrokeWidth(length * 0.012)
        surface.drawLine(x, y, nx, ny, stroke)
        if step:
            size = length * float(rng.uniform(0.17, 0.27)) * (1.1 - 0.5 * step / steps)
            for side in (-1, 1):
                leaf(surface, (nx, ny), angle + side * float(rng.uniform(0.5, 1.3)), size, paint, 0.24)
        x, y = nx, ny


def leaf(
    surface: skia.Canvas, at: tuple[float, float], angle: float, size: float, paint: skia.Paint, plump: float = 0.28
) -> None:
    """An oval leaf with a pointed end; `angle` in radians."""
    path = skia.Path().moveTo(0, 0).cubicTo(size * 0.25, -size * plump, size * 0.7, -size * plump, size, 0)
    path.cubicTo(size * 0.7, size * plump, size * 0.25, size * plump, 0, 0)
    surface.save()
    surface.translate(*at)
    surface.rotate(float(np.degrees(angle)))
    surface.drawPath(path, paint)
    surface.restore()


def leaves_on_wall(stage: Stage, rng: np.random.Generator, blur: float) -> np.ndarray:
    """(height, width) 0 to 1: shadow of leaves that hang between lamp and wall, from the lamp's side."""
    wide = stage.canvas.width / stage.canvas.unit
    left = stage.sun_x < 0
    paint = ink(1.0)
    palms = bool(rng.integers(3))

    def draw(surface: skia.Canvas) -> None:
        for _ in range(3 if palms else 5):
            x = float(rng.uniform(-0.12, 0.25)) * wide
            y = float(rng.uniform(-0.12, 0.3))
            towards = float(rng.uniform(5, 62))
            at = (x if left else wide - x, y)
            heading = towards if left else 180 - towards
            (frond if palms else twig)(surface, rng, at, heading, float(rng.uniform(0.45, 0.75)), paint)

    return stage.canvas.mask(draw, blur)
