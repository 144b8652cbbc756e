"""Who is found in real photographs: the person detector on photographs that were labelled by looking at them.

Belongs here: recall and false refusals, with intervals. Not here: the labels (tests/inference/ad_images/, ids only; the
photographs are no part of the project), the detector (training/person_detector/).

  development  200 of apparel, which were looked at while the detector was made
  held out     400 of apparel and 100 of other goods, drawn by seed 1211 from what the first does not hold and labelled
               before the detector saw them: legs, a torso or a foot in the thing that is sold count as a person
  other goods  all photographs that the catalogue does not call apparel, unlabelled: the share in which the detector,
               which nobody asks there, would see somebody

Intervals: 95 %, Clopper and Pearson. Run: `python -m benchmarks.on_model`; SELVEDGE_PHOTOGRAPHS names the folder.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.stats import binomtest

from inference.ad_images.cutouts.people import load_detector, may_be_worn
from inference.ad_images.request import ListedProduct
from tests.photographs import HOME

LABELS = Path(__file__).parents[1] / "tests" / "inference" / "ad_images"
SETS = {"development": "on_model_ids.csv", "held out": "on_model_held_out_ids.csv"}
PHOTOGRAPHS = HOME / "kaggle-fashion"
MASTER_CATEGORY = 2  # column of styles.csv; later ones hold unquoted commas


def is_person(product_id: str) -> bool:
    """What the detector says of one photograph."""
    rgb = np.asarray(Image.open(PHOTOGRAPHS / "images" / f"{product_id}.jpg").convert("RGB"))
    return load_detector().score(rgb) >= 0


def share(hits: Iterable[bool]) -> str:
    """Count and share of what is true, with its interval."""
    known = list(hits)
    bounds = binomtest(sum(known), len(known)).proportion_ci(0.95, "exact")
    return f"{sum(known)} of {len(known)}: {sum(known) / len(known):.1%} ({bounds.low:.1%} to {bounds.high:.1%})"


def main() -> None:
    with (PHOTOGRAPHS / "styles.csv").open() as file:
        categories = {row[0]: row[MASTER_CATEGORY] for row in csv.reader(file)}
    worn = {each: may_be_worn(ListedProduct(0, "", "", category)) for each, category in categories.items()}
    for name, file_name in SETS.items():
        with (LABELS / file_name).open() as file:
            rows = [(row["product_id"], row["on_model"] == "1") for row in csv.DictReader(file)]
        seen = {each: is_person(each) for each, _ in rows}
        print(f"{name}, recall: {share(seen[each] for each, label in rows if label)}")
        for kind, group in (("apparel", True), ("other goods", False)):
            alone = [seen[each] for each, label in rows if not label and (worn[each] is True) is group]
            if alone:
                print(f"{name}, {kind} alone, refused: {share(alone)}")
        missed = [each for each, label in rows if label and not seen[each]]
        print(f"{name}, missed: {', '.join(missed) or 'none'}")
    rest = [
        each for each, known in worn.items() if known is False and (PHOTOGRAPHS / "images" / f"{each}.jpg").exists()
    ]
    print(f"other goods, all photographs: {share(is_person(each) for each in rest)}")


if __name__ == "__main__":
    main()
