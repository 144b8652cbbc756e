"""Colours: a LAB neighbourhood around each colour name of the catalogue.

Belongs here: what a shop calls "Navy Blue" in CIELAB, drawing one such colour, and a contrasting second one.
Not here: which article has which colour (spec.py), the light that falls on it (studio.py).

Navies vary as navies do: a colour is drawn within `spread` of its centre, and never nearer to the centre of another
name than to its own, so that the name stays the truth.
"""

import math
from dataclasses import dataclass

import numpy as np

Lab = tuple[float, float, float]
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Colour:
    """Centre (CIELAB, D65), spread (standard deviation of L, a, b), and how often a shop stocks it."""

    lab: Lab
    spread: Lab
    weight: float


COLOURS: dict[str, Colour] = {
    "Black": Colour((13, 0, -1), (2.6, 0.8, 1.0), 1.5),
    "White": Colour((94.5, 0, 0), (1.0, 0.5, 0.7), 1.2),
    "Grey": Colour((60, 0, -1), (5.0, 0.9, 1.4), 1.1),
    "Charcoal": Colour((33, 0, -2), (3.0, 0.8, 1.3), 0.6),
    "Navy Blue": Colour((21, 9, -32), (3.4, 2.5, 4.0), 1.2),
    "Blue": Colour((43, 10, -48), (5.0, 4.0, 5.0), 1.3),
    "Turquoise Blue": Colour((69, -30, -20), (4.0, 4.0, 4.0), 0.4),
    "Teal": Colour((42, -26, -10), (3.6, 3.0, 3.0), 0.5),
    "Green": Colour((46, -42, 27), (5.0, 5.0, 5.0), 0.9),
    "Olive": Colour((41, -7, 29), (4.0, 2.4, 4.0), 0.6),
    "Khaki": Colour((68, 1, 25), (3.0, 1.6, 3.0), 0.5),
    "Beige": Colour((81, 3, 16), (2.4, 1.2, 2.4), 0.7),
    "Off White": Colour((92, 0.5, 9), (1.2, 0.7, 1.6), 0.6),
    "Yellow": Colour((85, 1, 70), (2.6, 3.0, 6.0), 0.6),
    "Mustard": Colour((66, 13, 60), (3.0, 3.0, 4.0), 0.5),
    "Orange": Colour((63, 46, 62), (3.4, 4.0, 5.0), 0.5),
    "Peach": Colour((80, 19, 23), (2.4, 2.6, 2.6), 0.4),
    "Red": Colour((43, 63, 42), (3.6, 4.0, 5.0), 1.1),
    "Maroon": Colour((23, 33, 13), (2.8, 3.6, 3.0), 0.7),
    "Pink": Colour((70, 38, 0), (4.0, 5.0, 4.0), 0.9),
    "Purple": Colour((34, 38, -38), (4.0, 4.0, 4.0), 0.7),
    "Lavender": Colour((73, 14, -22), (3.0, 2.6, 3.0), 0.4),
    "Brown": Colour((33, 17, 24), (4.0, 2.6, 3.4), 1.0),
    "Tan": Colour((60, 17, 35), (3.0, 2.4, 3.0), 0.5),
}
# Spreads differ by name; a floor keeps the neutral names from having a vanishing neighbourhood.
_CENTRES = tuple(
    (name, colour.lab, tuple(max(spread, 2.0) for spread in colour.spread)) for name, colour in COLOURS.items()
)


def lab_to_rgb(lab: Lab | np.ndarray) -> Rgb:
    """CIELAB (D65) to 8-bit sRGB, clipped into the gamut.

    Written out because the drawings are frozen: skimage's conversion differs by one level in 0.5 % of their colours.
    """
    lightness, a, b = (float(value) for value in lab)
    fy = (lightness + 16) / 116
    fx, fz = fy + a / 500, fy - b / 200
    x, y, z = (
        white * (f**3 if f > 6 / 29 else 3 * (6 / 29) ** 2 * (f - 4 / 29))
        for f, white in ((fx, 0.95047), (fy, 1.0), (fz, 1.08883))
    )
    linear = (
        3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
        -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
        0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
    )
    encoded = (12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in (max(v, 0.0) for v in linear))
    red, green, blue = (min(255, max(0, round(255 * c))) for c in encoded)
    return red, green, blue


def nearest_name(lab: Lab | np.ndarray) -> str:
    """The colour name whose centre is nearest, each direction measured in that name's own spread."""
    lightness, a, b = (float(value) for value in lab)
    best, least = "", math.inf
    for name, (l0, a0, b0), (l_spread, a_spread, b_spread) in _CENTRES:
        distance = ((lightness - l0) / l_spread) ** 2 + ((a - a0) / a_spread) ** 2 + ((b - b0) / b_spread) ** 2
        if distance < least:
            best, least = name, distance
    return best


def draw_colour(name: str, rng: np.random.Generator) -> Lab:
    """One colour that a shop would call `name`."""
    colour = COLOURS[name]
    for _ in range(12):
        offset = rng.normal(size=3).clip(-1.7, 1.7) * colour.spread
        lab = (
            min(97.0, colour.lab[0] + float(offset[0])),
            colour.lab[1] + float(offset[1]),
            colour.lab[2] + float(offset[2]),
        )
        if nearest_name(lab) == name:
            return lab
    return colour.lab


def draw_contrast(base: Lab, rng: np.random.Generator) -> Lab:
    """A second colour for stripes, checks and prints that the eye tells from `base` (CIE76 distance above 34)."""
    for _ in range(20):
        if rng.random() < 0.42:
            lab: Lab = (float(rng.uniform(88, 96)), float(rng.normal(0, 1.5)), float(rng.normal(3, 4)))
        elif rng.random() < 0.3:
            lab = (float(rng.uniform(10, 26)), float(rng.normal(0, 4)), float(rng.normal(-6, 7)))
        else:
            lab = draw_colour(list(COLOURS)[int(rng.integers(len(COLOURS)))], rng)
        if float(np.linalg.norm(np.subtract(lab, base))) > 34 and abs(lab[0] - base[0]) > 22:
            return lab
    return (95.0, 0.0, 2.0) if base[0] < 55 else (15.0, 0.0, -4.0)
