"""Regions: what an annotator drew on one picture, as a mask of classes.

Belongs here: checking and drawing the regions of one annotation. Not here: which annotation counts (collecting.py).

Label Studio keeps what a client sends, so a result is input: sizes are held to the picture before anything is decoded.
A painted pixel counts where the brush covers at least half of it, one of a polygon where its centre lies inside by the
even-odd rule.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from skimage.draw import polygon as polygon_pixels

from catalog.errors import SelvedgeError

MOST_REGIONS, MOST_CORNERS = 1000, 10_000
CHANNELS, ALPHA = 4, 3  # of the brush's canvas
HALF = 128


def mask_of(result: Any, classes: Sequence[str], size: tuple[int, int], where: str) -> np.ndarray:
    """(height, width) uint8 classes of an annotation; later regions lie over earlier ones.

    Args:
        result: regions as Label Studio gives them. size: (width, height) of the picture. where: names picture and
            annotation in messages.

    Raises:
        SelvedgeError: too many regions, one of another size than the picture, of an unknown label or kind, or one that
            cannot be decoded.
    """
    mask = np.zeros(size[::-1], np.uint8)
    regions = regions_of(result)
    if len(regions) > MOST_REGIONS:
        raise SelvedgeError(
            f"{where} has {len(regions)} regions; more than {MOST_REGIONS} nobody draws, label it again."
        )
    for region in regions:
        number = _class(region, classes, where)
        _refuse_size(region, size, where)
        try:
            mask[_covered(region["type"], region["value"], size)] = number
        except (TypeError, ValueError, KeyError, IndexError, OverflowError) as error:
            raise SelvedgeError(f"{where} has a region that cannot be decoded ({error}); draw it again.") from error
    return mask


def regions_of(result: Any) -> list[Any]:
    """The regions of a result, without the relations between them."""
    entries = result if isinstance(result, list) else []
    return [entry for entry in entries if not (isinstance(entry, Mapping) and entry.get("type") == "relation")]


def _class(region: Any, classes: Sequence[str], where: str) -> int:
    kind = region.get("type") if isinstance(region, Mapping) else None
    value = region.get("value") if isinstance(region, Mapping) else None
    if kind not in ("brushlabels", "polygonlabels") or not isinstance(value, Mapping):
        raise SelvedgeError(
            f"{where} has a region of kind {str(kind)[:80]!r}, and the page has brush and polygon; draw it again."
        )
    labels = value.get(kind)
    if not isinstance(labels, list) or len(labels) != 1 or labels[0] not in classes:
        raise SelvedgeError(
            f"{where} has a region of label {str(labels)[:80]}, which was not asked for; draw it again."
        )
    return classes.index(labels[0])


def _refuse_size(region: Mapping[str, Any], size: tuple[int, int], where: str) -> None:
    width, height = region.get("original_width"), region.get("original_height")
    if (width, height) != size or region.get("image_rotation"):
        turned = ", turned" if region.get("image_rotation") else ""
        raise SelvedgeError(
            f"{where} has a region for {width} x {height} pixels{turned}, and the picture has {size[0]} x {size[1]}; "
            "draw it again."
        )


def _covered(kind: str, value: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """(height, width) bool of one region."""
    return _painted(value["rle"], size) if kind == "brushlabels" else _enclosed(value["points"], size)


def _painted(runs: Any, size: tuple[int, int]) -> np.ndarray:
    """Where the alpha channel of Label Studio's run lengths, bytes of a (height, width, 4) canvas, is half full."""
    from label_studio_sdk.converter.brush import decode_rle  # four seconds: its package imports all converters

    values = CHANNELS * size[0] * size[1]
    if not isinstance(runs, list) or not 4 <= len(runs) <= 2 * values + 64:  # a value takes 14 bits at most
        raise ValueError("its run lengths are missing or longer than its picture can need")
    encoded = np.asarray(runs)
    if encoded.dtype.kind != "i" or encoded.min() < 0 or encoded.max() > 255:
        raise ValueError("its run lengths are no bytes")
    if int.from_bytes(encoded[:4].astype(np.uint8).tobytes(), "big") != values:
        raise ValueError("its run lengths are of another size")
    canvas = decode_rle(encoded.tolist())
    return np.asarray(canvas.reshape(size[1], size[0], CHANNELS)[:, :, ALPHA] >= HALF)


def _enclosed(corners: Any, size: tuple[int, int]) -> np.ndarray:
    """Where the centre of a pixel lies inside a polygon of corners in per cent of width and height."""
    if not isinstance(corners, list) or not 3 <= len(corners) <= MOST_CORNERS:
        raise ValueError("its corners are missing, fewer than 3 or too many")
    pairs = (isinstance(corner, list) and [type(value) in (int, float) for value in corner] for corner in corners)
    if any(pair != [True, True] for pair in pairs) or not np.isfinite(corners).all():
        raise ValueError("its corners are no pairs of numbers")
    x, y = np.asarray(corners, float).T * np.array([[size[0]], [size[1]]]) / 100 - 0.5
    covered = np.zeros(size[::-1], bool)
    covered[polygon_pixels(y, x, covered.shape)] = True
    return covered
