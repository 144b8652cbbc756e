"""Everyday words for a colour: name, likeness, lightness, strength. Not the catalogue's colour names.

Belongs here: CIELAB to words. Not here: drawing colours, the catalogue's own names.
"""

import numpy as np

from training.blip2.pretraining.facts import Fact

LIGHTNESS = ("nearly black", "very dark", "dark", "rather dark", "middling", "rather light", "light", "nearly white")
STRENGTH = ("without tint", "faintly tinted", "muted", "clear", "strong", "glaring")
_STRENGTH_STEPS = (5, 13, 24, 40, 62)
_HUES = (
    (12, "rosy"), (26, "pinkish red"), (40, "red"), (52, "brick red"), (64, "reddish orange"), (76, "orange"), (88, "amber"),
    (99, "yellow"), (112, "lemon"), (128, "yellowish green"), (146, "grass green"), (166, "green"), (192, "lagoon green"),
    (222, "bluish green"), (246, "cyan"), (268, "sky blue"), (284, "blue"), (300, "deep blue"), (313, "indigo"),
    (326, "violet"), (341, "magenta"), (354, "pink"), (361, "rosy"),
)  # fmt: skip
# What people compare colours with, and roughly where that lies in CIELAB.
LIKENESS: dict[str, tuple[float, float, float]] = {
    "coal": (10, 0, 0), "slate": (34, -1, -5), "ash": (62, 0, 0), "smoke": (48, 0, -2), "pebbles": (74, 0, 2),
    "snow": (97, 0, 0), "milk": (93, 0, 6), "bone": (87, 2, 12), "sand": (78, 4, 22), "straw": (80, 3, 42),
    "lemons": (88, -5, 72), "egg yolk": (78, 18, 76), "honey": (65, 15, 55), "carrots": (64, 42, 60), "fire": (56, 62, 58),
    "rust": (42, 36, 40), "bricks": (42, 40, 28), "cherries": (38, 60, 36), "tomatoes": (48, 64, 46), "wine": (22, 32, 10),
    "plums": (24, 24, -14), "grapes": (36, 36, -34), "violets": (48, 40, -50), "lilac flowers": (72, 16, -22),
    "rose petals": (70, 34, 4), "bubble gum": (66, 50, -8), "seashells": (84, 14, 14), "salmon": (70, 32, 30),
    "ink": (16, 8, -26), "a clear evening": (26, 18, -46), "cornflowers": (46, 14, -54), "a summer sky": (68, -8, -30),
    "ice": (88, -8, -8), "a lagoon": (68, -30, -18), "a deep lake": (40, -20, -14), "mint leaves": (82, -28, 12),
    "grass": (50, -38, 40), "pines": (28, -24, 14), "moss": (44, -10, 34), "limes": (76, -36, 64), "clay": (54, 22, 26),
    "cocoa": (26, 14, 16), "chestnuts": (34, 20, 26), "oak wood": (52, 14, 34), "biscuits": (68, 12, 34),
    "dry leaves": (58, 4, 24), "fog": (82, -1, -3), "thistles": (58, 22, -16), "a stormy sea": (42, 0, -26),
    "jade": (56, -36, 12),
}  # fmt: skip
_LIKENESS_NAMES = list(LIKENESS)
_LIKENESS_LAB = np.array([LIKENESS[name] for name in _LIKENESS_NAMES])


def lightness_words(lab: np.ndarray) -> str:
    return LIGHTNESS[int(np.searchsorted((10, 22, 34, 46, 58, 72, 87), lab[0]))]


def strength_words(lab: np.ndarray) -> str:
    return STRENGTH[int(np.searchsorted(_STRENGTH_STEPS, float(np.hypot(lab[1], lab[2]))))]


def hue_words(lab: np.ndarray) -> str:
    """The side of the colour circle, in words; greys have none."""
    if np.hypot(lab[1], lab[2]) < 5:
        return "grey"
    angle = float(np.degrees(np.arctan2(lab[2], lab[1]))) % 360
    return next(name for limit, name in _HUES if angle < limit)


def likeness(lab: np.ndarray, count: int = 1) -> list[str]:
    """The things nearest in colour, nearest first."""
    order = np.argsort(((_LIKENESS_LAB - np.asarray(lab)) ** 2).sum(1))
    return [_LIKENESS_NAMES[int(index)] for index in order[:count]]


def colour_name(lab: np.ndarray) -> str:
    """A plain name such as `dark blue`, `light grey`, `pale pink`, `brown`."""
    light, chroma = float(lab[0]), float(np.hypot(lab[1], lab[2]))
    if chroma < 8:
        steps = ((18, "black"), (36, "dark grey"), (68, "grey"), (86, "light grey"), (101, "white"))
        return next(name for limit, name in steps if light < limit)
    angle = float(np.degrees(np.arctan2(lab[2], lab[1]))) % 360
    if 30 <= angle < 95 and light < 56 and chroma < 52:
        return "dark brown" if light < 30 else "brown" if light < 45 else "light brown"
    if 50 <= angle < 105 and chroma < 30:
        return "creamy white" if light > 86 and chroma < 18 else "sandy" if light > 66 else "greyish brown"
    name = next(name for limit, name in _PLAIN if angle < limit)
    if name == "red" and light > 60:
        name = "pink"
    if name == "orange" and chroma < 45 and light > 70:
        name = "peachy pink"
    front = "dark " if light < 33 else "pale " if light > 78 and chroma < 32 else "light " if light > 72 else ""
    return "yellow" if name == "yellow" and light > 72 and chroma > 45 else front + name


_PLAIN = (
    (24, "pink"), (52, "red"), (80, "orange"), (105, "yellow"), (122, "yellow-green"), (172, "green"), (228, "blue-green"),
    (306, "blue"), (330, "purple"), (350, "pinkish purple"), (361, "pink"),
)  # fmt: skip


def colour_facts(lab: np.ndarray, of: str, topic: str, clause: str) -> list[Fact]:
    """Facts about one colour.

    Args:
        lab: CIELAB, D65.
        of: what has the colour, as it stands in a question ("most of it").
        topic: heads the form ("main tint").
        clause: caption clause with `{a}`.
    """
    near = likeness(lab, 8)
    elsewhere = [name for name in _LIKENESS_NAMES if name not in near]
    name = colour_name(lab)
    names = [other for other in dict.fromkeys(colour_name(row) for row in _LIKENESS_LAB) if other != name]
    hue, light, strength = hue_words(lab), lightness_words(lab), strength_words(lab)
    hues = list(dict.fromkeys([name for _, name in _HUES] + ["grey"]))
    return [
        Fact(topic, name, (f"what colour is {of}", f"which colour has {of}", f"name the colour of {of}"), (name,),
             tuple((other,) for other in names), clause),
        Fact(f"likeness of {topic}", near[0], (f"{of} has the colour of what", f"what is coloured like {of}"), (near[0],),
             tuple((other,) for other in elsewhere), "coloured like {a}"),
        Fact(f"lightness of {topic}", light, (f"how light or dark is {of}", f"what is the shade of {of}"), (light,),
             tuple((other,) for other in LIGHTNESS if other != light), f"{of} {{a}} in shade"),
        Fact(f"strength of {topic}", strength, (f"how strong is the colour of {of}", f"how vivid is {of}"), (strength,),
             tuple((other,) for other in STRENGTH if other != strength), f"{of} {{a}} in strength"),
        Fact(f"hue of {topic}", hue, (f"which hue has {of}", f"where on the colour circle is {of}"), (hue,),
             tuple((other,) for other in hues if other != hue), f"{of} {{a}} in hue"),
    ]  # fmt: skip
