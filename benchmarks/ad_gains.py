"""What the ad pipeline adds, on drawn products: `python -m benchmarks.ad_gains [--products 60]`.

- the pipeline's first picture against the first plan, unjudged and unranked: share of guidelines passed, measurements,
  and BRISQUE (the extra `bench`), which nothing in the pipeline sees; paired by product;
- the product as it was placed, and as the picture shows it: MS-SSIM (torchmetrics, of the extra `dev`) and the cosine
  of frozen features (vision tower and Q-Former of the shipped BLIP-2), with the paste-back and without. AIM373 measures
  MS-SSIM and DINOv2 so, and gives no figure that could be put beside these;
- how many of the painters' pictures each guideline holds back.

None of it says what people prefer. Results do not depend on `--workers`.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from benchmarks.ad_ranking import brisque_of
from benchmarks.ad_speed import pipeline, request_of
from catalog.workers import map_in_order, usable_cores
from inference.ad_images.adjustments import Adjustment
from inference.ad_images.brief import write_brief
from inference.ad_images.composition import Grid
from inference.ad_images.pipeline import _Clock
from inference.ad_images.plan import Placed
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import measure
from inference.ad_images.refusal import AdRefused
from inference.ad_images.result import AdResult, Judged
from inference.ad_images.scene import AdPicture

if TYPE_CHECKING:
    from torch import Tensor

RESAMPLES = 2000
NAMES = [name for name in GUIDELINES if name not in ("longer_side", "white_background", "palette")]  # of main images
GREY = 128  # around the product, where only the product is compared
SIDE = 256  # of the copies that are compared


@dataclass(frozen=True)
class Compared:
    """One product.

    Attributes:
        first, best: measurements of the first plan and of the pipeline's first picture. shares: of guidelines passed.
        brisque: of both, NaN without the extra. fails: guidelines that hold the first plan back.
        held_back: guideline → of how many of nine plans. before, after: (SIDE, SIDE, 3) uint8, the product of the first
        plan on grey: as it was placed, and by name of each way in which it came into a picture.
    """

    first: dict[str, float]
    best: dict[str, float]
    shares: tuple[float, float]
    brisque: tuple[float, float]
    fails: tuple[str, ...]
    held_back: Counter[str]
    before: np.ndarray
    after: dict[str, np.ndarray]


def compared(product: int) -> Compared | None:
    """One drawn product through the pipeline; None where it is refused."""
    try:
        result = pipeline().make(request_of(product, 512))
    except AdRefused:
        return None
    plans, shown = result.attempts[0].judged, result.pictures[0]
    first = plans[0]
    return Compared(
        measure(first.picture, Brand(""), NAMES),
        measure(shown.picture, Brand(""), NAMES),
        (passed_share(first), passed_share(shown)),
        (brisque(first.picture), brisque(shown.picture)),
        tuple(finding.guideline for finding in first.failed),
        Counter(finding.guideline for plan in plans for finding in plan.failed),
        within(first.picture.placed.pixels, first.picture.placed),
        {"pasted back": within(first.picture.pixels, first.picture.placed), "nearest pixels": resized(result, first)},
    )


def passed_share(judged: Judged) -> float:
    return sum(finding.passed for finding in judged.findings) / len(judged.findings)


def brisque(picture: AdPicture) -> float:
    return brisque_of(picture) if find_spec("brisque") else float("nan")


def within(picture: np.ndarray, placed: Placed) -> np.ndarray:
    """What a picture shows where the product is opaque, on grey: (SIDE, SIDE, 3) uint8."""
    left, top, right, bottom = placed.box
    opaque = placed.alpha[top:bottom, left:right, None] == 255
    return on_grey(np.where(opaque, picture[top:bottom, left:right, :3], GREY).astype(np.uint8))


def resized(result: AdResult, first: Judged) -> np.ndarray:
    """The first plan's product as the nearest pixels of the cut-out have it, in place of one filtered resampling."""
    placed = first.picture.placed
    left, top, right, bottom = placed.box
    source = Image.fromarray(np.ascontiguousarray(result.cutout.pixels[..., :3]))
    canvas = np.zeros((*placed.alpha.shape, 3), np.uint8)
    canvas[top:bottom, left:right] = source.resize((right - left, bottom - top), Image.Resampling.NEAREST)
    return within(canvas, placed)


def on_grey(pixels: np.ndarray) -> np.ndarray:
    """A picture in the middle of a grey square: (SIDE, SIDE, 3) uint8."""
    height, width = pixels.shape[:2]
    side = max(height, width)
    canvas = np.full((side, side, 3), GREY, np.uint8)
    y, x = (side - height) // 2, (side - width) // 2
    canvas[y : y + height, x : x + width] = pixels
    return np.asarray(Image.fromarray(canvas).resize((SIDE, SIDE), Image.Resampling.BOX))


def redrawn(products: Sequence[int], folder: Path) -> dict[int, np.ndarray]:
    """The product as an inpainting pipeline returns it, before it is pasted back; weights that nobody trained."""
    from inference.ad_images.backdrops.diffusion import Diffusion
    from tests.inference.ad_images.backdrops.tiny_pipelines import save_tiny

    save_tiny("FLUX.2-klein-4B", folder)
    maker = replace(pipeline(), backdrop=Diffusion(folder, device="cpu"), grid=Grid(1, (0,)))
    answers = {}
    for product in products:
        request = request_of(product, 512)
        cutout, clock = maker._cut(request), _Clock()  # noqa: SLF001 - one plan, which no guideline has to pass
        work = maker._prepared(write_brief(request), cutout, Adjustment(), clock)  # noqa: SLF001
        (judged,) = maker._attempted(work, Adjustment(), clock)  # noqa: SLF001
        answers[product] = within(judged.picture.background, judged.picture.placed)
    return answers


def likeness(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """MS-SSIM and the cosine of frozen features, pair by pair."""
    import torch
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ms_ssim

    first, second = (torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2).float() / 255 for side in (before, after))
    structure = [float(ms_ssim(a[None], b[None], data_range=1.0)) for a, b in zip(first, second, strict=True)]
    seen = [_features(side).flatten(1) for side in (before, after)]
    return np.array(structure), torch.nn.functional.cosine_similarity(*seen).numpy()


def _features(pictures: Sequence[np.ndarray]) -> "Tensor":
    """(pictures, queries, width) of the frozen base that ships."""
    from training.blip2.base import load_base
    from training.blip2.features import image_features

    base = load_base("tiny")
    return image_features(base.model, base.preprocessing.pixels(list(pictures)))


def mean_of(values: np.ndarray) -> str:
    """A mean with its 95 % interval, products resampled."""
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975))
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def print_pairs(rows: Sequence[Compared]) -> None:
    print(f"{'':22}{'first plan':>12}{'pipeline':>10}  difference, 95 % interval")
    pairs = {"guidelines passed": [row.shares for row in rows], "BRISQUE (low is good)": [row.brisque for row in rows]}
    for name in NAMES:
        both = [(row.first[name], row.best[name]) for row in rows if name in row.first and name in row.best]
        pairs[name] = both
    for name, both in pairs.items():
        values = np.array(both, float)
        if len(values) and np.isfinite(values).all():
            means = values.mean(axis=0)
            print(f"{name:22}{means[0]:12.3f}{means[1]:10.3f}  {mean_of(values[:, 1] - values[:, 0])}")
        else:
            print(f"{name:22} not measured")


def print_held_back(rows: Sequence[Compared], nothing: int) -> None:
    fails = sum(bool(row.fails) for row in rows)
    interval = binomtest(fails, len(rows)).proportion_ci(method="wilson")
    print(f"first plans that a guideline holds back: {fails} of {len(rows)} [{interval.low:.2f}, {interval.high:.2f}]")
    print(f"pictures shown that one holds back: 0, by construction; refused: {nothing}")
    counts = sum((row.held_back for row in rows), Counter())
    for name, count in counts.most_common():
        print(f"  {name:18} {count} of {9 * len(rows)} plans")


def print_likeness(rows: Sequence[Compared], drawn: dict[int, np.ndarray], products: Sequence[int]) -> None:
    print(f"{'the product':26}{'n':>5}{'MS-SSIM':>28}{'cosine of features':>28}")
    for way in rows[0].after:
        scores = likeness([row.before for row in rows], [row.after[way] for row in rows])
        print(f"{way:26}{len(rows):5}{mean_of(scores[0]):>28}{mean_of(scores[1]):>28}")
    if drawn:
        before = [row.before for row, product in zip(rows, products, strict=True) if product in drawn]
        scores = likeness(before, list(drawn.values()))
        print(f"{'redrawn, random weights':26}{len(drawn):5}{mean_of(scores[0]):>28}{mean_of(scores[1]):>28}")
    others = [rows[(number + 1) % len(rows)].before for number in range(len(rows))]
    scores = likeness([row.before for row in rows], others)
    print(f"{'another product':26}{len(rows):5}{mean_of(scores[0]):>28}{mean_of(scores[1]):>28}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=60)
    parser.add_argument("--redrawn", type=int, default=12, help="of them through a tiny inpainting pipeline; 0: none")
    parser.add_argument("--start", type=int, default=80_001, help="the first drawn product")
    parser.add_argument("--workers", type=int, default=usable_cores())
    arguments = parser.parse_args()
    began = time.monotonic()
    asked = list(range(arguments.start, arguments.start + arguments.products))
    answers = dict(zip(asked, map_in_order(compared, asked, workers=arguments.workers), strict=True))
    rows = {product: row for product, row in answers.items() if row is not None}
    print(f"{len(rows)} drawn products from {arguments.start}, nine plans each, 512 px, preset lifestyle")
    print_held_back(list(rows.values()), len(answers) - len(rows))
    print_pairs(list(rows.values()))
    drawn: dict[int, np.ndarray] = {}
    if arguments.redrawn:
        with TemporaryDirectory() as folder:
            drawn = redrawn(list(rows)[: arguments.redrawn], Path(folder))
    print_likeness(list(rows.values()), drawn, list(rows))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
