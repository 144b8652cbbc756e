"""What HandsOff's pictures are worth: a segmenter trained on few labels, on what is generated from them, and on both.

Belongs here: the methods on the drawn catalogue, their mean IoU, the share of the gap to true labels that they close.
Not here: the labels' own quality (handsoff_labels.py), the segmenter (training/segmenter/).

Every method trains the same network for the same steps with the same augmentation; they differ in pictures:

- `labelled`: the few, from scratch, with strong augmentation. There is no pretrained network that was not made of
  other people's pictures, so transfer is not among the methods.
- `self-training`: the few, and unlabelled drawn pictures with the masks of the first method's segmenter, without the
  tenth that it is least sure of.
- `generated`: what HandsOff makes of the few. `both`: that and the few, in the second half of the steps the few alone.
- `both, white only`: the same without other backgrounds in training.
- `true labels`: unlabelled pictures with their truth: the upper bound.

Labelled pictures are of the held-out part, an item each; test pictures are of items that no part of the base's pictures
has, so neither the generator nor its perceptual distance has seen them. `on colour` are the same test garments cut out
in the drawing's full size and put before plain colours. `gap` is the share of the way from the better of the first two
to the upper bound. Intervals are over test pictures, and over seeds (Student's t) where there are several.

Not measured: features of a masked autoencoder with a classifier of pixels on the few.

Run: `python -m benchmarks.handsoff_segmenters --out OUT [--model DIR] [--labels 16 50] [--seeds 3] [--small]
[--true 5000] [--steps 4000]`; with --small a quarter of an hour of one free core at 64 pixels. A stopped run goes on.
"""

import argparse
import colorsys
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from scipy.stats import t as student

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import BLOCK, sample_spec
from catalog.drawn.truth import draw_truth
from catalog.files import publish_text
from catalog.mask_colours import class_colours
from evaluation.intervals import GroupResamples, interval
from evaluation.segmentation import Overlaps, class_iou, mean_iou, overlaps, resampled_mean_iou
from training.handsoff.drawn import PARTS, SEED
from training.handsoff.drawn_labels import write_labelled
from training.handsoff.frozen import FrozenGenerator, load_generator
from training.handsoff.generation import generate
from training.handsoff.inversion import Inversions, invert_pictures
from training.handsoff.label_settings import GenerationSettings, InversionSettings, LabellerSettings
from training.handsoff.labeller_training import load_trained, train_labeller
from training.handsoff.labels import LabelledPictures, read_labelled
from training.handsoff.perception import shipped_perception
from training.restgan.pretraining import ProgressLines
from training.segmenter.candidate import train_segmenter
from training.segmenter.segmenter import GarmentSegmenter, load_segmenter
from training.segmenter.settings import SegmenterSettings

TEST_FROM = 9000  # product ids beyond every part
DRAWN_SIDE = 256
LEAST_SURE = 0.1  # share of the pseudo-labelled pictures that is left out
SMALL: dict[str, Any] = {
    "test": 60, "true": 600, "generated": 600, "steps": 450,
    "inversion": {"encoder_steps": 200, "refine_steps": 20, "batch_size": 16, "steps": 20, "references": 8},
    "labeller": {"members": 5, "epochs": 6},
}  # fmt: skip
FULL: dict[str, Any] = {"test": 200, "true": 5000, "generated": 5000, "steps": 4000, "inversion": {}, "labeller": {}}
SHOWN, NAMES = 8, 150  # test pictures of a sheet; pixels for the methods' names
LABELLED, SELF, GENERATED, BOTH, TRUE = "labelled", "self-training", "generated", "both", "true labels"
WHITE = "both, white only"


class Work:
    """The folders of one run, made once."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        sizes = SMALL if arguments.small else FULL
        chosen = {"true": arguments.true, "steps": arguments.steps}
        self.out, self.sizes = arguments.out, sizes | {name: value for name, value in chosen.items() if value}
        self.progress = ProgressLines("segmenters")
        self.frozen: FrozenGenerator = load_generator(
            arguments.model, device="cuda" if torch.cuda.is_available() else "cpu"
        )
        self.seconds: dict[str, float] = {}
        _refuse_another(self.out, {**self.sizes, "labels": max(arguments.labels), "generator": self.frozen.digest})
        rng = np.random.default_rng(0)
        firsts = rng.permutation(list(PARTS["held-out"])[::BLOCK])[: max(arguments.labels)]
        self.labels = [int(number) for number in firsts]
        self.unlabelled = [int(n) for n in rng.permutation(list(PARTS["training"]))[: self.sizes["true"]]]
        self.test = list(range(TEST_FROM, TEST_FROM + BLOCK * self.sizes["test"], BLOCK))

    def timed(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.monotonic()
        result = work()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - began, 1)
        return result

    def drawn(self, name: str, numbers: list[int], on_colour: bool = False) -> Path:
        """A folder of drawn pictures with their true classes."""
        draw = _before_colour if on_colour else _as_drawn
        folder: Path = self.out / "drawn" / name
        if not folder.is_dir():
            drawn = ((f"{number:05d}", *draw(number, self.frozen.size)) for number in numbers)
            self.timed("drawing", lambda: write_labelled(folder, drawn))
        return folder

    def codes(self) -> tuple[LabelledPictures, Inversions]:
        """The labelled pictures and their codes, which do not depend on how many are labelled."""
        labelled = read_labelled(self.drawn("labelled", self.labels), self.frozen.size)
        more = read_labelled(self.drawn("true", self.unlabelled), self.frozen.size).pictures
        settings = InversionSettings(**self.sizes["inversion"])
        perception = shipped_perception(self.frozen.device)
        return labelled, self.timed("inversion", lambda: invert_pictures(
            self.frozen, labelled.pictures, settings, self.out / "codes", self.progress, perception, more))  # fmt: skip

    def generated(self, labels: int, seed: int) -> Path:
        """The set that HandsOff makes of the first labelled pictures."""
        whole, codes = self.codes()
        labelled, out = whole.rows(range(labels)), self.out / f"handsoff-{labels}-{seed}"
        few = replace(
            codes,
            names=codes.names[:labels],
            codes=codes.codes[:labels],
            errors=codes.errors[:labels],
            data=labelled.pictures.digest,
        )
        settings = LabellerSettings(seed=seed, **self.sizes["labeller"])
        result = self.timed("labeller", lambda: train_labeller(
            self.frozen, few, labelled, settings, out / "labeller", self.progress))  # fmt: skip
        generation = GenerationSettings(pictures=self.sizes["generated"], seed=seed)
        labeller = load_trained(result, self.frozen)
        made = self.timed("generation", lambda: generate(labeller, generation, out / "set", self.progress))
        folder: Path = made.folder
        return folder

    def pseudo(self, segmenter: GarmentSegmenter, name: str) -> Path:
        """Unlabelled pictures with a segmenter's masks, without those that it is least sure of."""
        folder = self.out / f"pseudo-{name}"
        if not folder.is_dir():
            pictures = read_labelled(self.drawn("true", self.unlabelled), self.frozen.size).pictures
            masks, sure = [], []
            for picture in pictures.array:
                shares = segmenter.probabilities(picture)
                masks.append(shares.argmax(axis=0).astype(np.uint8))
                likeliest = np.sort(shares.max(axis=0), axis=None)
                sure.append(likeliest[: len(likeliest) // 10].mean())  # of the tenth that is least sure
            rows = np.sort(np.argsort(-np.array(sure), kind="stable")[: round((1 - LEAST_SURE) * len(sure))])
            write_labelled(folder, ((pictures.names[row], pictures.array[row], masks[row]) for row in rows))
        return folder

    def few(self, labels: int) -> Path:
        """A folder of the first labelled pictures."""
        folder = self.out / "drawn" / f"labelled-{labels}"
        if not folder.is_dir():
            first = read_labelled(self.drawn("labelled", self.labels), self.frozen.size).rows(range(labels))
            write_labelled(folder, zip(first.pictures.names, first.pictures.array, first.masks, strict=True))
        return folder

    def train(self, name: str, labelled: Path, generated: Path | None, seed: int, **changes: Any) -> GarmentSegmenter:
        settings = SegmenterSettings(size=self.frozen.size, steps=self.sizes["steps"], seed=seed, threads=1, **changes)
        result = self.timed("segmenters", lambda: train_segmenter(
            labelled, generated, settings, self.out / f"segmenter-{name}-{seed}", self.progress))  # fmt: skip
        return load_segmenter(result.artefact, settings.device)


def _refuse_another(out: Path, setup: Mapping[str, Any]) -> None:
    """Only the same run goes on in a folder: others would take its pictures for theirs."""
    file = out / "setup.json"
    if file.is_file() and json.loads(file.read_text(encoding="utf-8")) != setup:
        raise SystemExit(f"{out} holds a run of other sizes, labels or generator; give a new folder.")
    publish_text(json.dumps(setup), file)


def _as_drawn(number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    truth = draw_truth(sample_spec(SEED, number), size)
    return truth.image, truth.classes


def _before_colour(number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The same garment, cut out at the side that it is drawn at, before a colour of its number."""
    spec = sample_spec(SEED, number)
    drawing = draw_garment(spec, DRAWN_SIDE)
    assert drawing.parts is not None
    hue, saturation, value = np.random.default_rng([SEED, number]).uniform((0, 0.3, 0.3), (1, 0.9, 0.95))
    colour = np.rint(255 * np.array(colorsys.hsv_to_rgb(hue, saturation, value))).astype(np.uint8)
    picture = np.where((drawing.parts > 0)[..., None], drawing.image, colour)
    small = Image.fromarray(picture).resize((size, size), Image.Resampling.BOX)
    return np.asarray(small), draw_truth(spec, size).classes


def trained_segmenters(work: Work, labels: int, seed: int) -> dict[str, GarmentSegmenter]:
    """Every method for some labels and a seed."""
    few = work.few(labels)
    first = work.train(f"labelled-{labels}", few, None, seed, data="labelled")
    pseudo, generated = work.pseudo(first, f"{labels}-{seed}"), work.generated(labels, seed)
    return {
        LABELLED: first,
        SELF: work.train(f"self-{labels}", few, pseudo, seed, data="both", generated_until=1.0),
        GENERATED: work.train(f"generated-{labels}", few, generated, seed, data="generated"),
        BOTH: work.train(f"both-{labels}", few, generated, seed, data="both"),
        WHITE: work.train(f"white-{labels}", few, generated, seed, data="both", backgrounds=0.0),
        TRUE: work.train("true", work.drawn("true", work.unlabelled), None, seed, data="labelled"),
    }


class Scores:
    """Overlaps of every method and seed on one test set, and the figures that follow."""

    def __init__(self, test: LabelledPictures, masks: Mapping[str, list[np.ndarray]]) -> None:
        classes = len(test.kinds.classes)
        self.test = test
        self.parts = {name: [overlaps(mask, test.masks, classes) for mask in seeds] for name, seeds in masks.items()}
        self.whole = {
            name: [overlaps(mask > 0, test.masks > 0, 2)[:, 1:] for mask in seeds] for name, seeds in masks.items()
        }
        self.weights = GroupResamples(test.pictures.names).row_weights(test.pictures.names)

    def figures(self) -> dict[str, Any]:
        """Method -> its figures."""
        return {name: self._of(name) for name in self.parts}

    def differences(self) -> dict[str, Any]:
        """Paired differences of the mean IoU: from the better one without a generator, and of the two with it."""
        pairs = [(name, self.best) for name in (GENERATED, BOTH, TRUE)] + [(BOTH, GENERATED), (BOTH, WHITE)]
        return {
            f"{first} - {second}": _bounded(
                self._point(self.parts[first]) - self._point(self.parts[second]),
                self._resampled(self.parts[first]) - self._resampled(self.parts[second]),
            )
            for first, second in pairs
        }

    @property
    def best(self) -> str:
        """The better method without a generator."""
        return max((LABELLED, SELF), key=lambda name: self._point(self.parts[name]))

    def _of(self, name: str) -> dict[str, Any]:
        parts, whole = self.parts[name], self.whole[name]
        seeds, classes = [mean_iou(overlap) for overlap in parts], np.mean([class_iou(o) for o in parts], axis=0)
        floor, ceiling = self.parts[self.best], self.parts[TRUE]
        gain = self._resampled(parts) - self._resampled(floor)
        room = self._resampled(ceiling) - self._resampled(floor)
        point = self._point(ceiling) - self._point(floor)
        return {
            "mean IoU": _bounded(self._point(parts), self._resampled(parts)),
            "over seeds": _over_seeds(seeds),
            "gap": _bounded((self._point(parts) - self._point(floor)) / point, gain / room) if point > 0 else None,
            "foreground IoU": _bounded(self._point(whole), self._resampled(whole)),
            "classes": dict(zip(self.test.kinds.classes, classes.round(4).tolist(), strict=True)),
        }

    @staticmethod
    def _point(seeds: list[Overlaps]) -> float:
        return float(np.mean([mean_iou(overlap) for overlap in seeds]))

    def _resampled(self, seeds: list[Overlaps]) -> np.ndarray:
        mean: np.ndarray = np.mean([resampled_mean_iou(overlap, self.weights) for overlap in seeds], axis=0)
        return mean


def _bounded(point: float, replicates: np.ndarray) -> list[float]:
    """The figure and its 95 % interval."""
    bounds = interval(point, replicates)
    return [round(value, 4) for value in (point, bounds.low, bounds.high)]


def _over_seeds(seeds: list[float]) -> list[float] | None:
    """The mean and its 95 % interval, for another draw of seeds."""
    if len(seeds) < 2:
        return None
    half = student.ppf(0.975, len(seeds) - 1) * np.std(seeds, ddof=1) / np.sqrt(len(seeds))
    return [round(float(value), 4) for value in (np.mean(seeds), np.mean(seeds) - half, np.mean(seeds) + half)]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures, written as JSON after each number of labels, and the masks of the first seed as pictures."""
    work = Work(arguments)
    size = work.frozen.size
    tests = {
        "on white": read_labelled(work.drawn("test", work.test), size),
        "on colour": read_labelled(work.drawn("test-colour", work.test, on_colour=True), size),
    }
    report: dict[str, Any] = {
        "generator": work.frozen.digest, "test pictures": len(work.test), "unlabelled": len(work.unlabelled),
        "steps": work.sizes["steps"], "seeds": arguments.seeds, "inverted": {}, "labels": {},
        "seconds": work.seconds,
    }  # fmt: skip
    for labels in arguments.labels:
        masks: dict[str, dict[str, list[np.ndarray]]] = {test: {} for test in tests}
        for seed in range(arguments.seeds):
            for name, segmenter in trained_segmenters(work, labels, seed).items():
                for test, pictures in tests.items():
                    masks[test].setdefault(name, []).append(segmenter.segment_squares(pictures.pictures.array))
        report["labels"][str(labels)] = figures = {}
        for test, pictures in tests.items():
            scores = Scores(pictures, masks[test])
            figures[test] = {"methods": scores.figures(), "differences": scores.differences()}
            first = {name: of_seeds[0] for name, of_seeds in masks[test].items()}
            sheet(pictures, first, work.out / f"segmenters-{labels}-{test.replace(' ', '-')}.webp")
        report["inverted"][str(labels)] = int((work.codes()[1].kept < labels).sum())
        publish_text(json.dumps(report, indent=1) + "\n", work.out / "segmenters.json")
    return report


def sheet(test: LabelledPictures, masks: Mapping[str, np.ndarray], file: Path) -> None:
    """Rows: test pictures, their true classes, those of every method, named."""
    rows = np.linspace(0, len(test) - 1, min(SHOWN, len(test))).astype(int)
    strips = {"test picture": test.pictures.array[rows], "truth": class_colours(test.masks[rows])}
    strips |= {name: class_colours(mask[rows]) for name, mask in masks.items()}
    side = 2 * test.pictures.size
    image = Image.new("RGB", (NAMES + side * len(rows), side * len(strips)), "white")
    for line, (name, strip) in enumerate(strips.items()):
        whole = Image.fromarray(np.concatenate(list(strip), axis=1))
        image.paste(whole.resize((side * len(rows), side), Image.Resampling.NEAREST), (NAMES, line * side))
        ImageDraw.Draw(image).multiline_text((6, line * side + side // 3), name, "black", ImageFont.load_default(15))
    image.save(file, quality=85, method=6)


def table(report: Mapping[str, Any]) -> str:
    """The figures as lines."""
    lines = []
    for labels, tests in report["labels"].items():
        lines.append(
            f"{f'{labels} labels':20}  mean IoU                gap  foreground  on colour: mean IoU  foreground"
        )
        for name, white in tests["on white"]["methods"].items():
            colour, (value, low, high) = tests["on colour"]["methods"][name], white["mean IoU"]
            gap = white["gap"][0] if white["gap"] else float("nan")
            lines.append(
                f"  {name:18}  {value:.3f} [{low:.3f}, {high:.3f}]  {gap:5.2f}  {white['foreground IoU'][0]:10.3f}"
                f"  {colour['mean IoU'][0]:19.3f}  {colour['foreground IoU'][0]:10.3f}"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/handsoff-tiny/64"), help="folder of the generator")
    parser.add_argument("--labels", type=int, nargs="+", default=[16, 50], help="labelled pictures, 50 at most")
    parser.add_argument("--seeds", type=int, help="3; with --small 1")
    parser.add_argument("--true", type=int, help="pictures of the upper bound: 5000; with --small 600")
    parser.add_argument("--steps", type=int, help="of every training: 4000; with --small 450")
    parser.add_argument("--small", action="store_true", help="few pictures and steps, for a machine without a GPU")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.seeds = arguments.seeds or (1 if arguments.small else 3)
    if max(arguments.labels) > len(PARTS["held-out"]) // BLOCK:
        raise SystemExit(f"there are {len(PARTS['held-out']) // BLOCK} items to label; ask for fewer.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(table(measure(arguments)))


if __name__ == "__main__":
    main()
