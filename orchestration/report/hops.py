"""Hops of a trace, and the sources that they are looked up in: each table, model and data set is read and hashed once.

Belongs here: the hop, reading with the hash held to the record, addresses of pages. Not here: which hops there are
(published_hops.py, model_hops.py), their order (trace.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pandas as pd

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.families.contract import Family
from orchestration.report.home import Home

if TYPE_CHECKING:
    from labeling.review.picks.pulling import Published
    from orchestration.registry.registry import Registry
    from orchestration.runtime.settings import Settings

State = Literal["checked", "recorded", "missing", "broken"]
CHECKED: State = "checked"  # its hash was recomputed now and is the recorded one
RECORDED: State = "recorded"  # as a record says; there is no hash to recompute
MISSING: State = "missing"  # cannot be followed; the note says why
BROKEN: State = "broken"  # not what the record says
SHORT = 12  # digits of a hash that are shown


@dataclass(frozen=True)
class Hop:
    """One link of the chain.

    Attributes:
        hop: what it is. value: what stands there. link: an address to open, or a file and line; empty where it has
            none. state: how far it was proved. note: what was recomputed, or why not.
    """

    hop: str
    value: str = ""
    link: str = ""
    state: State = RECORDED
    note: str = ""


def asset_page(settings: "Settings", name: str, partition: str | None = None) -> str:
    """The page of an asset in Dagster."""
    page = f"{settings.dagster_uri}/assets/{name}"
    return f"{page}?view=partitions&partition={quote(partition)}" if partition else page


class Sources:
    """What the hops of many products are looked up in."""

    def __init__(self, home: Home, families: Sequence[Family]) -> None:
        self.home = home
        self.families = {family.name: family for family in families}
        self._read: dict[tuple[str, str | None], tuple[pd.DataFrame, Hop]] = {}
        self.kept: dict[tuple[str, ...], tuple[Hop, ...]] = {}  # hops that several products share, by what they are of

    def table(self, name: str, partition: str | None = None) -> tuple[pd.DataFrame, Hop]:
        """A published table, held to the hash that Dagster recorded, and how that went; empty where it is not whole."""
        key = (name, partition)
        if key not in self._read:
            self._read[key] = self._checked_table(name, partition)
        return self._read[key]

    def _checked_table(self, name: str, partition: str | None) -> tuple[pd.DataFrame, Hop]:
        link = self.asset_page(name, partition)
        what = f"{name}{f' of {partition}' if partition else ''}"
        try:
            reference = self.home.tables.reference(self.home.instance, name, partition)
        except SelvedgeError:
            return pd.DataFrame(), Hop(name, link=link, state=MISSING, note=f"{what} was never published")
        try:
            frame = self.home.tables.read(self.home.instance, name, partition).to_pandas()
        except SelvedgeError as error:
            return pd.DataFrame(), Hop(name, link=link, state=BROKEN, note=str(error))
        return frame, Hop(name, link=link, state=CHECKED, note=f"table hashed again: {reference.sha256[:SHORT]}")

    def frozen(self, file: str) -> pd.DataFrame:
        """A table of a frozen data set. Raises: SelvedgeError: it is gone or damaged."""
        from catalog.tables import read_table

        key = (file, None)
        if key not in self._read:
            self._read[key] = (read_table(file).to_pandas(), Hop(file, state=CHECKED))
        return self._read[key][0]

    def rows_of(self, name: str, partition: str | None, product_id: int) -> tuple[list[dict[str, Any]], Hop]:
        """A product's rows of a table, and how whole the table is."""
        frame, hop = self.table(name, partition)
        if frame.empty:
            return [], hop
        return list(frame[frame["product_id"] == product_id].to_dict("records")), hop

    def holds(self, drop: str, product_id: int) -> bool:
        frame, hop = self.table("catalog/products", drop)
        if hop.state == BROKEN:
            raise SelvedgeError(hop.note)
        return len(frame) > 0 and bool((frame["product_id"] == product_id).any())

    def product(self, drop: str, product_id: int) -> dict[str, Any]:
        rows, _ = self.rows_of("catalog/products", drop, product_id)
        return rows[0]

    def rejected(self, product_id: int) -> tuple[str, int, str, str] | None:
        """Drop, line, reason and detail of a row in quarantine that begins with this id; None where there is none."""
        for drop in reversed(self.home.drops):
            frame, _ = self.table("catalog/quarantine", drop)
            for row in frame.to_dict("records"):
                if bytes(row["raw"]).split(b",", 1)[0].strip(b'" ') == str(product_id).encode():
                    return drop, int(row["line"]), str(row["reason"]), str(row["detail"])
        return None

    def asset_page(self, name: str, partition: str | None = None) -> str:
        return asset_page(self.home.settings, name, partition)

    def run_page(self, recorded: str) -> str:
        """The page of an MLflow run at the address where MLflow is now; a home may have moved since the record."""
        _, mark, address = recorded.partition("/#/")
        return f"{self.home.settings.mlflow_uri}{mark}{address}" if mark else recorded

    @cached_property
    def picked(self) -> "Mapping[str, Published]":
        """Hash of an ad's picture → what people said of it; those alone that they publish.

        Raises:
            ServiceUnavailable: the ledger does not answer.
        """
        from labeling.review.picks.pulling import all_published
        from orchestration.registry.ledger import open_ledger

        published = all_published(open_ledger(self.home.settings)).values()
        return {picture.picture.sha256: picture for picture in published}

    @cached_property
    def registry(self) -> "tuple[Registry | None, str]":
        """The registry, or why there is none."""
        from orchestration.registry.registry import Registry

        try:
            return Registry(self.home.settings), ""
        except ServiceUnavailable as error:
            return None, str(error)
