"""How well products are cut out: drawn photographs against the very alpha and colours that they were drawn with.

Belongs here: the measurement behind the figures of inference/ad_images/cutouts/. Three classes, each apart:

  coloured        products of any colour but white, before white, cream and grey backdrops, with their shadows
  white on white  white and off-white products, on all backdrops
  168 x 224 JPEG  the same products as small photographs, as the public Kaggle set has them: ringing

  IoU       of alpha at one half, over those that were not refused; share under 0.95
  MAE       of alpha, mean over all pixels
  edge ΔE   CIE 1976, mean over pixels of alpha 1/4 to 1: the colours given against those drawn
  refused   share; a refusal is no cut-out, and counts in no other column

Intervals: 95 %, bootstrap over products; of shares Clopper and Pearson's. The worst cut-outs are listed by product.

Run: `python -m benchmarks.cutouts` (500 products; `--products 60` for a look).
"""

import argparse
import io
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import skia
from PIL import Image
from scipy.stats import binomtest

from catalog.drawn import draw_garment, garments, sample_spec, studio
from catalog.drawn.cloth import Sketch
from catalog.drawn.spec import GarmentSpec
from catalog.workers import map_in_order, usable_cores
from evaluation.intervals import GroupResamples, interval, resampled_mean
from inference.ad_images.cutouts.cut import find_outline
from inference.ad_images.cutouts.lab import lab_of
from inference.ad_images.cutouts.matting import premultiplied, soft_alpha
from inference.ad_images.refusal import AdRefused

SEED, FIRST_ID = 11, 50_001
PALE = ("White", "Off White")
JPEG_QUALITY = 80
LEAST = 0.95  # IoU under which a cut-out is counted as poor
WORST = 10
CHUNK = 5  # products, that a worker takes at a time


@dataclass(frozen=True)
class Score:
    """One cut-out against its truth.

    Attributes:
        refused: the code of a refusal; then all figures are NaN.
    """

    label: str
    product_id: int
    article_type: str
    refused: str
    iou: float = np.nan
    mae: float = np.nan
    edge: float = np.nan
    milliseconds: float = np.nan


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


def score(label: str, spec: GarmentSpec, product_id: int, rgb: np.ndarray, truth: np.ndarray) -> Score:
    """Cuts one photograph."""
    started = time.process_time()
    values = rgb.astype(np.float32)
    try:
        alpha = soft_alpha(values, find_outline(rgb).mask)
    except AdRefused as refusal:
        return Score(label, product_id, spec.article_type, str(refusal.code))
    pixels = premultiplied(values, alpha)
    milliseconds = 1000 * (time.process_time() - started)
    opacity = truth[..., 3] / 255
    both = ((alpha >= 0.5) & (opacity >= 0.5)).sum()
    iou = float(both / ((alpha >= 0.5) | (opacity >= 0.5)).sum())
    mae = float(np.abs(alpha - opacity).mean())
    ring = (alpha > 0.25) & (alpha < 1) & (opacity > 0.25)
    edge = np.nan
    if ring.any():
        own = np.rint(pixels[ring][:, :3] / (pixels[ring][:, 3:] / 255)).clip(0, 255).astype(np.uint8)
        apart = lab_of(own[None]) - lab_of(truth[ring][None, :, :3])
        edge = float(np.sqrt(np.square(apart).sum(axis=-1)).mean())
    return Score(label, product_id, spec.article_type, "", iou, mae, edge, milliseconds)


def score_all(chunk: tuple[range, int]) -> list[Score]:
    """Both photographs of each product."""
    product_ids, size = chunk
    scores = []
    for product_id in product_ids:
        spec = sample_spec(SEED, product_id)
        kind = "white on white" if spec.base_colour in PALE else "coloured"
        image = draw_garment(spec, size, parts=False).image
        scores.append(score(f"{kind}, {size} px", spec, product_id, image, true_cutout(spec, size)))
        scores.append(score(f"{kind}, 168 x 224 JPEG", spec, product_id, *small_photograph(spec)))
    return scores


def with_interval(values: Sequence[float], digits: int) -> str:
    """Mean and 95 % interval, products resampled."""
    known = np.array([value for value in values if not np.isnan(value)])
    if not len(known):
        return "-"
    resamples = GroupResamples(map(str, range(len(known))))
    means = resampled_mean(known, resamples.row_weights(map(str, range(len(known)))))
    bounds = interval(float(known.mean()), means)
    return f"{known.mean():.{digits}f} ({bounds.low:.{digits}f} to {bounds.high:.{digits}f})"


def share(count: int, total: int) -> str:
    """Share and 95 % interval."""
    bounds = binomtest(count, total).proportion_ci(0.95, "exact")
    return f"{count / total:.1%} ({bounds.low:.1%} to {bounds.high:.1%})"


def report(scores: Iterable[Score]) -> None:
    classes: dict[str, list[Score]] = {}
    for each in scores:
        classes.setdefault(each.label, []).append(each)
    for label, all_of in sorted(classes.items()):
        cut = [each for each in all_of if not each.refused]
        refused = [f"{each.product_id} {each.article_type} {each.refused}" for each in all_of if each.refused]
        print(f"\n{label}: {len(all_of)} products")
        print(f"  refused  {share(len(refused), len(all_of))}")
        if cut:
            print(
                f"  IoU      {with_interval([each.iou for each in cut], 4)}, least {min(each.iou for each in cut):.3f}"
            )
            print(f"  < {LEAST}   {share(sum(each.iou < LEAST for each in cut), len(cut))}")
            print(f"  MAE      {with_interval([each.mae for each in cut], 5)}")
            print(f"  edge ΔE  {with_interval([each.edge for each in cut], 2)}")
            print(f"  CPU ms   {np.mean([each.milliseconds for each in cut]):.0f}")
        for each in sorted(cut, key=lambda each: each.iou)[:WORST]:
            print(f"    {each.iou:.3f}  {each.product_id} {each.article_type}")
        print(f"    refused: {'; '.join(refused[:WORST]) or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=500)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--workers", type=int, default=usable_cores())
    arguments = parser.parse_args()
    last = FIRST_ID + arguments.products
    chunks = [(range(first, min(first + CHUNK, last)), arguments.size) for first in range(FIRST_ID, last, CHUNK)]
    report(each for scores in map_in_order(score_all, chunks, workers=arguments.workers) for each in scores)


if __name__ == "__main__":
    main()
