"""Cut: from a photograph's bytes to a cut-out, or to the reason why there is none.

Belongs here: which method cuts, which one judges it, and what is refused. Not here: the methods.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from catalog.pictures import Limits
from inference.ad_images.cutouts.border import backdrop_of, product_mask
from inference.ad_images.cutouts.contours import agreement, silhouette
from inference.ad_images.cutouts.lab import lab_of
from inference.ad_images.cutouts.matting import premultiplied, soft_alpha
from inference.ad_images.cutouts.photograph import Photograph, read_photograph
from inference.ad_images.cutouts.segmenter import Segmenter
from inference.ad_images.cutout import Cutout
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import OnModel

PLAIN = 0.90  # share of the border that a plain backdrop explains
SURE = 0.90  # IoU of two methods from which a cut-out is trusted
BLUR = 0.6  # pixels, against JPEG's ringing
LEAST_PRODUCT = 0.004  # share of the photograph


@dataclass(frozen=True)
class Outline:
    """A mask (height, width) bool, who made it, and its agreement with a second method."""

    mask: np.ndarray
    method: str
    confidence: float


def cut_out(
    photo: bytes,
    *,
    article_type: str | None,
    apparel: bool | None,
    on_model: OnModel,
    segmenters: Sequence[Segmenter] = (),
    limits: Limits | None = None,
) -> Cutout:
    """The product of a photograph, without its background.

    Args:
        photo: bytes of an image file.
        article_type: as the catalogue says; None where nobody knows.
        apparel: whether it is worn on the body, so that a person may be in the picture; None where nobody knows.
        on_model: what happens to a photograph in which a person wears the product.
        segmenters: asked, in this order, where the backdrop is not plain; the first also judges the border's cut.
        limits: held before decoding.

    Raises:
        AdRefused: photo_unreadable, photo_too_large, photo_too_small, not_a_product, no_product, on_model,
            cutout_uncertain; backend_missing from a segmenter.
    """
    photograph = read_photograph(photo, limits)
    source = hashlib.sha256(photo).hexdigest()
    if photograph.alpha is not None:
        return _brought_along(photograph, source)
    outline = find_outline(photograph.rgb, segmenters)
    rgb = photograph.rgb.astype(np.float32)
    pixels = cropped(premultiplied(rgb, soft_alpha(rgb, outline.mask)))
    return Cutout(pixels, source, outline.method, round(outline.confidence, 4))


def find_outline(rgb: np.ndarray, segmenters: Sequence[Segmenter]) -> Outline:
    """The product's outline, if two methods agree on it.

    Raises:
        AdRefused: no_product, cutout_uncertain.
    """
    lab = ndimage.gaussian_filter(lab_of(rgb), (BLUR, BLUR, 0))
    backdrop = backdrop_of(lab)
    mask = product_mask(lab, backdrop)
    if mask.mean() < LEAST_PRODUCT:
        raise AdRefused(
            RefusalCode.NO_PRODUCT, "no product stands out from the photograph's background; give another photograph."
        )
    confidence = agreement(mask, silhouette(rgb))
    if backdrop.homogeneity < PLAIN or confidence < SURE:
        raise AdRefused(
            RefusalCode.CUTOUT_UNCERTAIN,
            f"two methods agree on {confidence:.0%} of the outline (least {SURE:.0%}) and {backdrop.homogeneity:.0%} of "
            f"the border is plain (least {PLAIN:.0%}); photograph the product before a plain backdrop, or name a segmenter.",
        )
    return Outline(mask, "border", confidence)


def cropped(pixels: np.ndarray) -> np.ndarray:
    """(height, width, 4) uint8 cropped to alpha > 0.

    Raises:
        AdRefused: no_product, where nothing is left.
    """
    rows, columns = np.flatnonzero(pixels[..., 3].any(axis=1)), np.flatnonzero(pixels[..., 3].any(axis=0))
    if not len(rows):
        raise AdRefused(RefusalCode.NO_PRODUCT, "nothing of the photograph is opaque; give one that shows a product.")
    return np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _brought_along(photograph: Photograph, source: str) -> Cutout:
    """A file that is a cut-out already: its own alpha is the truth, and nothing can contradict it."""
    assert photograph.alpha is not None and photograph.colours is not None
    opacity = np.rint(photograph.alpha * 255)[..., None]
    colours = np.minimum(np.rint(photograph.colours * (opacity / 255)), opacity)
    pixels = np.concatenate([colours, opacity], axis=-1).astype(np.uint8)
    return Cutout(cropped(pixels), source, "alpha", 1.0)
