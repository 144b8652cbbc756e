"""Catalogued pictures: read by address, held to the hash that the table of images carries.

Belongs here: reading one. Not here: decoding what a shop delivers (pictures.py), writing standard copies
(standard_copies.py), what a network makes of it.
"""

import hashlib
import io

from PIL import Image

from catalog.errors import SelvedgeError
from catalog.stores import stored_bytes


def read_picture(uri: str, sha256: str | None = None) -> Image.Image:
    """A decoded picture, held to its hash when one is given.

    Raises:
        SelvedgeError: missing, undecodable, or not the file the hash names.
    """
    try:
        content = stored_bytes(uri)
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise SelvedgeError(f"picture {uri} changed since it was catalogued; read the catalogue again.")
        picture = Image.open(io.BytesIO(content))
        picture.load()
    except (OSError, Image.DecompressionBombError) as error:
        raise SelvedgeError(
            f"picture {uri} is missing or does not decode ({error}); read the catalogue again."
        ) from error
    return picture
