"""HandsOff's labels, measured on the drawn catalogue, whose every pixel is known: inversion, labeller, filter, cost.

Belongs here: the figures of codes and labels on drawn pictures that neither generator nor labeller has seen. Not here:
the generator's own figures (handsoff.py), a segmenter trained on what is generated.

Labelled and examined pictures are of the held-out part of the base's pictures, each of an item of its own. The floors
are what costs nothing: the labels of the labelled picture that is nearest in the codes' place, in pixels, and the mean
label of all labelled ones.

Run: `python -m benchmarks.handsoff_labels --out OUT [--model DIR] [--labels 16] [--examined 20] [--small]`; with
--small some ten minutes of one free core at 64 pixels.
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import BLOCK, sample_spec
from catalog.drawn.truth import GROUPS, draw_truth
from catalog.mask_colours import class_colours
from training.handsoff.drawn import PARTS, SEED
from training.handsoff.frozen import FrozenGenerator, load_generator
from training.handsoff.generation import certain_enough, generate
from training.handsoff.inversion import Inversions, invert_pictures
from training.handsoff.label_settings import GenerationSettings, InversionSettings, LabellerSettings
from training.handsoff.labeller import Labels
from training.handsoff.labeller_training import LabellerResult, load_trained, train_labeller
from training.handsoff.labels import LabelKinds, LabelledPictures, read_labelled
from training.handsoff.perception import shipped_perception
from training.handsoff.pictures import Pictures, pictures_of
from training.picture_tensors import to_uint8
from training.restgan.pretraining import ProgressLines

MAPS = {"edge distance": (0.0, 0.5), "shading": (0.0, 1.0)}
PCK = 0.1  # of the side
SMALL = {
    "inversion": {"encoder_steps": 250, "refine_steps": 30, "batch_size": 16, "steps": 25, "references": 8},
    "labeller": {"members": 5, "epochs": 6},
    "generation": {"pictures": 64},
}


@dataclass(frozen=True)
class Quality:
    """Of labels against the truth: mean IoU over the classes that the truth shows, share of points within a tenth of
    the side, root mean square error of each map over the garment."""

    miou: float
    pck: float
    rmse: dict[str, float]
    per_class: dict[str, float]


def drawn_labels(numbers: list[int], size: int) -> LabelledPictures:
    """The pictures and the truth of some drawn products."""
    truths = [draw_truth(sample_spec(SEED, number), size) for number in numbers]
    keypoints = tuple(sorted({name for truth in truths for name in truth.keypoints}))
    points = np.zeros((len(truths), len(keypoints), 3), np.float32)
    for row, truth in enumerate(truths):
        for column, name in enumerate(keypoints):
            if name in truth.keypoints:
                points[row, column] = *truth.keypoints[name], 1
    return LabelledPictures(
        pictures_of(np.stack([truth.image for truth in truths]), [str(number) for number in numbers]),
        LabelKinds(tuple(GROUPS), keypoints, MAPS),
        np.stack([truth.classes for truth in truths]),
        points,
        np.stack([np.stack([truth.edge_distance, truth.shading]) for truth in truths]),
    )


def drawn_pictures(numbers: list[int], size: int) -> Pictures:
    """Some drawn products without their truth, as `draw_truth` draws them."""
    images = [Image.fromarray(draw_garment(sample_spec(SEED, n), 256, parts=False).image) for n in numbers]
    small = [np.asarray(image.resize((size, size), Image.Resampling.BOX)) for image in images]
    return pictures_of(np.stack(small), [str(number) for number in numbers])


def split(labels: int, examined: int, size: int) -> tuple[LabelledPictures, LabelledPictures]:
    """Labelled and examined pictures, one of an item's block each, so that no garment is in both."""
    firsts = list(PARTS["held-out"])[::BLOCK]
    rng = np.random.default_rng(0)
    picked = [int(firsts[k]) for k in rng.permutation(len(firsts))[: labels + examined]]
    if len(picked) < labels + examined:
        raise SystemExit(f"there are {len(firsts)} items to draw; ask for fewer than {labels + examined} pictures.")
    whole = drawn_labels(picked, size)
    return whole.rows(range(labels)), whole.rows(range(labels, labels + examined))


def measured(masks: np.ndarray, points: np.ndarray, maps: np.ndarray, truth: LabelledPictures) -> Quality:
    """Labels of the examined pictures against their truth."""
    per_class = {}
    for number, name in enumerate(truth.kinds.classes):
        mine, theirs = masks == number, truth.masks == number
        if theirs.any():
            per_class[name] = float((mine & theirs).sum() / (mine | theirs).sum())
    shown = truth.points[..., 2] > 0
    apart = np.hypot(*(points[..., :2] - truth.points[..., :2]).transpose(2, 0, 1))
    garment = truth.masks > 0
    gaps = (maps - truth.maps).transpose(1, 0, 2, 3)
    rmse = {name: float(np.sqrt((gap[garment] ** 2).mean())) for name, gap in zip(truth.kinds.maps, gaps, strict=True)}
    share = float((apart[shown] <= PCK * truth.pictures.size).mean()) if shown.any() else float("nan")
    return Quality(float(np.mean(list(per_class.values()))), share, rmse, per_class)


def nearest(labelled: LabelledPictures, truth: LabelledPictures) -> Quality:
    """The floor: the labels of the labelled picture whose pixels are nearest."""
    pictures = labelled.pictures.array.reshape(len(labelled), -1).astype(np.float32)
    wanted = truth.pictures.array.reshape(len(truth), -1).astype(np.float32)
    rows = ((wanted[:, None] - pictures[None]) ** 2).sum(axis=2).argmin(axis=1)
    return measured(labelled.masks[rows], labelled.points[rows], labelled.maps[rows], truth)


def mean_label(labelled: LabelledPictures, truth: LabelledPictures) -> Quality:
    """The floor: of every pixel the commonest class, of every keypoint and map the mean."""
    counts = np.stack([(labelled.masks == k).sum(axis=0) for k in range(len(labelled.kinds.classes))])
    mask = np.broadcast_to(counts.argmax(axis=0), truth.masks.shape)
    shown = labelled.points[..., 2:]
    point = (labelled.points[..., :2] * shown).sum(axis=0) / np.maximum(1, shown.sum(axis=0))
    points = np.broadcast_to(point, (len(truth), *point.shape))
    return measured(mask, points, np.broadcast_to(labelled.maps.mean(axis=0), truth.maps.shape), truth)


def figure(
    frozen: FrozenGenerator, examined: LabelledPictures, codes: Inversions, labels: Labels, file: Path, shown: int = 8
) -> None:
    """Columns of one examined picture each: it, what its code draws, its true classes, those that were labelled."""
    rows = list(range(min(shown, len(examined))))
    with torch.no_grad():
        again = to_uint8(frozen.synthesise(codes.codes[rows].to(frozen.device)))
    classes = [class_colours(masks[rows]) for masks in (examined.masks, labels.masks)]
    strips = [examined.pictures.array[rows], again, *classes]
    grid = np.concatenate([np.concatenate(list(strip), axis=1) for strip in strips])
    sheet = Image.new("RGB", (3 * grid.shape[1], 3 * grid.shape[0] + 26), "white")
    enlarged = Image.fromarray(grid).resize((3 * grid.shape[1], 3 * grid.shape[0]), Image.Resampling.NEAREST)
    sheet.paste(enlarged, (0, 26))
    title = "held-out drawn product, what its code draws, true classes, labelled classes"
    ImageDraw.Draw(sheet).text((4, 4), title, "black", ImageFont.load_default(15))
    sheet.save(file, quality=85, method=6)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures; written as JSON and as a picture."""
    small = SMALL if arguments.small else {"inversion": {}, "labeller": {}, "generation": {"pictures": 1000}}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    inversion = InversionSettings(seed=arguments.seed, **small["inversion"])
    frozen, out = load_generator(arguments.model, device=device), arguments.out
    labelled, examined = split(arguments.labels, arguments.examined, frozen.size)
    unseen = [int(n) for n in np.random.default_rng(1).choice(PARTS["training"], arguments.unlabelled, replace=False)]
    more = drawn_pictures(unseen, frozen.size)
    perception, times, progress = shipped_perception(device), {}, ProgressLines("handsoff labels")

    def timed(name: str, work: Any) -> Any:
        began = time.monotonic()
        result = work()
        times[name] = round(time.monotonic() - began, 1)
        return result

    codes = timed("inversion", lambda: invert_pictures(
        frozen, labelled.pictures, inversion, out / "labelled", progress, perception, more))  # fmt: skip
    # One encoder: what is examined is inverted by the one that the labelled pictures were.
    (out / "examined").mkdir(parents=True, exist_ok=True)
    if not (out / "examined" / "encoder").exists():
        (out / "examined" / "encoder").symlink_to((out / "labelled" / "encoder").resolve())
    loose = replace(inversion, tolerance=1000.0)  # all are examined; the limit is held against them below
    seen = timed("examined", lambda: invert_pictures(
        frozen, examined.pictures, loose, out / "examined", progress, perception, more))  # fmt: skip
    settings = LabellerSettings(seed=arguments.seed, **small["labeller"])
    result: LabellerResult = timed("labeller", lambda: train_labeller(
        frozen, codes, labelled, settings, out / "labeller", progress))  # fmt: skip
    labeller = load_trained(result, frozen)
    labels: Labels = timed("labels of the examined", lambda: labeller.label(seen.codes))
    generation = GenerationSettings(seed=arguments.seed, **small["generation"])
    made = timed("generation", lambda: generate(labeller, generation, out / "set", progress))
    figure(frozen, examined, seen, labels, out / "handsoff-labels.webp")
    assert len(read_labelled(out / "set", frozen.size)) == made.kept
    sure = certain_enough(labels.uncertainty, 0.5)
    unsure = np.setdiff1d(np.arange(len(examined)), sure)
    good = np.flatnonzero(seen.errors <= codes.limit)
    return {
        "generator": frozen.digest,
        "device": device,
        "labels": len(labelled),
        "examined": len(examined),
        "coverage": float((seen.errors < np.median(seen.reference)).mean()),
        "errors": {"labelled": _median(codes.errors), "examined": _median(seen.errors), "own": _median(seen.reference)},
        "limit": codes.limit,
        "inverted": [len(codes.kept), len(good)],
        "labeller": _quality(labels, examined, range(len(examined))),
        "of those inverted": _quality(labels, examined, good) if len(good) else None,
        "surer half": _quality(labels, examined, sure),
        "less sure half": _quality(labels, examined, unsure),
        "nearest labelled": nearest(labelled, examined).__dict__,
        "mean label": mean_label(labelled, examined).__dict__,
        "memory": {"bytes": result.bytes, "of every pixel": result.all_bytes},
        "set": {"sampled": made.sampled, "kept": made.kept, "shares": dict(made.shares)},
        "labels a second": round(made.sampled / max(1e-9, times["generation"]), 2),
        "seconds": times,
    }


def _quality(labels: Labels, truth: LabelledPictures, rows: Any) -> dict[str, Any]:
    picked = np.asarray(rows, np.int64)
    return measured(labels.masks[picked], labels.points[picked], labels.maps[picked], truth.rows(picked)).__dict__


def _median(errors: np.ndarray) -> float:
    return round(float(np.median(errors)), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/handsoff-tiny/64"), help="folder of the generator")
    parser.add_argument("--labels", type=int, default=16, help="labelled pictures, at most 50 with the examined ones")
    parser.add_argument("--examined", type=int, default=20, help="pictures that the labels are held against")
    parser.add_argument("--unlabelled", type=int, default=200, help="of the base's pictures, for the encoder")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--small", action="store_true", help="short trainings, for a machine without a GPU")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    figures = measure(arguments)
    (arguments.out / "labels.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
