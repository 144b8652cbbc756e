"""Tables: worktops at eye level, with a wall or shelves out of focus behind their far edge.

Belongs here: kitchen, desk. Not here: floors of rooms (rooms.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import leaf, pool, twig, window_on_floor, window_on_wall
from inference.ad_images.backdrops.studio.materials import marble, planks
from inference.ad_images.backdrops.studio.stage import Distance, Stage
from inference.ad_images.scene import Scene


def kitchen(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A worktop of marble or wood before tiles and shelves."""
    stage = Stage(canvas, scene, clear, over=0.12)
    canvas.whole(("table", stage.base), lambda: _cooking(stage, scene))


def desk(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A wooden desk with books, a lamp and a plant behind."""
    stage = Stage(canvas, scene, clear, over=0.12)
    canvas.whole(("table", stage.base), lambda: _working(stage, scene))


def _solid(surface: skia.Canvas, rect: skia.Rect, colour: np.ndarray, from_left: bool, radius: float = 0.01) -> None:
    """A round body: lit on one side."""
    tones = (1.25, 0.95, 0.5) if from_left else (0.5, 0.95, 1.25)
    paint = skia.Paint(AntiAlias=True)
    colours = [skia.Color4f(*(float(v) for v in np.clip(colour * t, 0, 1) ** (1 / 2.2)), 1).toColor() for t in tones]
    paint.setShader(skia.GradientShader.MakeLinear([(rect.left(), 0), (rect.right(), 0)], colours))
    surface.drawRoundRect(rect, radius, radius, paint)


def _tiles(far: Distance, rng: np.random.Generator, edge: float) -> None:
    """Wall tiles in courses, each of a slightly different tone."""
    wide, high = float(rng.uniform(0.13, 0.17)), float(rng.uniform(0.065, 0.075))
    if rng.integers(2):
        wide, high = 0.11, 0.11
    course = (edge - far.y) / high
    row = np.floor(course)
    across = far.x / wide + 0.5 * (row.astype(int) & 1)
    column = np.floor(across)
    tones = rng.standard_normal(64)[(row.astype(int) * 7 + column.astype(int) * 13) & 63]
    to_side = np.minimum(across - column, column + 1 - across) * wide
    joint = np.minimum(to_side, np.abs(course - np.round(course)) * high)
    far.light *= ((1 + 0.045 * tones) * (1 - 0.16 * smoothstep(0.006, 0.002, joint)))[..., None]


def _garden_window(stage: Stage, far: Distance, rng: np.random.Generator, wall: np.ndarray) -> None:
    """A wide window with a garden behind it."""
    wide = far.shape[1] / far.detail
    edge = stage.horizon * far.shape[0] / far.detail
    left = wide * (0.08 if stage.sun_x < 0 else 0.42)
    garden = np.array([0.34, 0.42, 0.20], np.float32) * (1 + 0.35 * far.noise("garden", 11, 1.5))[..., None]
    sky = np.array([0.86, 0.92, 0.95], np.float32)
    share = smoothstep(0.1, 0.36, far.y + 0.05 * far.noise("treetops", 9, 1.6))[..., None]
    outside = sky + (np.maximum(garden, 0.03) - sky) * (0.85 * share)
    inside = smoothstep(left - 0.004, left + 0.004, far.x) * smoothstep(left + 0.504, left + 0.496, far.x)
    far.fill(outside, inside * smoothstep(edge - 0.09, edge - 0.10, far.y))

    def frame(surface: skia.Canvas) -> None:
        for x in (left, left + 0.25, left + 0.5):
            surface.drawRect(skia.Rect.MakeXYWH(x - 0.012, -0.1, 0.024, edge + 0.01), ink(wall * 1.05))
        surface.drawRect(skia.Rect.MakeXYWH(left - 0.03, edge - 0.105, 0.56, 0.03), ink(np.minimum(wall * 1.2, 0.95)))

    far.draw(frame)


def _pendants(surface: skia.Canvas, x: float, accent: np.ndarray, deep: np.ndarray) -> None:
    """Two lamps that hang from the ceiling, lit."""
    for offset in (-0.12, 0.12):
        surface.drawRect(skia.Rect.MakeXYWH(x + offset - 0.003, 0, 0.006, 0.1), ink(deep * 0.6))
        shade = skia.Path().moveTo(x + offset - 0.025, 0.09).lineTo(x + offset + 0.025, 0.09)
        shade.lineTo(x + offset + 0.075, 0.165).lineTo(x + offset - 0.075, 0.165).close()
        surface.drawPath(shade, ink(accent * 0.8))
        surface.drawOval(skia.Rect.MakeXYWH(x + offset - 0.05, 0.15, 0.1, 0.035), ink(np.array([1.4, 1.1, 0.75])))


def _crockery(
    surface: skia.Canvas,
    rng: np.random.Generator,
    x: float,
    edge: float,
    from_left: bool,
    colours: tuple[np.ndarray, ...],
) -> None:
    """A tall vase with twigs, a jar and a bowl at the back of the worktop."""
    accent, deep, wall = colours
    tall = float(rng.uniform(0.17, 0.23))
    for offset, size, high, colour in ((0.0, 0.085, tall, accent), (0.1, 0.07, 0.15, deep), (-0.085, 0.07, 0.1, wall)):
        rect = skia.Rect.MakeLTRB(x + offset, edge - high, x + offset + size, edge + 0.006)
        _solid(surface, rect, colour * 0.9, from_left, 0.02)
    for towards in (-115, -88, -62):
        twig(surface, rng, (x + 0.04, edge - tall + 0.01), towards, 0.2, ink(np.array([0.05, 0.10, 0.045])))


def _cooking(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("table")
    wall, top, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas, 160)
    wide = far.shape[1] / far.detail
    edge = stage.horizon * far.shape[0] / far.detail
    from_left = stage.sun_x < 0
    lamp = 0.5 * wide + 0.6 * wide * stage.sun_x
    far.fill(wall * 0.86)
    kind = int(rng.integers(3))
    if kind == 2:
        _garden_window(stage, far, rng, wall)
    else:
        _tiles(far, rng, edge)
    light = 0.72 + 0.42 * np.exp(-(((far.x - lamp) / (0.9 * wide)) ** 2) - ((far.y - 0.2) / 0.7) ** 2)
    far.light *= light[..., None]
    if kind != 2:
        far.light *= (0.9 + 0.3 * window_on_wall(stage, far.x, far.y, rng, 0.6))[..., None]
    shelf = float(rng.uniform(0.10, 0.16))
    left = bool(rng.integers(2))

    def things(surface: skia.Canvas) -> None:
        if kind == 1:
            _pendants(surface, wide * (0.3 if left else 0.7), accent, deep)
        if kind:
            _crockery(surface, rng, wide * (0.80 if left else 0.07), edge, from_left, (accent, deep, wall))
            return
        shelf_left, shelf_right = (0.0, 0.44 * wide) if left else (0.56 * wide, wide)
        surface.drawRect(
            skia.Rect.MakeLTRB(shelf_left, shelf + 0.022, shelf_right, shelf + 0.07), ink(deep * 0.3, 0.30)
        )
        surface.drawRect(skia.Rect.MakeLTRB(shelf_left, shelf, shelf_right, shelf + 0.022), ink(deep))
        x = shelf_left + 0.03
        while x < shelf_right - 0.08:
            size = float(rng.uniform(0.04, 0.075))
            tall = float(rng.uniform(0.06, 0.14))
            colour = (accent, wall * 0.9, deep * 1.2, wall * 0.7)[int(rng.integers(4))]
            _solid(surface, skia.Rect.MakeLTRB(x, shelf - tall, x + size, shelf), colour, from_left, 0.012)
            x += size + float(rng.uniform(0.015, 0.05))
        _crockery(surface, rng, wide * (0.80 if left else 0.07), edge, from_left, (accent, deep, wall))

    far.draw(things)
    far.blur(0.014)
    wooden = float(top.max() - top.min()) > 0.18
    if wooden:
        ground = planks(stage.floor, rng, top, 0.24, 90 + float(rng.uniform(-4, 4)))
    else:
        ground = marble(stage.floor, rng, np.minimum(top * 0.88, 0.72), deep * 1.1 + 0.04)
    ground *= (pool(stage, 0.26) * (0.88 + 0.32 * window_on_floor(stage, rng, scene.light.softness)))[..., None]
    stage.compose(far.enlarged(), ground, 0.5 if not wooden else 0.3, 0.07, 0.006)
    canvas.shade(canvas.tint)


def _desk_lamp(surface: skia.Canvas, x: float, edge: float, colour: np.ndarray, turned_left: bool) -> None:
    """A jointed lamp, lit."""
    sign = -1.0 if turned_left else 1.0
    rod = ink(colour * 0.7)
    rod.setStyle(skia.Paint.kStroke_Style)
    rod.setStrokeWidth(0.012)
    surface.drawOval(skia.Rect.MakeXYWH(x - 0.07, edge - 0.02, 0.14, 0.035), ink(colour * 0.8))
    surface.drawLine(x, edge, x - 0.05 * sign, edge - 0.22, rod)
    surface.drawLine(x - 0.05 * sign, edge - 0.22, x + 0.09 * sign, edge - 0.4, rod)
    surface.save()
    surface.translate(x + 0.11 * sign, edge - 0.39)
    surface.rotate(-28 * sign)
    head = skia.Path().moveTo(-0.035, -0.03).lineTo(0.035, -0.03).lineTo(0.085, 0.07).lineTo(-0.085, 0.07).close()
    surface.drawPath(head, ink(colour * 1.1))
    surface.drawOval(skia.Rect.MakeXYWH(-0.07, 0.055, 0.14, 0.035), ink(np.array([1.6, 1.25, 0.8])))
    surface.restore()


def _working(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("table")
    wall, top, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas, 160)
    wide = far.shape[1] / far.detail
    edge = stage.horizon * far.shape[0] / far.detail
    from_left = stage.sun_x < 0
    lamp_x = 0.5 * wide + 0.6 * wide * stage.sun_x
    far.fill(wall * 0.9)
    light = 0.62 + 0.5 * np.exp(-(((far.x - lamp_x) / (0.85 * wide)) ** 2) - ((far.y - 0.2) / 0.7) ** 2)
    far.light *= light[..., None]
    far.light *= (0.88 + 0.36 * window_on_wall(stage, far.x, far.y, rng, 0.7))[..., None]
    left = bool(rng.integers(2))
    x_books = wide * (0.03 if left else 0.66)
    lamp_on = bool(rng.integers(2))
    framed = bool(rng.integers(2))
    x_plant = wide * (0.86 if left else 0.13)

    def things(surface: skia.Canvas) -> None:
        if framed:
            for number in range(2):
                frame = skia.Rect.MakeXYWH(wide * 0.5 + 0.19 * (number - 1) + 0.02, 0.07 + 0.05 * number, 0.15, 0.2)
                surface.drawRect(frame, ink(deep * 0.9))
                surface.drawRect(frame.makeInset(0.01, 0.01), ink(np.minimum(wall * 1.15, 0.9)))
                surface.drawRect(frame.makeInset(0.045, 0.06), ink((accent, deep * 1.6)[number]))
        if lamp_on:
            _desk_lamp(surface, x_plant, edge, deep, left)
        x = x_books
        shades = (accent, deep * 1.3, wall * 0.95, accent * 0.6, deep, np.array([0.5, 0.42, 0.33]))
        for _ in range(7):
            thick, tall = float(rng.uniform(0.028, 0.05)), float(rng.uniform(0.2, 0.3))
            book = skia.Rect.MakeLTRB(x, edge - tall, x + thick, edge + 0.01)
            _solid(surface, book, shades[int(rng.integers(6))], from_left, 0.004)
            x += thick + 0.002
        if not lamp_on:
            pot = skia.Rect.MakeLTRB(x_plant - 0.06, edge - 0.12, x_plant + 0.06, edge + 0.012)
            for number in range(13):
                angle = np.radians(-90 + (number - 6) * 13 + float(rng.normal(0, 5)))
                reach = float(rng.uniform(0.08, 0.22))
                tip = (x_plant + np.cos(angle) * reach, edge - 0.12 + np.sin(angle) * reach)
                green = np.array([0.06, 0.115, 0.05]) * float(rng.uniform(0.6, 1.5))
                stem = ink(np.array([0.05, 0.08, 0.03]))
                stem.setStyle(skia.Paint.kStroke_Style)
                stem.setStrokeWidth(0.006)
                surface.drawLine(x_plant, edge - 0.12, *tip, stem)
                leaf(surface, tip, angle + float(rng.normal(0, 0.4)), 0.11, ink(green), 0.36)
            _solid(surface, pot, accent * 0.75 + deep * 0.15, from_left, 0.015)

    far.draw(things)
    if lamp_on:
        head = x_plant + (-0.13 if left else 0.13)
        lit = np.exp(-(((far.x - head) / 0.28) ** 2) - ((far.y - edge + 0.28) / 0.3) ** 2)
        far.light += np.array([0.30, 0.20, 0.09], np.float32) * lit[..., None]
    far.blur(0.017)
    ground = planks(stage.floor, rng, top, 0.30, 90 + float(rng.uniform(-5, 5)))
    ground *= (pool(stage, 0.36) * (0.85 + 0.38 * window_on_floor(stage, rng, scene.light.softness)))[..., None]
    stage.compose(far.enlarged(), ground, 0.34, 0.07, 0.006)
    canvas.shade(canvas.tint)
