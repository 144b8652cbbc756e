"""Cloth: cut pieces laid on each other, each with weave, creases and roundness.

Belongs here: `Sketch`, in which a garment is assembled piece by piece, and how one piece is painted. Not here: the
shapes of garments (tops.py, bottoms.py, …), the studio around them (studio.py).

A sketch is recorded first and painted later, because the size of weave and pattern depends on how large the finished
garment stands in the frame. The same recording paints the picture and the part mask, so the two cannot disagree.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import skia

from catalog.drawn.colours import Rgb, lab_to_rgb
from catalog.drawn.fabric import CREASE_CEILING, FABRICS, TILE_UNITS, Fabric, crease_tile, tile_shader, weave_tile
from catalog.drawn.parts import BUTTON as BUTTON_PART
from catalog.drawn.pattern import OVERSAMPLE, colour, pattern_tile
from catalog.drawn.spec import GarmentSpec

Point = tuple[float, float]
_STROKE = skia.Paint.kStroke_Style
_ATOP = skia.BlendMode.kSrcATop


@dataclass(frozen=True)
class Light:
    """Where the light stands: `side` -1 left, +1 right; `hardness` scales every shade."""

    side: float = -1.0
    hardness: float = 1.0


@dataclass
class _Step:
    paint: Callable[[skia.Canvas], None]
    part: int | None
    path: skia.Path | None
    stroke: float = 0.0


class Sketch:
    """A garment being assembled, in garment units (y downwards); later pieces lie on earlier ones."""

    def __init__(self, spec: GarmentSpec, light: Light, fabric: str | None = None) -> None:
        self.spec = spec
        self.light = light
        self.fabric: Fabric = FABRICS[fabric or spec.attributes.get("Fabric", "Cotton")]
        self.base: Rgb = lab_to_rgb(spec.base_lab)
        self.dark = spec.base_lab[0] < 30
        # Light cloth can only get darker and dark cloth only lighter; held back so that the colour stays the name's.
        self.shadow_share = 1 - 0.5 * min(1.0, max(0.0, (spec.base_lab[0] - 55) / 38))
        self.light_share = 1 - 0.5 * min(1.0, max(0.0, (34 - spec.base_lab[0]) / 22))
        self.keypoints: dict[str, Point] = {}
        self.scale = 1.0  # frame units per garment unit; set by the studio before painting
        self._steps: list[_Step] = []
        self._bounds = skia.Rect.MakeEmpty()
        self._pattern = pattern_tile(spec)
        self._offset = spec.rng("creases").uniform(0, 900, size=2)
        self._pieces = 0

    # -- recording ------------------------------------------------------------------------------------------------

    def piece(
        self,
        path: skia.Path,
        part: int,
        *,
        angle: float = 0.0,
        across: tuple[Point, Point] | None = None,
        rgb: Rgb | None = None,
        tone: float = 0.0,
        lift: float = 10.0,
        crease: float = 1.0,
        depth: float = 1.0,
        weave: bool = True,
        fabric: Fabric | None = None,
    ) -> None:
        """A piece of cloth.

        Args:
            path: its outline.
            part: its label in the part mask.
            angle: turn of grain and pattern, in degrees.
            across: the two sides between which the piece is rounded; None for its bounding box, left to right.
            rgb: another colour than the product's; such a piece carries no pattern.
            tone: -1 black … +1 white, laid over the colour (an inside is darker than an outside).
            lift: how far it stands off what lies below, in garment units: the width of its shadow.
            crease, depth: factors on the fabric's creases and roundness.
            weave: False for smooth parts (rubber, metal, ribbon).
            fabric: another fabric than the garment's own.
        """
        number = self._pieces
        self._pieces += 1
        self._bounds.join(path.computeTightBounds())
        cloth = fabric or self.fabric

        def paint(canvas: skia.Canvas) -> None:
            if lift:
                self._shadow(canvas, path, lift)
            for layer in self._layers(path, angle, across, rgb, tone, crease, depth, weave, cloth, number):
                canvas.drawPath(path, layer)
            self._rim(canvas, path, depth)

        self._steps.append(_Step(paint, part, path))

    def flat(self, path: skia.Path, part: int | None, rgb: Rgb, *, lift: float = 0.0, alpha: float = 1.0) -> None:
        """A small part in one colour: a button, an eyelet, a label."""
        if part is not None:
            self._bounds.join(path.computeTightBounds())

        def paint(canvas: skia.Canvas) -> None:
            if lift:
                self._shadow(canvas, path, lift)
            canvas.drawPath(path, skia.Paint(AntiAlias=True, Color=colour(rgb, alpha)))

        self._steps.append(_Step(paint, part, path))

    def line(
        self,
        path: skia.Path,
        width: float,
        rgb: Rgb,
        *,
        alpha: float = 1.0,
        dash: tuple[float, float] | None = None,
        part: int | None = None,
        lift: float = 0.0,
        butt: bool = False,
    ) -> None:
        """A drawn line: a cord, a lace, a stitch."""
        if part is not None:
            box = path.computeTightBounds()
            self._bounds.join(box.makeOutset(width / 2, width / 2))
        cap = skia.Paint.kButt_Cap if butt or dash else skia.Paint.kRound_Cap

        def paint(canvas: skia.Canvas) -> None:
            pen = skia.Paint(AntiAlias=True, Style=_STROKE, StrokeWidth=width, StrokeCap=cap, Color=colour(rgb, alpha))
            if lift:
                shade = skia.Paint(pen)
                shade.setColor(colour((0, 0, 0), 0.3 * self.light.hardness))
                shade.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, lift * 0.5))
                shade.setBlendMode(_ATOP)
                canvas.save()
                canvas.translate(-self.light.side * lift * 0.4, lift * 0.6)
                canvas.drawPath(path, shade)
                canvas.restore()
            if dash:
                pen.setPathEffect(skia.DashPathEffect.Make(list(dash), 0))
            if part is None:
                pen.setBlendMode(_ATOP)  # a seam or stitch belongs to cloth: where none lies, none is drawn
            canvas.drawPath(path, pen)

        self._steps.append(_Step(paint, part, path, stroke=width))

    def seam(self, *paths: skia.Path, strength: float = 1.0) -> None:
        """Where two pieces are sewn together: a dark groove with a lit edge."""
        joined = _join(paths)
        dark, lit = (0.5, 0.2) if self.dark else (0.26, 0.22)
        self.line(joined, 4.2, (0, 0, 0), alpha=dark * strength)
        moved = skia.Path(joined)
        moved.offset(2.6 * self.light.side, 3.0)
        self.line(moved, 2.4, (255, 255, 255), alpha=lit * strength)

    def stitch(self, *paths: skia.Path) -> None:
        """Top stitching: tonal, or in the thread that denim and canvas show."""
        joined = _join(paths)
        if self.fabric.stitch == "contrast":
            thread = (214, 148, 74) if self.spec.base_lab[0] < 66 else (150, 96, 50)
            self.line(joined, 4.6, thread, alpha=0.95, dash=(11, 5))
        elif self.fabric.stitch == "heavy":
            self.line(joined, 4.4, (255, 255, 255) if self.dark else (0, 0, 0), alpha=0.34, dash=(13, 6))
        else:
            self.line(joined, 3.2, (255, 255, 255) if self.dark else (0, 0, 0), alpha=0.26, dash=(9, 5))

    def shade(
        self, path: skia.Path, strokes: Sequence[tuple[Point, Point, float, float]], strength: float = 1.0
    ) -> None:
        """Folds inside a piece.

        Args:
            path: the piece that has the folds.
            strokes: (start, end, width, bend) of each fold; it tapers at both ends.
            strength: factor on their darkness.
        """
        if not strokes:
            return
        lens = skia.Path()
        for start, end, width, bend in strokes:
            lens.addPath(tapered(start, end, width, bend))
        wide = sum(stroke[2] for stroke in strokes) / len(strokes)

        def paint(canvas: skia.Canvas) -> None:
            canvas.save()
            canvas.clipPath(path, True)
            blur = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, wide * 0.34 * self.fabric.softness)
            hard = self.light.hardness * strength
            dark = skia.Paint(AntiAlias=True, Color=colour((0, 0, 0), min(0.6, 0.27 * hard)), MaskFilter=blur)
            lit_alpha = (0.13 if self.dark else 0.2) + 0.25 * self.fabric.gloss
            lit = skia.Paint(AntiAlias=True, Color=colour((255, 255, 255), min(0.7, lit_alpha * hard)), MaskFilter=blur)
            canvas.drawPath(lens, dark)
            canvas.translate(self.light.side * wide * 0.85, -wide * 0.35)
            canvas.drawPath(lens, lit)
            canvas.restore()

        self._steps.append(_Step(paint, None, None))

    def clipped_line(self, inside: skia.Path, path: skia.Path, width: float, strength: float = 1.0) -> None:
        """Dark grooves with a lit side, drawn only inside a piece: knitted ribs, pleats, gathers."""

        def paint(canvas: skia.Canvas) -> None:
            canvas.save()
            canvas.clipPath(inside, True)
            pen = skia.Paint(AntiAlias=True, Style=_STROKE, StrokeWidth=width)
            pen.setColor(colour((0, 0, 0), (0.42 if self.dark else 0.24) * strength))
            canvas.drawPath(path, pen)
            canvas.translate(-self.light.side * width * 1.1, 0)
            pen.setColor(colour((255, 255, 255), (0.16 if self.dark else 0.2) * strength))
            canvas.drawPath(path, pen)
            canvas.restore()

        self._steps.append(_Step(paint, None, None))

    def glow(self, path: skia.Path, start: Point, end: Point, alpha: float, rgb: Rgb = (255, 255, 255)) -> None:
        """A soft tapered patch of light or dark inside a piece: wash fading, polished leather, a rounded toe."""
        width = math.dist(start, end) * 0.42
        lens = tapered(start, end, width, 0.0)

        def paint(canvas: skia.Canvas) -> None:
            canvas.save()
            canvas.clipPath(path, True)
            blur = skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, width * 0.36)
            canvas.drawPath(lens, skia.Paint(AntiAlias=True, Color=colour(rgb, alpha), MaskFilter=blur))
            canvas.restore()

        self._steps.append(_Step(paint, None, None))

    def button(self, x: float, y: float, radius: float = 11.0, rgb: Rgb | None = None) -> None:
        """A button with a lit rim and its holes."""
        if rgb is None:
            rgb = (236, 230, 216) if self.spec.base_lab[0] < 62 else (92, 70, 56)
        disc = skia.Path.Circle(x, y, radius)
        self.flat(disc, BUTTON_PART, rgb, lift=7)
        rim = (0, 0, 0) if sum(rgb) > 330 else (255, 255, 255)
        self.line(skia.Path.Circle(x, y, radius - 1.8), 3.0, rim, alpha=0.3)
        holes = skia.Path.Circle(x - radius * 0.27, y, radius * 0.15).addCircle(x + radius * 0.27, y, radius * 0.15)
        self.flat(holes, None, rim, alpha=0.6)

    def point(self, name: str, x: float, y: float) -> None:
        """A keypoint, in garment units."""
        self.keypoints[name] = (x, y)

    # -- painting -------------------------------------------------------------------------------------------------

    @property
    def bounds(self) -> skia.Rect:
        """Tight bounds of all parts, in garment units."""
        return self._bounds

    def paint(self, canvas: skia.Canvas) -> None:
        """The garment on a transparent canvas whose matrix maps garment units to pixels."""
        for step in self._steps:
            step.paint(canvas)

    def paint_parts(self, canvas: skia.Canvas) -> None:
        """The part labels on an 8-bit alpha canvas: hard edges, one label a pixel."""
        for step in self._steps:
            if step.part is None or step.path is None:
                continue
            pen = skia.Paint(AntiAlias=False, Color=skia.ColorSetARGB(step.part, 0, 0, 0))
            pen.setBlendMode(skia.BlendMode.kSrc)
            if step.stroke:
                pen.setStyle(_STROKE)
                pen.setStrokeWidth(step.stroke)
                pen.setStrokeCap(skia.Paint.kRound_Cap)
            canvas.drawPath(step.path, pen)

    def _shadow(self, canvas: skia.Canvas, path: skia.Path, lift: float) -> None:
        """The shadow a piece throws on what already lies below it, never on the backdrop."""
        pen = skia.Paint(AntiAlias=True, Color=colour((0, 0, 0), 0.36 * self.light.hardness), BlendMode=_ATOP)
        pen.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, lift * 0.55))
        canvas.save()
        canvas.translate(-self.light.side * lift * 0.35, lift * 0.55)
        canvas.drawPath(path, pen)
        canvas.restore()

    def _layers(
        self,
        path: skia.Path,
        angle: float,
        across: tuple[Point, Point] | None,
        rgb: Rgb | None,
        tone: float,
        crease: float,
        depth: float,
        weave: bool,
        cloth: Fabric,
        number: int,
    ) -> list[skia.Paint]:
        """Colour or pattern, weave, creases, tone and roundness: one paint each.

        Painted one after the other: blending the shaders into one paint compiles a program each time (60 ms).
        """
        unit = TILE_UNITS / self.scale
        shift = (float(self._offset[0]) + 137.0 * number, float(self._offset[1]) + 71.0 * number)
        paints = []
        if rgb is None and self._pattern is not None:
            tile, turn = self._pattern
            shader = tile_shader(tile, unit / OVERSAMPLE, turn + angle, (0.0, float(self._offset[1]) % 40))
            paints.append(skia.Paint(AntiAlias=True, Shader=shader))
        else:
            paints.append(skia.Paint(AntiAlias=True, Color=colour(rgb or self.base)))
        if weave and cloth.weave:
            shader = tile_shader(weave_tile(cloth.weave), unit, angle, shift)
            paints.append(skia.Paint(AntiAlias=True, Shader=shader))
        strength = 100 * cloth.crease_strength * crease * self.light.hardness * (0.4 + 0.6 * self.shadow_share)
        if strength > 2:
            tile_image = crease_tile(cloth.crease)
            opacity = min(1.0, strength / CREASE_CEILING)
            shader = tile_shader(tile_image, unit, angle, shift)
            paints.append(skia.Paint(AntiAlias=True, Shader=shader, Alphaf=opacity))
        if tone:
            paints.append(
                skia.Paint(AntiAlias=True, Color=colour((0, 0, 0) if tone < 0 else (255, 255, 255), abs(tone)))
            )
        if depth:
            shader = self._rounding(path, across, depth * cloth.roundness, cloth.gloss)
            paints.append(skia.Paint(AntiAlias=True, Shader=shader))
        return paints

    def _rounding(self, path: skia.Path, across: tuple[Point, Point] | None, depth: float, gloss: float) -> skia.Shader:
        """Light across a piece, as if it lay on a cylinder."""
        box = path.computeTightBounds()
        (x0, y0), (x1, y1) = across or ((box.left(), box.centerY()), (box.right(), box.centerY()))
        if self.light.side > 0:
            x0, y0, x1, y1 = x1, y1, x0, y0
        hard = depth * self.light.hardness
        lit = (0.07 + 0.3 * gloss) * self.light_share
        shadow = hard * self.shadow_share
        stops = [0.0, 0.1, 0.3, 0.55, 0.82, 1.0]
        tones = [
            colour((0, 0, 0), min(0.8, 0.17 * shadow)),
            colour((0, 0, 0), 0.03 * shadow),
            colour((255, 255, 255), min(0.8, lit * hard)),
            colour((255, 255, 255), 0.0),
            colour((0, 0, 0), min(0.8, 0.11 * shadow)),
            colour((0, 0, 0), min(0.8, 0.3 * shadow)),
        ]
        return skia.GradientShader.MakeLinear([skia.Point(x0, y0), skia.Point(x1, y1)], tones, stops)

    def _rim(self, canvas: skia.Canvas, path: skia.Path, depth: float) -> None:
        """The edge turns away from the light: a thin dark outline keeps white cloth off a white backdrop."""
        alpha = (0.35 if self.dark else 0.2) * max(0.5, min(depth, 1.2)) * self.light.hardness
        pen = skia.Paint(AntiAlias=True, Style=_STROKE, StrokeWidth=3.4 / self.scale, Color=colour((20, 16, 18), alpha))
        pen.setBlendMode(_ATOP)
        canvas.drawPath(path, pen)


def tapered(start: Point, end: Point, width: float, bend: float) -> skia.Path:
    """A lens from start to end; `bend` moves its middle sideways by that share of its length."""
    (x0, y0), (x1, y1) = start, end
    length = math.dist(start, end) or 1.0
    nx, ny = -(y1 - y0) / length, (x1 - x0) / length
    mx, my = (x0 + x1) / 2 + nx * bend * length, (y0 + y1) / 2 + ny * bend * length
    path = skia.Path().moveTo(x0, y0).quadTo(mx + nx * width, my + ny * width, x1, y1)
    return path.quadTo(mx - nx * width, my - ny * width, x0, y0).close()


def polygon(*points: Point) -> skia.Path:
    """A closed path with straight sides."""
    path = skia.Path().moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    return path.close()


def polyline(*points: Point) -> skia.Path:
    """An open path with straight sides."""
    path = skia.Path().moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    return path


def curve(*points: Point) -> skia.Path:
    """An open smooth path through all points (Catmull-Rom)."""
    path = skia.Path().moveTo(*points[0])
    ends = np.asarray([points[0], *points, points[-1]], float)
    for i in range(1, len(points)):
        before, here, there, after = ends[i - 1], ends[i], ends[i + 1], ends[i + 2]
        first, second = here + (there - before) / 6, there - (after - here) / 6
        path.cubicTo(*map(float, first), *map(float, second), *map(float, there))
    return path


def mirrored(path: skia.Path) -> skia.Path:
    """The path reflected at x = 0."""
    other = skia.Path(path)
    other.transform(skia.Matrix.Scale(-1, 1))
    return other


def _join(paths: Sequence[skia.Path]) -> skia.Path:
    joined = skia.Path()
    for path in paths:
        joined.addPath(path)
    return joined
