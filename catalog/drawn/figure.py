"""Figure: whom a garment is cut for, and how loosely.

Belongs here: body measures by gender and drawing style, and what a fit does to them. Not here: pieces of cloth.

All measures are half widths or lengths in garment units; a grown man's shirt is about 500 units long.
"""

from dataclasses import dataclass, replace

from catalog.drawn.spec import GarmentSpec


@dataclass(frozen=True)
class Torso:
    """Measures of an upper body."""

    shoulder: float
    chest: float
    waist: float
    hem: float
    length: float
    waist_at: float  # share of the length
    arm: float  # length of a long sleeve
    wrist: float
    upper_arm: float
    neck: float
    slope: float = 36.0  # drop from neck to shoulder tip


@dataclass(frozen=True)
class Legs:
    """Measures of a lower body."""

    waist: float
    hip: float
    rise: float
    thigh: float
    hem: float
    inseam: float


_TORSOS: dict[str, Torso] = {
    "Men": Torso(172, 170, 163, 166, 500, 0.56, 455, 37, 64, 60),
    "Women": Torso(143, 150, 118, 156, 462, 0.50, 425, 31, 52, 58, slope=40),
    "Unisex": Torso(188, 180, 180, 182, 488, 0.6, 430, 42, 68, 62, slope=28),
    "Boys": Torso(146, 150, 150, 152, 352, 0.6, 300, 36, 58, 60, slope=30),
    "Girls": Torso(130, 136, 120, 162, 345, 0.48, 285, 31, 50, 57, slope=33),
}

_LEGS: dict[str, Legs] = {
    "Men": Legs(142, 162, 205, 86, 58, 560),
    "Women": Legs(114, 158, 225, 80, 48, 575),
    "Unisex": Legs(150, 164, 215, 90, 66, 540),
    "Boys": Legs(132, 144, 165, 78, 58, 350),
    "Girls": Legs(116, 146, 172, 74, 50, 365),
}

RIBBED = ("Sweaters", "Sweatshirts")  # knitted, closed by ribbed bands

_FIT_WIDTH = {"Slim Fit": 0.86, "Regular Fit": 1.0, "Loose Fit": 1.22}
_FIT_SLEEVE = {"Slim Fit": 0.78, "Regular Fit": 1.0, "Loose Fit": 1.42}
_FIT_LEG = {"Slim Fit": 0.76, "Regular Fit": 1.06, "Loose Fit": 1.56}
_FIT_THIGH = {"Slim Fit": 0.88, "Regular Fit": 1.02, "Loose Fit": 1.22}


def torso(spec: GarmentSpec) -> Torso:
    """The upper body of a spec, its fit applied; a little different for every item."""
    rng = spec.rng("shape")
    fit = spec.attributes.get("Fit", "Regular Fit")
    wide = _FIT_WIDTH[fit] * float(rng.uniform(0.97, 1.03))
    base = _TORSOS[spec.gender]
    tall = float(rng.uniform(0.95, 1.05))
    if spec.style == "atelier":
        base = replace(base, slope=base.slope + 14, length=base.length * 1.07, neck=base.neck * 0.92)
    # A slim cut follows the waist, a loose one hangs straight down from a dropped shoulder.
    waist = base.waist * wide * (0.94 if fit == "Slim Fit" else 1.0)
    if fit == "Loose Fit":
        waist = max(waist, 0.95 * base.chest * wide)
    return replace(
        base,
        shoulder=base.shoulder * {"Slim Fit": 0.95, "Regular Fit": 1.0, "Loose Fit": 1.14}[fit],
        chest=base.chest * wide,
        waist=waist,
        hem=base.hem * wide,
        length=base.length * tall,
        wrist=base.wrist * _FIT_SLEEVE[fit] ** 0.7,
        upper_arm=base.upper_arm * _FIT_SLEEVE[fit],
    )


def legs(spec: GarmentSpec) -> Legs:
    """The lower body of a spec, its fit applied; a little different for every item."""
    rng = spec.rng("shape")
    fit = spec.attributes.get("Fit", "Regular Fit")
    base = _LEGS[spec.gender]
    if spec.style == "atelier":
        base = replace(base, rise=base.rise * 1.08, waist=base.waist * 0.96, inseam=base.inseam * 1.04)
    return replace(
        base,
        thigh=base.thigh * _FIT_THIGH[fit],
        hip=base.hip * {"Slim Fit": 0.95, "Regular Fit": 1.0, "Loose Fit": 1.1}[fit],
        hem=base.hem * _FIT_LEG[fit] * float(rng.uniform(0.95, 1.05)),
        inseam=base.inseam * float(rng.uniform(0.96, 1.04)),
    )


def sleeveless(spec: GarmentSpec) -> bool:
    """Whether the armhole is bare."""
    return spec.attributes.get("Sleeve Length") == "Sleeveless"


def armhole(spec: GarmentSpec, frame: Torso) -> tuple[tuple[float, float], tuple[float, float]]:
    """Shoulder tip and underarm of the right-hand side."""
    depth = 158 + 0.35 * (frame.upper_arm - 60)
    if spec.gender in ("Boys", "Girls"):
        depth *= 0.82
    bare = sleeveless(spec)
    inset = 0.84 if bare else 1.0
    tip = (frame.shoulder * inset, frame.slope * inset)
    return tip, (frame.chest * (0.95 if bare else 1.0), depth + (10 if sleeveless(spec) else 0))


def has_hem_band(spec: GarmentSpec) -> bool:
    """Whether a ribbed band closes the bottom: sweaters, sweatshirts, light jackets."""
    light = spec.article_type == "Jackets" and spec.attributes["Fabric"] in ("Fleece", "Polyester", "Leather")
    return spec.article_type in RIBBED or light
