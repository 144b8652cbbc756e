"""Studio: the backdrop, the light and the camera around a garment.

Belongs here: fitting a sketch into the frame, backdrop, shadows, grain, and the part mask and keypoints of the
picture. Not here: the garment (garments.py).
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import skia

from catalog.drawn.cloth import Light, Sketch
from catalog.drawn.pattern import colour
from catalog.drawn.spec import GarmentSpec

FRAME = 1000.0


@dataclass(frozen=True)
class Drawing:
    """A finished picture and its truth.

    `image` is (size, size, 3) uint8 sRGB; `parts` is (size, size) uint8 labels of catalog/drawn/parts.py, or None where
    it was not asked for; `keypoints` are (x, y) in pixels, x to the right, y down, pixel centres at .5.
    """

    image: np.ndarray
    parts: np.ndarray | None
    keypoints: dict[str, tuple[float, float]]


def light_of(spec: GarmentSpec) -> Light:
    """Where the light stands for this shot."""
    rng = spec.rng("light")
    side = -1.0 if rng.random() < 0.7 else 1.0
    if spec.style == "atelier":
        return Light(-side, float(rng.uniform(1.05, 1.35)))
    return Light(side, float(rng.uniform(0.8, 1.12)))


def photograph(sketch: Sketch, size: int, with_parts: bool = True) -> Drawing:
    """Place a sketch before the backdrop and take its picture.

    Args:
        sketch: the garment.
        size: side of the picture in pixels.
        with_parts: False skips the part mask.
    """
    spec, light = sketch.spec, sketch.light
    matrix = _camera(sketch, size)
    garment = skia.Surface(size, size)
    canvas = garment.getCanvas()
    canvas.concat(matrix)
    sketch.paint(canvas)
    _ambient(canvas, sketch, size)
    cut_out = garment.makeImageSnapshot()

    picture = skia.Surface(size, size)
    canvas = picture.getCanvas()
    _backdrop(canvas, spec, size)
    _shadows(canvas, cut_out, spec, light, size)
    canvas.drawImage(cut_out, 0, 0)
    image = picture.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3].astype(np.int16)
    shift = spec.rng("grain").integers(0, 256, size=2)
    image += np.roll(_grain(), tuple(map(int, shift)), (0, 1))[:size, :size, None] if size <= 256 else 0
    if spec.shot:
        image = _exposed_again(image, spec)
    keypoints = {}
    for name, (x, y) in sketch.keypoints.items():
        mapped = matrix.mapXY(x, y)
        keypoints[name] = (float(mapped.x()), float(mapped.y()))
    return Drawing(
        np.clip(image, 0, 255).astype(np.uint8), _mask(sketch, matrix, size) if with_parts else None, keypoints
    )


def _exposed_again(image: np.ndarray, spec: GarmentSpec) -> np.ndarray:
    """A re-shot's own exposure and white balance."""
    rng = spec.rng("exposure")
    gain = float(rng.uniform(0.94, 1.03)) * (1 + rng.uniform(-0.012, 0.012, size=3))
    return np.rint(image * gain).astype(np.int16)


def _camera(sketch: Sketch, size: int) -> skia.Matrix:
    """Garment units to pixels: the garment fills most of the frame, a little turned and off centre."""
    spec = sketch.spec
    rng, now = spec.rng("pose"), spec.rng("camera")
    box = sketch.bounds
    fill = float(rng.uniform(0.82, 0.965)) * (0.93 if spec.gender in ("Boys", "Girls") else 1.0)
    fill *= 1 + float(now.uniform(-0.006, 0.006)) * (spec.shot > 0)
    scale = fill * FRAME / max(box.width(), box.height())
    turn = (
        float(rng.normal(0, 2.2))
        if spec.article_type not in ("Casual Shoes", "Formal Shoes", "Sports Shoes", "Heels")
        else float(rng.normal(0, 1.5))
    )
    flip = -1.0 if spec.master_category == "Footwear" and rng.random() < 0.35 else 1.0
    cosine, sine = math.cos(math.radians(turn)), abs(math.sin(math.radians(turn)))
    extent = box.width() * cosine + box.height() * sine, box.height() * cosine + box.width() * sine
    scale = min(scale, 0.97 * FRAME / max(extent))
    sketch.scale = scale
    slack = max(0.0, FRAME * 0.985 - scale * extent[0]) / 2, max(0.0, FRAME * 0.985 - scale * extent[1]) / 2
    x = FRAME / 2 + float(rng.uniform(-0.4, 0.4)) * slack[0]
    y = FRAME / 2 + float(rng.uniform(-0.4, 0.4)) * slack[1]
    matrix = skia.Matrix.Translate(-box.centerX(), -box.centerY())
    matrix.postScale(scale * flip, scale)
    matrix.postSkew(float(rng.normal(0, 0.012)), 0.0)
    matrix.postRotate(turn)
    matrix.postTranslate(x, y)
    matrix.postScale(size / FRAME, size / FRAME)
    return matrix


def _ambient(canvas: skia.Canvas, sketch: Sketch, size: int) -> None:
    """One light over the whole garment: brighter above and towards the lamp."""
    light = sketch.light
    canvas.save()
    canvas.resetMatrix()
    start = skia.Point(size * (0.5 + 0.32 * light.side), size * 0.08)
    end = skia.Point(size * (0.5 - 0.28 * light.side), size * 0.95)
    above, below = 0.07 * light.hardness * sketch.light_share, 0.12 * light.hardness * sketch.shadow_share
    tones = [colour((255, 255, 255), above), colour((0, 0, 0), 0.0), colour((0, 0, 0), below)]
    shader = skia.GradientShader.MakeLinear([start, end], tones, [0.0, 0.45, 1.0])
    canvas.drawPaint(skia.Paint(Shader=shader, BlendMode=skia.BlendMode.kSrcATop))
    canvas.restore()


def _backdrop(canvas: skia.Canvas, spec: GarmentSpec, size: int) -> None:
    rng = spec.rng("backdrop")
    if spec.style == "atelier":
        tone = float(rng.uniform(176, 222))
        warm = float(rng.uniform(-10, 16))
        near = (round(tone + warm), round(tone), round(tone - warm))
        far = tuple(max(0, c - 42) for c in near)
        shader = skia.GradientShader.MakeLinear(
            [skia.Point(0, 0), skia.Point(size * 0.35, size)],
            [colour(near), colour(far)],  # type: ignore[arg-type]
        )
        canvas.drawPaint(skia.Paint(Shader=shader))
        return
    mark = rng.random()
    if mark < 0.62:
        centre, edge = (255, 255, 255), (252, 252, 252)
    elif mark < 0.84:
        centre = tuple(int(v) for v in (251 - rng.integers(0, 6), 248 - rng.integers(0, 6), 242 - rng.integers(0, 8)))  # type: ignore[assignment]
        edge = tuple(c - 7 for c in centre)  # type: ignore[assignment]
    else:
        grey = int(rng.integers(226, 244))
        centre, edge = (grey, grey, min(255, grey + 2)), (grey - 14, grey - 14, grey - 12)
    shader = skia.GradientShader.MakeRadial(
        skia.Point(size * 0.5, size * 0.45), size * 0.78, [colour(centre), colour(edge)]
    )
    canvas.drawPaint(skia.Paint(Shader=shader))


def _shadows(canvas: skia.Canvas, cut_out: skia.Image, spec: GarmentSpec, light: Light, size: int) -> None:
    """A tight contact shadow and a wide soft one; shoes and bags stand, clothes lie."""
    standing = spec.master_category != "Apparel"
    dx = -light.side * size / 256
    dy = size / 256
    # The wide shadow is blurred at a quarter of the size: nobody sees the difference, and it costs a tenth.
    for offset, sigma, alpha, shrink in ((1.4, 1.6, 0.26, 2), (5.0, 7.5, 0.24, 4)):
        small = skia.Surface(max(8, size // shrink), max(8, size // shrink))
        factor = small.width() / size
        below = small.getCanvas()
        below.scale(factor, factor)
        tint = skia.ColorFilters.Blend(colour((24, 22, 30), alpha * light.hardness), skia.BlendMode.kSrcIn)
        paint = skia.Paint(ColorFilter=tint)
        blur = sigma * factor * size / 256
        paint.setImageFilter(skia.ImageFilters.Blur(blur, blur))
        below.drawImage(cut_out, 0, 0, skia.SamplingOptions(skia.FilterMode.kLinear), paint)
        canvas.save()
        canvas.translate(dx * offset * (0.4 if standing else 0.8), dy * offset * (0.9 if standing else 0.8))
        canvas.scale(1 / factor, 1 / factor)
        canvas.drawImage(small.makeImageSnapshot(), 0, 0, skia.SamplingOptions(skia.FilterMode.kLinear))
        canvas.restore()


def _mask(sketch: Sketch, matrix: skia.Matrix, size: int) -> np.ndarray:
    labels = np.zeros((size, size, 1), np.uint8)
    surface = skia.Surface(labels, skia.kAlpha_8_ColorType, skia.kPremul_AlphaType)
    canvas = surface.getCanvas()
    canvas.concat(matrix)
    sketch.paint_parts(canvas)
    del canvas, surface
    return labels[..., 0]


@lru_cache(maxsize=1)
def _grain() -> np.ndarray:
    """Sensor noise, (256, 256) int16, deviation about 1.2 grey levels."""
    return np.rint(np.random.default_rng(1).normal(0, 1.2, (256, 256))).astype(np.int16)
