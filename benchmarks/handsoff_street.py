"""A garment segmenter on street photographs: a few of them labelled by hand, the rest for the test.

Belongs here: merging hand-made classes, dividing the photographs, the figures. Not here: drawn garments and HandsOff's
pictures (handsoff_segmenters.py): the shipped generator has seen no people, so nothing is generated here.

The folder holds `photos/`, for each a mask of the same name in `masks/` (PNG, one class a pixel) and `labels.json`, the
list of the classes' names. They are merged into six; bags, glasses and jewellery count as background. The segmenter
learns from the labelled photographs alone, at 64 pixels, without replaced backgrounds: the people in the test stand in
streets, too. Beside it the mask of the nearest labelled photograph and the commonest class of every pixel.

Run: `python -m benchmarks.handsoff_street --photos DIR --out OUT [--labels 16 50] [--seeds 3]`; three minutes of one
core a training. A stopped run goes on.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import t as student

from catalog.files import png_bytes, publish_text
from evaluation.scores import MEAN
from training.folders import written_whole
from training.handsoff.labels import LABELS_FILE, LabelKinds, labels_json
from training.restgan.pretraining import ProgressLines
from training.segmenter.candidate import train_segmenter
from training.segmenter.label_set import LABELLED, TEST, read_label_set
from training.segmenter.scoring import IOU, MASKS_FILE, score_segmenters
from training.segmenter.segmenter import load_segmenter
from training.segmenter.settings import SegmenterSettings

MERGED = {
    "person": "skin hair",
    "upper": "blazer blouse bodysuit bra cape cardigan coat hoodie intimate jacket jumper scarf shirt sweater "
    "sweatshirt t-shirt tie top vest",
    "lower": "jeans leggings pants panties shorts skirt stockings tights",
    "whole": "dress romper suit swimwear",
    "shoes": "boots clogs flats heels loafers pumps sandals shoes sneakers socks wedges",
}
CLASSES = ("background", *MERGED)


def divided(photos: Path, labels: int, seed: int, out: Path) -> Path:
    """A label set of the photographs: as many labelled ones, drawn by the seed, and all others for the test."""
    folder = out / f"labels-{labels}-{seed}"
    names = sorted(file.stem for file in (photos / "masks").glob("*.png"))
    if len(names) <= labels:
        raise SystemExit(f"{photos} holds {len(names)} labelled photographs; ask for fewer than that with --labels.")
    given = json.loads((photos / "labels.json").read_text(encoding="utf-8"))
    of_name = {name: number for number, merged in enumerate(MERGED.values(), 1) for name in merged.split()}
    table = np.array([of_name.get(name, 0) for name in given], np.uint8)
    order = [names[row] for row in np.random.default_rng(seed).permutation(len(names))]
    for part, chosen in ((LABELLED, order[:labels]), (TEST, order[labels:])):
        if (folder / part).is_dir():
            continue
        with written_whole(folder / part, "photographs") as made:
            for kind in ("images", "masks"):
                (made / kind).mkdir()
            for name in chosen:
                (photo,) = (photos / "photos").glob(f"{name}.*")
                (made / "images" / photo.name).write_bytes(photo.read_bytes())
                mask = table[np.asarray(Image.open(photos / "masks" / f"{name}.png"))]
                (made / "masks" / f"{name}.png").write_bytes(png_bytes(mask))
            text = labels_json(LabelKinds(CLASSES), {name: {} for name in chosen})
            (made / LABELS_FILE).write_text(text, encoding="utf-8")
    return folder


def measure(photos: Path, labels: int, seed: int, out: Path) -> dict[str, dict[str, list[float]]]:
    """Subject -> class -> IoU with its 95 % interval over test photographs."""
    labelled = read_label_set(divided(photos, labels, seed, out))
    settings = SegmenterSettings(seed=seed, threads=1, backgrounds=0.0)
    folder = out / f"segmenter-{labels}-{seed}"
    trained = train_segmenter(labelled.labelled, None, settings, folder, ProgressLines("street"))
    scored = score_segmenters(load_segmenter(trained.artefact), None, labelled, family="street", name=folder.name)
    (out / f"{folder.name}-{MASKS_FILE}").write_bytes(scored.plots[MASKS_FILE])
    rows = scored.scores[scored.scores["metric"] == IOU]
    figures: dict[str, dict[str, list[float]]] = {}
    for row in rows.itertuples(index=False):
        bounds = [round(float(value), 3) for value in (row.value, row.low, row.high)]
        figures.setdefault(str(row.subject), {})[str(row.attribute)] = bounds
    return figures


def over_seeds(seeds: list[dict[str, dict[str, list[float]]]]) -> dict[str, list[float]]:
    """Subject -> mean over seeds of the mean IoU, with Student's 95 % interval; a seed draws its own photographs."""
    means = {subject: [of_seed[subject][MEAN][0] for of_seed in seeds] for subject in seeds[0]}
    if len(seeds) < 2:
        return {subject: [round(values[0], 3)] for subject, values in means.items()}
    factor = student.ppf(0.975, len(seeds) - 1) / np.sqrt(len(seeds))
    return {
        subject: [round(float(np.mean(v) + sign * factor * np.std(v, ddof=1)), 3) for sign in (0, -1, 1)]
        for subject, v in means.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of photos/, masks/ and labels.json")
    parser.add_argument("--labels", type=int, nargs="+", default=[16, 50])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    report = {}
    for labels in options.labels:
        seeds = [measure(options.photos, labels, seed, options.out) for seed in range(options.seeds)]
        report[str(labels)] = {"mean IoU over seeds": over_seeds(seeds), "seeds": seeds}
        publish_text(json.dumps(report, indent=1) + "\n", options.out / "street.json")
    print(json.dumps({labels: of["mean IoU over seeds"] for labels, of in report.items()}, indent=1))


if __name__ == "__main__":
    main()
