"""Details: plackets, buttons, zips, pockets and chest prints.

Belongs here: what is sewn onto a garment. Not here: the pieces it is sewn onto (tops.py, bottoms.py, …).
"""

import math

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Sketch, polygon, polyline
from catalog.drawn.colours import lab_to_rgb
from catalog.drawn.figure import Torso
from catalog.drawn.necks import Neckline
from catalog.drawn.spec import GarmentSpec


def front_closure(sketch: Sketch, frame: Torso, neckline: Neckline, bottom: float | None = None) -> None:
    """Buttons or a zip down the front of an upper garment or a dress; nothing where it is pulled on."""
    spec = sketch.spec
    end = (bottom or frame.length) + 8
    closure = "Button" if spec.article_type == "Shirts" else spec.attributes.get("Closure", "Pull-On")
    start = neckline.depth
    if neckline.kind == "Polo Collar" and closure == "Pull-On":
        button_placket(sketch, start - 6, start + 118, 32, 2, 8.5)
        return
    if neckline.kind == "Turtle Neck":
        start = 20
    if closure == "Button":
        wide = spec.article_type in ("Sweaters", "Jackets")
        count = max(3, round((end - start) / (96 if wide else 72)))
        button_placket(sketch, start - 4, end, 40 if wide else 31, count, 14 if wide else 10)
    elif closure == "Zip":
        zip_line(sketch, start - 4, end - 2)


def button_placket(sketch: Sketch, top: float, bottom: float, width: float, count: int, radius: float) -> None:
    """A strip of doubled cloth with its buttons."""
    half = width / 2
    strip = polygon((-half, top), (half, top), (half + 1, bottom), (-half - 1, bottom))
    sketch.piece(strip, parts.PLACKET, lift=7, crease=0.3, depth=0.35, tone=0.02)
    sketch.stitch(polyline((-half + 4, top), (-half + 3, bottom)), polyline((half - 4, top), (half - 3, bottom)))
    gap = (bottom - top) / count
    for number in range(count):
        sketch.button(0, top + gap * (number + 0.55), radius)


def zip_line(sketch: Sketch, top: float, bottom: float, x: float = 0.0) -> None:
    """A zip: tape, metal teeth and a puller."""
    tape = polygon((x - 15, top), (x + 15, top), (x + 15, bottom), (x - 15, bottom))
    sketch.flat(tape, parts.ZIP, (52, 52, 58) if sketch.spec.base_lab[0] > 30 else (92, 92, 98), lift=5)
    sketch.line(polyline((x, top), (x, bottom)), 15, (206, 207, 212), dash=(5, 4))
    sketch.line(polyline((x, top), (x, bottom)), 2.4, (60, 60, 66), alpha=0.8)
    puller = skia.Path.RRect(skia.Rect.MakeXYWH(x - 9, top + 6, 18, 46), 7, 7)
    sketch.flat(puller, parts.ZIP, (188, 190, 198), lift=7)
    sketch.line(polyline((x, top + 14), (x, top + 42)), 4, (110, 112, 120))
    sketch.stitch(polyline((x - 22, top), (x - 22, bottom)), polyline((x + 22, top), (x + 22, bottom)))


def pocket(sketch: Sketch, x: float, y: float, width: float, height: float, flap: bool) -> None:
    """A patch pocket with its top left corner at (x, y), with a buttoned flap or without."""
    point = height * 0.14
    bag = polygon(
        (x, y), (x + width, y), (x + width, y + height - point), (x + width / 2, y + height), (x, y + height - point)
    )
    sketch.piece(bag, parts.POCKET, lift=8, crease=0.6, depth=0.7, tone=-0.03)
    inset = 7
    sketch.stitch(
        polyline(
            (x + inset, y + 3),
            (x + inset, y + height - point - 3),
            (x + width / 2, y + height - inset - 2),
            (x + width - inset, y + height - point - 3),
            (x + width - inset, y + 3),
        )
    )
    sketch.seam(bag, strength=0.9)
    if not flap:
        sketch.seam(polyline((x, y + 16), (x + width, y + 16)))
        return
    deep = height * 0.4
    lid = polygon(
        (x - 4, y - 8),
        (x + width + 4, y - 8),
        (x + width + 4, y + deep * 0.62),
        (x + width / 2, y + deep),
        (x - 4, y + deep * 0.62),
    )
    sketch.piece(lid, parts.FLAP, lift=11, crease=0.4, depth=0.7, tone=0.05)
    sketch.seam(lid, strength=0.9)
    sketch.button(x + width / 2, y + deep * 0.56, 8.5)


def pockets(sketch: Sketch, frame: Torso) -> None:
    """The pockets of an upper garment, as its Pocket Type says."""
    spec = sketch.spec
    kind = spec.attributes.get("Pocket Type", "No Pocket")
    if kind == "No Pocket":
        return
    flap = kind == "Flap Pocket"
    small = 0.82 if spec.gender in ("Boys", "Girls") else 1.0
    width, height = 82 * small, 96 * small
    middle = frame.chest * 0.54
    y = 158 * small
    lapel = spec.attributes.get("Collar") == "Lapel Collar"
    low = spec.article_type == "Jackets" and (not flap or lapel)
    if low:
        width, height, y = 96 * small, 112 * small, frame.length * 0.64
    sketch.point("pocket", middle, y + height / 2)
    for sign in (-1, 1) if flap or low else (1,):
        pocket(sketch, sign * middle - width / 2, y, width, height, flap)


def graphic(sketch: Sketch, frame: Torso, body: skia.Path) -> None:
    """A large emblem on the chest, beside the all-over print, for some T-shirts and sweatshirts."""
    spec: GarmentSpec = sketch.spec
    rng = spec.rng("print")
    if rng.random() < 0.5:
        return
    first, second = lab_to_rgb(spec.second_lab), lab_to_rgb(spec.third_lab)
    x, y, radius = 0.0, frame.length * 0.42, frame.chest * 0.5
    kind = int(rng.integers(3))
    sketch.flat(skia.Path.Circle(x, y, radius), None, first, alpha=0.95)
    if kind == 0:
        peaks = polygon(
            (x - radius * 0.8, y + radius * 0.5),
            (x - radius * 0.25, y - radius * 0.45),
            (x + radius * 0.1, y + radius * 0.1),
            (x + radius * 0.4, y - radius * 0.25),
            (x + radius * 0.8, y + radius * 0.5),
        )
        sketch.flat(peaks, None, sketch.base)
        sketch.flat(skia.Path.Circle(x + radius * 0.3, y - radius * 0.55, radius * 0.16), None, second)
    elif kind == 1:
        for ring in (0.78, 0.5, 0.24):
            sketch.line(skia.Path.Circle(x, y, radius * ring), radius * 0.11, sketch.base if ring != 0.5 else second)
    else:
        rays = skia.Path()
        for step in range(12):
            angle = step * math.pi / 6
            rays.moveTo(x + radius * 0.42 * math.cos(angle), y + radius * 0.42 * math.sin(angle))
            rays.lineTo(x + radius * 0.8 * math.cos(angle), y + radius * 0.8 * math.sin(angle))
        sketch.line(rays, radius * 0.1, sketch.base)
        sketch.flat(skia.Path.Circle(x, y, radius * 0.32), None, second)


def rib(sketch: Sketch, band: skia.Path, angle: float = 0.0, pitch: float = 15.0) -> None:
    """Knitted ribs across a band: the sign of a sweater's hem."""
    box = band.computeTightBounds()
    reach = box.width() / 2 + box.height()
    lines = skia.Path()
    x = -reach
    while x < reach:
        lines.moveTo(x, -reach)
        lines.lineTo(x, reach)
        x += pitch
    lines.transform(skia.Matrix.RotateDeg(angle).postTranslate(box.centerX(), box.centerY()))
    sketch.clipped_line(band, lines, 4.4)
