"""HandsOff's measurements. `generator`: is the generator good enough to build the rest on? `figure`: what it draws.

Belongs here: KID of random samples, coverage, the figure of the page. Not here: making the generators
(handsoff_base.py), their pictures and judge (handsoff_data.py).

Inversion error alone says nothing: W+ reaches outside what a generator samples, and a picture that is reconstructed
from there has features that no labeller will meet. So coverage: pictures held out and pictures that the generator drew
itself are inverted alike, and counted is the share of the held-out ones whose error is below the median of the drawn
ones'. One half means that held-out pictures are as near as the generator's own.

Run: `python -m benchmarks.handsoff generator --model models/handsoff-tiny/64 --work DIR [--out OUT]` with the files of
`python -m benchmarks.handsoff_data --out DIR`; about twenty minutes of one core at 64 pixels, seconds on a GPU.
The figure: `python -m benchmarks.handsoff figure --model models/handsoff-tiny/128 --work DIR --out docs/images`.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy.stats import binomtest
from torch import Tensor
from torch.nn import functional

from evaluation.generation import kernel_distance
from training.attribute_judge import AttributeJudge, load_judge
from training.handsoff.drawn import unpack
from training.handsoff.frozen import FrozenGenerator, load_generator
from training.handsoff.inversion import optimise_codes
from training.handsoff.pictures import Pictures, prepare_pictures, read_pictures
from training.picture_tensors import to_float, to_uint8
from training.reporting import TimeLeft

PACK, JUDGE = "drawn-128.zip", "judge.safetensors"
INVERTED, STEPS, AT_ONCE, RATE = 50, 150, 25, 0.1
SAMPLE_SEED, DRAWN_SEED = 2, 3
FIGURE, FIGURE_SEED, COLUMNS, ROWS, HEADING = "handsoff-samples.webp", 1, 8, 5, 44


@dataclass(frozen=True)
class Distance:
    """KID of random samples, and of training pictures in their place, both against held-out ones; n of each."""

    samples: float
    floor: float
    pictures: int


@dataclass(frozen=True)
class Coverage:
    """How held-out pictures invert beside the generator's own.

    share: of held-out ones with an error below the median of drawn ones; low, high: its 95 % interval (Wilson).
    held_out, drawn: median root mean square error, levels of 255. pictures: of each. steps: of the optimisation.
    """

    share: float
    low: float
    high: float
    held_out: float
    drawn: float
    pictures: int
    steps: int


def prepared(work: Path, part: str, side: int) -> Pictures:
    """The pictures of a part of the pack at a side; squared once."""
    folder = work / "pictures" / f"{part}-{side}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        prepare_pictures([(name, partial(bytes, file)) for name, file in unpack(work / PACK, part)], side, folder)
    return read_pictures(folder, side)


def sample_distance(frozen: FrozenGenerator, judge: AttributeJudge, training: Pictures, held_out: Pictures) -> Distance:
    """KID on the judge's features, as many pictures a side as were held out."""
    n = len(held_out)
    real = judge.features(np.ascontiguousarray(held_out.array))
    chosen = np.sort(np.random.default_rng(1).permutation(len(training))[:n])
    return Distance(
        kernel_distance(real, judge.features(frozen.sample(n, SAMPLE_SEED).pictures)),
        kernel_distance(real, judge.features(np.ascontiguousarray(training.array[chosen]))),
        n,
    )


def invert(frozen: FrozenGenerator, pictures: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """(n, blocks, latent) W+ codes of (n, 3, s, s) pictures in [-1, 1], and (n,) their mean square errors.

    From the mean w and without an encoder, which would be trained on the one of the two sides that it must not favour;
    on the squared error of the pictures and of their 8 x 8 means.
    """

    def apart(first: Tensor, second: Tensor) -> Tensor:
        gap = first - second
        return gap.square().mean(dim=(1, 2, 3)) + functional.avg_pool2d(gap, 8).square().mean(dim=(1, 2, 3))

    start = frozen.spread(frozen.mean_w()[None]).repeat(len(pictures), 1, 1)
    return optimise_codes(frozen, pictures, start, apart, steps=steps, rate=RATE)


def measure_coverage(
    frozen: FrozenGenerator, held_out: Pictures, count: int, steps: int
) -> tuple[Coverage, np.ndarray]:
    """Coverage, and (2, 2, k, s, s, 3) uint8 of held-out and drawn pictures above what their codes draw."""
    chosen = np.sort(np.random.default_rng(4).permutation(len(held_out))[:count])
    sides = [np.ascontiguousarray(held_out.array[chosen]), frozen.sample(count, DRAWN_SEED).pictures]
    left, errors, shown = TimeLeft(), [], []
    for name, pictures in zip(("held out", "drawn"), sides, strict=True):
        parts = []
        for start in range(0, count, AT_ONCE):
            part = to_float(torch.from_numpy(pictures[start : start + AT_ONCE])).to(frozen.device)
            codes, error = invert(frozen, part, steps)
            parts.append(error.cpu())
            if start == 0:
                again = to_uint8(frozen.synthesise(codes[:10]))
                shown.append(np.stack([pictures[: len(again)], again]))
            print(f"inverting {name} {start + len(part)}/{count} {left.words(start + len(part), count, name)}",
                  file=sys.stderr, flush=True)  # fmt: skip
        errors.append(127.5 * torch.cat(parts).sqrt().numpy())
    held, drawn = errors
    below = int((held < np.median(drawn)).sum())
    bounds = binomtest(below, count).proportion_ci(method="wilson")
    figures = Coverage(
        below / count, bounds.low, bounds.high, float(np.median(held)), float(np.median(drawn)), count, steps
    )
    return figures, np.stack(shown)


def measure_generator(arguments: argparse.Namespace) -> None:
    """Both figures of one generator, printed; with --out also as JSON, and a sheet of inverted pictures."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    frozen, judge = load_generator(arguments.model, device=device), load_judge(arguments.work / JUDGE, device)
    training, held_out = (prepared(arguments.work, part, frozen.size) for part in ("training", "held-out"))
    distance = sample_distance(frozen, judge, training, held_out)
    coverage, shown = measure_coverage(frozen, held_out, min(arguments.pictures, len(held_out)), arguments.steps)
    print(
        f"generator at {frozen.size} pixels ({frozen.digest[:12]}), {device}\n"
        f"  KID of samples  {distance.samples:.4f}   real against real {distance.floor:.4f}   "
        f"({distance.pictures} pictures a side)\n"
        f"  coverage        {coverage.share:.2f}   [{coverage.low:.2f}, {coverage.high:.2f}]   "
        f"({coverage.pictures} held out; 0.50 is the generator's own)\n"
        f"  inversion error {coverage.held_out:.1f} held out, {coverage.drawn:.1f} drawn "
        f"(median RMSE, levels of 255, {coverage.steps} steps)"
    )
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        figures = {"digest": frozen.digest, "kid": asdict(distance), "coverage": asdict(coverage)}
        name = f"generator-{frozen.size}"
        (arguments.out / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        rows = shown.reshape(-1, *shown.shape[2:])  # held out, again; drawn, again
        sheet = rows.transpose(0, 2, 1, 3, 4).reshape(rows.shape[0] * frozen.size, -1, 3)
        Image.fromarray(sheet).save(arguments.out / f"{name}.png")


def draw_figure(arguments: argparse.Namespace) -> None:
    """Samples of one seed beside held-out drawn products, none of either chosen by eye."""
    frozen = load_generator(arguments.model)
    count, side = COLUMNS * ROWS, frozen.size
    held_out = prepared(arguments.work, "held-out", side).array
    apart = held_out[np.linspace(0, len(held_out) - 1, count).astype(int)]  # neighbours are shots of one item
    sheet = Image.new("RGB", ((2 * COLUMNS + 1) * side, ROWS * side + HEADING), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(30)
    for pictures, column, title in (
        (frozen.sample(count, FIGURE_SEED).pictures, 0, f"samples of handsoff-tiny, {side} pixels, seed {FIGURE_SEED}"),
        (apart, COLUMNS + 1, "drawn products held out"),
    ):
        pen.text((column * side + 2, 2), title, "black", font)
        grid = pictures.reshape(ROWS, COLUMNS, side, side, 3).transpose(0, 2, 1, 3, 4).reshape(ROWS * side, -1, 3)
        sheet.paste(Image.fromarray(grid), (column * side, HEADING))
    arguments.out.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.out / FIGURE, quality=80, method=6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    generator = kinds.add_parser("generator", help="KID of samples and coverage of a generator")
    generator.add_argument("--model", type=Path, required=True, help="folder of a generator")
    generator.add_argument("--work", type=Path, default=Path(".cache/handsoff"), help="pack and judge of handsoff_data")
    generator.add_argument("--pictures", type=int, default=INVERTED, help="to invert of each kind")
    generator.add_argument("--steps", type=int, default=STEPS, help="of each inversion")
    generator.add_argument("--out", type=Path, help="where figures and a sheet of pictures go")
    generator.set_defaults(measure=measure_generator)
    figure = kinds.add_parser("figure", help="samples beside held-out drawn products")
    figure.add_argument("--model", type=Path, required=True, help="folder of a generator")
    figure.add_argument("--work", type=Path, default=Path(".cache/handsoff"), help="pack of handsoff_data")
    figure.add_argument("--out", type=Path, required=True, help=f"where {FIGURE} goes")
    figure.set_defaults(measure=draw_figure)
    arguments = parser.parse_args()
    arguments.measure(arguments)


if __name__ == "__main__":
    main()
