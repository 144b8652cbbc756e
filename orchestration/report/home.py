"""A home as the report reads it: its drops in their order, its published tables as frames.

Belongs here: finding and reading tables. Not here: what is counted or shown of them (catalogue.py, products.py,
family.py, lineage.py).
"""

from functools import cached_property

import dagster as dg
import pandas as pd

from catalog.errors import SelvedgeError
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables
from orchestration.runtime.settings import Settings


class Home:
    """The tables of one home and the instance that wrote them."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        """Raises: SelvedgeError: no drop was read yet."""
        self.instance, self.settings = instance, settings
        self.tables = Tables(root=str(settings.tables()))
        self.drops = sorted(instance.get_materialized_partitions(dg.AssetKey(["catalog", "products"])))
        if not self.drops:
            raise SelvedgeError(
                f"{settings.home} holds no drop yet; run `selvedge demo` or materialise catalog/products."
            )
        order = DROPS.get_partition_keys(dynamic_partitions_store=instance)
        self.drops.sort(key=lambda drop: order.index(drop) if drop in order else len(order))

    def frame(self, name: str, partition: str | None = None, contract: str | None = None) -> pd.DataFrame:
        """A table as a frame; empty where it was never published. `contract` as for `Tables.latest`."""
        table = self.tables.latest(name, partition, contract)
        return pd.DataFrame() if table is None else table.to_pandas()

    def all_drops(self, name: str) -> pd.DataFrame:
        """Every drop's table under one another."""
        frames = [frame for drop in self.drops if len(frame := self.frame(name, drop))]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @cached_property
    def products(self) -> pd.DataFrame:
        return self.all_drops("catalog/products")

    @cached_property
    def splits(self) -> pd.DataFrame:
        return self.frame("catalog/splits")

    @cached_property
    def qa_pairs(self) -> pd.DataFrame:
        return self.frame("catalog/qa_pairs")

    @cached_property
    def picture_uris(self) -> dict[int, str]:
        """Product id -> its standard copy."""
        images = self.all_drops("catalog/images")
        if images.empty:
            return {}
        return {int(product): str(uri) for product, uri in zip(images["product_id"], images["uri"], strict=True)}
