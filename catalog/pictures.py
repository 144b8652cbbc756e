"""Pictures: one image file, checked, measured and turned into its standard copy.

Belongs here: the limits, decoding, orientation, the difference hash, the standard copy, all on the bytes of one file.
Not here: modes and colour profiles (pixels.py), many images and their tables (images.py), which near-equal hashes make
a group (groups.py).

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

import hashlib
import io
import struct
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from catalog.files import jpeg_bytes
from catalog.pixels import is_srgb, on_white, srgb_on_white
from catalog.quarantine import Reason, Rejection

FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "AVIF",
    "GIF",
    "BMP",
    "TIFF",
)  # a closed list: Pillow would also try EPS, PSD and forty more
ORIENTATION_TAG = 0x0112
# A garbled EXIF block is borne (see _orientation); Pillow would say so once for each of thousands of images.
warnings.filterwarnings("ignore", "Corrupt EXIF data", UserWarning)
STANDARD_SIDE = 512  # pixels, the long side of a standard copy
STANDARD_QUALITY = 92

HASH_WORKING_SIDE = 128  # pixels; smaller is faster, but a content box found on 64 pixels moves by half a hash cell
CONTENT_CONTRAST = 24  # grey levels by which content differs from the border
BLANK_CONTRAST = 6  # grey levels: less between the darkest and the lightest pixel is one colour and JPEG noise
LEAST_SIDE = 8  # pixels; a tracking pixel is no picture
CONTENT_PIXELS = 2  # pixels of content that make a row or column part of the box; one is JPEG noise


@dataclass(frozen=True)
class Limits:
    """What a catalogue file may weigh; anything larger goes to quarantine before it is decoded."""

    pixels: int = 50_000_000
    image_bytes: int = 64 * 2**20
    json_bytes: int = 4 * 2**20


class Measured(NamedTuple):
    """What is known of an image that decodes to its last pixel."""

    sha256: str  # of the delivered bytes
    dhash: str  # 256 bits as 64 hex digits
    width: int  # pixels, upright
    height: int
    turned: bool  # EXIF orientation said that the stored picture is not upright


class StandardCopy(NamedTuple):
    """A picture as every later stage reads it: JPEG, sRGB, upright, long side at most `STANDARD_SIDE`."""

    content: bytes
    sha256: str
    width: int
    height: int
    source_sha256: str  # of the delivered bytes


def measure_picture(content: bytes, limits: Limits) -> Measured:
    """Hashes and size of an image, after proving that it decodes to the end.

    A JPEG is decoded to reduced grey: libjpeg still walks the whole entropy-coded stream, so a file cut short is found,
    at a third of the time of a full decode.

    Raises:
        Rejection: image_too_large, truncated_image, undecodable_image or blank_image.
    """
    image = _open(content, limits)
    try:
        width, height = image.size  # before `draft`, which shrinks it
        image.draft("L", (HASH_WORKING_SIDE, HASH_WORKING_SIDE))
        image.load()
        orientation = _orientation(image)
        grey = _upright(_reduced(on_white(image, "L")), orientation)
        dhash = difference_hash(grey)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise OSError, ValueError, SyntaxError, struct.error, zlib.error, …
        raise _undecodable(content, error) from error
    if min(width, height) < LEAST_SIDE:
        raise Rejection(Reason.BLANK_IMAGE, f"{width} x {height} pixels show nothing; the least is {LEAST_SIDE} a side")
    levels = np.asarray(grey)
    if int(levels.max()) - int(levels.min()) < BLANK_CONTRAST:
        raise Rejection(Reason.BLANK_IMAGE, "the picture is of one colour all over")
    if orientation >= 5:
        width, height = height, width
    return Measured(hashlib.sha256(content).hexdigest(), dhash, width, height, orientation > 1)


def standard_copy(content: bytes, limits: Limits) -> StandardCopy:
    """The standard copy of an image, in the colours that a browser shows.

    A JPEG that already is one is kept byte for byte: encoding it again would only lose detail.

    Raises:
        Rejection: as `measure_picture`.
    """
    image = _open(content, limits)
    source_sha256 = hashlib.sha256(content).hexdigest()
    try:
        plain = image.format == "JPEG" and image.mode == "RGB" and max(image.size) <= STANDARD_SIDE
        if plain and _orientation(image) == 1 and is_srgb(image):
            return StandardCopy(content, source_sha256, *image.size, source_sha256)
        image.draft("RGB", (2 * STANDARD_SIDE, 2 * STANDARD_SIDE))
        image.load()
        picture = _upright(srgb_on_white(image), _orientation(image))
        picture.thumbnail((STANDARD_SIDE, STANDARD_SIDE), Image.Resampling.LANCZOS)
    except MemoryError:
        raise
    except Exception as error:
        raise _undecodable(content, error) from error
    copy = jpeg_bytes(picture, STANDARD_QUALITY, subsampling=0)
    return StandardCopy(copy, hashlib.sha256(copy).hexdigest(), picture.width, picture.height, source_sha256)


def decoded(content: bytes, limits: Limits, longest: int) -> Image.Image:
    """An image decoded to its last pixel and upright, in its own mode, with its own profile and transparency.

    Of an animation, the first picture.

    Args:
        longest: pixels of the long side that are enough; a JPEG is decoded smaller, down to no less than this.

    Raises:
        Rejection: as `measure_picture`, but for blank_image.
    """
    image = _open(content, limits)
    try:
        orientation = _orientation(image)
        image.draft(None, (longest, longest))
        image.load()
        return _upright(image, orientation)
    except MemoryError:
        raise
    except Exception as error:
        raise _undecodable(content, error) from error


def difference_hash(grey: Image.Image) -> str:
    """256-bit difference hash of a picture's content: is each cell of a 16 x 17 grid darker than its right neighbour.

    The grid lies on the content box, not on the whole frame: on catalogue photographs most of the frame is white, the
    bits there say nothing, and sunglasses of every make come out alike (see benchmarks/dhash_threshold.py). The box
    also makes the hash indifferent to where, and how large, the product was photographed.

    Args:
        grey: an image of mode L, upright.

    Returns:
        64 hexadecimal digits, row by row.
    """
    cells = grey.resize((17, 16), Image.Resampling.BOX, box=content_box(grey))
    values = np.frombuffer(cells.tobytes(), np.uint8).reshape(16, 17)
    return np.packbits(values[:, 1:] > values[:, :-1]).tobytes().hex()


def content_box(grey: Image.Image) -> tuple[int, int, int, int]:
    """The box (left, upper, right, lower; pixels) outside which all is border; the whole frame if nothing differs."""
    pixels = np.asarray(grey)
    frame = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    border = int(np.partition(frame, len(frame) // 2)[len(frame) // 2])
    low, high = max(0, border - CONTENT_CONTRAST), min(255, border + CONTENT_CONTRAST)
    # One wrapping uint8 subtraction finds both sides, and counts as float32 products: a third of the plain way's time.
    content = ((pixels - np.uint8(low)) > np.uint8(high - low)).astype(np.float32)
    rows = np.flatnonzero(content @ np.ones(grey.width, np.float32) >= CONTENT_PIXELS)
    columns = np.flatnonzero(np.ones(grey.height, np.float32) @ content >= CONTENT_PIXELS)
    if len(rows) < 4 or len(columns) < 4:
        return (0, 0, grey.width, grey.height)
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def _reduced(grey: Image.Image) -> Image.Image:
    """Formats that cannot be decoded small are shrunk afterwards: a PNG hashes like the same picture as JPEG."""
    factor = min(grey.width, grey.height) // HASH_WORKING_SIDE
    return grey.reduce(factor) if factor > 1 else grey


def _open(content: bytes, limits: Limits) -> Image.Image:
    """Header only; both limits are held before any pixel is decoded."""
    if len(content) > limits.image_bytes:
        raise Rejection(Reason.IMAGE_TOO_LARGE, f"{len(content):,} bytes; the limit is {limits.image_bytes:,}")
    try:
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise Rejection(Reason.IMAGE_TOO_LARGE, f"more pixels than can be read safely ({error})") from error
    except MemoryError:
        raise
    except Exception as error:
        raise _undecodable(content, error) from error
    if image.width * image.height > limits.pixels:
        raise Rejection(
            Reason.IMAGE_TOO_LARGE, f"{image.width} x {image.height} pixels; the limit is {limits.pixels:,} pixels"
        )
    return image


def _undecodable(content: bytes, error: Exception) -> Rejection:
    """Truncated if the file begins as its format does and lacks its end; otherwise undecodable."""
    message = str(error) or type(error).__name__
    kinds = ((b"\xff\xd8\xff", b"\xff\xd9"), (b"\x89PNG\r\n\x1a\n", b"IEND"), (b"GIF8", b"\x3b"))
    for start, end in kinds:
        if content.startswith(start):
            cut = end not in content[-64:]
            return Rejection(Reason.TRUNCATED_IMAGE if cut else Reason.UNDECODABLE_IMAGE, message)
    if content.startswith(b"RIFF") and len(content) >= 12 and content[8:12] == b"WEBP":
        cut = struct.unpack("<I", content[4:8])[0] + 8 > len(content)
        return Rejection(Reason.TRUNCATED_IMAGE if cut else Reason.UNDECODABLE_IMAGE, message)
    if content[4:8] == b"ftyp" and b"avif" in content[8:32] and "does not match" not in message:
        return Rejection(Reason.TRUNCATED_IMAGE if "runcated" in message else Reason.UNDECODABLE_IMAGE, message)
    if not content:
        return Rejection(Reason.TRUNCATED_IMAGE, "the file is empty")
    if "cannot identify" in message:  # Pillow's sentence names a buffer object, which says nothing to a reader
        message = "not an image of a known format"
    return Rejection(Reason.UNDECODABLE_IMAGE, message)


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 (upright) where there is none or it cannot be read."""
    if image.format == "JPEG" and "exif" not in image.info and "xmp" not in image.info:
        return 1  # getexif() costs as much as the hash
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except Exception:  # a garbled EXIF block is common, and the picture below it is sound
        return 1
    return orientation if orientation in range(1, 9) else 1


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
