"""Outlines of the generic world's shapes, each centred in a box from -1 to 1 (y downwards).

Belongs here: paths. Not here: placing and painting them (world_canvas.py).
"""

import math
from collections.abc import Callable

import skia


def shape_path(shape: str) -> skia.Path:
    """The outline of a named shape, centred, in a box from -1 to 1 (y downwards)."""
    path = skia.Path()
    if shape in _CURVED:
        _CURVED[shape](path)
    else:
        path.addPoly([skia.Point(x, y) for x, y in _corners(shape)], True)
    return path


def _corners(shape: str) -> list[tuple[float, float]]:
    if shape == "star":
        radii = [1.0 if k % 2 == 0 else 0.42 for k in range(10)]
        return [(r * math.sin(k * math.pi / 5), -r * math.cos(k * math.pi / 5)) for k, r in enumerate(radii)]
    if shape == "hexagon":
        return [(math.cos(k * math.pi / 3), math.sin(k * math.pi / 3)) for k in range(6)]
    return _POLYGONS[shape]


_POLYGONS: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)],
    "triangle": [(0, -0.95), (0.95, 0.75), (-0.95, 0.75)],
    "diamond": [(0, -1), (0.65, 0), (0, 1), (-0.65, 0)],
    "cross": [
        (-0.3, -0.9), (0.3, -0.9), (0.3, -0.3), (0.9, -0.3), (0.9, 0.3), (0.3, 0.3), (0.3, 0.9), (-0.3, 0.9), (-0.3, 0.3),
        (-0.9, 0.3), (-0.9, -0.3), (-0.3, -0.3),
    ],
    "arrow": [(-0.95, -0.25), (0.2, -0.25), (0.2, -0.7), (0.95, 0), (0.2, 0.7), (0.2, 0.25), (-0.95, 0.25)],
    "house": [(0, -0.95), (0.95, -0.1), (0.7, -0.1), (0.7, 0.9), (-0.7, 0.9), (-0.7, -0.1), (-0.95, -0.1)],
    "tree": [
        (0, -1), (0.5, -0.3), (0.3, -0.3), (0.75, 0.4), (0.15, 0.4), (0.15, 0.95), (-0.15, 0.95), (-0.15, 0.4), (-0.75, 0.4),
        (-0.3, -0.3), (-0.5, -0.3),
    ],
    "bottle": [
        (-0.15, -1), (0.15, -1), (0.15, -0.4), (0.42, -0.05), (0.42, 0.95), (-0.42, 0.95), (-0.42, -0.05), (-0.15, -0.4),
    ],
    "boat": [(-0.95, 0.25), (-0.05, 0.25), (-0.05, -0.95), (0.7, 0.1), (0.05, 0.1), (0.05, 0.25), (0.95, 0.25), (0.6, 0.8), (-0.6, 0.8)],
}  # fmt: skip


def _heart(path: skia.Path) -> None:
    path.moveTo(0, 0.9)
    path.cubicTo(-1.5, -0.1, -0.7, -1.2, 0, -0.4)
    path.cubicTo(0.7, -1.2, 1.5, -0.1, 0, 0.9)


def _moon(path: skia.Path) -> None:
    path.moveTo(0.35, -0.9)
    path.cubicTo(-1.2, -0.9, -1.2, 0.9, 0.35, 0.9)
    path.cubicTo(-0.35, 0.5, -0.35, -0.5, 0.35, -0.9)


def _drop(path: skia.Path) -> None:
    path.moveTo(0, -1)
    path.cubicTo(0.2, -0.4, 0.65, -0.1, 0.65, 0.35)
    path.cubicTo(0.65, 1.15, -0.65, 1.15, -0.65, 0.35)
    path.cubicTo(-0.65, -0.1, -0.2, -0.4, 0, -1)


def _fish(path: skia.Path) -> None:
    path.moveTo(-0.5, 0)
    path.quadTo(0.2, -0.85, 0.95, 0)
    path.quadTo(0.2, 0.85, -0.5, 0)
    path.lineTo(-0.95, 0.5)
    path.lineTo(-0.95, -0.5)
    path.close()


def _cup(path: skia.Path) -> None:
    path.addRect(skia.Rect.MakeXYWH(-0.75, -0.6, 1.1, 1.3))
    path.setFillType(skia.PathFillType.kEvenOdd)
    path.addOval(skia.Rect.MakeXYWH(0.36, -0.4, 0.6, 0.8))
    path.addOval(skia.Rect.MakeXYWH(0.48, -0.22, 0.34, 0.44))


def _leaf(path: skia.Path) -> None:
    path.moveTo(0, -0.95)
    path.quadTo(0.85, 0, 0, 0.95)
    path.quadTo(-0.85, 0, 0, -0.95)


def _umbrella(path: skia.Path) -> None:
    path.addArc(skia.Rect.MakeXYWH(-0.95, -0.9, 1.9, 1.8), 180, 180)
    path.close()
    path.addRect(skia.Rect.MakeXYWH(-0.06, 0.0, 0.12, 0.9))


def _flower(path: skia.Path) -> None:
    for k in range(5):
        x, y = 0.55 * math.sin(k * 2 * math.pi / 5), -0.55 * math.cos(k * 2 * math.pi / 5)
        path.addCircle(x, y, 0.42)
    path.addCircle(0, 0, 0.35)


def _ring(path: skia.Path) -> None:
    path.setFillType(skia.PathFillType.kEvenOdd)
    path.addCircle(0, 0, 0.95)
    path.addCircle(0, 0, 0.55)


_CURVED: dict[str, Callable[[skia.Path], None]] = {
    "circle": lambda path: path.addCircle(0, 0, 0.92) and None,
    "oval": lambda path: path.addOval(skia.Rect.MakeXYWH(-0.95, -0.6, 1.9, 1.2)) and None,
    "ring": _ring,
    "heart": _heart,
    "moon": _moon,
    "drop": _drop,
    "fish": _fish,
    "cup": _cup,
    "leaf": _leaf,
    "umbrella": _umbrella,
    "flower": _flower,
}
