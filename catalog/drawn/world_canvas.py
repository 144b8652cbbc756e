"""Drawing the generic world with skia: textures, surfaces, figures, lines, letters.

Belongs here: paint. Not here: what is in a scene (world.py), outlines of shapes (world_shapes.py).
"""

import math

import numpy as np
import skia

from catalog.drawn.world import LETTERS, RGB, WorldDrawing, WorldScene
from catalog.drawn.world_shapes import shape_path

_NOISE_STREAM = 0x2B01


def draw_world(scene: WorldScene, size: int) -> WorldDrawing:
    """Draw a scene, anti-aliased, with its regions.

    Args:
        scene: from `catalog.drawn.world.sample_scene`.
        size: side in pixels.
    """
    picture = skia.Surface(size, size)
    regions = skia.Surface(size, size)
    regions.getCanvas().clear(skia.Color(0, 0, 0))
    canvas = picture.getCanvas()
    canvas.clear(_colour(scene.ground))
    for surface in (picture, regions):
        surface.getCanvas().scale(size, size)
    rng = np.random.default_rng([_NOISE_STREAM, scene.number])
    painter = {
        "things": _paint_things, "surface": _paint_surface, "figure": _paint_figure, "lines": _paint_lines,
        "letter": _paint_letter,
    }[scene.family]  # fmt: skip
    painter(scene, canvas, regions.getCanvas(), rng)
    image = picture.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.float32)
    parts = regions.toarray(colorType=skia.kRGBA_8888_ColorType)[..., 0] // 20
    image = _light(image, scene.light)
    if scene.details.get("finish") == "rough":
        image += rng.normal(0, 9, (size, size, 1)) * (parts[..., None] > 0)
    elif scene.details.get("finish") == "shiny":
        image += _sheen(size, rng) * (parts[..., None] > 0)
    return WorldDrawing(image.clip(0, 255).astype(np.uint8), parts.astype(np.uint8))


def _colour(rgb: RGB) -> int:
    return int(skia.Color(*(int(value) for value in rgb)))


def _fill(rgb: RGB) -> skia.Paint:
    return skia.Paint(AntiAlias=True, Color=_colour(rgb))


def _stroke(rgb: RGB, width: float, cap: "skia.Paint.Cap | None" = None) -> skia.Paint:
    return skia.Paint(
        AntiAlias=True, Color=_colour(rgb), Style=skia.Paint.kStroke_Style, StrokeWidth=width,
        StrokeCap=cap if cap is not None else skia.Paint.kRound_Cap, StrokeJoin=skia.Paint.kRound_Join,
    )  # fmt: skip


def _region(index: int) -> skia.Paint:
    # One grey level per region; no anti-aliasing, so that no in-between level arises.
    return skia.Paint(AntiAlias=False, Color=skia.Color(20 * index, 20 * index, 20 * index))


def _light(image: np.ndarray, light: str) -> np.ndarray:
    if light == "even":
        return image
    size = image.shape[0]
    ramp = np.linspace(1.14, 0.72, size, dtype=np.float32)
    if light in ("right", "below"):
        ramp = ramp[::-1]
    return image * (ramp[None, :, None] if light in ("left", "right") else ramp[:, None, None])


def _sheen(size: int, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[0:size, 0:size] / size
    along = rows * math.cos(angle := rng.uniform(-0.6, 0.6)) + columns * math.sin(angle)
    bands = sum(np.exp(-(((along - centre) / 0.035) ** 2)) for centre in rng.uniform(0.1, 0.9, 3))
    return (85 * bands)[..., None].astype(np.float32)


# ---- things ----------------------------------------------------------------------------------------------------------


def _paint_things(scene: WorldScene, canvas: skia.Canvas, regions: skia.Canvas, rng: np.random.Generator) -> None:
    for index, thing in enumerate(scene.things, start=1):
        path = _placed(shape_path(thing.shape), thing.x, thing.y, thing.size, thing.rotation)
        fill_texture(canvas, path, thing.texture, thing.rgb, thing.second, thing.size * 0.16, rng)
        if thing.outlined:
            canvas.drawPath(path, _stroke(thing.second, max(0.012, thing.size * 0.045)))
        regions.drawPath(path, _region(index))


def _placed(path: skia.Path, x: float, y: float, size: float, rotation: float) -> skia.Path:
    matrix = skia.Matrix()
    matrix.setRotate(rotation, 0, 0)
    matrix.postScale(size / 2, size / 2)
    matrix.postTranslate(x, y)
    placed = skia.Path(path)
    placed.transform(matrix)
    return placed


def fill_texture(
    canvas: skia.Canvas, path: skia.Path, texture: str, first: RGB, second: RGB, pitch: float, rng: np.random.Generator
) -> None:
    """Fill a path with `first` and a texture of `second`; `pitch` is the period, in shares of the picture."""
    canvas.drawPath(path, _fill(first))
    if texture == "plain":
        return
    canvas.save()
    canvas.clipPath(path, True)
    box = path.getBounds()
    if texture == "fade":
        ends = [skia.Point(box.left(), box.top()), skia.Point(box.left(), box.bottom())]
        shader = skia.GradientShader.MakeLinear(ends, [_colour(first), _colour(second)])
        canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))
    elif texture in ("stripes", "bars", "slants", "checks"):
        for angle in {"stripes": (0.0,), "bars": (90.0,), "slants": (45.0,), "checks": (0.0, 90.0)}[texture]:
            _rules(canvas, box, angle, pitch, _stroke(second, pitch * 0.42, skia.Paint.kButt_Cap))
    elif texture in ("dots", "blobs", "leaves", "patches"):
        _motifs(canvas, box, texture, pitch, second, rng)
    elif texture == "waves":
        for y in np.arange(box.top(), box.bottom() + pitch, pitch):
            canvas.drawPath(_wave(box.left(), box.right(), float(y), pitch), _stroke(second, pitch * 0.3))
    else:
        _cloth(canvas, box, texture, pitch, second)
    canvas.restore()


def _rules(canvas: skia.Canvas, box: skia.Rect, angle: float, pitch: float, paint: skia.Paint) -> None:
    reach = 0.75 * math.hypot(box.width(), box.height())
    canvas.save()
    canvas.translate(box.centerX(), box.centerY())
    canvas.rotate(angle)
    for offset in np.arange(-reach, reach, pitch):
        canvas.drawLine(-reach, float(offset), reach, float(offset), paint)
    canvas.restore()


def _motifs(
    canvas: skia.Canvas, box: skia.Rect, texture: str, pitch: float, rgb: RGB, rng: np.random.Generator
) -> None:
    paint = _fill(rgb)
    leaf = shape_path("leaf")
    for row, y in enumerate(np.arange(box.top(), box.bottom() + pitch, pitch)):
        for x in np.arange(box.left() + (row % 2) * pitch / 2, box.right() + pitch, pitch):
            at = float(x), float(y)
            if texture == "dots":
                canvas.drawCircle(*at, pitch * 0.26, paint)
            elif texture == "patches":
                if rng.random() < 0.5:
                    canvas.drawRect(skia.Rect.MakeXYWH(at[0], at[1], pitch * 0.8, pitch * 0.8), paint)
            else:
                jitter = rng.uniform(-0.3, 0.3, 2) * pitch
                spread = float(rng.uniform(0.5, 1.0)) * pitch
                path = leaf if texture == "leaves" else shape_path("flower" if rng.random() < 0.5 else "circle")
                canvas.drawPath(
                    _placed(path, at[0] + jitter[0], at[1] + jitter[1], spread, float(rng.uniform(0, 360))), paint
                )


def _wave(left: float, right: float, y: float, pitch: float) -> skia.Path:
    path = skia.Path()
    path.moveTo(left, y)
    for step, x in enumerate(np.arange(left, right + pitch, pitch / 2)):
        path.quadTo(float(x) + pitch / 4, y + (-1) ** step * pitch * 0.45, float(x) + pitch / 2, y)
    return path


def _cloth(canvas: skia.Canvas, box: skia.Rect, texture: str, pitch: float, rgb: RGB) -> None:
    """Surfaces made of small marks: over-and-under weave, grain of short lines, rows of loops."""
    mark = _stroke(rgb, pitch * 0.3)
    for row, y in enumerate(np.arange(box.top(), box.bottom() + pitch, pitch)):
        for column, x in enumerate(np.arange(box.left(), box.right() + pitch, pitch)):
            a, b = float(x), float(y)
            if texture == "weave":
                across = (row + column) % 2 == 0
                canvas.drawLine(a, b, a + pitch * 0.7 * across, b + pitch * 0.7 * (not across), mark)
            elif texture == "grain":
                a += (row % 3) * pitch / 3
                canvas.drawLine(a, b + pitch * 0.6, a + pitch * 0.35, b, mark)
            else:  # loops: a V in every cell, as knitting shows
                canvas.drawLine(a, b, a + pitch * 0.45, b + pitch * 0.6, mark)
                canvas.drawLine(a + pitch * 0.9, b, a + pitch * 0.45, b + pitch * 0.6, mark)


def _paint_surface(scene: WorldScene, canvas: skia.Canvas, regions: skia.Canvas, rng: np.random.Generator) -> None:
    facts = scene.details
    pitch = {"fine": 0.045, "middling": 0.09, "coarse": 0.2}[facts["scale"]]
    path = skia.Path()
    path.addRect(skia.Rect.MakeWH(1, 1))
    fill_texture(canvas, path, facts["texture"], facts["first"], facts["second"], pitch, rng)
    regions.drawPath(path, _region(1))


# ---- figures ---------------------------------------------------------------------------------------------------------


def _paint_figure(scene: WorldScene, canvas: skia.Canvas, regions: skia.Canvas, rng: np.random.Generator) -> None:
    f = scene.details
    half = {"slender": 0.13, "middling": 0.18, "broad": 0.25}[f["width"]]
    top, bottom = 0.16, (0.42, 0.56, 0.72, 0.9)[f["length"]]
    foot = half * {"tapering": 0.7, "straight": 1.0, "widening": 1.7}[f["flare"]]
    for surface in (canvas, regions):
        surface.save()
        surface.rotate(f["tilt"], 0.5, 0.5)
    for side in (-1, 1) if f["arms"] else ():
        reach = (0.0, 0.14, 0.3, 0.44, 0.6)[f["arms"]]
        start = skia.Point(0.5 + side * half * 0.86, top + 0.06)
        end = skia.Point(0.5 + side * (half * 0.9 + 0.42 * reach), top + 0.06 + reach)
        arm = skia.Path()
        arm.moveTo(start)
        arm.lineTo(end)
        width = {"thin": 0.06, "thick": 0.11}[f["arm_width"]]
        outline = skia.Path()
        _stroke(f["rgb"], width, skia.Paint.kButt_Cap).getFillPath(arm, outline)
        fill_texture(canvas, outline, f["texture"], f["rgb"], f["second"], 0.06, rng)
        canvas.drawPath(outline, _stroke(_darker(f["rgb"]), 0.006))
        regions.drawPath(outline, _region(2))
    body = _body(top, bottom, half, foot, f["legs"])
    fill_texture(canvas, body, f["texture"], f["rgb"], f["second"], 0.06, rng)
    canvas.drawPath(body, _stroke(_darker(f["rgb"]), 0.008))
    regions.drawPath(body, _region(1))
    _opening(canvas, regions, f["opening"], top, half, scene.ground, f)
    _trimmings(canvas, regions, f, top, bottom, half)
    canvas.restore()
    regions.restore()


def _darker(rgb: RGB, share: float = 0.55) -> RGB:
    # Very dark bodies get lighter edges instead: an edge that cannot be seen teaches nothing.
    if sum(rgb) < 150:
        return tuple(min(255, value + 70) for value in rgb)  # type: ignore[return-value]
    return tuple(int(value * share) for value in rgb)  # type: ignore[return-value]


def _body(top: float, bottom: float, half: float, foot: float, legs: bool) -> skia.Path:
    path = skia.Path()
    path.moveTo(0.5 - half, top)
    path.lineTo(0.5 + half, top)
    path.lineTo(0.5 + foot, bottom)
    if legs:
        path.lineTo(0.5 + foot * 0.35, bottom)
        path.lineTo(0.5, top + 0.3 * (bottom - top))
        path.lineTo(0.5 - foot * 0.35, bottom)
    path.lineTo(0.5 - foot, bottom)
    path.close()
    return path


def _opening(
    canvas: skia.Canvas, regions: skia.Canvas, kind: str, top: float, half: float, ground: RGB, facts: dict
) -> None:
    """The form of the hole on top: cut out in the ground's colour, or a rim or flaps added."""
    path, width = skia.Path(), half * (0.85 if kind == "wide" else 0.5)
    if kind in ("curved", "wide"):
        path.addOval(skia.Rect.MakeXYWH(0.5 - width, top - 0.07, 2 * width, 0.14))
    elif kind == "pointed":
        path.addPoly(
            [skia.Point(0.5 - width, top - 0.01), skia.Point(0.5 + width, top - 0.01), skia.Point(0.5, top + 0.17)],
            True,
        )
    elif kind == "boxy":
        path.addRect(skia.Rect.MakeXYWH(0.5 - width, top - 0.01, 2 * width, 0.1))
    elif kind == "slit":
        path.addRect(skia.Rect.MakeXYWH(0.49, top - 0.01, 0.02, 0.16))
    if not path.isEmpty():
        canvas.drawPath(path, _fill(ground))
        canvas.drawPath(path, _stroke(_darker(facts["rgb"]), 0.008))
        regions.drawPath(path, _region(3))
    elif kind in ("rim", "flaps"):
        if kind == "rim":
            path.addRect(skia.Rect.MakeXYWH(0.5 - width, top - 0.07, 2 * width, 0.075))
        else:
            for side in (-1, 1):
                corners = ((0.0, 0.03), (0.11, -0.03), (0.13, 0.09), (0.06, 0.13))
                path.addPoly([skia.Point(0.5 + side * x, top + y) for x, y in corners], True)
        canvas.drawPath(path, _fill(facts["rgb"]))
        canvas.drawPath(path, _stroke(_darker(facts["rgb"]), 0.01))
        regions.drawPath(path, _region(4))


def _trimmings(canvas: skia.Canvas, regions: skia.Canvas, f: dict, top: float, bottom: float, half: float) -> None:
    edge = _darker(f["rgb"])
    first, last = top + 0.2, bottom - 0.05
    if f["middle_line"]:
        canvas.drawLine(0.5, top + 0.1, 0.5, bottom, _stroke(edge, 0.014))
    for y in np.linspace(first, last, f["knobs"]) if f["knobs"] else ():
        canvas.drawCircle(0.5, float(y), 0.016, _fill(f["second"]))
        canvas.drawCircle(0.5, float(y), 0.016, _stroke(edge, 0.005))
        regions.drawCircle(0.5, float(y), 0.016, _region(5))
    if f["belt"]:
        band = skia.Rect.MakeXYWH(0.5 - half * 1.05, top + 0.42 * (bottom - top), 2.1 * half, 0.04)
        canvas.drawRect(band, _fill(f["second"]))
        regions.drawRect(band, _region(6))
    for side in (-1, 1)[: f["squares"]]:
        square = skia.Rect.MakeXYWH(0.5 + side * half * 0.5 - 0.035, top + 0.17, 0.07, 0.08)
        canvas.drawRect(square, _fill(f["rgb"]))
        canvas.drawRect(square, _stroke(edge, 0.009))
        regions.drawRect(square, _region(7))


# ---- lines and letters -----------------------------------------------------------------------------------------------


def _paint_lines(scene: WorldScene, canvas: skia.Canvas, regions: skia.Canvas, rng: np.random.Generator) -> None:
    f = scene.details
    width = {"thin": 0.012, "thick": 0.04}[f["thickness"]]
    cap = skia.Paint.kButt_Cap if f["ends"] == "flat" else skia.Paint.kRound_Cap
    paint, region = _stroke(f["rgb"], width, cap), _region(1)
    if f["stroke"] == "broken":
        paint.setPathEffect(skia.DashPathEffect.Make([width * 2.6, width * 2.4], 0))
    region.setStyle(skia.Paint.kStroke_Style)
    region.setStrokeWidth(max(width, 0.02))
    for index in range(f["count"]):
        height = (index + 0.7) / (f["count"] + 0.4)
        angle = {"across": 0.0, "up and down": 90.0, "slanting": 40.0}.get(f["way"], float(rng.uniform(0, 180)))
        for surface, ink in ((canvas, paint), (regions, region)):
            surface.save()
            surface.rotate(angle, 0.5, 0.5)
            if f["stroke"] == "curvy":
                surface.drawPath(_wave(0.15, 0.8, height, 0.16), ink)
            else:
                surface.drawLine(0.15, height, 0.85, height, ink)
            if f["ends"] == "arrow":
                surface.drawLine(0.85, height, 0.79, height - 0.04, ink)
                surface.drawLine(0.85, height, 0.79, height + 0.04, ink)
            surface.restore()


def _paint_letter(scene: WorldScene, canvas: skia.Canvas, regions: skia.Canvas, rng: np.random.Generator) -> None:
    f = scene.details
    for surface, paint in ((canvas, _stroke(f["rgb"], 0.07)), (regions, _stroke((20, 20, 20), 0.07))):
        surface.save()
        surface.rotate(f["tilt"], 0.5, 0.5)
        surface.translate(0.28, 0.22)
        surface.scale(0.22, 0.28)
        if surface is regions:
            paint.setAntiAlias(False)
        paint.setStrokeWidth(0.3)
        for x0, y0, x1, y1 in LETTERS[f["letter"]]:
            surface.drawLine(x0, y0, x1, y1, paint)
        surface.restore()
