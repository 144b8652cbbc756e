"""How near two difference hashes must be to mean one photograph: precision and recall by threshold, on labelled pairs.

Belongs here: the measurement behind `catalog.groups.DHASH_THRESHOLD`. Pairs are of one article type, as in grouping.

  drawn        every pair of a drawn catalogue; its truth says which pairs show one item (in the same colour and
               photographed again, or in another colour)
  photographs  pairs of real photographs; the maker (first word of the display name) is the label: two makers never sell
               one item, so the share of pairs with one maker bounds the precision from above, the share with one item
               name from below. Recall is that of photographs altered by us: moved, shrunk, relit, encoded again

Both hashes are compared: over the whole frame, and on the content box as the project uses it.

Run: `python -m benchmarks.dhash_threshold` (photographs: SELVEDGE_PHOTOGRAPHS, left out where missing).
"""

import argparse
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from catalog.drawn import draw_catalogue
from catalog.groups import DHASH_THRESHOLD, item_name
from catalog.pictures import Limits, measure_picture
from catalog.reading import read_catalogue

THRESHOLDS = (4, 8, 12, 16, 18, 20, 22, 24, 28, 32, 40)
PHOTOGRAPHS = Path(os.environ.get("SELVEDGE_PHOTOGRAPHS", Path(__file__).resolve().parents[2] / "shared" / "data"))


def whole_frame_hash(content: bytes) -> str:
    """The usual difference hash, for comparison."""
    grey = Image.open(io.BytesIO(content)).convert("L").resize((17, 16), Image.Resampling.BOX)
    values = np.asarray(grey)
    return np.packbits(values[:, 1:] > values[:, :-1]).tobytes().hex()


def content_hash(content: bytes) -> str:
    return measure_picture(content, Limits()).dhash


HASHES = {"whole frame": whole_frame_hash, "content box": content_hash}


def altered(content: bytes, rng: np.random.Generator) -> bytes:
    """The same photograph moved by some per cent, up to 12 % smaller, a little relit, encoded at another quality."""
    image = Image.open(io.BytesIO(content)).convert("RGB")
    scale = rng.uniform(0.88, 1.0)
    small = image.resize((int(image.width * scale), int(image.height * scale)), Image.Resampling.LANCZOS)
    canvas = Image.new("RGB", image.size, image.getpixel((1, 1)))
    canvas.paste(small, tuple(int(rng.uniform() * room) for room in np.subtract(image.size, small.size)))
    relit = np.asarray(canvas).astype(np.float32) * rng.uniform(0.92, 1.05)
    sink = io.BytesIO()
    quality = int(rng.integers(70, 92))
    Image.fromarray(relit.clip(0, 255).astype(np.uint8)).save(sink, "JPEG", quality=quality)
    return sink.getvalue()


def pairs(frame: pd.DataFrame, hashes: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, row and distance of all pairs of one article type with different bytes."""
    words = np.array([np.frombuffer(bytes.fromhex(value), np.uint64) for value in hashes])
    first, second, distance = [], [], []
    sha256 = frame["image_sha256"].to_numpy()
    for rows in frame.groupby("article_type").indices.values():
        one, other = np.triu_indices(len(rows), 1)
        one, other = rows[one], rows[other]
        differ = sha256[one] != sha256[other]
        first.append(one[differ])
        second.append(other[differ])
        distance.append(np.bitwise_count(words[one[differ]] ^ words[other[differ]]).sum(axis=1))
    return np.concatenate(first), np.concatenate(second), np.concatenate(distance)


def on_drawn(products: int, folder: Path) -> list[dict[str, Any]]:
    """Figures of a drawn catalogue, by hash and threshold."""
    drawn = draw_catalogue(folder, products=products, seed=3)
    frame = read_catalogue(drawn.path, "bench").products.to_pandas()
    truth = pd.read_parquet(drawn.path / "truth" / "truth.parquet").set_index("product_id").loc[frame["product_id"]]
    item, colour = truth["item"].to_numpy(), truth["base_colour"].to_numpy()
    rows = []
    for name, function in HASHES.items():
        hashes = [function(Path(uri).read_bytes()) for uri in frame["image_uri"]]
        first, second, distance = pairs(frame, hashes)
        same = item[first] == item[second]
        again = same & (colour[first] == colour[second])
        for threshold in THRESHOLDS:
            near = distance <= threshold
            rows.append(
                {
                    "sample": "drawn", "hash": name, "threshold": threshold, "pairs": int(near.sum()),
                    "precision": share(near & same, near),
                    "recall_photographed_again": share(near & again, again),
                    "recall_other_colour": share(near & same & ~again, same & ~again),
                }
            )  # fmt: skip
    return rows


def on_photographs(folder: Path, sample: int) -> list[dict[str, Any]]:
    """Figures of the real photographs, by hash and threshold."""
    frame = read_catalogue(folder, "bench").products.to_pandas()
    contents = [Path(uri).read_bytes() for uri in frame["image_uri"]]
    names = [
        item_name(name, article)
        for name, article in zip(frame["product_display_name"], frame["article_type"], strict=True)
    ]
    items = np.array([name or f"nameless {row}" for row, name in enumerate(names)])
    makers = np.array([name.split()[0].lower() for name in frame["product_display_name"]])
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(contents), min(sample, len(contents)), replace=False)
    changed = [altered(contents[row], rng) for row in chosen]
    rows = []
    for name, function in HASHES.items():
        hashes = [function(content) for content in contents]
        moved = [
            (int(hashes[row], 16) ^ int(function(copy), 16)).bit_count()
            for row, copy in zip(chosen, changed, strict=True)
        ]
        first, second, distance = pairs(frame, hashes)
        for threshold in THRESHOLDS:
            near = distance <= threshold
            rows.append(
                {
                    "sample": "photographs", "hash": name, "threshold": threshold, "pairs": int(near.sum()),
                    "precision_at_most": share(near & (makers[first] == makers[second]), near),
                    "precision_at_least": share(near & (items[first] == items[second]), near),
                    "recall_altered": float(np.mean(np.array(moved) <= threshold)),
                }
            )  # fmt: skip
    return rows


def share(part: np.ndarray, whole: np.ndarray) -> float:
    """Share of a selection, not a number where the selection is empty."""
    return float(part.sum() / whole.sum()) if whole.any() else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=1_500, help="drawn products")
    parser.add_argument("--altered", type=int, default=800, help="photographs altered for recall")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = on_drawn(arguments.products, Path(folder))
    if (PHOTOGRAPHS / "kaggle-fashion").is_dir():
        rows += on_photographs(PHOTOGRAPHS / "kaggle-fashion", arguments.altered)
    if arguments.json:
        print(json.dumps({"chosen": DHASH_THRESHOLD, "rows": rows}))
        return
    for sample in dict.fromkeys(row["sample"] for row in rows):
        table = pd.DataFrame([row for row in rows if row["sample"] == sample]).drop(columns="sample")
        print(f"{sample}\n{table.to_string(index=False, float_format='{:.3f}'.format)}\n")
    print(f"chosen: {DHASH_THRESHOLD} of 256 bits, content box")


if __name__ == "__main__":
    main()
