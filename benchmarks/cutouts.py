"""How well products are cut out: drawn photographs against the very alpha and colours that they were drawn with.

Belongs here: the measurement behind the figures of inference/ad_images/cutouts/. Three classes, each apart:

  coloured        products of any colour but white, before white, cream and grey backdrops, with their shadows
  white on white  white and off-white products, on all backdrops
  168 x 224 JPEG  the same products as small photographs, as the public Kaggle set has them: ringing

  IoU       of alpha at one half, over those that were not refused; share under 0.95
  MAE       of alpha, mean over all pixels
  edge ΔE   CIE 1976, mean over pixels of alpha 1/4 to 1: the colours given against those drawn
  refused   share; a refusal is no cut-out, and counts in no other column

Run: `python -m benchmarks.cutouts` (500 products; `--products 60` for a look).
"""

import argparse
import io
import time
from dataclasses import dataclass, field

import numpy as np
import skia
from PIL import Image

from catalog.drawn import draw_garment, garments, sample_spec, studio
from catalog.drawn.cloth import Sketch
from catalog.drawn.spec import GarmentSpec
from inference.ad_images.cutouts.cut import find_outline
from inference.ad_images.cutouts.lab import lab_of
from inference.ad_images.cutouts.matting import premultiplied, soft_alpha
from inference.ad_images.refusal import AdRefused

SEED, FIRST_ID = 11, 50_001
PALE = ("White", "Off White")
JPEG_QUALITY = 80


@dataclass
class Scores:
    """One class's figures, one entry a product."""

    iou: list[float] = field(default_factory=list)
    mae: list[float] = field(default_factory=list)
    edge: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    refused: int = 0


def true_cutout(spec: GarmentSpec, size: int) -> np.ndarray:
    """The garment as the studio draws it before it is put on a backdrop: (size, size, 4) uint8, not premultiplied."""
    sketch = Sketch(spec, studio.light_of(spec), "Denim" if spec.article_type == "Jeans" else None)
    garments._FAMILIES[spec.article_type](sketch)  # noqa: SLF001 - the frozen drawing code has no other door
    surface = skia.Surface(size, size)
    canvas = surface.getCanvas()
    canvas.concat(studio._camera(sketch, size))  # noqa: SLF001
    sketch.paint(canvas)
    studio._ambient(canvas, sketch, size)  # noqa: SLF001
    return np.asarray(surface.toarray(colorType=skia.kRGBA_8888_ColorType))


def small_photograph(spec: GarmentSpec) -> tuple[np.ndarray, np.ndarray]:
    """A photograph of 168 x 224 pixels as JPEG, and its truth."""
    above = ((28, 28), (0, 0), (0, 0))
    image = np.pad(draw_garment(spec, 168, parts=False).image, above, mode="edge")
    sink = io.BytesIO()
    Image.fromarray(image).save(sink, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(sink).convert("RGB")), np.pad(true_cutout(spec, 168), above)


def score(rgb: np.ndarray, truth: np.ndarray, scores: Scores) -> None:
    """Cuts one photograph and adds its figures."""
    started = time.process_time()
    values = rgb.astype(np.float32)
    try:
        alpha = soft_alpha(values, find_outline(rgb).mask)
    except AdRefused:
        scores.refused += 1
        return
    pixels = premultiplied(values, alpha)
    scores.milliseconds.append(1000 * (time.process_time() - started))
    opacity = truth[..., 3] / 255
    both = ((alpha >= 0.5) & (opacity >= 0.5)).sum()
    scores.iou.append(float(both / ((alpha >= 0.5) | (opacity >= 0.5)).sum()))
    scores.mae.append(float(np.abs(alpha - opacity).mean()))
    ring = (alpha > 0.25) & (alpha < 1) & (opacity > 0.25)
    if ring.any():
        own = np.rint(pixels[ring][:, :3] / (pixels[ring][:, 3:] / 255)).clip(0, 255).astype(np.uint8)
        apart = lab_of(own[None]) - lab_of(truth[ring][None, :, :3])
        scores.edge.append(float(np.sqrt(np.square(apart).sum(axis=-1)).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--size", type=int, default=512)
    arguments = parser.parse_args()
    size = arguments.size
    names = (f"coloured, {size} px", f"white on white, {size} px", "168 x 224 JPEG, coloured", "168 x 224 JPEG, white")
    classes = {name: Scores() for name in names}
    for product_id in range(FIRST_ID, FIRST_ID + arguments.products):
        spec = sample_spec(SEED, product_id)
        pale = spec.base_colour in PALE
        image = draw_garment(spec, size, parts=False).image
        score(image, true_cutout(spec, size), classes[names[pale]])
        score(*small_photograph(spec), classes[names[2 + pale]])
    print(
        f"{'class':28}{'products':>9}{'refused':>9}{'IoU':>8}{'<0.95':>8}{'least':>8}{'MAE':>9}{'edge':>7}{'CPU ms':>8}"
    )
    for name, scores in classes.items():
        count = len(scores.iou) + scores.refused
        print(f"{name:28}{count:9}{scores.refused / max(1, count):9.1%}", end="")
        if scores.iou:
            under = float((np.array(scores.iou) < 0.95).mean())
            print(f"{np.mean(scores.iou):8.4f}{under:8.1%}{min(scores.iou):8.3f}{np.mean(scores.mae):9.5f}", end="")
            print(f"{np.mean(scores.edge):7.2f}{np.mean(scores.milliseconds):8.0f}", end="")
        print()


if __name__ == "__main__":
    main()
