"""Streets and woods: ground between upright things that stand far out of focus.

Belongs here: street, forest. Not here: open ground (outdoors.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, drawn, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import leaf, pool
from inference.ad_images.backdrops.studio.materials import asphalt, relief, slabs
from inference.ad_images.backdrops.studio.stage import Distance, Stage, bokeh
from inference.ad_images.scene import Scene


def street(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A pavement between facades, lights far away."""
    stage = Stage(canvas, scene, clear, over=0.02)
    canvas.whole(("street", stage.base), lambda: _city(stage, scene))


def forest(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """The floor of a wood, trunks and light through leaves."""
    stage = Stage(canvas, scene, clear, over=0.02)
    canvas.whole(("wood", stage.base), lambda: _wood(stage, scene))


def _city(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("street")
    haze, stone, lamp, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    place = int(rng.integers(4))
    if place == 2:
        _house_front(stage, far, rng, (haze, stone, lamp, deep))
    elif place == 3:
        _avenue(stage, far, rng, (haze, lamp, deep))
    else:
        _canyon(far, rng, foot, (haze, stone, lamp, deep))
    lights = []
    for _ in range(30 if place < 2 else 12):
        x, y = wide * float(rng.uniform(0, 1)), foot * float(np.clip(rng.normal(0.72, 0.2), 0.05, 0.98))
        kind = (lamp, lamp * np.array([1.0, 0.8, 0.6], np.float32), haze)[int(rng.integers(3))]
        lights.append((x, y, float(rng.uniform(0.012, 0.034)), kind * float(rng.uniform(0.12, 0.5))))
    background = far.enlarged()
    bokeh(canvas, background, lights, 1.0 if place < 2 else 0.45)
    if rng.integers(3):
        ground = slabs(stage.floor, rng, stone, float(rng.uniform(0.34, 0.46)), float(rng.uniform(-12, 12)))
    else:
        ground = asphalt(stage.floor, rng, stone * 0.55)
    ground *= pool(stage, 0.32)[..., None]
    sun = stage.floor.noise(2, 1.9, stage.floor.u, stage.floor.v, (14, 8))
    ground *= (1 + 0.10 * sun)[..., None]
    stage.compose(background, ground, 0.5, 0.085, 0.012)
    canvas.vignette = 0.24
    canvas.shade(canvas.tint)


def _canyon(far: Distance, rng: np.random.Generator, foot: float, colours: tuple[np.ndarray, ...]) -> None:
    """High facades on both sides of a street that runs into the light."""
    haze, stone, lamp, deep = colours
    wide = far.shape[1] / far.detail
    middle = wide * float(rng.uniform(0.36, 0.64))
    glow = np.exp(-(((far.x - middle) / 0.25) ** 2) - ((far.y - 0.6 * foot) / 0.5) ** 2)
    far.fill(haze * 1.15)
    far.light += (lamp * 0.55 + haze * 0.5) * glow[..., None]

    def facades(surface: skia.Canvas) -> None:
        for side in (-1, 1):
            for number in range(5):  # from far to near
                share = number / 4
                inner = middle + side * (0.07 + 0.42 * share**1.3) * wide
                outer = middle + side * 1.6 * wide
                top = foot - (0.16 + 0.75 * share + float(rng.uniform(-0.05, 0.05)))
                tone = haze * (1 - share) * 0.9 + (deep * float(rng.uniform(1.0, 1.7)) + stone * 0.12) * share
                front = skia.Rect.MakeLTRB(min(inner, outer), top, max(inner, outer), foot + 0.02)
                surface.drawRect(front, ink(tone))
                for row in range(2 + 2 * number):
                    y = foot - 0.06 - row * (0.05 + 0.05 * share)
                    for column in range(3):
                        x = inner + side * (0.02 + column * (0.03 + 0.07 * share)) * wide
                        lit = rng.random() < 0.22
                        colour = lamp * 1.5 if lit else tone * float(rng.uniform(0.6, 1.25))
                        size = 0.012 + 0.028 * share
                        left, right = sorted((x, x + side * size))
                        surface.drawRect(skia.Rect.MakeLTRB(left, y, right, y + size * 1.5), ink(colour, 0.9))

    far.draw(facades)
    far.blur(0.026)


def _house_front(stage: Stage, far: Distance, rng: np.random.Generator, colours: tuple[np.ndarray, ...]) -> None:
    """A plastered house across the pavement: a door, a window with light in it, a plinth."""
    haze, stone, lamp, deep = colours
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    light = 0.72 + 0.4 * np.exp(-(((far.x - wide * (0.5 + 0.6 * stage.sun_x)) / (0.9 * wide)) ** 2))
    far.fill(haze * 0.95)
    far.light *= (light * (1 + 0.05 * far.noise("plaster", 7, 1.7)))[..., None]
    slant = far.x + 0.8 * far.y * (1 if stage.sun_x < 0 else -1)
    shade = smoothstep(-0.02, 0.03, slant - wide * float(rng.uniform(0.35, 0.7)))
    far.light *= (1 - 0.28 * shade)[..., None]  # the shadow of the house opposite
    left = bool(rng.integers(2))
    door = wide * (float(rng.uniform(0.08, 0.2)) if left else float(rng.uniform(0.6, 0.72)))
    window = wide * (float(rng.uniform(0.55, 0.65)) if left else float(rng.uniform(0.08, 0.18)))
    paint = (lamp * 0.55, deep * 1.2, np.array([0.06, 0.13, 0.12]))[int(rng.integers(3))]

    def draw(surface: skia.Canvas) -> None:
        surface.drawRect(skia.Rect.MakeLTRB(0, foot - 0.09, wide, foot + 0.02), ink(deep * 0.9 + stone * 0.2))
        surface.drawRect(skia.Rect.MakeXYWH(door - 0.025, -0.1, 0.29, foot + 0.11), ink(haze * 1.12))
        surface.drawRect(skia.Rect.MakeXYWH(door, -0.1, 0.24, foot + 0.105), ink(paint))
        for row in range(2):
            surface.drawRect(skia.Rect.MakeXYWH(door + 0.04, foot - 0.24 - 0.2 * row, 0.16, 0.14), ink(paint * 0.7))
        surface.drawRect(skia.Rect.MakeXYWH(window - 0.02, -0.1, 0.31, foot - 0.11), ink(haze * 1.12))
        surface.drawRect(skia.Rect.MakeXYWH(window, -0.1, 0.27, foot - 0.13), ink(lamp * 0.8 + 0.12))
        surface.drawRect(skia.Rect.MakeXYWH(window + 0.13, -0.1, 0.012, foot - 0.13), ink(haze * 1.12))
        surface.drawRect(skia.Rect.MakeXYWH(window, foot - 0.30, 0.27, 0.27 - 0.13), ink(deep * 0.8, 0.55))

    far.draw(draw)
    far.blur(0.020)


def _avenue(stage: Stage, far: Distance, rng: np.random.Generator, colours: tuple[np.ndarray, ...]) -> None:
    """A street between trees, the light at its end."""
    haze, lamp, deep = colours
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    middle = wide * float(rng.uniform(0.4, 0.6))
    glow = np.exp(-(((far.x - middle) / 0.3) ** 2) - ((far.y - 0.7 * foot) / 0.4) ** 2)
    far.fill(haze * 1.2)
    far.light += (lamp * 0.5 + haze * 0.4) * glow[..., None]
    green = np.array([0.10, 0.13, 0.045], np.float32) + 0.18 * lamp
    away = np.abs(far.x - middle) / wide
    crown = smoothstep(0.55, -0.35, far.y / foot - 1.5 * away + 0.16 * far.noise("crowns", 10, 1.5))
    leaves = green * (0.75 + 0.35 * far.noise("leaves", 34, 1.1))[..., None]
    far.fill(np.maximum(leaves, 0.02), 0.92 * crown)
    hedge = smoothstep(foot - 0.10 - 0.22 * away, foot - 0.06 - 0.22 * away, far.y + 0.02 * far.noise("hedge", 16, 1.4))
    far.fill(green * 0.42 + deep * 0.2, 0.85 * hedge * smoothstep(0.05, 0.16, away))

    def draw(surface: skia.Canvas) -> None:
        for side in (-1, 1):
            for number in range(4):
                share = number / 3
                x = middle + side * (0.10 + 0.36 * share**1.3) * wide
                half = 0.006 + 0.018 * share
                trunk = skia.Rect.MakeLTRB(x - half, -0.1, x + half, foot + 0.015)
                surface.drawRect(trunk, ink(deep * (0.5 + 0.5 * (1 - share)), 0.9))

    far.draw(draw)
    far.blur(0.022)


def _wood(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("wood")
    air, soil, gold, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    far.fill(air * 0.7)
    glow = np.exp(-(((far.x - wide * (0.5 + 0.3 * stage.sun_x)) / 0.42) ** 2) - ((far.y - 0.3 * foot) / 0.42) ** 2)
    far.light += gold * 0.75 * glow[..., None]
    foliage = far.noise("foliage", 13, 1.5)
    far.light *= (1 + 0.20 * foliage)[..., None]
    low = smoothstep(foot - 0.22, foot, far.y + 0.04 * far.noise("shrubs", 11, 1.6))
    far.fill(deep * 0.75 + air * 0.28, 0.75 * low)
    trunks = sorted((float(rng.uniform(0.2, 1)), float(rng.uniform(-0.05, 1.05)) * wide) for _ in range(15))

    def draw(surface: skia.Canvas) -> None:
        for near, x in trunks:
            half = 0.010 + 0.034 * near**2
            tone = air * 0.45 * (1 - near) + deep * (0.35 + 0.65 * near) * (0.9 - 0.3 * near)
            lean = float(rng.normal(0, 0.02))
            end = foot + 0.012 * near
            trunk = skia.Path().moveTo(x - half + lean, -0.05).lineTo(x + half + lean, -0.05)
            trunk.lineTo(x + half * 1.25, end).lineTo(x - half * 1.25, end).close()
            surface.drawPath(trunk, ink(tone))
            rim = x + half * 0.7 * stage.sun_x
            stroke = ink(gold * 0.8, 0.5 * near)
            stroke.setStyle(skia.Paint.kStroke_Style)
            stroke.setStrokeWidth(half * 0.4)
            surface.drawLine(rim + lean, -0.05, rim, end, stroke)

    far.draw(draw)
    if rng.integers(2):
        slant = far.x + 0.75 * far.y * (-1 if stage.sun_x > 0 else 1)
        rays = smoothstep(0.1, 1.1, np.interp(slant * 9, np.arange(40) - 12, rng.standard_normal(40)))
        far.light += gold * 0.30 * (rays * np.clip(1.1 - far.y / foot, 0, 1))[..., None]
    far.blur(0.022)
    lights = []
    for _ in range(60):
        x = wide * float(np.clip(rng.normal(0.5 + 0.25 * stage.sun_x, 0.32), 0, 1))
        y = foot * float(np.clip(rng.normal(0.38, 0.26), 0, 0.9))
        lights.append((x, y, float(rng.uniform(0.012, 0.036)), gold * float(rng.uniform(0.03, 0.20))))
    background = far.enlarged()
    bokeh(canvas, background, lights)
    ground = relief(stage.floor, rng, soil * 0.62, (round(stage.sun_x, 1), 0.5), (0.0, 30.0), 0.7, 0.22)
    moss = smoothstep(-0.1, 1.3, stage.floor.noise(1, 1.4, stage.floor.u, stage.floor.v, (60, 44)))
    green = 0.45 * soil + 0.5 * deep + np.array([0.01, 0.028, 0.0], np.float32)
    tuft = 1 + 0.30 * stage.floor.noise(2, 0.8, stage.floor.u, stage.floor.v, (330, 170))
    ground += (green * tuft[..., None] - ground) * (0.7 * moss)[..., None]
    _litter(stage, ground, rng, gold, soil)
    dapple = smoothstep(-0.2, 1.2, stage.floor.noise(3, 1.7, stage.floor.u, stage.floor.v, (26, 12)))
    ground *= (pool(stage, 0.38) * (0.78 + 0.5 * dapple))[..., None]
    stage.compose(background, ground, 0.0, 0.085, 0.018)
    canvas.vignette = 0.28
    canvas.shade(canvas.tint)


def _litter(stage: Stage, ground: np.ndarray, rng: np.random.Generator, gold: np.ndarray, soil: np.ndarray) -> None:
    """Fallen leaves on the ground, smaller and flatter with the distance."""
    canvas, floor = stage.canvas, stage.floor
    wide = canvas.width / canvas.unit
    high = canvas.height / canvas.unit
    span = (1 - stage.eye) * high
    rust = np.array([0.30, 0.12, 0.035], np.float32)
    leaves = []
    for _ in range(190):
        share = float(rng.uniform(0.16, 1.0)) ** 0.8
        y = stage.eye * high + span * share
        depth = (stage.base - stage.eye) / (share * (1 - stage.eye))
        size = float(rng.uniform(0.03, 0.07)) / depth
        mix = float(rng.uniform(0, 1))
        colour = (0.5 * gold**1.7) * mix + (rust * 0.7 + soil * 0.3) * (1 - mix)
        leaves.append(
            (
                y,
                float(np.clip(rng.choice([0.06, 0.94]) + rng.normal(0, 0.2), -0.05, 1.05)) * wide,
                size,
                float(rng.uniform(0, 6.3)),
                colour * float(rng.uniform(0.35, 1.0)),
            )
        )

    def draw(surface: skia.Canvas) -> None:
        for y, x, size, turn, colour in sorted(leaves, key=lambda item: item[0]):
            for dx, dy, paint in (
                (-0.08 * stage.sun_x * size, 0.09 * size, ink(soil * 0.12, 0.6)),
                (0.0, 0.0, ink(colour)),
            ):
                surface.save()
                surface.translate(x + dx, y + dy)
                surface.scale(1, 0.42)
                leaf(surface, (0, 0), turn, size, paint, 0.38)
                if not dx:
                    leaf(surface, (0, 0), turn - 0.16, size * 0.92, ink(colour * 0.72, 0.7), 0.17)
                surface.restore()

    def from_the_horizon(surface: skia.Canvas) -> None:
        surface.translate(0, -floor.top / canvas.unit)
        draw(surface)

    layer = drawn(ground.shape[:2], canvas.unit, from_the_horizon)
    ground *= 1 - layer[..., 3:]
    ground += layer[..., :3]
