"""Rooms: floors indoors with a wall out of focus behind them.

Belongs here: living_room, bedroom, gym. Not here: tables (tables.py), the photographer's set (paper.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import frond, leaf, pool, twig, window_on_floor, window_on_wall
from inference.ad_images.backdrops.studio.materials import concrete, planks
from inference.ad_images.backdrops.studio.stage import Distance, Stage, bokeh
from inference.ad_images.scene import Scene


def living_room(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A wooden floor before a calm wall: sofa or sideboard, a plant, sun from a window."""
    stage = Stage(canvas, scene, clear, over=0.10)
    canvas.whole(("room", stage.base), lambda: _living(stage, scene))


def bedroom(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A light floor before a bed and curtains."""
    stage = Stage(canvas, scene, clear, over=0.10)
    canvas.whole(("room", stage.base), lambda: _sleeping(stage, scene))


def gym(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A dark hall: smooth floor, rows of lamps out of focus."""
    stage = Stage(canvas, scene, clear, over=0.05)
    canvas.whole(("room", stage.base), lambda: _hall(stage, scene))


def _wall(stage: Stage, far: Distance, colour: np.ndarray, depth: float = 0.32) -> None:
    """Plaster that the window lights from its side."""
    wide, high = far.shape[1] / far.detail, stage.horizon * far.shape[0] / far.detail
    lamp = 0.5 * wide + 0.6 * wide * stage.sun_x
    light = (
        1
        - depth
        + depth * 1.25 * np.exp(-(((far.x - lamp) / (0.9 * wide)) ** 2) - ((far.y - 0.35 * high) / (1.1 * high)) ** 2)
    )
    far.fill(colour)
    far.light *= (light * (1 + 0.02 * far.noise("plaster", 5)))[..., None]


def _skirting(stage: Stage, far: Distance, colour: np.ndarray) -> None:
    """A board along the foot of the wall."""
    foot = stage.horizon * far.shape[0] / far.detail
    board = smoothstep(foot - 0.048, foot - 0.042, far.y) + 0 * far.x
    far.fill(colour, board)
    far.light *= (1 - 0.22 * np.exp(-(((far.y - foot + 0.05) / 0.008) ** 2)))[..., None]


def _plant(
    surface: skia.Canvas,
    rng: np.random.Generator,
    x: float,
    foot: float,
    tall: float,
    green: np.ndarray,
    pot: np.ndarray,
) -> None:
    """A plant in a pot on the floor, for the distance."""
    pot_high, half = tall * 0.26, tall * 0.14
    body = skia.Path().moveTo(x - half, foot - pot_high).lineTo(x + half, foot - pot_high)
    body.lineTo(x + half * 0.72, foot).lineTo(x - half * 0.72, foot).close()
    palm = bool(rng.integers(2))
    for number in range(9 if palm else 14):
        towards = -90 + (number - (4 if palm else 6.5)) * (17 if palm else 11) + float(rng.normal(0, 5))
        paint = ink(green * float(rng.uniform(0.55, 1.35)))
        if palm:
            frond(surface, rng, (x, foot - pot_high), towards, tall * float(rng.uniform(0.55, 0.8)), paint)
        else:
            reach = tall * float(rng.uniform(0.25, 0.62))
            angle = np.radians(towards)
            tip = (x + np.cos(angle) * reach * 0.62, foot - pot_high + np.sin(angle) * reach)
            surface.drawLine(x, foot - pot_high, *tip, _stroke(green * 0.7, tall * 0.014))
            for turn in (-0.5, 0.45):
                leaf(
                    surface,
                    tip,
                    angle + turn + float(rng.normal(0, 0.3)),
                    tall * float(rng.uniform(0.2, 0.3)),
                    paint,
                    0.36,
                )
    surface.drawPath(body, ink(pot))
    surface.drawRect(skia.Rect.MakeLTRB(x, foot - pot_high, x + half * 0.8, foot), ink(pot * 0.75, 0.5))


def _sofa(surface: skia.Canvas, x: float, foot: float, wide: float, colour: np.ndarray) -> None:
    """A sofa seen from the front, cut by the edge of the picture as a rule."""
    tall = wide * 0.42
    top = foot - tall

    def block(left: float, upper: float, right: float, lower: float, tone: float, radius: float) -> None:
        rect = skia.Rect.MakeLTRB(x + left * wide, upper, x + right * wide, lower)
        paint = skia.Paint(AntiAlias=True)
        ends = [
            skia.Color4f(*(float(v) for v in np.clip(colour * tone * t, 0, 1) ** (1 / 2.2)), 1).toColor()
            for t in (1.18, 0.72)
        ]
        paint.setShader(skia.GradientShader.MakeLinear([(0, upper), (0, lower)], ends))
        surface.drawRoundRect(rect, radius, radius, paint)

    legs = ink(np.array([0.08, 0.05, 0.03]))
    for share in (0.1, 0.9):
        surface.drawRect(skia.Rect.MakeXYWH(x + share * wide - 0.008, foot - 0.07 * wide, 0.016, 0.07 * wide), legs)
    block(0.05, top, 0.95, foot - 0.1 * wide, 0.95, 0.04)
    block(0.09, foot - 0.25 * wide, 0.5, foot - 0.13 * wide, 1.15, 0.025)
    block(0.5, foot - 0.25 * wide, 0.91, foot - 0.13 * wide, 1.1, 0.025)
    block(0.06, foot - 0.15 * wide, 0.94, foot - 0.06 * wide, 0.85, 0.015)
    block(0.0, foot - 0.3 * wide, 0.1, foot - 0.055 * wide, 1.0, 0.03)
    block(0.9, foot - 0.3 * wide, 1.0, foot - 0.055 * wide, 0.95, 0.03)


def _curtain(stage: Stage, far: Distance) -> None:
    """Thin curtains before a window, on the side of the light."""
    wide = far.shape[1] / far.detail
    folds = 0.5 + 0.5 * np.sin(far.x * 62 + 2.2 * far.noise("folds", 7, 1.7, 0.25))
    reach = 0.36 * wide
    curtain = smoothstep(reach + 0.03, reach - 0.05, far.x if stage.sun_x < 0 else wide - far.x) + 0 * far.y
    far.fill(np.array([1.0, 0.97, 0.92], np.float32) * (0.66 + 0.42 * folds)[..., None], curtain * 0.92)


def _bed(
    far: Distance, rng: np.random.Generator, foot: float, wide: float, from_left: bool, colours: tuple[np.ndarray, ...]
) -> None:
    """A bed with pillows, cut by the edge of the picture that the light does not come from."""
    accent, deep = colours
    high = float(rng.uniform(0.20, 0.26))
    sign = 1.0 if from_left else -1.0
    start = (float(rng.uniform(0.26, 0.42)) if from_left else 1 - float(rng.uniform(0.26, 0.42))) * wide
    linen = np.array([0.80, 0.78, 0.75], np.float32)
    pillows = int(rng.integers(1, 4))

    def span(near: float, reach: float, top: float, bottom: float) -> skia.Rect:
        ends = sorted((start + sign * near, start + sign * reach))
        return skia.Rect.MakeLTRB(ends[0], top, ends[1], bottom)

    def draw(surface: skia.Canvas) -> None:
        surface.drawRoundRect(span(0.02, 1.0, foot - high - 0.2, foot - 0.03), 0.03, 0.03, ink(deep * 1.3))
        surface.drawRoundRect(span(0.0, 1.0, foot - high, foot - 0.015), 0.04, 0.04, ink(linen))
        for number in range(pillows):
            near = 0.06 + 0.29 * number
            tone = linen * (1.10 - 0.05 * number) if number != 1 else accent * 1.3
            pillow = span(near, near + 0.27, foot - high - 0.105, foot - high + 0.025)
            surface.drawRoundRect(pillow, 0.06, 0.06, ink(np.minimum(tone, 0.95)))
        surface.drawRoundRect(span(-0.01, 1.0, foot - high + 0.05, foot - 0.05), 0.05, 0.05, ink(accent * 1.05))
        surface.drawRect(span(0.0, 1.0, foot - 0.05, foot), ink(deep * 0.5, 0.8))

    far.draw(draw, 0.008)


def _dresser(stage: Stage, far: Distance, rng: np.random.Generator, colours: tuple[np.ndarray, ...]) -> None:
    """A chest of drawers with a round mirror over it."""
    wood, accent, wall, deep = colours
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    left = wide * (0.52 if stage.sun_x < 0 else -0.1)
    middle = left + 0.29

    def draw(surface: skia.Canvas) -> None:
        surface.drawCircle(middle, foot - 0.47, 0.155, ink(deep * 1.2))
        surface.drawCircle(middle, foot - 0.47, 0.14, ink(np.minimum(wall * 1.22, 0.95)))
        surface.drawRect(skia.Rect.MakeXYWH(left, foot - 0.27, 0.58, 0.24), ink(wood * 0.8))
        for number in range(2):
            surface.drawRect(
                skia.Rect.MakeXYWH(left + 0.015, foot - 0.255 + 0.115 * number, 0.55, 0.1), ink(wood * 0.95)
            )
        for share in (0.06, 0.5):
            surface.drawRect(skia.Rect.MakeXYWH(left + share, foot - 0.03, 0.02, 0.03), ink(deep * 0.6))
        vase = skia.Rect.MakeXYWH(middle + 0.12, foot - 0.38, 0.07, 0.11)
        for towards in (-118, -92, -66):
            twig(surface, rng, (middle + 0.155, foot - 0.37), towards, 0.2, ink(np.array([0.3, 0.24, 0.15])))
        surface.drawRoundRect(vase, 0.03, 0.03, ink(accent))

    far.draw(draw)


def _picture(surface: skia.Canvas, frame: skia.Rect, wall: np.ndarray, accent: np.ndarray, deep: np.ndarray) -> None:
    """A framed picture on the wall."""
    surface.drawRect(frame, ink(deep * 0.8))
    surface.drawRect(frame.makeInset(0.012, 0.012), ink(np.minimum(wall * 1.25, 0.95)))
    block = skia.Rect.MakeLTRB(frame.left() + 0.05, frame.top() + 0.14, frame.right() - 0.05, frame.bottom() - 0.06)
    surface.drawRect(block, ink(accent))
    surface.drawCircle(frame.centerX() + 0.02, frame.top() + 0.1, 0.03, ink(deep * 1.4))


def _sideboard(
    surface: skia.Canvas,
    rng: np.random.Generator,
    left: float,
    foot: float,
    wide: float,
    colours: tuple[np.ndarray, ...],
) -> None:
    """A low cupboard with a lamp and vases."""
    wood, accent, wall, green = colours
    top = foot - 0.24
    surface.drawRect(skia.Rect.MakeLTRB(left, top, left + wide, foot - 0.045), ink(wood * 0.85))
    for number in range(3):
        door = skia.Rect.MakeXYWH(left + wide * (0.02 + 0.325 * number), top + 0.018, wide * 0.31, 0.16)
        surface.drawRect(door, ink(wood))
    for share in (0.06, 0.92):
        surface.drawRect(skia.Rect.MakeXYWH(left + wide * share, foot - 0.045, 0.018, 0.05), ink(wood * 0.4))
    inner = left + wide * (0.72 if left < 0 else 0.2)
    surface.drawRect(skia.Rect.MakeXYWH(inner, top - 0.16, 0.012, 0.16), ink(wood * 0.4))
    shade = skia.Path().moveTo(inner - 0.045, top - 0.27).lineTo(inner + 0.057, top - 0.27)
    shade.lineTo(inner + 0.085, top - 0.14).lineTo(inner - 0.073, top - 0.14).close()
    surface.drawPath(shade, ink(np.array([1.15, 0.93, 0.66])))
    for offset, high, colour in ((-0.17, 0.13, accent), (0.15, 0.09, wall * 0.6)):
        x = inner + offset if left < 0 else inner - offset
        surface.drawRoundRect(skia.Rect.MakeXYWH(x - 0.035, top - high, 0.07, high), 0.03, 0.03, ink(colour))
    x = inner - 0.17 if left < 0 else inner + 0.17
    for towards in (-120, -95, -70):
        twig(surface, rng, (x, top - 0.12), towards, 0.22, ink(green))


def _armchair(surface: skia.Canvas, left: float, foot: float, colour: np.ndarray) -> None:
    """An armchair on thin legs."""
    for share in (0.06, 0.25):
        surface.drawLine(left + share, foot - 0.12, left + share, foot, _stroke(np.array([0.10, 0.06, 0.03]), 0.012))
    surface.drawRoundRect(skia.Rect.MakeXYWH(left + 0.03, foot - 0.36, 0.26, 0.24), 0.06, 0.06, ink(colour * 0.85))
    surface.drawRoundRect(skia.Rect.MakeXYWH(left + 0.05, foot - 0.19, 0.22, 0.08), 0.03, 0.03, ink(colour * 1.15))
    for share in (0.0, 0.27):
        surface.drawRoundRect(skia.Rect.MakeXYWH(left + share, foot - 0.24, 0.055, 0.15), 0.025, 0.025, ink(colour))


def _floor_light(stage: Stage, rng: np.random.Generator, softness: float, sun: float) -> np.ndarray:
    """(n, width): even light, the pool around the product and sun from a window."""
    patch = window_on_floor(stage, rng, softness)
    return pool(stage, 0.34) * (1 - 0.35 * sun + sun * patch)


def _living(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("room")
    wall, wood, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    _wall(stage, far, wall)
    if rng.integers(2):
        far.light *= (0.86 + 0.42 * window_on_wall(stage, far.x, far.y, rng, 0.5))[..., None]
    _skirting(stage, far, wall * 1.12)
    side = bool(rng.integers(2))  # which side the furniture is on
    green = np.array([0.055, 0.10, 0.045], np.float32)
    size = float(rng.uniform(0.75, 0.95))
    left = -0.34 * size if side else wide - 0.66 * size
    plant_x = wide * float(rng.uniform(0.84, 0.95)) if side else wide * float(rng.uniform(0.05, 0.16))
    plant_tall = float(rng.uniform(0.40, 0.52))
    picture = skia.Rect.MakeXYWH(wide * float(rng.uniform(0.3, 0.55)), 0.08, 0.22, 0.29)
    piece = int(rng.integers(3))
    if piece == 2:
        _curtain(stage, far)

    def things(surface: skia.Canvas) -> None:
        if piece == 0:
            _picture(surface, picture, wall, accent, deep)
            _sofa(surface, left, foot + 0.012, size, accent)
        elif piece == 1:
            _sideboard(surface, rng, left, foot, size, (wood * 0.7, accent, wall, green))
        else:
            _armchair(surface, wide * (0.12 if side else 0.66), foot + 0.01, accent)
        _plant(surface, rng, plant_x, foot + 0.008, plant_tall, green, deep * 0.9 + wall * 0.15)

    far.draw(things)
    far.blur(0.020)
    ground = planks(stage.floor, rng, wood * 1.02, float(rng.uniform(0.15, 0.2)), float(rng.uniform(-14, 14)))
    ground *= _floor_light(stage, rng, scene.light.softness, 0.55)[..., None]
    _dim_at_wall(stage, ground)
    stage.compose(far.enlarged(), ground, 0.42, 0.075, 0.010)
    canvas.shade(canvas.tint)


def _dim_at_wall(stage: Stage, ground: np.ndarray, amount: float = 0.35) -> None:
    """Floor near the wall sees less of the room."""
    ground *= 1 - amount * np.exp(-(stage.floor.rows - stage.horizon) / 0.028)[..., None]


def _sleeping(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("room")
    wall, wood, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    _wall(stage, far, wall, 0.25)
    from_left = stage.sun_x < 0
    if rng.integers(3):
        _curtain(stage, far)
    else:
        far.light *= (0.86 + 0.4 * window_on_wall(stage, far.x, far.y, rng, 0.5))[..., None]
    _skirting(stage, far, wall * 1.1)
    if rng.integers(3) == 0:
        _dresser(stage, far, rng, (wood, accent, wall, deep))
    else:
        _bed(far, rng, foot, wide, from_left, (accent, deep))
    far.blur(0.028)
    ground = planks(stage.floor, rng, wood * 1.05, float(rng.uniform(0.16, 0.22)), float(rng.uniform(-12, 12)))
    ground *= _floor_light(stage, rng, scene.light.softness, 0.4)[..., None]
    _dim_at_wall(stage, ground)
    stage.compose(far.enlarged(), ground, 0.34, 0.075, 0.010)
    canvas.shade(canvas.tint)


def _hall(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("room")
    wall, rubber, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    _wall(stage, far, wall * 0.55, 0.6)
    posts = [float(value) for value in np.linspace(0.02, 0.98, 7) * wide + rng.normal(0, 0.02, 7)]
    bands = int(rng.integers(2))

    def things(surface: skia.Canvas) -> None:
        surface.drawRect(skia.Rect.MakeLTRB(0, foot - 0.16, wide, foot - 0.12), ink(accent * 0.8))
        for number, x in enumerate(posts):
            surface.drawRect(skia.Rect.MakeXYWH(x, 0.05, 0.016, foot - 0.05), ink(deep * 0.8))
            if number % 2 == bands:
                for disc in range(3):
                    surface.drawOval(
                        skia.Rect.MakeXYWH(x + 0.02 + 0.03 * disc, foot - 0.21, 0.026, 0.2),
                        ink(deep * (0.5 + 0.2 * disc)),
                    )
        surface.drawRect(skia.Rect.MakeLTRB(0, foot - 0.30, wide, foot - 0.288), ink(deep * 1.6))

    far.draw(things)
    far.blur(0.022)
    strips = Distance(canvas)
    white = np.array([1.0, 0.98, 0.94], np.float32)

    away = (0.5 * wide, stage.eye * far.shape[0] / far.detail)
    kind = int(rng.integers(3))
    rays = [(-1.9, 0.0), (-0.75, 0.0), (0.75, 0.5), (1.9, 0.5)] if kind == 0 else [(-1.3, 0.0), (0.0, 0.3), (1.3, 0.0)]

    def lamps(surface: skia.Canvas) -> None:
        if kind == 2:  # a row of tall windows at the back
            for number in range(5):
                pane = skia.Rect.MakeXYWH(wide * (0.04 + 0.195 * number), 0.06, wide * 0.15, 0.5 * foot)
                surface.drawRect(pane, ink(white * (0.62 if number % 2 else 0.5)))
            return
        for lean, offset in rays:
            for number in range(4):
                near, end = 0.62 ** (number + offset), 0.62 ** (number + offset + 0.62)
                start = (away[0] + lean * near * 0.62, away[1] - near * 0.66)
                stop = (away[0] + lean * end * 0.62, away[1] - end * 0.66)
                surface.drawLine(*start, *stop, _stroke(white, 0.024 * near))

    strips.draw(lamps)
    strips.blur(0.010)
    glow = strips.light.copy()
    strips.blur(0.07)
    far.light += 1.5 * glow + 1.6 * strips.light
    background = far.enlarged()
    lights = [
        (
            float(rng.uniform(0, wide)),
            float(rng.uniform(0.22, 0.42)) * foot / 0.57,
            float(rng.uniform(0.012, 0.024)),
            accent * float(rng.uniform(0.1, 0.35)),
        )
        for _ in range(9)
    ]
    background = background + bokeh(canvas, lights)
    ground = concrete(stage.floor, rng, rubber * 0.9, 0.9) * pool(stage, 0.55, 0.6)[..., None]
    _line(stage, ground, rng, accent)
    stage.compose(background, ground, 0.62, 0.08, 0.008)
    canvas.vignette = 0.34
    canvas.shade(canvas.tint)


def _stroke(colour: np.ndarray, width: float) -> skia.Paint:
    paint = ink(colour)
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(width)
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    return paint


def _line(stage: Stage, ground: np.ndarray, rng: np.random.Generator, colour: np.ndarray) -> None:
    """A painted line of the court, which runs away from the camera."""
    u, _ = stage.floor.turned(float(rng.uniform(18, 34)) * (1 if rng.integers(2) else -1))
    away = np.abs(u - float(rng.uniform(0.35, 0.6)) * (1 if rng.integers(2) else -1))
    mask = smoothstep(0.035 + 0.6 * stage.floor.grain, 0.035 - 0.6 * stage.floor.grain, away)
    worn = 0.85 + 0.08 * stage.floor.noise(3, 0.8, stage.floor.u, stage.floor.v, (200, 200))
    ground += (colour * pool(stage, 0.45)[..., None] - ground) * (mask * worn)[..., None]
