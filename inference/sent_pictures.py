"""Pictures in requests: base64 text to the standard copy that a catalogue's pictures are kept as.

Belongs here: decoding one, its limits. Not here: the rest of a request (the entry file of each family).
"""

import base64
import binascii
import io

from PIL import Image

from catalog.pictures import Limits, standard_copy
from catalog.quarantine import Rejection
from inference.refused_request import RefusedRequest

LIMITS = Limits(pixels=50_000_000, image_bytes=16 * 2**20)


def decode_picture(image: str, index: int) -> Image.Image:
    """The standard copy of a base64 picture, made exactly as a catalogue's pictures are.

    Raises:
        RefusedRequest: not base64, not a picture, or larger than the limits, which are held before anything is decoded.
    """
    # MIME breaks base64 into lines (RFC 2045, 6.8), and `base64 FILE` prints it so.
    text = image if isinstance(image, str) else ""
    encoded = "".join((text.split(",", 1)[1] if text.startswith("data:") and "," in text else text).split())
    if not encoded:
        raise RefusedRequest(f"row {index}: image is empty; send the base64 text of a picture file.")
    if len(encoded) > LIMITS.image_bytes * 4 // 3 + 4:
        raise RefusedRequest(
            f"row {index}: the picture is larger than {LIMITS.image_bytes // 2**20} MiB; send a smaller one."
        )
    try:
        copy = standard_copy(base64.b64decode(encoded, validate=True), LIMITS)
    except (binascii.Error, ValueError) as error:
        raise RefusedRequest(f"row {index}: image is not base64 text; encode the bytes of a picture file.") from error
    except Rejection as rejection:
        raise RefusedRequest(
            f"row {index}: the picture was refused ({rejection.detail}); send a whole JPEG or PNG."
        ) from rejection
    return Image.open(io.BytesIO(copy.content))
