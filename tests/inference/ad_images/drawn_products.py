"""Cut-outs for tests, made without the cut-out stage."""

import hashlib

import numpy as np
from scipy.ndimage import gaussian_filter

from inference.ad_images.composition import place, plans_for
from inference.ad_images.cutout import Cutout
from inference.ad_images.plan import Placed, Support
from inference.ad_images.request import AdBrief, AdRequest
from inference.ad_images.scene import Scene


def cutout_of(colours: np.ndarray, alpha: np.ndarray) -> Cutout:
    """A cut-out of (height, width, 3) colours and (height, width) alpha, both uint8, cropped to what is seen."""
    pixels = np.dstack([(colours.astype(np.uint16) * alpha[..., None] // 255).astype(np.uint8), alpha])
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    pixels = np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return Cutout(pixels, hashlib.sha256(pixels.tobytes()).hexdigest(), "border", 1.0)


def drawn(product_id: int, size: int = 256) -> Cutout:
    """A product of the drawn catalogue, cut out by its own part mask."""
    from catalog.drawn.garments import draw_garment
    from catalog.drawn.spec import sample_spec

    drawing = draw_garment(sample_spec(3, product_id), size)
    mask = np.asarray(drawing.parts) > 0
    alpha = np.where(mask, np.clip(gaussian_filter(np.where(mask, 255.0, 0.0), 0.7), 0, 255), 0).astype(np.uint8)
    return cutout_of(np.asarray(drawing.image)[..., :3], alpha)


def block(width: int, height: int, colour: tuple[int, int, int] = (200, 40, 90)) -> Cutout:
    """An opaque rectangle of one colour."""
    return cutout_of(np.full((height, width, 3), colour, np.uint8), np.full((height, width), 255, np.uint8))


def brief_of(
    support: Support = Support.STANDS, height_cm: float = 30.0, size: tuple[int, int] = (256, 256), seed: int = 5
) -> AdBrief:
    request = AdRequest("r1", b"photo", prompt="on a table", size=size, seed=seed)
    return AdBrief(request, "a red bag", "studio_sweep", support, height_cm, {"theme": "the usual one of bags"})


def placed_on(size: tuple[int, int], cutout: Cutout | None = None, support: Support = Support.STANDS) -> Placed:
    """The middle plan of a product on a canvas of (width, height)."""
    cutout = cutout or drawn(1)
    return place(cutout, plans_for(brief_of(support, size=size), cutout)[3], size)


def scene_of(size: tuple[int, int], seed: int = 11) -> Scene:
    return Scene("studio_sweep", "A red bag on a plain paper sweep.", size, seed, Support.STANDS)
