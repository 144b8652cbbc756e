"""Outdoors: open ground under the sky.

Belongs here: beach, snow. Not here: between walls or trees (streets.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import pool
from inference.ad_images.backdrops.studio.materials import relief
from inference.ad_images.backdrops.studio.stage import Distance, Stage, bokeh
from inference.ad_images.scene import Scene


def beach(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Sand, a calm sea and the sky."""
    stage = Stage(canvas, scene, clear)
    canvas.whole(("open", stage.base), lambda: _shore(stage, scene))


def snow(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Fresh snow before firs and mountains."""
    stage = Stage(canvas, scene, clear)
    canvas.whole(("open", stage.base), lambda: _winter(stage, scene))


def _sun(scene: Scene) -> tuple[float, float]:
    """Where the light comes from on the ground: to the right, and away from the camera."""
    azimuth = np.radians(scene.light.azimuth)
    return round(float(np.cos(azimuth)), 2), round(float(np.sin(azimuth)) * 0.7, 2)


def _sky(stage: Stage, far: Distance, colour: np.ndarray, low: np.ndarray, cloud: float) -> None:
    """From the colour above to a paler one at the horizon, with thin clouds and the sun's side brighter."""
    horizon = stage.horizon * far.shape[0] / far.detail
    wide = far.shape[1] / far.detail
    share = np.clip(far.y / horizon, 0, 1) ** 1.2
    far.light[:] = colour + (low - colour) * share[..., None]
    clouds = smoothstep(0.2, 1.9, far.noise("clouds", 10, 1.8, 2.6)) * cloud
    far.fill(np.array([1.0, 0.98, 0.96], np.float32), clouds)
    lamp = np.exp(-(((far.x - wide * (0.5 + 0.5 * stage.sun_x)) / 0.5) ** 2) - ((far.y - 0.1 * horizon) / 0.6) ** 2)
    far.light *= (1 + 0.30 * lamp)[..., None]


def _shore(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("open")
    air, sand, water = (canvas.colour(number) for number in range(3))
    far = Distance(canvas, 160)
    wide = far.shape[1] / far.detail
    horizon = stage.horizon * far.shape[0] / far.detail
    sea_top = horizon - float(rng.uniform(0.10, 0.16))  # the sea's own horizon; sand begins under it
    _sky(stage, far, air * 0.92, air * 0.35 + np.array([0.62, 0.58, 0.52], np.float32), 0.5)
    sea = smoothstep(sea_top - 0.004, sea_top + 0.004, far.y) + 0 * far.x
    slant = float(rng.uniform(-0.45, 0.45))  # the shore does not lie square to the camera
    near = np.clip((far.y - sea_top) / ((horizon - sea_top) * (1 + slant * (far.x / wide - 0.5))), 0, 1.4)
    colour = water * 0.72 + (water * 1.35 + 0.05 - water * 0.72) * np.minimum(near, 1)[..., None]
    waves = far.noise("waves", 40, 1.2, 7.0)
    far.fill(colour * (1 + 0.10 * waves)[..., None], sea)
    line = near + 0.05 * far.noise("surf", 7, 1.7, 3.0)
    far.fill(np.array([0.92, 0.94, 0.93], np.float32), 0.8 * smoothstep(0.66, 0.86, line) * smoothstep(0.98, 0.9, line))
    far.fill(np.array([0.92, 0.94, 0.93], np.float32), 0.35 * np.exp(-(((line - 0.45) / 0.035) ** 2)) * sea)
    far.fill(sand * 0.58, smoothstep(0.90, 0.97, line))  # wet sand
    dune = _dune(far, rng, horizon, sand, wide) if rng.integers(2) else 0.0
    far.blur(0.013)
    glints = []
    for _ in range(46):
        x = wide * float(np.clip(0.5 + 0.35 * stage.sun_x + rng.normal(0, 0.2), 0, 1))
        y = sea_top + (horizon - sea_top) * float(rng.uniform(0.05, 0.65))
        if dune * (x - 0.5 * wide) > wide * 0.02:
            continue
        glints.append((x, y, float(rng.uniform(0.006, 0.013)), canvas.tint * float(rng.uniform(0.05, 0.28))))
    background = far.enlarged()
    bokeh(canvas, background, glints)
    ripple = float(rng.choice([0.0, 0.10, 0.16]))
    ground = relief(stage.floor, rng, sand, _sun(scene), (ripple, float(rng.uniform(42, 60))), 1.0, 0.12)
    ground *= pool(stage, 0.22, 0.9)[..., None]
    damp = np.exp(-(stage.floor.rows - stage.horizon) / 0.02)[..., None]
    ground *= 1 - 0.38 * damp
    stage.compose(background, ground, 0.22, 0.075, 0.014)
    canvas.vignette = 0.14
    canvas.shade(canvas.tint)


def _dune(far: Distance, rng: np.random.Generator, horizon: float, sand: np.ndarray, wide: float) -> float:
    """A dune with grass at one side: -1 the left, 1 the right."""
    left = bool(rng.integers(2))
    side = 0.0 if left else wide
    high = float(rng.uniform(0.14, 0.22))

    def draw(surface: skia.Canvas) -> None:
        sign = 1 if left else -1
        path = skia.Path().moveTo(side - sign * 0.1, horizon + 0.05).lineTo(side - sign * 0.1, horizon - high)
        path.cubicTo(
            side + sign * 0.15,
            horizon - high * 1.05,
            side + sign * 0.28,
            horizon - 0.03,
            side + sign * 0.5,
            horizon + 0.05,
        )
        surface.drawPath(path, ink(sand * 0.86))
        for _ in range(70):
            x = side + sign * float(rng.uniform(-0.05, 0.24))
            foot = horizon - high * max(0.0, 1 - abs(x - side) / 0.4) + 0.02
            bend = float(rng.normal(0.03, 0.04))
            stroke = ink(np.array([0.16, 0.17, 0.07]) * float(rng.uniform(0.7, 1.8)))
            stroke.setStyle(skia.Paint.kStroke_Style)
            stroke.setStrokeWidth(0.004)
            blade = skia.Path().moveTo(x, foot).quadTo(x, foot - 0.07, x + bend, foot - float(rng.uniform(0.08, 0.17)))
            surface.drawPath(blade, stroke)

    far.draw(draw)
    return -1.0 if left else 1.0


def _winter(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("open")
    air, white, warm, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas, 160)
    wide = far.shape[1] / far.detail
    horizon = stage.horizon * far.shape[0] / far.detail
    _sky(stage, far, air * 0.95, warm * 0.55 + air * 0.4, 0.35)
    ridge = far.noise("ridge", 9, 1.9)[:1]
    for number, (lift, tone) in enumerate(((0.20, 0.75), (0.11, 0.55))):
        crest = horizon - lift + 0.05 * np.roll(ridge, 31 * number, axis=1)
        colour = air * tone + deep * (1 - tone)
        far.fill(colour * 1.05, smoothstep(crest - 0.008, crest + 0.008, far.y))
        lit = smoothstep(crest + 0.07, crest, far.y) * smoothstep(crest - 0.01, crest + 0.01, far.y)
        far.fill(white * 0.9, 0.55 * lit * smoothstep(-0.3, 0.8, far.noise(f"drift{number}", 24, 1.4)))
    firs = [(float(rng.uniform(-0.05, 1.05)) * wide, float(rng.uniform(0.14, 0.36))) for _ in range(15)]
    firs = [(x, tall * (0.45 + 0.75 * abs(x / wide - 0.5) * 2)) for x, tall in firs]

    def trees(surface: skia.Canvas) -> None:
        for x, tall in sorted(firs, key=lambda fir: fir[1]):
            tone = deep * (0.5 + 0.9 * (0.36 - min(tall, 0.36)))
            for layer in range(6):
                share = layer / 6
                top = horizon + 0.01 - tall * (1 - share * 0.92)
                half = tall * (0.05 + 0.24 * share)
                bough = (
                    skia.Path()
                    .moveTo(x, top)
                    .lineTo(x + half, top + tall * 0.24)
                    .lineTo(x - half, top + tall * 0.24)
                    .close()
                )
                surface.drawPath(bough, ink(tone))
                cap = (
                    skia.Path()
                    .moveTo(x, top)
                    .lineTo(x + half * 0.62, top + tall * 0.15)
                    .lineTo(x - half * 0.5, top + tall * 0.13)
                    .close()
                )
                surface.drawPath(cap, ink(white * 0.85, 0.55))

    far.draw(trees)
    mist = np.exp(-(((far.y - horizon) / 0.05) ** 2)) * 0.55
    far.fill(white * 0.9, mist)
    far.blur(0.016)
    ground = relief(stage.floor, rng, np.minimum(white * 0.92, 0.9), _sun(scene), (0.0, 30.0), 0.55, 0.02)
    shade = np.clip(1 - ground.mean(-1, keepdims=True) / 0.78, 0, 0.6)  # what the sun leaves, the sky lights
    ground *= 1 + shade * (np.array([-0.10, 0.0, 0.16], np.float32))
    ground *= pool(stage, 0.18, 0.95)[..., None]
    sparkle = stage.floor.noise(4, 0.0, stage.floor.u, stage.floor.v, (500, 500))
    ground += (smoothstep(2.7, 3.6, sparkle) * 0.5 * np.clip(1.3 - 0.3 * stage.floor.depth, 0, 1))[..., None]
    stage.compose(far.enlarged(), ground, 0.0, 0.08, 0.016)
    if rng.integers(3) == 0:  # windows and lamps among the trees
        lamps = []
        for _ in range(22):
            x, y = wide * float(rng.uniform(0, 1)), horizon - float(rng.uniform(0.0, 0.16))
            colour = np.array([1.0, 0.62, 0.28]) * float(rng.uniform(0.15, 0.5))
            lamps.append((x, y, float(rng.uniform(0.010, 0.022)), colour))
        bokeh(canvas, canvas.pixels, lamps)
    flakes = [
        (
            float(rng.uniform(0, wide)),
            float(rng.uniform(0, 0.9)),
            float(rng.uniform(0.003, 0.011)),
            np.full(3, float(rng.uniform(0.06, 0.3))),
        )
        for _ in range(46)
    ]
    bokeh(canvas, canvas.pixels, flakes)
    canvas.vignette = 0.12
    canvas.shade(canvas.tint)
