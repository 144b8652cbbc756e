"""The catalogue on disk: pictures, rows, JSON and truth.

Belongs here: which files a drawn catalogue has, and writing them with all cores. Not here: what a picture shows
(spec.py, garments.py), what the rows claim (labels.py), broken files (faults.py).

Layout: styles.csv, images.csv, images/<id>.jpg, styles/<id>.json as in the public Kaggle set, and beside them truth/
with truth.parquet, keypoints.parquet, masks/<id>.png and drawn.json. styles.csv is written last: without it a folder is
no catalogue, so a run that was killed leaves nothing that looks whole.
"""

import itertools
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.drawn import VERSION, parts, vocabulary
from catalog.drawn.faults import Fault, Plan, Row, plan_faults
from catalog.drawn.garments import draw_garment
from catalog.drawn.labels import labels_of, product_json
from catalog.drawn.spec import STYLES, GarmentSpec, article_type_of, sample_spec
from catalog.drawn.world import RESERVED_SEEDS
from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, png_bytes, publish_bytes, publish_text
from catalog.places import not_written
from catalog.workers import Progress, map_in_order, usable_cores

COLUMNS = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year", "usage",
    "productDisplayName",
)  # fmt: skip
MOST_PRODUCTS = 1_000_000  # some 10 GB of pictures
LARGEST_FIRST_ID = 10**18 - 10 * MOST_PRODUCTS
_CHUNK = 24


@dataclass(frozen=True)
class DrawnCatalogue:
    """What was drawn.

    `rows` counts the data rows of styles.csv (more than `products` where faults add rows). `planted_faults` are
    (line of styles.csv, reason code) of rows that must end in quarantine; `handled_faults` are (line, kind) of rows
    that are damaged and must nevertheless be read.
    """

    path: Path
    products: int
    rows: int
    seed: int
    style: str
    version: str
    planted_faults: list[tuple[int, str]] = field(default_factory=list)
    handled_faults: list[tuple[int, str]] = field(default_factory=list)


def draw_catalogue(
    out: Path | str,
    products: int,
    seed: int,
    *,
    style: str = "studio",
    label_noise: float = 0.07,
    faults: bool = False,
    size: int = 256,
    first_id: int = 10001,
    articles: Collection[str] = (),
    workers: int | None = None,
    progress: Progress | None = None,
) -> DrawnCatalogue:
    """Draw a catalogue of `products` products into the folder `out`.

    A product depends on (seed, id, style) alone: a catalogue with more products, other workers, another first id or
    fewer article types shows the same product under the same id.

    Args:
        out: folder; made if it is missing, files of the same name are replaced.
        products: how many products, with ids from `first_id`: consecutive ones where all article types are drawn.
        seed: the catalogue's seed.
        style: "studio", or "atelier" (other outlines, folds, light and backdrop; for tests).
        label_noise: probability that a label (colour or attribute) in styles.csv and JSON is wrong.
        faults: plant every fault that reading must find.
        size: side of the pictures, in pixels.
        first_id: least id of a product.
        articles: article types to draw; empty draws all. Products of other types are passed over, not renamed.
        workers: processes; None for one a core.
        progress: called with (done, total, "drawing").

    Raises:
        SelvedgeError: no products, a seed kept for pre-training, an unknown style or article type, noise outside
            [0, 1], a picture too small or large, too few products for the faults, or a folder that cannot be written.
    """
    _check(products, seed, style, label_noise, size, first_id, articles)
    folder = Path(out)
    ids = _ids(products, seed, first_id, articles)
    plan = plan_faults(ids, seed) if faults else Plan()
    for name in ("images", "styles", "truth/masks"):
        _make_folder(folder / name)
    chunks = [
        _Chunk(str(folder), seed, style, tuple(ids[start : start + _CHUNK]), label_noise, size, plan.on_files)
        for start in range(0, products, _CHUNK)
    ]
    rows: list[Row] = []
    truth: list[dict[str, Any]] = []
    keypoints: list[tuple[int, str, float, float]] = []
    processes = usable_cores() if workers is None else workers
    for drawn in map_in_order(_draw_chunk, chunks, workers=processes, preload=("catalog.drawn.garments",)):
        rows += drawn.rows
        truth += drawn.truth
        keypoints += drawn.keypoints
        if progress is not None:
            progress(len(rows), products, "drawing")
    lines, planted, handled = plan.lines(rows)
    _write_truth(folder, truth, keypoints)
    about = {
        "version": VERSION,
        "seed": seed,
        "style": style,
        "size": size,
        "products": products,
        "first_id": first_id,
        "articles": sorted(articles),
        "label_noise": label_noise,
        "parts": {str(number): name for number, name in parts.NAMES.items()},
        "planted_faults": planted,
        "handled_faults": handled,
    }
    publish_text(json.dumps(about, indent=1), folder / "truth" / "drawn.json")
    publish_bytes(_images_csv(ids, plan), folder / "images.csv")
    publish_bytes((",".join(COLUMNS) + "\n").encode() + b"".join(lines), folder / "styles.csv")
    return DrawnCatalogue(folder, products, len(lines), seed, style, VERSION, planted, handled)


def _ids(products: int, seed: int, first_id: int, articles: Collection[str]) -> Sequence[int]:
    if not articles:
        return range(first_id, first_id + products)
    fit = (product_id for product_id in itertools.count(first_id) if article_type_of(seed, product_id) in articles)
    return tuple(itertools.islice(fit, products))


def _check(
    products: int, seed: int, style: str, label_noise: float, size: int, first_id: int, articles: Collection[str]
) -> None:
    if products < 1:
        raise SelvedgeError(f"cannot draw a catalogue of {products} products; ask for at least 1.")
    if products > MOST_PRODUCTS:
        raise SelvedgeError(f"cannot draw a catalogue of {products} products; ask for at most {MOST_PRODUCTS:,}.")
    if seed in RESERVED_SEEDS:
        raise SelvedgeError(f"seed {seed} is kept for pre-training, whose pictures no catalogue may hold; use another.")
    if style not in STYLES:
        raise SelvedgeError(f"drawing style {style!r} is unknown; choose one of {', '.join(STYLES)}.")
    if not 0 <= label_noise <= 1:
        raise SelvedgeError(f"label_noise {label_noise} is not a probability; give a number from 0 to 1.")
    if not 32 <= size <= 4096:
        raise SelvedgeError(f"size {size} is out of range; pictures are 32 to 4096 pixels wide.")
    if first_id < 0:
        raise SelvedgeError(f"first_id {first_id} is negative; ids are whole numbers from 0.")
    if first_id > LARGEST_FIRST_ID:
        raise SelvedgeError(f"first_id {first_id} is too large; ids have at most 18 digits.")
    if strange := sorted(set(articles) - set(vocabulary.ARTICLES)):
        raise SelvedgeError(
            f"article type '{strange[0]}' is not drawn; choose from {', '.join(sorted(vocabulary.ARTICLES))}."
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(folder, error) from error


@dataclass(frozen=True)
class _Chunk:
    folder: str
    seed: int
    style: str
    ids: tuple[int, ...]
    label_noise: float
    size: int
    faults: dict[int, Fault]


@dataclass
class _Drawn:
    rows: list[Row]
    truth: list[dict[str, Any]]
    keypoints: list[tuple[int, str, float, float]]


def _draw_chunk(chunk: _Chunk) -> _Drawn:
    """Draw and write some products; runs in a worker process."""
    drawn = _Drawn([], [], [])
    folder = Path(chunk.folder)
    try:
        for product_id in chunk.ids:
            spec = sample_spec(chunk.seed, product_id, chunk.style)
            labels = labels_of(spec, chunk.label_noise)
            drawing = draw_garment(spec, chunk.size)
            files = {
                f"images/{product_id}.jpg": encode_jpeg(drawing.image, spec),
                f"styles/{product_id}.json": json.dumps(product_json(spec, labels), separators=(",", ":")).encode(),
                f"truth/masks/{product_id}.png": png_bytes(cast(np.ndarray, drawing.parts), compress_level=4),
            }
            if product_id in chunk.faults:
                files = chunk.faults[product_id].spoil(files, product_id)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            drawn.rows.append(_row(spec, labels.base_colour))
            drawn.truth.append(_truth(spec))
            drawn.keypoints += [(product_id, name, x, y) for name, (x, y) in drawing.keypoints.items()]
    except OSError as error:
        raise not_written(error.filename or folder, error) from error
    return drawn


def encode_jpeg(image: Any, spec: GarmentSpec) -> bytes:
    """JPEG bytes of a picture; the quality belongs to the shot, so that re-shots differ in every byte."""
    quality = int(spec.rng("jpeg").integers(84, 95))
    return jpeg_bytes(image, quality)


def _row(spec: GarmentSpec, base_colour: str) -> Row:
    return Row(
        str(spec.product_id),
        spec.gender,
        spec.master_category,
        spec.sub_category,
        spec.article_type,
        base_colour,
        spec.season,
        str(spec.year),
        spec.usage,
        spec.display_name.encode(),
    )


_TRUTH = pa.schema(
    [
        ("product_id", pa.int64()),
        ("item", pa.string()),  # products of one item share a split
        ("article_type", pa.string()),
        ("gender", pa.string()),
        ("base_colour", pa.string()),
        ("attributes", pa.map_(pa.string(), pa.string())),
        ("base_lab", pa.list_(pa.float32(), 3)),
        ("second_lab", pa.list_(pa.float32(), 3)),
        ("shot", pa.int16()),
        ("relisted", pa.bool_()),
        ("style", pa.string()),
    ]
)


def _truth(spec: GarmentSpec) -> dict[str, Any]:
    return {
        "product_id": spec.product_id,
        "item": spec.item_key,
        "article_type": spec.article_type,
        "gender": spec.gender,
        "base_colour": spec.base_colour,
        "attributes": list(spec.attributes.items()),
        "base_lab": list(spec.base_lab),
        "second_lab": list(spec.second_lab),
        "shot": spec.shot,
        "relisted": spec.relisted,
        "style": spec.style,
    }


def _write_truth(folder: Path, truth: list[dict[str, Any]], keypoints: list[tuple[int, str, float, float]]) -> None:
    places = pa.table(
        {
            "product_id": pa.array([row[0] for row in keypoints], pa.int64()),
            "name": pa.array([row[1] for row in keypoints], pa.string()),
            "x": pa.array([row[2] for row in keypoints], pa.float32()),
            "y": pa.array([row[3] for row in keypoints], pa.float32()),
        }
    )
    for name, table in (("truth", pa.Table.from_pylist(truth, _TRUTH)), ("keypoints", places)):
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        publish_bytes(sink.getvalue().to_pybytes(), folder / "truth" / f"{name}.parquet")


def _images_csv(ids: Sequence[int], plan: Plan) -> bytes:
    lines = ["filename,link"]
    for product_id in ids:
        missing = plan.on_files.get(product_id) is Fault.MISSING_IMAGE
        lines.append(f"{product_id}.jpg,{'undefined' if missing else f'images/{product_id}.jpg'}")
    return ("\n".join(lines) + "\n").encode()
