"""A home of a dozen products for tests of the report: tables that are written, and materializations that say so."""

import hashlib
import io
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
from PIL import Image

import inference.tables  # noqa: F401  declares the tables that are published
from catalog.tables import write_table
from orchestration.assets.published import Tables
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds_for_tests import columns_of

TYPES = ("Shirts", "Shirts", "Jeans")
COLOURS = {"Red": (200, 20, 30), "Blue": (20, 40, 200)}
DROP = "first"


class SmallHome:
    """Settings, an instance in memory, and a way to publish tables as assets do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(home=folder / "home")
        self.pictures = self.settings.home / "pictures"
        self.instance = dg.DagsterInstance.ephemeral()
        self.tables = Tables(root=str(self.settings.tables()))

    def say(self, name: str, partition: str | None = None, **metadata: Any) -> None:
        """Record that an asset was materialised."""
        key = dg.AssetKey(name.split("/"))
        self.instance.report_runless_asset_event(
            dg.AssetMaterialization(key, partition=partition, metadata=metadata, tags={"dagster/data_version": "v1"})
        )

    def publish(self, name: str, rows: pd.DataFrame, partition: str | None = None, **metadata: Any) -> None:
        """Write a table where the asset `stage/name` has it, and record that."""
        schema = name.split("/")[-1]
        path = self.tables.path(name, partition)
        path.parent.mkdir(parents=True, exist_ok=True)
        reference = write_table(columns_of(rows, schema), path, schema)
        self.say(name, partition, **reference.as_metadata(), **metadata)

    def read_drop(self, count: int = 12, drop: str = DROP, source: str = "/shop") -> pd.DataFrame:
        """Products, their pictures, a rejected row and the splits of one drop; gives the products."""
        products = products_table(count, drop)
        names = list(COLOURS)
        self.pictures.mkdir(parents=True, exist_ok=True)
        uris = []
        for product, colour in zip(products["product_id"], products["base_colour"], strict=True):
            path = self.pictures / f"{product}.png"
            path.write_bytes(garment(COLOURS[colour]))
            uris.append(str(path))
        hashes = [hashlib.sha256(Path(uri).read_bytes()).hexdigest() for uri in uris]
        products = products.assign(line=products["product_id"] + 1, image_uri=uris, image_sha256=hashes)
        rejected = [(drop, 4, "bad_id", b"../38,Shirt\n", "product id '../38' is not a whole number")]
        quarantine = pd.DataFrame(rejected, columns=["drop", "line", "reason", "raw", "detail"])
        self.publish("catalog/products", products, drop, source=source, counts={"recovered": 2})
        self.publish("catalog/quarantine", quarantine, drop)
        self.publish("catalog/images", products[["drop", "product_id"]].assign(uri=uris), drop)
        splits = products[["drop", "product_id"]].assign(
            group_id=[f"g{product // 2}" for product in products["product_id"]],
            split=["test" if product // 2 % 3 == 0 else "train" for product in products["product_id"]],
        )
        self.publish("catalog/splits", splits)
        pairs = splits.assign(attribute="Colour", question="Colour?", answer="", value=products["base_colour"])
        rare = {"rare": {"Colour": {"Teal": 2}}, "unmapped": {"Season": {"Monsoon": 5}}}
        self.publish("catalog/qa_pairs", pairs, summary=rare, drops=[drop], question_set="columns")
        assert set(products["base_colour"]) == set(names)
        return products


def products_table(count: int = 12, drop: str = DROP) -> pd.DataFrame:
    """Two shirts for every pair of jeans, red and blue in turns; the last has no season."""
    ids = range(1, count + 1)
    return pd.DataFrame(
        {
            "drop": drop,
            "product_id": list(ids),
            "article_type": [TYPES[product % 3] for product in ids],
            "base_colour": [list(COLOURS)[product % 2] for product in ids],
            "gender": "Women",
            "master_category": "Apparel",
            "season": [*["Summer"] * (count - 1), None],
            "usage": "Casual",
            "product_display_name": [f"Product {product}" for product in ids],
        }
    )


def garment(colour: tuple[int, int, int]) -> bytes:
    """A picture file: a square of one colour on white."""
    picture = Image.new("RGB", (60, 60), "white")
    picture.paste(colour, (10, 10, 50, 50))
    sink = io.BytesIO()
    picture.save(sink, "PNG")
    return sink.getvalue()
