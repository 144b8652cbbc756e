"""Cut-outs before backdrops that are not plain: flood fill, two methods that must agree, and a segmenter as the third.

Belongs here: drawn products before coloured backdrops, with the very mask that they were drawn with. Not here: plain
backdrops (cutouts.py), parts of garments (handsoff_segmenters.py).

Backdrops are plain, gradients, clouds and stripes of two colours, by the code that the segmenter's augmentation draws
them with, of another seed and size; or, with --backdrops, photographs, which it has never seen the like of. Flood fill
begins at the border and takes what is within a tolerance of its colour; the best tolerance for these very products is
taken, so its figure flatters it.

  wrong     share of all pixels on the wrong side of the outline, mean over products; a refused product counts with all
            of the product's pixels, as nothing of it is cut out
  refused   share of the products

Intervals: 95 %, bootstrap over products. Run: `python -m benchmarks.cutout_backdrops --model FOLDER` (a segmenter's
folder, such as that of `selvedge handsoff demo`); `--products 60`, about five minutes of one core.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from scipy import ndimage

from catalog.drawn import draw_garment, sample_spec
from catalog.drawn import parts as garment_parts
from catalog.drawn.spec import BLOCK
from evaluation.intervals import GroupResamples, interval, resampled_mean
from inference.ad_images.cutouts.cut import OPAQUE, find_outline
from inference.ad_images.cutouts.lab import lab_of
from inference.ad_images.cutouts.segmenter import Segmenter
from inference.ad_images.cutouts.trained import TrainedSegmenter
from inference.ad_images.refusal import AdRefused
from training.picture_tensors import to_uint8
from training.segmenter.augmentation import backgrounds

SEED, SIDE = 23, 512
TOLERANCES = (8.0, 16.0, 24.0, 32.0, 48.0, 64.0)  # ΔE


def photographs(products: int, backdrops: Path | None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """(512, 512, 3) uint8 pictures and their (512, 512) bool masks, each of an item of its own."""
    pictures, masks = [], []
    for number, field in enumerate(fields_of(products, backdrops)):
        drawing = draw_garment(sample_spec(SEED, BLOCK * number), SIDE)
        assert drawing.parts is not None
        mask = drawing.parts > garment_parts.BACKGROUND
        pictures.append(np.where(mask[..., None], drawing.image, field))
        masks.append(mask)
    return pictures, masks


def fields_of(number: int, folder: Path | None) -> list[np.ndarray]:
    """(512, 512, 3) uint8 backdrops: drawn, or a folder's photographs, again from the first where they end."""
    if folder is None:
        return list(to_uint8(backgrounds(number, SIDE, torch.Generator().manual_seed(SEED))))
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        raise SystemExit(f"folder {folder} holds no photograph (.jpg, .png).")
    opened = [Image.open(files[row % len(files)]).convert("RGB") for row in range(number)]
    return [np.asarray(ImageOps.fit(image, (SIDE, SIDE))) for image in opened]


def flood_filled(rgb: np.ndarray, tolerance: float) -> np.ndarray:
    """(h, w) bool: what the border does not reach by colours within `tolerance` (CIE 1976) of its median."""
    lab = lab_of(rgb)
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    near = np.sqrt(((lab - np.median(border, axis=0)) ** 2).sum(axis=-1)) <= tolerance
    labels, _ = ndimage.label(near)
    reached = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return ~np.isin(labels, reached[reached > 0])


def cut(rgb: np.ndarray, segmenters: Sequence[Segmenter]) -> np.ndarray | None:
    """The outline that ads are made with; None where it is refused."""
    try:
        return find_outline(rgb, segmenters).mask
    except AdRefused:
        return None


def measure(segmenter: Segmenter, pictures: list[np.ndarray], truth: list[np.ndarray]) -> dict[str, dict[str, object]]:
    """Figures of every way to cut out, on the same pictures."""
    filled = {bound: [flood_filled(picture, bound) for picture in pictures] for bound in TOLERANCES}
    best = min(TOLERANCES, key=lambda bound: sum(map(_wrong, filled[bound], truth)))
    outlines: dict[str, list[np.ndarray | None]] = {
        f"flood fill, tolerance {best:g}": [*filled[best]],
        "two methods": [cut(picture, ()) for picture in pictures],
        "two methods and the segmenter": [cut(picture, (segmenter,)) for picture in pictures],
        "the segmenter alone": [segmenter.mask(picture) >= OPAQUE for picture in pictures],
    }
    rows = [str(row) for row in range(len(pictures))]
    weights, figures = GroupResamples(rows).row_weights(rows), dict[str, dict[str, object]]()
    for name, masks in outlines.items():
        wrong = np.array(list(map(_wrong, masks, truth)))
        bounds = interval(float(wrong.mean()), resampled_mean(wrong, weights))
        figures[name] = {
            "wrong": round(float(wrong.mean()), 4), "interval": [round(bounds.low, 4), round(bounds.high, 4)],
            "refused": round(float(np.mean([mask is None for mask in masks])), 3),
        }  # fmt: skip
    return figures


def _wrong(mask: np.ndarray | None, true: np.ndarray) -> float:
    return float(true.mean() if mask is None else (mask != true).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a segmenter")
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--backdrops", type=Path, help="folder of photographs to put them before; drawn ones otherwise")
    parser.add_argument("--sheet", type=Path, help="a picture of the first products and the segmenter's masks")
    options = parser.parse_args()
    segmenter = TrainedSegmenter(options.model)
    pictures, truth = photographs(options.products, options.backdrops)
    print(json.dumps({"segmenter": segmenter.version, **measure(segmenter, pictures, truth)}, indent=1))
    if options.sheet:
        shown = pictures[:8]
        rows = [np.where((segmenter.mask(picture) >= OPAQUE)[..., None], picture, 255) for picture in shown]
        strips = np.concatenate([np.concatenate(shown, axis=1), np.concatenate(rows, axis=1)])
        Image.fromarray(strips).resize((strips.shape[1] // 3, strips.shape[0] // 3)).save(options.sheet)


if __name__ == "__main__":
    main()
