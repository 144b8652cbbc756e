"""Photograph: the bytes of an image file as pixels to cut, or the reason why they are none.

Belongs here: limits, decoding, the alpha that a file brings along. Not here: finding the product (cut.py).

The first picture of an animation stands for it. Greys, CMYK, 16 bits and colour profiles become sRGB as everywhere
(catalog/pixels.py), and what is larger than `LONGEST_SIDE` is reduced to it: no ad is larger.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from catalog.pictures import Limits, decoded, measure_picture
from catalog.pixels import srgb_on_white
from catalog.quarantine import Reason, Rejection
from inference.ad_images.refusal import AdRefused, RefusalCode

LONGEST_SIDE = 1024  # pixels
SHORTEST_SIDE = 64  # pixels; a product of less cannot be shown
LEAST_CLEAR = 0.05  # share of pixels that are clear in a photograph that was cut out before
CODES = {Reason.IMAGE_TOO_LARGE: RefusalCode.PHOTO_TOO_LARGE, Reason.BLANK_IMAGE: RefusalCode.NOT_A_PRODUCT}
REMEDIES = {
    RefusalCode.PHOTO_TOO_LARGE: "store it smaller",
    RefusalCode.NOT_A_PRODUCT: "give a photograph that shows the product",
    RefusalCode.PHOTO_UNREADABLE: "store it again as JPEG or PNG",
}


@dataclass(frozen=True)
class Photograph:
    """A decoded photograph.

    Attributes:
        rgb: (height, width, 3) uint8 sRGB, upright; clear parts on white.
        alpha: (height, width) float32, 0 to 1, where the file brings a cut-out; else None.
        colours: the same as `rgb`, clear parts not on white; only with `alpha`.
    """

    rgb: np.ndarray
    alpha: np.ndarray | None
    colours: np.ndarray | None


def read_photograph(content: bytes, limits: Limits | None = None) -> Photograph:
    """The photograph in an image file.

    Raises:
        AdRefused: photo_too_large (before decoding), photo_unreadable, photo_too_small, not_a_product (one colour).
    """
    limits = limits or Limits()
    try:
        measured = measure_picture(content, limits)
        _require_size(measured.width, measured.height)
        image = decoded(content, limits, 2 * LONGEST_SIDE)
        picture = srgb_on_white(image)
        alpha, colours = _own_alpha(image)
    except Rejection as rejection:
        raise refusal_of(rejection) from rejection
    except ValueError as error:  # greys without a white (catalog/pixels.py)
        raise AdRefused(RefusalCode.PHOTO_UNREADABLE, f"the photograph cannot be read: {error}.") from error
    size = _reduced_size(picture.size)
    rgb = np.asarray(picture.resize(size, Image.Resampling.LANCZOS) if size != picture.size else picture)
    if alpha is None or colours is None:
        return Photograph(rgb, None, None)
    if size != picture.size:
        alpha, colours = (plane.resize(size, Image.Resampling.LANCZOS) for plane in (alpha, colours))
    return Photograph(rgb, np.asarray(alpha, np.float32) / 255, np.asarray(colours))


def _require_size(width: int, height: int) -> None:
    if min(width, height) < SHORTEST_SIDE:
        raise AdRefused(
            RefusalCode.PHOTO_TOO_SMALL,
            f"the photograph is {width} x {height} pixels; give one of at least {SHORTEST_SIDE} a side.",
        )


def refusal_of(rejection: Rejection) -> AdRefused:
    """Why an image file is no photograph to work with, for whoever sent it."""
    detail = rejection.detail
    if rejection.reason is Reason.BLANK_IMAGE and "pixels show nothing" in detail:
        code = RefusalCode.PHOTO_TOO_SMALL
        return AdRefused(code, f"the photograph is too small: {detail}; give one of {SHORTEST_SIDE} or more.")
    code = CODES.get(rejection.reason, RefusalCode.PHOTO_UNREADABLE)
    what = "is cut short" if rejection.reason is Reason.TRUNCATED_IMAGE else "cannot be used"
    return AdRefused(code, f"the photograph {what}: {detail.rstrip('.')}; {REMEDIES[code]}.")


def _own_alpha(image: Image.Image) -> tuple[Image.Image | None, Image.Image | None]:
    """Alpha and colours of a file that was cut out before: much of it clear, and most of its border."""
    if not image.has_transparency_data:
        return None, None
    rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
    alpha = rgba.getchannel("A")
    values = np.asarray(alpha)
    frame = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    if (values < 128).mean() < LEAST_CLEAR or (frame < 128).mean() < 0.5 or values.max() < 128:
        return None, None
    colours = rgba.convert("RGB")
    colours.info.update({"icc_profile": image.info["icc_profile"]} if image.info.get("icc_profile") else {})
    return alpha, srgb_on_white(colours)


def _reduced_size(size: tuple[int, int]) -> tuple[int, int]:
    factor = LONGEST_SIDE / max(size)
    return size if factor >= 1 else (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
