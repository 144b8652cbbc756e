"""Photographs that are no picture of a product to be advertised: unreadable, out of bounds, mostly bare skin.

Belongs here: decoding within limits, the share of skin. Not here: finding the product (cutouts/), a service that knows
more (aws.py).

The share of skin-coloured area is a coarse sign: it knows colours, not bodies, and beige cloth has them as well. The
limit lies above what the drawn catalogue reaches, so that it refuses close shots of bare bodies and little else; what
it lets pass is not thereby safe.
"""

import io

import numpy as np
from PIL import Image

from catalog.pictures import Limits, standard_copy
from catalog.quarantine import Reason, Rejection
from inference.ad_images.refusal import AdRefused, RefusalCode

ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
LEAST_SIDE = 32  # pixels; below it no product can be told from noise
WORKING_SIDE = 128
WARM_BORDER = 0.3  # of the border has skin's colours: a warm wall or a wooden table, which is no skin
BACKDROP_CHROMA = 12  # levels of Cb and Cr by which a picture differs from its backdrop
MOST_SKIN = 0.65  # of the frame; drawn garments of beige and tan reach 0.647, 3 of 1,500 photographs pass it


def check_photograph(photo: bytes, limits: Limits | None = None, most_skin: float = MOST_SKIN) -> None:
    """Nothing where a photograph decodes within limits and is not mostly bare skin.

    Raises:
        AdRefused: photo_unreadable, photo_too_large, photo_too_small or photo_unsafe.
    """
    try:
        copy = standard_copy(photo, limits or Limits())
    except Rejection as rejection:
        raise _refused(rejection) from rejection
    frames = _frames(photo)
    if frames > 1:
        raise AdRefused(
            RefusalCode.PHOTO_UNREADABLE,
            f"the photograph is an animation of {frames} pictures, and which one shows the product is not said; give "
            "one of them.",
        )
    if min(copy.width, copy.height) < LEAST_SIDE and max(copy.width, copy.height) < 4 * LEAST_SIDE:
        raise AdRefused(
            RefusalCode.PHOTO_TOO_SMALL,
            f"the photograph is {copy.width} x {copy.height} pixels; the shorter side needs {LEAST_SIDE}.",
        )
    with Image.open(io.BytesIO(copy.content)) as image:
        share = skin_share(image)
    if share > most_skin:
        raise AdRefused(
            RefusalCode.PHOTO_UNSAFE,
            f"{share:.0%} of the photograph has the colour of bare skin, and {most_skin:.0%} may; give a photograph of "
            "the product alone, or have a service judge it.",
        )


def _frames(photo: bytes) -> int:
    """Pictures of an animation; 1 of a still one, such as a phone's JPEG that carries further views of itself."""
    with Image.open(io.BytesIO(photo)) as image:  # has been decoded within limits
        return int(getattr(image, "n_frames", 1)) if image.format in ANIMATED else 1


def skin_share(image: Image.Image) -> float:
    """The share of a picture that has the colours and the modelling of skin, 0 to 1.

    Source: the YCbCr box of Chai and Ngan (IEEE TCSVT 9(4), 1999), Cb 77 to 127 and Cr 133 to 173.
    """
    small = image.convert("RGB")
    small.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    rgb = np.asarray(small, np.float32)
    ycc = np.asarray(small.convert("YCbCr"), np.float32)
    luma, blue, red = ycc[..., 0], ycc[..., 1], ycc[..., 2]
    skin = (blue >= 77) & (blue <= 127) & (red >= 135) & (red <= 173) & (luma > 60)
    skin &= (rgb[..., 0] - rgb.min(axis=-1) > 20) & (rgb[..., 1] > 0.5 * rgb[..., 0])
    border = np.concatenate([ycc[0], ycc[-1], ycc[:, 0], ycc[:, -1]])
    if np.concatenate([skin[0], skin[-1], skin[:, 0], skin[:, -1]]).mean() > WARM_BORDER:
        backdrop = np.median(border, axis=0)[1:]
        skin &= np.abs(ycc[..., 1:] - backdrop).max(axis=-1) > BACKDROP_CHROMA
    return float(skin.mean())


def _refused(rejection: Rejection) -> AdRefused:
    codes = {Reason.IMAGE_TOO_LARGE: RefusalCode.PHOTO_TOO_LARGE, Reason.BLANK_IMAGE: RefusalCode.NOT_A_PRODUCT}
    code = codes.get(rejection.reason, RefusalCode.PHOTO_UNREADABLE)
    remedy = "give a smaller copy" if code is RefusalCode.PHOTO_TOO_LARGE else "give a whole JPEG, PNG or WebP file"
    return AdRefused(code, f"the photograph cannot be used ({rejection.detail:.200}); {remedy}.")
