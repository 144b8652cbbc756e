"""Photographs that are refused because only one of two methods sees a piece of the product, each beside its cut-out.

Belongs here: counting them and drawing a sheet for a person to look at. Not here: the rule (cut.py of the cut-outs),
cut-outs against a truth (cutouts.py).

Run: `python -m benchmarks.cutout_bites --catalog DIR --out sheet.png [--first 5] [--step 6]`: every sixth photograph,
from the sixth on, of shoes, bags, watches and sunglasses of a catalogue in the layout of the public Kaggle set.
"""

import argparse
import csv
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from inference.ad_images.cutouts import cut
from inference.ad_images.cutouts.photograph import read_photograph
from inference.ad_images.refusal import AdRefused

KINDS = ("Handbags", "Backpacks", "Watches", "Sunglasses")
BEHIND = (60, 160, 80)
TILE, ACROSS = (336, 224), 4


def photographs(catalog: Path, first: int, step: int) -> list[Path]:
    with (catalog / "styles.csv").open(encoding="utf-8", newline="") as table:
        rows = [
            row for row in csv.DictReader(table) if row["masterCategory"] == "Footwear" or row["articleType"] in KINDS
        ]
    files = [catalog / "images" / f"{row['id']}.jpg" for row in rows[first::step]]
    return [file for file in files if file.exists()]


def bitten(rgb: np.ndarray) -> np.ndarray | None:
    """(height, width) bool, what would have been cut out without the rule; None where the rule refuses nothing."""
    try:
        cut.find_outline(rgb)
        return None
    except AdRefused:
        with patch.object(cut, "LARGEST_BITE", np.inf):
            try:
                return cut.find_outline(rgb).mask
            except AdRefused:
                return None


def tile(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    out = np.where(mask[..., None], rgb, np.array(BEHIND, np.uint8))
    return np.asarray(Image.fromarray(np.concatenate([rgb, out], axis=1)).resize(TILE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--catalog", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--step", type=int, default=6)
    options = parser.parse_args()
    files, tiles = photographs(options.catalog, options.first, options.step), []
    for file in files:
        rgb = read_photograph(file.read_bytes(), None).rgb
        mask = bitten(rgb)
        if mask is not None:
            print(file.stem)
            tiles.append(tile(rgb, mask))
    print(f"{len(tiles)} of {len(files)} photographs are refused for a piece that only one method sees")
    if tiles:
        tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % ACROSS)
        rows = [np.concatenate(tiles[start : start + ACROSS], axis=1) for start in range(0, len(tiles), ACROSS)]
        Image.fromarray(np.concatenate(rows)).save(options.out)


if __name__ == "__main__":
    main()
