"""Garments: the bottoms of a catalogue, each cut out, centred and at one scale on a white square.

Belongs here: which article types are bottoms, whose they are, removing or whitening the background, framing, and the
colour of the garment's own pixels. Not here: what the pictures are called (titles.py), clustering colours (colours.py).

Where the catalogue knows which pixels are garment (the drawn one does, in truth/masks), everything else is removed. On
photographs the background is only whitened: most bottoms are worn, so legs, shoes and the hem of a shirt stay in the
frame until a segmenter takes them out, and a light pair on a light backdrop keeps only the pixels that differ from it.
"""

import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from skimage.color import rgb2lab
from upath import UPath

from catalog.catalogued_pictures import read_picture
from catalog.errors import SelvedgeError
from catalog.splits import EXCLUDED
from catalog.stores import is_there, stored_bytes

MINIMUM_BOTTOMS = 200  # below that a generator repeats its pictures and a judge has a dozen to learn from
BOTTOMS: dict[str, tuple[str | None, str]] = {
    "Jeans": ("jeans", "its own class in the post"),
    "Shorts": ("shorts", "its own class in the post"),
    "Lounge Shorts": ("shorts", "shorts to sleep in"),
    "Trousers": ("pants", "the plain case"),
    "Track Pants": ("pants", "two long legs"),
    "Rain Trousers": ("pants", "two long legs"),
    "Lounge Pants": ("pants", "two long legs"),
    "Leggings": ("pants", "two long legs, tight"),
    "Jeggings": ("pants", "leggings printed like denim: no fly, no seams of jeans"),
    "Tights": ("pants", "two long legs, tight"),
    "Capris": ("pants", "cut below the knee; the post's own example is 'black pants petite capri'"),
    "Skirts": (None, "no legs"),
    "Churidar": (None, "mostly shown under a kurta, which hides half of it"),
    "Salwar": (None, "mostly shown under a kurta, which hides half of it"),
    "Patiala": (None, "mostly shown under a kurta, which hides half of it"),
    "Tracksuits": (None, "two garments in one picture"),
    "Boxers": (None, "innerwear, shown on the body"),
}
"""Article type -> class and reason; a type that is not listed is no bottom."""

WEARERS = {"Men": "men", "Boys": "men", "Women": "women", "Girls": "women", "Unisex": "unisex"}

MARGIN = 0.04  # of the side, on each side: a garment that touches the frame looks cut
BACKDROP = (2.5, 8.0)  # CIE76 to the border's colour that is surely backdrop, and that still may be
HALO = 0.07  # of the picture's height: how far JPEG noise and a soft shadow reach from a garment
LEAST_SHARE = 0.01  # of the picture; a smaller garment mask is a fault
CORES = {"pants": (0.25, 0.6), "jeans": (0.25, 0.62), "shorts": (0.16, 0.42), "Leggings": (0.45, 0.8)}
"""Which band of what is in the frame is surely cloth, by article type or class, as shares of its height from the top.

A worn pair shows the hem of a shirt above and bare legs or shoes below; leggings are shown under a long tunic.
"""
COLOUR_PIXELS = 4096  # pixels a median is taken over; more change it by less than JPEG does


@dataclass(frozen=True)
class Cut:
    """Pictures of garments: pictures (N, S, S, 3) uint8 on white; colours (N, 3) float64 CIELAB medians, NaN where no
    garment pixel was found; masked: N bool, the garment was cut out by a known mask."""

    pictures: np.ndarray
    colours: np.ndarray
    masked: np.ndarray


def choose_bottoms(
    products: pd.DataFrame, images: pd.DataFrame, splits: pd.DataFrame, minimum: int = MINIMUM_BOTTOMS
) -> pd.DataFrame:
    """The bottoms of a catalogue, one row a product by id, with its group and its picture.

    Args:
        products, images, splits: published tables; of a product delivered twice the delivery named in `splits` counts,
            and products without a group of their own (`excluded`) are left out.

    Returns:
        The products' columns with type, wearer ("" where the catalogue does not say), group_id, uri and sha256.

    Raises:
        SelvedgeError: no bottoms, or fewer than `minimum`.
    """
    kinds = products["article_type"].map(lambda name: BOTTOMS.get(name, (None, ""))[0])
    bottoms = products.assign(type=kinds, wearer=products["gender"].map(WEARERS).fillna("").astype(str))
    bottoms = bottoms[kinds.notna()]
    if bottoms.empty:
        raise SelvedgeError(
            "the catalogue holds no bottoms (no article type is pants, jeans or shorts); read one that does."
        )
    key = ["product_id", "drop"]
    kept = splits.loc[splits["split"] != EXCLUDED, [*key, "group_id"]]
    bottoms = bottoms.merge(kept, on=key).merge(images[[*key, "uri", "sha256"]], on=key)
    bottoms = bottoms.drop_duplicates("product_id").sort_values("product_id").reset_index(drop=True)
    if len(bottoms) < minimum:
        raise SelvedgeError(
            f"the catalogue holds {len(bottoms)} bottoms with a picture and a group, and at least {minimum} are "
            "needed; read a larger one."
        )
    return bottoms


def cut_garments(bottoms: pd.DataFrame, size: int, progress: Callable[[int, int, str], None] | None = None) -> Cut:
    """Every picture of `choose_bottoms` cut out and framed, in the rows' order.

    Args:
        size: side of the squares, 16 to 512 pixels. progress: called with (pictures cut, pictures, what is done).

    Raises:
        SelvedgeError: a size out of range, or a picture that is missing, changed or does not decode.
    """
    if not 16 <= size <= 512:
        raise SelvedgeError(f"size {size} of the pictures is out of range; choose 16 to 512 pixels.")
    pictures = np.empty((len(bottoms), size, size, 3), np.uint8)
    colours = np.full((len(bottoms), 3), np.nan)
    masked = np.zeros(len(bottoms), bool)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for row, (picture, colour, by_mask) in enumerate(pool.map(partial(_cut_one, size=size), _files(bottoms))):
            pictures[row], colours[row], masked[row] = picture, colour, by_mask
            if progress is not None:
                progress(row + 1, len(bottoms), "cutting garments")
    return Cut(pictures, colours, masked)


def _files(bottoms: pd.DataFrame) -> Iterator[tuple[str, str, str, tuple[float, float]]]:
    bands = [CORES.get(name, CORES[kind]) for name, kind in zip(bottoms["article_type"], bottoms["type"], strict=True)]
    return zip(bottoms["uri"], bottoms["sha256"], bottoms["image_uri"], bands, strict=True)


def _cut_one(files: tuple[str, str, str, tuple[float, float]], size: int) -> tuple[np.ndarray, np.ndarray, bool]:
    uri, sha256, delivered, band = files
    picture = np.asarray(read_picture(uri, sha256).convert("RGB"))
    mask = part_mask(delivered, (picture.shape[0], picture.shape[1]))
    if mask is not None:
        return frame(picture, mask, size), median_colour(picture, mask), True
    garment = foreground(picture)
    return frame(picture, garment, size), median_colour(picture, core(garment, band)), False


def part_mask(delivered: str, shape: tuple[int, int]) -> np.ndarray | None:
    """Which pixels are garment, where the catalogue knows: (h, w) bool, or None.

    Args:
        delivered: the picture as it was delivered, `<catalogue>/images/<id>.jpg`; a drawn catalogue has
            `<catalogue>/truth/masks/<id>.png` beside it, with 0 for the background.
        shape: (h, w) of the picture the mask is for.

    Raises:
        SelvedgeError: the mask does not decode.
    """
    image = UPath(delivered)
    path = image.parent.parent / "truth" / "masks" / f"{image.stem}.png"
    if not is_there(path):
        return None
    try:
        with Image.open(io.BytesIO(stored_bytes(path))) as stored:
            resized = stored.convert("L").point(lambda part: 255 * (part > 0)).resize(shape[::-1], Image.Resampling.BOX)
    except OSError as error:
        raise SelvedgeError(f"part mask {path} does not decode ({error}); draw the catalogue again.") from error
    mask = np.asarray(resized) >= 128
    return mask if mask.mean() >= LEAST_SHARE else None


def foreground(picture: np.ndarray) -> np.ndarray:
    """What is not backdrop: (h, w) bool for an (h, w, 3) uint8 photograph.

    The backdrop is what is connected to the border and near the border's median colour, so a light patch inside a
    garment stays. A wide tolerance takes away JPEG noise and soft shadows, and eats white pairs on white; so it holds
    only where all that it takes more than the narrow one lies close to what it leaves. Specks are dropped. All of the
    picture where nothing else is left.
    """
    lab = rgb2lab(picture)
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    middle = np.median(border, axis=0)
    uneven = float(np.median(np.linalg.norm(border - middle, axis=1)))
    away = np.linalg.norm(lab - middle, axis=2)
    kept = _without_specks(~_from_border(away < np.clip(2 + 4 * uneven, *BACKDROP)))
    clear = _without_specks(~_from_border(away < BACKDROP[1]))
    if clear.any():
        far = ndimage.distance_transform_edt(~clear) > max(2.0, HALO * len(picture))
        kept = kept if (kept & far).sum() > LEAST_SHARE * kept.sum() else clear
    return kept if kept.mean() >= LEAST_SHARE else np.ones(picture.shape[:2], bool)


def _from_border(near: np.ndarray) -> np.ndarray:
    """The pieces of (h, w) bool `near` that touch the border."""
    labels, count = ndimage.label(near)
    touching = np.zeros(count + 1, bool)
    touching[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    touching[0] = False  # what is not near at all
    return np.asarray(touching[labels])


def _without_specks(garment: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(garment, structure=np.ones((3, 3)))
    if count == 0:
        return garment
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0  # the backdrop
    return np.asarray((sizes >= max(0.05 * sizes.max(), 4))[pieces])


def core(garment: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    """The part of a garment's (h, w) bool that lies in a band of its height; `band` as in `CORES`."""
    rows = np.flatnonzero(garment.any(axis=1))
    if not len(rows):
        return garment
    top, height = rows[0], rows[-1] + 1 - rows[0]
    within = np.zeros_like(garment)
    within[top + int(band[0] * height) : top + max(int(band[1] * height), 1)] = True
    return garment & within


def frame(picture: np.ndarray, garment: np.ndarray, size: int) -> np.ndarray:
    """The garment centred on a white square, its long side filling all but the margin: (size, size, 3) uint8.

    Args:
        picture: (h, w, 3) uint8. garment: (h, w) bool.
    """
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    if not len(rows):
        return np.full((size, size, 3), 255, np.uint8)
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    cut = np.where(garment[..., None], picture, 255).astype(np.uint8)
    width, height = box[2] - box[0], box[3] - box[1]
    scale = (size - 2 * round(MARGIN * size)) / max(width, height)
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    # The cut is on white before it is resized: resizing first would mix the backdrop into the garment's edge.
    small = Image.fromarray(cut).resize(shape, Image.Resampling.LANCZOS, box=box)
    square = Image.new("RGB", (size, size), "white")
    square.paste(small, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return np.asarray(square)


def median_colour(picture: np.ndarray, garment: np.ndarray) -> np.ndarray:
    """(3,) float64, the CIELAB median of an (h, w, 3) uint8 picture's garment pixels; NaN where there is none."""
    pixels = picture[garment]
    if not len(pixels):
        return np.full(3, np.nan)
    pixels = pixels[:: max(1, len(pixels) // COLOUR_PIXELS)]
    return np.asarray(np.median(rgb2lab(pixels[None])[0], axis=0), np.float64)
