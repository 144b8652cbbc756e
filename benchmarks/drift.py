"""The drift detector: how often it is alarmed by drops of the same kind, and how often by those that changed.

Belongs here: drops cut from a drawn catalogue and from photographs, judged by `evaluation.drift.judge` as the check in
the graph judges them. Features are those of the shipped base. Abstentions are simulated: a drop abstains from a tenth
of its questions, give or take 3 points by drop (beta-binomial).

A trial takes 31 of a shop's drops: 30 are the training snapshot, one is new. Two ways to cut a shop into drops:

  random   products in random order: what textbooks assume
  kinds    photographs by consecutive ids, which is how this shop added them; drawn products, whose ids tell nothing, in
           runs of 25 of one article type

Three changes of the new drop, each at three sizes, the share of products (of questions) that it takes:

  range        products of a category that the snapshot has none of
  pictures     the same products in other pictures: another drawing style; photographs with a warm cast, darker
  abstention   the model abstains from 7 of 10 of these questions

Beside it the copied limit: PSI of the article type above 0.2.

Run: `python -m benchmarks.drift [--work DIR] [--trials N] [--save docs] [--json]` (photographs: SELVEDGE_PHOTOGRAPHS,
left out where missing). A quarter of an hour on one core; features are kept in --work.
"""

import argparse
import hashlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy.stats import binomtest

from catalog.catalogued_pictures import read_picture
from catalog.drawn import draw_catalogue
from catalog.qa import stated_values
from catalog.reading import read_catalogue
from catalog.schema import COLUMNS, load_schema
from evaluation.drift import ABSTENTION, FALSE_ALARMS, Delivery, judge
from evaluation.plot_style import INK, SERIES, legend_below, percent_ticks, png, styled_figure

PHOTOGRAPHS = Path(os.environ.get("SELVEDGE_PHOTOGRAPHS", Path(__file__).resolve().parents[2] / "shared" / "data"))
PRODUCTS, DROP, EARLIER, RUN = 4000, 50, 30, 25
QUESTIONS = 6  # of a product
ABSTAINED, SPREAD, HARD = 0.1, 0.03, 0.7
SIZES = (0.1, 0.25, 0.5)
CHANGES = ("range", "pictures", "abstention")
CUTS = ("random", "kinds")
PSI_LIMIT = 0.2


@dataclass(frozen=True)
class Shop:
    """A catalogue with what drops are compared by.

    Attributes:
        values: attribute -> (products,) its values, "" where none is stated; ordered as products were added.
        types: (products,) article types as delivered.
        features: (products, d). other: (products, d) those of other pictures of them.
        new_range: (products,) bool, of the category that is held out.
    """

    name: str
    values: Mapping[str, np.ndarray]
    types: np.ndarray
    features: np.ndarray
    other: np.ndarray
    new_range: np.ndarray


def drawn_shop(work: Path) -> Shop:
    """Drawn products; the new range are dresses, the other pictures the second drawing style."""
    read = {}
    for style in ("studio", "atelier"):
        folder = work / f"drawn-{style}"
        if not (folder / "styles.csv").exists():
            draw_catalogue(folder, PRODUCTS, 7, size=128, style=style)
        read[style] = read_catalogue(str(folder), "drawn").products.to_pandas()
    products = read["studio"]
    other = read["atelier"].set_index("product_id").reindex(products["product_id"])
    return _shop("drawn", products, _items(products), _items(other), products["article_type"] == "Dresses", work)


def photographed_shop(work: Path) -> Shop | None:
    """Photographs by id; the new range is footwear, the other pictures a warm cast. None where they are missing."""
    folder = PHOTOGRAPHS / "kaggle-fashion"
    if not (folder / "styles.csv").exists():
        return None
    products = read_catalogue(str(folder), "photographs").products.to_pandas().sort_values("product_id")
    products = products.reset_index(drop=True)
    cast = work / "cast"
    cast.mkdir(parents=True, exist_ok=True)
    other: list[tuple[str, str]] = []
    for uri, sha256 in zip(products["image_uri"], products["image_sha256"], strict=True):
        pixels = np.asarray(read_picture(uri, sha256).convert("RGB"))
        sink = io.BytesIO()
        Image.fromarray((pixels * [0.85, 0.75, 0.6]).astype(np.uint8)).save(sink, "JPEG", quality=90)
        warm = hashlib.sha256(sink.getvalue()).hexdigest()
        (cast / f"{warm}.jpg").write_bytes(sink.getvalue())
        other.append((warm, str(cast / f"{warm}.jpg")))
    held = products["master_category"] == "Footwear"
    return _shop("photographs", products, _items(products), other, held, work)


def _items(products: pd.DataFrame) -> list[tuple[str, str]]:
    """(sha256, uri) of each picture."""
    return list(zip(products["image_sha256"], products["image_uri"], strict=True))


def _shop(
    name: str,
    products: pd.DataFrame,
    pictures: list[tuple[str, str]],
    other: list[tuple[str, str]],
    held: pd.Series,
    work: Path,
) -> Shop:
    stated = stated_values(products, load_schema(), COLUMNS)
    values = stated.pivot_table(index="product_id", columns="attribute", values="value", aggfunc="first")
    values = values.reindex(products["product_id"]).fillna("")
    by_attribute = {str(column): values[column].to_numpy(dtype=object) for column in values}
    types = products["article_type"].fillna("").to_numpy(dtype=object)
    return Shop(name, by_attribute, types, _features(pictures, work), _features(other, work), held.to_numpy(dtype=bool))


def _features(pictures: list[tuple[str, str]], work: Path) -> np.ndarray:
    """(pictures, d) features of the shipped base, averaged over its queries."""
    from training.blip2.base import load_base
    from training.blip2.features import FeatureStore, compute_features

    base = load_base("tiny")
    store = FeatureStore(work / "features", base)
    compute_features(base, pictures, store)
    averaged: np.ndarray = store.read([sha256 for sha256, _ in pictures]).float().mean(dim=1).numpy()
    return averaged


def cut(shop: Shop, how: str, rng: np.random.Generator) -> np.ndarray:
    """(drops, products) row numbers; the held-out range is in none."""
    rows = np.flatnonzero(~shop.new_range)
    if how == "random":
        rows = rng.permutation(rows)
    elif shop.name == "drawn":
        ordered = rows[np.argsort(shop.types[rows].astype(str), kind="stable")]
        runs = ordered[: len(ordered) // RUN * RUN].reshape(-1, RUN)
        rows = rng.permutation(runs).ravel()
    return rows[: len(rows) // DROP * DROP].reshape(-1, DROP)


def delivery(shop: Shop, rows: np.ndarray, rng: np.random.Generator, change: str = "", size: float = 0.0) -> Delivery:
    """A drop of these products, changed in a share `size` of them."""
    rows = rows.copy()
    changed = rng.permutation(len(rows))[: round(size * len(rows))]
    if change == "range":
        rows[changed] = rng.choice(np.flatnonzero(shop.new_range), len(changed), replace=False)
    features = shop.features[rows]
    if change == "pictures":
        features[changed] = shop.other[rows[changed]]
    usual = rng.beta(*_beta(ABSTAINED, SPREAD))
    hard = rng.random(len(rows) * QUESTIONS) < (size if change == "abstention" else 0.0)
    abstained = rng.random(len(hard)) < np.where(hard, HARD, usual)
    return Delivery({name: values[rows] for name, values in shop.values.items()}, features, {ABSTENTION: abstained})


def _beta(mean: float, spread: float) -> tuple[float, float]:
    strength = mean * (1 - mean) / spread**2 - 1
    return mean * strength, (1 - mean) * strength


def psi(new: np.ndarray, earlier: np.ndarray) -> float:
    """The population stability index of two samples of names, half a product for those that one lacks."""
    names = np.union1d(new, earlier)
    shares = [np.array([max((part == name).sum(), 0.5) for name in names]) / len(part) for part in (new, earlier)]
    return float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())


def trials(shop: Shop, how: str, change: str, size: float, count: int) -> Iterator[tuple[bool, float]]:
    """Alarm, and PSI of the article type, of one new drop after another."""
    rng = np.random.default_rng([CUTS.index(how), CHANGES.index(change) if change else 9, round(100 * size)])
    types = shop.types.astype(str)
    for _ in range(count):
        drops = cut(shop, how, rng)
        picked = drops[rng.permutation(len(drops))[: EARLIER + 1]]
        earlier = [delivery(shop, rows, rng) for rows in picked[1:]]
        judgement = judge(delivery(shop, picked[0], rng, change, size), earlier)
        yield bool(judgement.alarm), psi(types[picked[0]], types[picked[1:].ravel()])


def measure(shop: Shop, count: int) -> list[dict[str, Any]]:
    """A row for drops of the same kind, and one for each change, at each size, of either cut."""
    rows = []
    for how in CUTS:
        for change, size, number in [("", 0.0, 200), *((change, size, count) for change in CHANGES for size in SIZES)]:
            began = time.monotonic()
            alarms, indices = map(np.array, zip(*trials(shop, how, change, size, number), strict=True))
            interval = binomtest(int(alarms.sum()), number).proportion_ci(method="wilson")
            rows.append(
                {
                    "shop": shop.name, "drops": how, "change": change or "none", "size": size, "trials": number,
                    "alarms": float(alarms.mean()), "low": interval.low, "high": interval.high,
                    "psi_alarms": float((indices > PSI_LIMIT).mean()), "psi_mean": float(indices.mean()),
                    "seconds_each": (time.monotonic() - began) / number,
                }
            )  # fmt: skip
            print(f"{shop.name} {how} {change or 'none'} {size:.0%}: {alarms.mean():.1%}", file=sys.stderr, flush=True)
    return rows


def tables(rows: list[dict[str, Any]]) -> str:
    """Markdown for docs/benchmarks.md."""
    lines = ["| shop, drops | false alarms of 200 | mean PSI | PSI > 0.2 |", "|---|---|---|---|"]
    for row in rows:
        if row["change"] == "none":
            interval = f"{row['alarms']:.1%} ({row['low']:.1%} to {row['high']:.1%})"
            lines.append(
                f"| {row['shop']}, {row['drops']} | {interval} | {row['psi_mean']:.2f} | {row['psi_alarms']:.0%} |"
            )
    lines += [
        "",
        f"| shop, drops | change | {' | '.join(f'{size:.0%}' for size in SIZES)} |",
        "|---|---|" + "---|" * len(SIZES),
    ]
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["change"] != "none":
            grouped.setdefault((row["shop"], row["drops"], row["change"]), []).append(f"{row['alarms']:.0%}")
    lines += [f"| {shop}, {how} | {change} | {' | '.join(cells)} |" for (shop, how, change), cells in grouped.items()]
    return "\n".join(lines)


def figure_of(rows: list[dict[str, Any]]) -> bytes:
    """Share of alarms over the size of each change, a panel for each way to cut the drawn shop."""
    drawn = pd.DataFrame([row for row in rows if row["shop"] == "drawn"])
    with styled_figure(8.4, 3.8) as figure:
        for axes, how in zip(figure.subplots(1, 2, sharey=True), CUTS, strict=True):
            of_cut = drawn[drawn["drops"] == how]
            none = of_cut[of_cut["change"] == "none"]
            for position, change in enumerate(CHANGES):
                line = pd.concat([none, of_cut[of_cut["change"] == change]])
                axes.plot(line["size"], line["alarms"], color=SERIES[position], marker="o", markersize=4, label=change)
                axes.fill_between(line["size"], line["low"], line["high"], color=SERIES[position], alpha=0.12)
            axes.axhline(
                FALSE_ALARMS, color=INK, linewidth=1, linestyle=(0, (4, 2)), label="stated rate of false alarms"
            )
            axes.set_title({"random": "Random drops", "kinds": "Drops of two article types"}[how])
            axes.set_xlabel("share of the drop that changed")
            axes.set_xlim(0, max(SIZES))
            axes.set_ylim(0, 1.02)
            axes.grid()
            percent_ticks(axes, "both")
        figure.axes[0].set_ylabel("drops said to differ")
        legend_below(figure, figure.axes[0])
        return png(figure)


def run(work: Path, count: int) -> Mapping[str, Any]:
    shops = [drawn_shop(work), photographed_shop(work)]
    return {"rows": [row for shop in shops if shop is not None for row in measure(shop, count)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="folder that keeps pictures and features; a temporary one by default")
    parser.add_argument("--trials", type=int, default=100, help="of each change and size")
    parser.add_argument("--save", type=Path, help="folder of the manual, for images/drift.png")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        measured = run(options.work or Path(temporary), options.trials)
    if options.save:
        (options.save / "images" / "drift.png").write_bytes(figure_of(measured["rows"]))
    print(json.dumps(measured) if options.json else tables(measured["rows"]))


if __name__ == "__main__":
    main()
