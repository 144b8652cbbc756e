"""Cut: from a photograph's bytes to a cut-out, or to the reason why there is none.

Belongs here: which method cuts, which one judges it, and what is refused. Not here: the methods.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from catalog.pictures import Limits
from inference.ad_images.cutout import Cutout
from inference.ad_images.cutouts.border import READINGS, Backdrop, backdrop_of, product_mask
from inference.ad_images.cutouts.contours import agreement, reduced, silhouettes
from inference.ad_images.cutouts.lab import lab_of, squared
from inference.ad_images.cutouts.matting import premultiplied, soft_alpha
from inference.ad_images.cutouts.openings import without_openings
from inference.ad_images.cutouts.people import require_policy, require_whole
from inference.ad_images.cutouts.photograph import Photograph, read_photograph
from inference.ad_images.cutouts.rims import without_rims
from inference.ad_images.cutouts.segmenter import Segmenter
from inference.ad_images.cutouts.things import require_one_thing, require_uncut
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.request import OnModel

PLAIN = 0.90  # share of the border that a plain backdrop explains
SURE = 0.88  # IoU of two methods from which a cut-out is trusted
BLUR = 0.4  # pixels, against JPEG's ringing
CONFIRMED = 0.95  # IoU from which no other reading of the shadows is tried
LEAST_SEEN = 0.35  # of what is visible, shadows too, that an outline encloses
LEAST_PRODUCT = 0.004  # share of the photograph
OPAQUE = 0.5  # alpha of a segmenter from which a pixel is product
VISIBLE = 4.0  # ΔE to the backdrop; pale things are seen whole, and not only the writing on them
LARGEST_BITE = 0.0575  # radius, of the root of a product's area, of what only the second method sees
PALE_BITE = 2.0  # ΔE to the backdrop, from which that is a piece of the product
MARGIN = 16  # pixels around a mask


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
        article_type: as the catalogue says, for the sentences; None where nobody knows.
        apparel: whether it is worn on the body, so that a person may be in the picture; None where nobody knows, and
            then people are looked for in what could be cut out.
        on_model: what happens to a photograph in which a person wears the product.
        segmenters: asked, in this order, where the backdrop is not plain or the border's cut is not confirmed.
        limits: held before decoding.

    Raises:
        AdRefused: photo_unreadable, photo_too_large, photo_too_small, not_a_product, no_product, on_model,
            product_cut, cutout_uncertain; backend_missing from a segmenter.
        ServiceUnavailable: from a segmenter.
    """
    photograph = read_photograph(photo, limits)
    source = hashlib.sha256(photo).hexdigest()
    person = bool(apparel) and require_policy(photograph.rgb, on_model, article_type)
    if photograph.alpha is not None:
        if person:
            require_whole(photograph.alpha, article_type)
        return _brought_along(photograph, source, person)
    outline = find_outline(photograph.rgb, segmenters)
    if apparel is None:  # only now: before a busy background the detector sees people in anything
        person = require_policy(photograph.rgb, on_model, article_type)
    if person:
        require_whole(outline.mask, article_type)
    else:
        require_uncut(outline.mask, article_type)
    box = _around(outline.mask)
    rgb, mask = photograph.rgb[box].astype(np.float32), outline.mask[box]
    pixels = cropped(premultiplied(rgb, soft_alpha(rgb, mask)))
    return Cutout(pixels, source, outline.method, round(outline.confidence, 4), person)


def find_outline(rgb: np.ndarray, segmenters: Sequence[Segmenter] = ()) -> Outline:
    """The product's outline, if two methods agree on it.

    Args:
        rgb: (height, width, 3) uint8 sRGB.

    Raises:
        AdRefused: not_a_product, no_product, cutout_uncertain; what a segmenter raises.
    """
    lab = ndimage.gaussian_filter(lab_of(rgb), (BLUR, BLUR, 0))
    backdrop = backdrop_of(lab)
    outline, contour = _by_border(rgb, lab, backdrop)
    distance = np.sqrt(squared(lab - backdrop.lab))
    visible = ndimage.binary_fill_holes(distance > VISIBLE)
    seen = float(ndimage.binary_fill_holes(outline.mask).sum() / max(1, visible.sum()))
    if seen < LEAST_SEEN:  # both may lose a pale product and keep what is written on it
        outline = replace(outline, confidence=min(seen, outline.confidence))
    opinions = {"contours": contour}
    plain = backdrop.homogeneity >= PLAIN
    bitten = bite(outline.mask, contour, distance) > LARGEST_BITE
    if plain:  # only now: both opinions were formed on the whole of it
        opened = without_openings(lab, outline.mask, backdrop)
        outline = replace(outline, mask=without_rims(lab, opened, backdrop))
    if plain and outline.confidence >= SURE and not bitten:
        require_one_thing(outline.mask)
        return outline
    if plain:
        opinions["border"] = reduced(outline.mask)
    best = outline.confidence
    for segmenter in segmenters:
        mask = segmenter.mask(rgb) >= OPAQUE
        small = reduced(mask)
        confidence, judge = max((agreement(small, other), name) for name, other in opinions.items())
        if confidence >= SURE:
            require_one_thing(mask)
            mask = outline.mask if judge == "border" else mask  # the border's is the finer one
            return Outline(mask, f"{segmenter.name} {segmenter.version}, {judge}", confidence)
        opinions[segmenter.name] = small
        best = max(best, confidence)
    if plain:
        require_one_thing(visible)
    if plain and best >= SURE:
        raise AdRefused(
            RefusalCode.CUTOUT_UNCERTAIN,
            "a piece of the product is of the backdrop's colour, and only one of two methods sees it; photograph it "
            "before a backdrop of another colour, or name a segmenter.",
        )
    raise _uncertain(outline, backdrop.homogeneity, best)


def bite(mask: np.ndarray, silhouette: np.ndarray, distance: np.ndarray) -> float:
    """Radius of the largest piece of a silhouette that a mask lacks, of the root of the mask's area.

    Agreement over the whole area hardly falls where a shoe lacks its white toe.

    Args:
        mask: (height, width) bool. silhouette: bool, of the reduced photograph.
        distance: (height, width) float32, ΔE to the backdrop.

    Returns:
        0 where none is, or where the piece shows nothing but the backdrop: contours close narrow gaps.
    """
    own = reduced(ndimage.binary_fill_holes(mask))
    radii = ndimage.distance_transform_edt(np.pad(silhouette & ~own, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(radii.argmax(), radii.shape)
    disc = np.hypot(*(np.indices(radii.shape) - np.array([[[row]], [[column]]]))) <= radii[row, column]
    shown = np.asarray(Image.fromarray(distance).resize(silhouette.shape[::-1]))
    if np.median(shown[disc]) < PALE_BITE:
        return 0.0
    return float(radii[row, column] / np.sqrt(max(1, own.sum())))


def _by_border(rgb: np.ndarray, lab: np.ndarray, backdrop: Backdrop) -> tuple[Outline, np.ndarray]:
    """The border's outline and the contours' silhouette, in those readings of shadows and of ringing that agree best.

    Readings are tried in order, until two agree well; most photographs need the first of each.
    """
    pairs: list[tuple[Outline, np.ndarray]] = []
    masks: list[np.ndarray] = []
    for silhouette in silhouettes(rgb):
        for number, reading in enumerate(READINGS):
            if number == len(masks):
                masks.append(product_mask(lab, backdrop, reading))
            confidence = agreement(reduced(masks[number]), silhouette)
            pairs.append((Outline(masks[number], "border, contours", confidence), silhouette))
            if confidence >= CONFIRMED:
                return pairs[-1]
    return max(pairs, key=lambda pair: pair[0].confidence)


def _uncertain(outline: Outline, homogeneity: float, agreed: float) -> AdRefused:
    if outline.mask.mean() < LEAST_PRODUCT:
        return AdRefused(
            RefusalCode.NO_PRODUCT, "no product stands out from the photograph's background; give another photograph."
        )
    return AdRefused(
        RefusalCode.CUTOUT_UNCERTAIN,
        f"two methods agree on {agreed:.0%} of the outline (least {SURE:.0%}), and {homogeneity:.0%} of the border is "
        f"plain (least {PLAIN:.0%}); photograph the product before a plain backdrop, or name a segmenter.",
    )


def _around(mask: np.ndarray) -> tuple[slice, slice]:
    """The box of a mask and what its soft edge needs around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, int(rows[0]) - MARGIN), max(0, int(columns[0]) - MARGIN)
    return slice(top, int(rows[-1]) + 1 + MARGIN), slice(left, int(columns[-1]) + 1 + MARGIN)


def cropped(pixels: np.ndarray) -> np.ndarray:
    """(height, width, 4) uint8 cropped to alpha > 0.

    Raises:
        AdRefused: no_product, where nothing is left.
    """
    rows, columns = np.flatnonzero(pixels[..., 3].any(axis=1)), np.flatnonzero(pixels[..., 3].any(axis=0))
    if not len(rows):
        raise AdRefused(RefusalCode.NO_PRODUCT, "nothing of the photograph is opaque; give one that shows a product.")
    return np.ascontiguousarray(pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def _brought_along(photograph: Photograph, source: str, person: bool) -> Cutout:
    """A file that is a cut-out already: its own alpha is the truth, and nothing can contradict it."""
    assert photograph.alpha is not None and photograph.colours is not None
    opacity = np.rint(photograph.alpha * 255)[..., None]
    colours = np.minimum(np.rint(photograph.colours * (opacity / 255)), opacity)
    pixels = np.concatenate([colours, opacity], axis=-1).astype(np.uint8)
    return Cutout(cropped(pixels), source, "alpha", 1.0, person)
