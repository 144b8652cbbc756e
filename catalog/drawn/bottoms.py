"""Lower garments with two legs: jeans, trousers, track pants and shorts.

Belongs here: legs, waistbands, flies, drawstrings and thigh pockets. Not here: skirts (dresses.py).
"""

import math

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Point, Sketch, curve, mirrored, polygon, polyline
from catalog.drawn.details import pocket, rib
from catalog.drawn.figure import Legs, legs

_LENGTH = {"Full Length": 1.0, "Cropped": 0.5, "Mini": 0.09, "Knee Length": 0.4}


def draw_bottoms(sketch: Sketch) -> None:
    """A whole lower garment with two legs."""
    spec = sketch.spec
    frame = legs(spec)
    rng = spec.rng("pose")
    spread = float(rng.uniform(3, 9)) if spec.style == "studio" else float(rng.uniform(9, 15))
    back = skia.Path().moveTo(-frame.waist * 0.96, 2).quadTo(0, -12, frame.waist * 0.96, 2)
    back.lineTo(frame.waist * 0.9, 60).lineTo(-frame.waist * 0.9, 60).close()
    sketch.piece(back, parts.LINING, lift=0, tone=-0.36, crease=0.3)
    for sign in (1, -1):
        _leg(sketch, frame, sign, spread + float(rng.uniform(-2, 2)))
    _front(sketch, frame)
    waistband(sketch, frame.waist, closure_of(sketch))
    if spec.attributes.get("Pocket Type") == "Flap Pocket":
        _thigh_pockets(sketch, frame, spread)


def closure_of(sketch: Sketch) -> str:
    """How the waist closes; jeans have their button and zip."""
    return "Button" if sketch.spec.article_type == "Jeans" else sketch.spec.attributes.get("Closure", "Button")


def _leg(sketch: Sketch, frame: Legs, sign: int, spread: float) -> None:
    """One leg with its half of the hips; the legs meet below the fly."""
    spec = sketch.spec
    share = _LENGTH[spec.attributes.get("Length", "Full Length")]
    run = frame.inseam * share
    lean = math.tan(math.radians(spread))
    crotch = frame.rise
    bottom = crotch + run
    # Shorts end where the leg is still wide; a full leg narrows down to its hem.
    taper = share**0.8
    half = frame.thigh + (frame.hem - frame.thigh) * taper
    centre = frame.thigh * 0.98 + lean * run
    hip_y = crotch * 0.72
    inner_knee = (3 + (centre - half) * 0.5, crotch + run * 0.5)
    if _gathered(sketch):
        run, bottom = run - 22, bottom - 22
    path = skia.Path().moveTo(0, 20).lineTo(frame.waist, 16)
    path.cubicTo(frame.waist + 10, hip_y * 0.45, frame.hip, hip_y * 0.6, frame.hip + 4, hip_y + 12)
    outer = max(centre + half, frame.hip * 0.72)
    path.cubicTo(frame.hip + 8, crotch + run * 0.22, outer + 4, crotch + run * 0.55, outer, bottom)
    tilt = 6 + lean * 40
    path.quadTo((outer + centre - half) / 2, bottom + 10, centre - half, bottom + tilt * 0.4)
    path.cubicTo(centre - half - 2, crotch + run * 0.7, *inner_knee, 2, crotch + 2)
    path.lineTo(0, crotch).close()
    across: tuple[Point, Point] = ((0, crotch + run * 0.3), (frame.hip + 6, crotch + run * 0.3))
    strokes = _leg_folds(sketch, frame, sign, crotch, run, centre, half)
    band = _ankle_band(sketch, centre, half, bottom)
    hem = polyline((outer - 2, bottom - 20), (centre - half + 2, bottom - 18))
    crease = curve((frame.waist * 0.55, 60), (frame.thigh * 0.98, crotch + 40), (centre, bottom - 4))
    side = curve((frame.waist - 4, 20), (frame.hip - 3, hip_y + 12), (outer - 8, bottom - 6))
    fade = ((frame.hip * 0.5, crotch * 0.8), (centre * 1.0, crotch + run * 0.62))
    angle = -spread * 0.6
    if sign < 0:
        path, hem, crease, side = mirrored(path), mirrored(hem), mirrored(crease), mirrored(side)
        across, angle = (_flip(across[1]), _flip(across[0])), -angle
        strokes = [(_flip(a), _flip(b), width, -bend) for a, b, width, bend in strokes]
        fade = (_flip(fade[0]), _flip(fade[1]))
        band = mirrored(band) if band is not None else None
    sketch.piece(path, parts.LEG, angle=angle, across=across, lift=8)
    denim = spec.article_type == "Jeans" or spec.attributes.get("Fabric") == "Denim"
    if denim and not sketch.dark:
        sketch.glow(path, *fade, 0.24)
    elif denim:
        sketch.glow(path, *fade, 0.15)
    sketch.shade(path, strokes, 0.85)
    if spec.article_type == "Trousers" and spec.attributes.get("Fabric") in ("Cotton", "Linen"):
        sketch.seam(crease, strength=0.8)
    if spec.article_type == "Track Pants" and spec.rng("shape").random() < 0.5:
        _side_stripe(sketch, side)
    elif denim:
        sketch.stitch(side)
    if band is not None:
        sketch.piece(band, parts.HEM, lift=6, tone=-0.05)
        rib(sketch, band)
    else:
        sketch.stitch(hem)
    name = "right" if sign > 0 else "left"
    sketch.point(f"{name} waist", sign * frame.waist, 20)
    sketch.point(f"{name} hem outer", sign * outer, bottom)
    sketch.point(f"{name} hem inner", sign * (centre - half), bottom)
    if sign > 0:
        sketch.point("crotch", 0, crotch)


def _flip(point: Point) -> Point:
    return -point[0], point[1]


def _side_stripe(sketch: Sketch, side: skia.Path) -> None:
    red, green, blue = sketch.base
    light = (244, 244, 244) if red + green + blue < 540 else (40, 42, 52)
    moved = skia.Path(side)
    moved.offset(-7 if side.getBounds().centerX() > 0 else 7, 0)
    sketch.line(moved, 9, light, alpha=0.95)


def _gathered(sketch: Sketch) -> bool:
    spec = sketch.spec
    return spec.article_type == "Track Pants" and spec.attributes.get("Fabric") in ("Fleece", "Cotton")


def _ankle_band(sketch: Sketch, centre: float, half: float, bottom: float) -> skia.Path | None:
    if not _gathered(sketch):
        return None
    tight = 0.8
    return polygon(
        (centre - half - 3, bottom - 8),
        (centre + half + 4, bottom - 8),
        (centre + half * tight, bottom + 46),
        (centre - half * tight, bottom + 46),
    )


def _leg_folds(
    sketch: Sketch, frame: Legs, sign: int, crotch: float, run: float, centre: float, half: float
) -> list[tuple[Point, Point, float, float]]:
    rng = sketch.spec.rng(f"leg{sign}")
    strokes: list[tuple[Point, Point, float, float]] = []
    for _ in range(int(rng.integers(2, 4))):
        reach = float(rng.uniform(50, 130))
        y = crotch + float(rng.uniform(-16, 22))
        strokes.append(((4, y), (reach, y - reach * float(rng.uniform(0.1, 0.75))), float(rng.uniform(8, 14)), 0.08))
    if run > 200:
        knee = crotch + run * 0.48
        for _ in range(int(rng.integers(2, 5))):
            y = knee + float(rng.uniform(-60, 60))
            x0, x1 = centre * 0.8 - half * 0.9, centre * 0.8 + half * float(rng.uniform(0.0, 0.9))
            strokes.append(((x0, y), (x1, y + float(rng.uniform(-34, 34))), float(rng.uniform(7, 12)), 0.06))
        for _ in range(int(rng.integers(1, 4))):
            y = crotch + run - float(rng.uniform(30, 110))
            edge = centre + half * float(rng.choice([-0.95, 0.95]))
            strokes.append(((edge, y), (centre, y + float(rng.uniform(0, 30))), 9.0, 0.1))
    long = float(rng.uniform(0.3, 0.8))
    x = frame.hip * float(rng.uniform(0.35, 0.75))
    strokes.append(((x, crotch * 0.7), (centre + half * 0.3, crotch + run * long), float(rng.uniform(10, 18)), 0.02))
    return strokes


def _front(sketch: Sketch, frame: Legs) -> None:
    """Centre seam, fly and hip pockets."""
    spec = sketch.spec
    sketch.seam(polyline((0, 40), (0, frame.rise)))
    if closure_of(sketch) == "Button":
        fly = curve((26, 44), (27, frame.rise * 0.55), (16, frame.rise * 0.74), (0, frame.rise * 0.8))
        sketch.seam(fly, strength=0.8)
        sketch.stitch(fly)
    denim = spec.article_type == "Jeans" or spec.attributes.get("Fabric") == "Denim"
    for sign in (-1, 1):
        if denim:
            mouth = curve((frame.waist * 0.42, 50), (frame.waist * 0.52, 92), (frame.hip - 10, 112))
            lower = curve((frame.waist * 0.42 - 8, 50), (frame.waist * 0.48, 104), (frame.hip - 6, 124))
        else:
            mouth = polyline((frame.waist * 0.66, 48), (frame.hip - 8, frame.rise * 0.66))
            lower = polyline((frame.waist * 0.66 - 9, 48), (frame.hip - 13, frame.rise * 0.68))
        if sign < 0:
            mouth, lower = mirrored(mouth), mirrored(lower)
        sketch.seam(mouth, strength=1.2)
        sketch.stitch(lower)
        if denim:
            for x, y in ((frame.waist * 0.42, 58), (frame.hip - 16, 108)):
                sketch.flat(skia.Path.Circle(sign * x, y, 5.5), None, (196, 130, 78))


def waistband(sketch: Sketch, half: float, closure: str, height: float = 46.0) -> None:
    """The waistband: buttoned with belt loops, elastic with a drawstring, plain elastic, or zipped at the side."""
    band = skia.Path().moveTo(-half - 3, 0).quadTo(0, 12, half + 3, 0).lineTo(half + 5, height)
    band.quadTo(0, height + 14, -half - 5, height).close()
    sketch.piece(band, parts.WAISTBAND, angle=90 if closure in ("Button", "Zip") else 0, lift=8, crease=0.4, tone=0.03)
    sketch.point("waist left", -half, height / 2)
    sketch.point("waist right", half, height / 2)
    if closure in ("Button", "Zip"):
        upper = skia.Path().moveTo(-half, 9).quadTo(0, 20, half, 9)
        lower = skia.Path().moveTo(-half - 2, height - 8).quadTo(0, height + 5, half + 2, height - 8)
        sketch.stitch(upper, lower)
        sketch.seam(band, strength=0.7)
        for x in (-0.78, -0.4, 0.4, 0.78):
            loop = polygon(
                (x * half - 7, -4), (x * half + 7, -4), (x * half + 7, height + 9), (x * half - 7, height + 9)
            )
            sketch.piece(loop, parts.WAISTBAND, lift=5, crease=0.0, depth=0.5)
            sketch.seam(loop, strength=0.6)
        if closure == "Button":
            sketch.seam(polyline((26, 8), (26, height + 8)), strength=1.0)
            metal = sketch.fabric.stitch == "contrast"
            sketch.button(9, height * 0.6, 14, (198, 140, 86) if metal else None)
        return
    gathers = skia.Path()
    x = -half
    while x < half:
        gathers.moveTo(x, -6)
        gathers.lineTo(x + 2, height + 16)
        x += 14
    sketch.clipped_line(band, gathers, 4.4)
    if closure == "Drawstring":
        cord = (242, 240, 234) if sketch.spec.base_lab[0] < 72 else (52, 54, 62)
        for sign in (-1, 1):
            sketch.flat(skia.Path.Circle(sign * 22, height * 0.62, 7), None, (160, 160, 164))
            string = curve(
                (sign * 22, height * 0.62),
                (sign * 7, height * 0.9),
                (sign * 24, height + 62),
                (sign * 20, height + 132),
            )
            sketch.line(string, 9, cord, part=parts.DRAWSTRING, lift=7)
            sketch.line(polyline((sign * 20, height + 116), (sign * 20, height + 138)), 11, (126, 126, 132))
        bow = skia.Path().moveTo(0, height * 0.9).quadTo(-46, height * 0.5, -40, height + 16)
        bow.quadTo(-20, height + 18, 0, height * 0.9).quadTo(46, height * 0.5, 40, height + 16)
        sketch.line(bow.quadTo(20, height + 18, 0, height * 0.9), 7.5, cord, part=parts.DRAWSTRING, lift=6)


def _thigh_pockets(sketch: Sketch, frame: Legs, spread: float) -> None:
    share = _LENGTH[sketch.spec.attributes.get("Length", "Full Length")]
    run = frame.inseam * share
    small = 0.8 if sketch.spec.gender in ("Boys", "Girls") else 1.0
    width, height = 84 * small, 100 * small
    y = frame.rise + min(run * 0.22, 90) if run > 120 else frame.rise * 0.52
    x = frame.hip - width * 0.92 + math.tan(math.radians(spread)) * max(0.0, y - frame.rise) * 0.4
    for sign in (-1, 1):
        pocket(sketch, x if sign > 0 else -x - width, y, width, height, True)
    sketch.point("pocket", x + width / 2, y + height / 2)
