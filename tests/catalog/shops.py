"""Small catalogues for tests, in the Kaggle layout, with the faults a test asks for."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from catalog.rows import COLUMNS
from catalog.splits import assign_splits
from catalog.tables import read_table, schema_of

HEADER = ",".join(COLUMNS)


def picture(seed: int, width: int = 60, height: int = 80) -> Image.Image:
    """A picture with content of its own: coloured blocks on white."""
    rng = np.random.default_rng(seed)
    blocks = Image.fromarray(rng.integers(0, 200, (8, 6, 3), dtype=np.uint8))
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(blocks.resize((width * 2 // 3, height * 2 // 3), Image.Resampling.NEAREST), (width // 6, height // 6))
    return canvas


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """The image as a file's bytes."""
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def product_json(product_id: int, **data: object) -> bytes:
    """A product's JSON in the public structure."""
    return json.dumps({"meta": {"code": 200}, "data": {"id": product_id, "articleAttributes": {}, **data}}).encode()


@dataclass
class Shop:
    """A catalogue being built; `write` puts it on disk."""

    lines: list[bytes] = field(default_factory=list)
    images: dict[str, bytes] = field(default_factory=dict)
    styles: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] | None = None

    def add(
        self,
        product_id: int | str,
        name: str = "",
        *,
        image: bytes | None = None,
        article_type: str = "Shirts",
        year: str = "2011",
        usage: str = "Casual",
        colour: str = "Blue",
    ) -> "Shop":
        """One more row, with an image of its own unless given."""
        shown = name or f"Maker{product_id} Line{product_id} Shirt"
        row = f"{product_id},Men,Apparel,Topwear,{article_type},{colour},Fall,{year},{usage},{shown}"
        self.lines.append(row.encode())
        seed = int("".join(c for c in str(product_id) if c.isdigit()) or 0)
        self.images[f"{product_id}.jpg"] = encoded(picture(seed)) if image is None else image
        return self

    def write(self, folder: Path) -> Path:
        """The catalogue's folder."""
        (folder / "images").mkdir(parents=True, exist_ok=True)
        (folder / "styles.csv").write_bytes(b"\n".join([HEADER.encode(), *self.lines]) + b"\n")
        for name, content in self.images.items():
            if "/" not in name and content:
                (folder / "images" / name).write_bytes(content)
        if self.styles:
            (folder / "styles").mkdir(exist_ok=True)
        for name, content in self.styles.items():
            (folder / "styles" / name).write_bytes(content)
        if self.links is not None:
            rows = [f"{name},{link}" for name, link in self.links.items()]
            (folder / "images.csv").write_text("\n".join(["filename,link", *rows]) + "\n")
        return folder


def shop(products: int, first_id: int = 1) -> Shop:
    """A faultless catalogue of unrelated products."""
    built = Shop()
    for product_id in range(first_id, first_id + products):
        built.add(product_id)
    return built


def products_table(rows: list[dict[str, object]]) -> pa.Table:
    """A products table; columns a row leaves out get values that link it to no other."""
    complete = []
    for row in rows:
        product_id = int(str(row["product_id"]))
        defaults = {
            "drop": "d1",
            "line": product_id + 1,
            "gender": "Men",
            "master_category": "Apparel",
            "sub_category": "Topwear",
            "article_type": "Shirts",
            "base_colour": "Blue",
            "season": "Fall",
            "year": 2011,
            "usage": "Casual",
            "product_display_name": f"Maker{product_id} Line{product_id} Shirt",
            "brand": None,
            "variant": None,
            "attributes": [],
            "descriptors": [],
            "image_uri": f"/nowhere/{product_id}.jpg",
            "image_sha256": f"{product_id:064x}",
            "image_dhash": spread_hash(product_id),
            "image_width": 60,
            "image_height": 80,
            "recovered": False,
        }
        complete.append({**defaults, **row})
    return pa.Table.from_pylist(complete, schema=schema_of("products"))


def groups_of(products: pa.Table) -> dict[int, str]:
    """The group of every product of a catalogue that is read for the first time."""
    splits = assign_splits(products)
    return dict(zip(splits["product_id"].to_pylist(), splits["group_id"].to_pylist(), strict=True))


def stamped_sha256(file: Path) -> str:
    """The content hash that a published table carries."""
    return (read_table(file).schema.metadata or {})[b"selvedge.content_sha256"].decode()


def spread_hash(seed: int) -> str:
    """A difference hash that is far from every other seed's (random 256-bit words differ in about 128 bits)."""
    return np.random.default_rng(seed).bytes(32).hex()
