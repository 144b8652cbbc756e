"""Indoors from above: studio, living room, kitchen, desk, bedroom, gym.

Belongs here: what each is composed of. Not here: how any of it is drawn.
"""

import numpy as np

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.surfaces import cloths, crockery, foliage, gobos, placing, workthings
from inference.ad_images.backdrops.studio.surfaces.cloths import Cloth
from inference.ad_images.backdrops.studio.surfaces.ground import (
    Covering,
    between,
    blended,
    cover,
    dim,
    laid,
    light_up,
    oklab,
    shifted,
    towards,
    unmuddied,
)
from inference.ad_images.backdrops.studio.surfaces.placing import Spot, Thing, drawn_corners, reaching, resting
from inference.ad_images.scene import Scene

PAPER = Covering("paper", 0.10, 0.08, 0.32)
PLASTER = Covering("plaster", 0.16, 0.10, 0.45)
LINEN = Covering("linen", 0.16, 0.10, 0.5, (0, 1))
FINE_LINEN = Covering("fine_linen", 0.14, 0.09, 0.5, (0, 1))
OAK = Covering("oak_floor", 0.36, 0.13, 0.5, level=0.62)
BUTCHER_BLOCK = Covering("butcher_block", 0.30, 0.13, 0.5, level=0.6)
WALNUT = Covering("table_wood", 0.24, 0.14, 0.5, level=0.55)
MARBLE = Covering("marble", 0.42, 0.035, level=0.86)
SOAPSTONE = Covering("marble", -0.30, 0.03, level=0.86)
SHEETS = Covering("sheets", 0.10, 0.05, 0.62)
WOOL = Covering("wool", 0.24, 0.14, 0.5)
FELT = Covering("felt", 0.13, 0.10, 0.6)
RUBBER = Covering("rubber", 0.14, 0.40, 0.6, level=0.25)
MAT = Covering("ribbed_mat", 0.14, 0.10, 0.5)

BLANKET = Cloth(WOOL, 0.013, 0.010, 0.0016, fringe=0.05, reach=0.34)
TOWEL = Cloth(FINE_LINEN, 0.006, 0.009, 0.0016, hem=0.016, reach=0.32)
GYM_TOWEL = Cloth(Covering("felt", 0.10, 0.10, 0.9), 0.012, 0.008, 0.0016, hem=0.03, reach=0.32)

COFFEE = np.array([0.040, 0.018, 0.008], np.float32)
PORCELAIN = np.array([0.74, 0.72, 0.68], np.float32)
LEAF_GREEN = np.array([0.11, 0.16, 0.055], np.float32)
SAGE = np.array([0.21, 0.30, 0.25], np.float32)
STRAW = np.array([0.58, 0.44, 0.26], np.float32)


def pick(rng: np.random.Generator, **weights: float) -> str:
    """One of the names, by weight."""
    names = list(weights)
    share = np.array(list(weights.values()))
    return names[int(rng.choice(len(names), p=share / share.sum()))]


def studio(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Coloured paper, one sheet or two; plaster; linen. Nothing lies on it but, at times, one sprig."""
    rng = canvas.stream("kind")
    kind = pick(rng, paper=0.25, two_papers=0.3, plaster=0.25, linen=0.2)
    colour = canvas.colour(int(rng.choice((0, 1, 3), p=(0.44, 0.41, 0.15))))
    colour = canvas.sheet(colour if canvas.branded else unmuddied(colour))
    cover(canvas, {"plaster": PLASTER, "linen": LINEN}.get(kind, PAPER), colour)
    if kind == "two_papers":
        _second_sheet(canvas, rng, _partner(canvas, colour, float(rng.uniform(0.35, 0.7))))
    from_outside = pick(rng, foliage=0.45, window=0.25, none=0.3)
    if from_outside != "foliage" and rng.random() < 0.6:
        (spot,) = drawn_corners(canvas, clear, 1)
        placing.set_down(canvas, clear, [_sprig(canvas, spot, rng)])
    light_up(canvas)
    _gobo(canvas, clear, rng, **{from_outside: 1.0})


def living_room(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Oak boards or a woven rug; a blanket's corner or a book, a plant at the edge."""
    rng = canvas.stream("kind")
    wooden = rng.random() < 0.7
    if wooden:
        cover(canvas, OAK, shifted(canvas.colour(1), float(rng.uniform(0.0, 0.09)), 0.8))
    else:
        cover(canvas, WOOL, between(canvas.colour(0), canvas.colour(1), 0.15))
    first, second = drawn_corners(canvas, clear, 2)
    if rng.random() < (0.6 if wooden else 0.25):
        cloths.spread(
            canvas, clear, first, BLANKET, between(canvas.colour(0), canvas.colour(2), float(rng.uniform(0, 0.4)))
        )
    else:
        placing.set_down(canvas, clear, _reading(canvas, first, canvas.colour(2)))
    if rng.random() < 0.7:
        plant = foliage.palm if rng.random() < 0.5 else foliage.olive
        placing.set_down(canvas, clear, [reaching(canvas, second, plant, LEAF_GREEN)], blur=0.0018)
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.25, window=0.45, none=0.3)


def kitchen(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Marble or butcher block; a linen towel, a cup, a bowl, herbs."""
    rng = canvas.stream("kind")
    top = rng.random()
    if top < 0.5:
        cover(canvas, MARBLE, shifted(canvas.colour(0), 0.04, 0.35))
    elif top < 0.65:
        cover(canvas, SOAPSTONE, shifted(canvas.colour(3), float(rng.uniform(-0.10, 0.02)), 0.3))
    else:
        cover(canvas, BUTCHER_BLOCK, blended(canvas, np.array([0.55, 0.34, 0.17]), 1, 0.35))
    first, second = drawn_corners(canvas, clear, 2)
    towel = rng.random() < 0.6
    if towel:
        cloths.spread(
            canvas, clear, first, TOWEL, between(canvas.colour(0), canvas.colour(2), float(rng.uniform(0.1, 0.75)))
        )
    else:
        placing.set_down(canvas, clear, [_cup(canvas, first, 0.085)])
    things = [reaching(canvas, second, foliage.olive, LEAF_GREEN, 0.9, number) for number in range(2)]
    if rng.random() < 0.35:
        glaze = between(PORCELAIN, canvas.colour(2), float(rng.uniform(0.1, 0.6)))
        things = [resting(canvas, second, lambda *_: crockery.bowl(canvas, 0.15, glaze), 0.10, 0.035)]
    placing.set_down(canvas, clear, things)
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.3, window=0.3, none=0.4)


def desk(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A wooden top or a felt mat; notebook and pencil, a keyboard's corner, coffee, a sprig."""
    rng = canvas.stream("kind")
    if rng.random() < 0.7:
        cover(canvas, WALNUT, shifted(canvas.colour(1), float(rng.uniform(-0.03, 0.05)), 0.9))
    else:
        cover(canvas, FELT, canvas.colour(0))
    first, second = drawn_corners(canvas, clear, 2)
    large = _notebook(canvas, first) if rng.random() < 0.55 else _keyboard(canvas, first)
    drinks = rng.random() < 0.5
    if not placing.set_down(canvas, clear, [large]):
        placing.set_down(canvas, clear, [_cup(canvas, first, 0.062)])
        drinks = False
    small = _cup(canvas, second, 0.075) if drinks else reaching(canvas, second, foliage.eucalyptus, SAGE)
    placing.set_down(canvas, clear, [small])
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.2, blinds=0.3, window=0.15, none=0.35)


def bedroom(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Crumpled linen; a woollen blanket or a book, a sprig."""
    rng = canvas.stream("kind")
    shade = float(rng.uniform(0, 0.35)) if rng.random() < 0.5 else 0.0
    cover(canvas, SHEETS, shifted(between(canvas.colour(0), canvas.colour(2), shade), 0.0, 0.75))
    first, second = drawn_corners(canvas, clear, 2)
    if rng.random() < 0.5:
        cloths.spread(
            canvas, clear, first, BLANKET, between(canvas.colour(1), canvas.colour(2), float(rng.uniform(0, 1)))
        )
    else:
        placing.set_down(canvas, clear, _reading(canvas, first, canvas.colour(2)))
    if rng.random() < 0.55:
        placing.set_down(canvas, clear, [_sprig(canvas, second, rng)])
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.35, window=0.3, none=0.35)


def gym(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Rubber floor or an exercise mat; a towel, a bottle, a dumbbell or a weight."""
    rng = canvas.stream("kind")
    if rng.random() < 0.5:
        cover(canvas, RUBBER, shifted(canvas.colour(0), float(rng.uniform(0.0, 0.12))))
    else:
        cover(canvas, MAT, between(canvas.colour(1), canvas.colour(2), float(rng.uniform(0, 0.35))))
    first, second = drawn_corners(canvas, clear, 2)
    if rng.random() < 0.5:
        cloths.spread(canvas, clear, first, GYM_TOWEL, between(PORCELAIN, canvas.colour(2), float(rng.uniform(0, 0.5))))
    else:
        black = np.array([0.022, 0.023, 0.025])
        placing.set_down(
            canvas, clear, [resting(canvas, first, lambda *_: crockery.weight(canvas, 0.27, black), 0.06, 0.03)]
        )
    accent = between(canvas.colour(2), PORCELAIN, 0.1)
    if rng.random() < 0.5:
        thing = resting(
            canvas,
            second,
            lambda stream, sun, _: workthings.bottle(stream, sun, accent),
            0.15,
            0.035,
            second.inward + 90,
        )
    else:
        thing = resting(canvas, second, lambda stream, sun, _: workthings.dumbbell(stream, sun, accent), 0.13, 0.035)
    placing.set_down(canvas, clear, [thing])
    light_up(canvas, 1.1)


def _gobo(canvas: StudioCanvas, clear: Box, rng: np.random.Generator, **weights: float) -> None:
    """Throws one of the gobos, or none; none under an overcast sky either."""
    kind = pick(rng, **weights)
    depth = float(rng.uniform(0.30, 0.46))
    if kind != "none" and canvas.light.softness < 0.75:
        gobos.throw(canvas, kind, clear, depth)


def _second_sheet(canvas: StudioCanvas, rng: np.random.Generator, colour: np.ndarray) -> None:
    """Another paper over a part of the first, its edge through the picture off the middle."""
    turn = np.deg2rad(float(rng.choice((0, 90, 180, 270, 28, 152, 208, 332)) + rng.uniform(-4, 4)))
    rows, columns = canvas.grid()
    x = (columns - 0.5) * np.float32(canvas.width / canvas.unit)
    y = (rows - 0.5) * np.float32(canvas.height / canvas.unit)
    inside = x * np.float32(np.cos(turn)) + y * np.float32(np.sin(turn)) - np.float32(rng.uniform(0.02, 0.2))
    right, down, _ = towards(canvas.light)
    away = max(0.0, float(np.cos(turn) * right + np.sin(turn) * down))
    shadow = (0.12 + 0.22 * away) * np.exp(-np.clip(-inside, 0, 1) / np.float32(0.003 + 0.010 * away))
    dim(canvas.pixels, 1 - shadow)
    canvas.over(laid(canvas, PAPER, colour, "second sheet"), np.clip(inside * canvas.unit + 0.5, 0, 1))


def _partner(canvas: StudioCanvas, colour: np.ndarray, share: float) -> np.ndarray:
    """A second colour for a paper of this one: towards the palette's most different, or darker where there is none."""
    others = np.stack([canvas.panel(colour) for colour in canvas.palette[:3]])
    distances = np.linalg.norm(oklab(others) - oklab(colour), axis=1)
    if distances.max() < 0.06:
        return shifted(colour, -0.08)
    return between(colour, others[int(distances.argmax())], share)


def _sprig(canvas: StudioCanvas, spot: Spot, rng: np.random.Generator) -> Thing:
    kind = pick(rng, eucalyptus=0.4, olive=0.25, dry_grass=0.35)
    plant, colour = {
        "eucalyptus": (foliage.eucalyptus, SAGE),
        "olive": (foliage.olive, LEAF_GREEN),
        "dry_grass": (foliage.dry_grass, STRAW),
    }[kind]
    return reaching(canvas, spot, plant, colour)


def _cup(canvas: StudioCanvas, spot: Spot, radius: float) -> Thing:
    glaze = between(PORCELAIN, canvas.colour(0), 0.3)
    return resting(canvas, spot, lambda *_: crockery.cup(canvas, radius, glaze, COFFEE), 0.13, 0.03)


def _reading(canvas: StudioCanvas, spot: Spot, colour: np.ndarray) -> list[Thing]:
    lean = float(canvas.stream("lean").choice((-24, 18, 66, 112)))
    cover_of = between(colour, canvas.colour(3), 0.25)
    return [resting(canvas, spot, lambda stream, sun, _: workthings.book(stream, sun, cover_of), 0.13, 0.018, lean)]


def _notebook(canvas: StudioCanvas, spot: Spot) -> Thing:
    lean = float(canvas.stream("lean").choice((-14, 10, 82, 100)))
    cloth, lead = between(canvas.colour(3), canvas.colour(2), 0.3), between(canvas.colour(2), PORCELAIN, 0.35)
    return resting(
        canvas, spot, lambda stream, sun, _: workthings.notebook(stream, sun, cloth, lead), 0.13, 0.014, lean
    )


def _keyboard(canvas: StudioCanvas, spot: Spot) -> Thing:
    keys = np.array([0.78, 0.78, 0.79]) if canvas.stream("keys").random() < 0.7 else np.array([0.035, 0.036, 0.038])
    turn = float(np.rad2deg(np.arctan2(np.sin(np.deg2rad(spot.inward)), np.cos(np.deg2rad(spot.inward)))) - 45)
    return resting(canvas, spot, lambda stream, sun, _: workthings.keyboard(stream, sun, keys), 0.14, 0.01, turn)
