"""The vector index: which products of the catalogue look most like a picture.

Belongs here: the lancedb tables, replacing a drop, searching, refusing another model's index or a damaged one. Not
here: vectors and rows (products.py), the hashes that rows are held to (index_stamps.py).

Vectors of two judges say nothing about each other, so each judge has a table of its own, named by its digest: a drop
that is indexed for a new judge can never stand among the old ones, and after a rollback the old table is still there.
A table is searched whole: 100,000 products are 25 MB of vectors and take some 10 ms, so nothing approximate is needed.

Closeness is the cosine. A generator draws the middle of what words can mean, so its pictures lie nearer to the mean of
all than photographs do; the angle does not see that, where the Euclidean distance prefers middling products
(precision@10 on drawn bottoms 0.466 against 0.457, on photographs 0.153 against 0.147).
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.places import errno_in, remedy_of
from catalog.standing import standing
from catalog.tables import content_sha256
from inference.discovery.index_stamps import IndexStamps
from inference.discovery.products import FACTS, row_schema

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.query import LanceVectorQueryBuilder
    from lancedb.table import Table

FORMAT = "1"
FOLDER = "discovery"  # of the indices, in a home's objects or a catalogue directory
PREFIX = "bottoms-"
FORMAT_KEY, EMBEDDER_KEY, MODEL_KEY = "selvedge.format", "selvedge.embedder", "selvedge.model"
FILTERS = ("drop", "type", "article_type", "colour", "gender", "brand")
LOOKED_AT = 400  # of the nearest products, which are put in order by what was asked
CHECKS = 4  # of rows that do not fit their stamps, as a drop is replaced beside its stamp and not with it
FRESH_SECONDS = 2  # how soon a page sees a drop that another process has indexed
KEPT_VERSIONS = timedelta(days=1)  # of a table: a reader that began before an update may still finish
Order = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (N, d) float32 vectors, (N,) product ids -> (N,) numbers
REMEDY = "materialise inference/discovery_index of every drop, or give --catalog DIR"


@dataclass(frozen=True)
class Found:
    """A product near a picture.

    Attributes:
        facts: `FACTS` of the product, "" where the catalogue does not say.
        distance: 1 - cosine, 0 to 2; smaller is more alike.
        model_uri: address of the model it was indexed for.
    """

    drop: str
    product_id: int
    facts: Mapping[str, str]
    uri: str
    sha256: str
    model_uri: str
    distance: float


class ProductIndex:
    """The products of one judge, in a folder or a bucket.

    Args:
        root: folder or `s3://` address of all indices. embedder: digest of the judge. width: numbers in a vector.
        model_uri: of the model it is opened for, named in refusals.
    """

    def __init__(self, root: str | Path | UPath, embedder: str, width: int, model_uri: str) -> None:
        self.root, self.embedder, self.width, self.model_uri = UPath(root), embedder, width, model_uri
        self.name = f"{PREFIX}{embedder[:16]}"
        self._checked_version = -1

    @property
    def uri(self) -> str:
        """Where the table is."""
        return f"{self.root}/{self.name}.lance"

    def update_drop(self, drop: str, rows: pa.Table) -> str:
        """Make `rows` all that the index holds of a drop, in one commit; the hash of the rows.

        Killed at any moment it leaves the old rows or the new ones. The same rows again change nothing to be seen.

        Args:
            rows: columns of `row_schema`, all of this drop, no product twice; none empties the drop.

        Raises:
            SelvedgeError: rows of another drop or shape, or the place cannot be written.
        """
        if not rows.schema.equals(row_schema(self.width)) or set(rows["drop"].to_pylist()) - {drop}:
            raise SelvedgeError(f"index {self.uri}: the rows are not those of drop {drop!r} for this judge.")
        try:
            table = self._opened(create=True)
            sha256 = self._stamps.announce(drop, rows)
            merge = table.merge_insert(["drop", "product_id"]).when_matched_update_all().when_not_matched_insert_all()
            merge.when_not_matched_by_source_delete(_equals("drop", drop)).execute(rows)
            table.optimize(cleanup_older_than=KEPT_VERSIONS)
        except (OSError, RuntimeError) as error:
            raise self._not_written(error) from error
        self._stamps.confirm(drop, sha256)
        return content_sha256(rows)

    def rows(self, drop: str) -> pa.Table | None:
        """What the index holds of a drop, columns of `row_schema` by product; None where this judge has no index."""
        if self.name not in self._names():
            return None
        with self._reading():
            return self._rows_of(self._checked(), drop)

    def search(
        self,
        vector: np.ndarray,
        k: int = 8,
        filters: Mapping[str, str | Sequence[str]] | None = None,
        order: Order | None = None,
    ) -> list[Found]:
        """The k products nearest to a vector, nearest first, each once; fewer where there are no more.

        Args:
            vector: (d,) float32. filters: column of `FILTERS` -> the value or values it may have.
            order: puts the `LOOKED_AT` nearest products in order, the largest of its numbers first.

        Raises:
            SelvedgeError: this judge has no index, or a filter is unknown.
        """
        where = " AND ".join(_one_of(column, values) for column, values in (filters or {}).items())
        with self._reading():
            search = cast("LanceVectorQueryBuilder", self._checked().search(np.asarray(vector, np.float32)))
            asked = search.distance_type("cosine")
            asked = asked.where(where, prefilter=True) if where else asked
            rows = asked.limit(4 * k if order is None else max(4 * k, LOOKED_AT)).to_arrow()
        vectors = rows["vector"].combine_chunks().flatten().to_numpy(zero_copy_only=False).reshape(-1, self.width)
        ids = rows["product_id"].to_numpy()
        first = np.lexsort((ids, rows["_distance"].to_numpy() if order is None else -order(vectors, ids)))[: 4 * k]
        # A product that was delivered in several drops is found once, where it comes first.
        nearest: dict[int, Found] = {}
        for hit in map(self._found, rows.drop_columns(["vector"]).take(first).to_pylist()):
            nearest.setdefault(hit.product_id, hit)
        return list(nearest.values())[:k]

    def product(self, drop: str, product_id: int) -> Found | None:
        """One product of the index; None where it holds none of that name."""
        where = f"{_equals('drop', drop)} AND product_id = {int(product_id)}"
        with self._reading():
            rows = self._checked().search().where(where).limit(1).to_list()
        return self._found(rows[0]) if rows else None

    def __len__(self) -> int:
        with self._reading():
            return int(self._checked().count_rows())

    def values(self, column: str) -> list[str]:
        """What the index holds in a column of `FILTERS`, each once, by name."""
        with self._reading():
            return sorted(set(self._checked().search().select([column]).limit(None).to_arrow()[column].to_pylist()))

    def drops(self) -> list[str]:
        """Drops that have a product in the index, by name."""
        return self.values("drop")

    def require(self) -> None:
        """Raises SelvedgeError where this judge has no index here, or an empty one."""
        if not len(self):
            raise SelvedgeError(f"index {self.uri} holds no product; {REMEDY}.")

    @cached_property
    def _database(self) -> "DBConnection":
        import lancedb

        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        options = {"allow_http": "true"} if endpoint.startswith("http://") else None
        return lancedb.connect(
            str(self.root), read_consistency_interval=timedelta(seconds=FRESH_SECONDS), storage_options=options
        )

    def _names(self) -> list[str]:
        try:
            if self.root.protocol in ("", "file", "local") and not self.root.exists():
                return []  # connecting would make the folder
            return list(self._database.list_tables(limit=10_000).tables)
        except (OSError, RuntimeError) as error:
            raise SelvedgeError(f"indices {self.root} cannot be read ({_first_line(error)}).") from error

    def _found(self, row: Mapping[str, Any]) -> Found:
        facts = {name: row[name] for name in FACTS}
        # The pictures lie beside the indices, in a home or catalogue directory that may have been moved.
        uri = standing([row["uri"]], self.root.parent)[0]
        stamp = (uri, row["sha256"], row["model_uri"], float(row.get("_distance", 0.0)))
        return Found(row["drop"], int(row["product_id"]), facts, *stamp)

    @cached_property
    def _stamps(self) -> IndexStamps:
        return IndexStamps(self.root / f"{self.name}.stamps")

    def _rows_of(self, table: "Table", drop: str) -> pa.Table:
        schema = row_schema(self.width)
        rows = table.search().where(_equals("drop", drop)).limit(None).to_arrow().select(schema.names)
        return rows.cast(schema).sort_by("product_id")

    def _checked(self) -> "Table":
        """The table, its rows held to their stamps: once for each version of it.

        Raises:
            SelvedgeError: this judge has no index, or its rows are not those that were written.
        """
        table = self._opened()
        for attempt in range(CHECKS):
            version = int(table.version)
            if version == self._checked_version:
                return table
            if self._stamps.hold(lambda drop: self._rows_of(table, drop)):
                self._checked_version = version
                return table
            if attempt + 1 < CHECKS:  # another process may just have replaced a drop
                time.sleep(0.1)
                table.checkout_latest()
        raise self._damaged("its rows are not those that were written")

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What damaged files make Lance raise has no common class, and is one sentence."""
        try:
            yield
        except SelvedgeError:
            raise
        except Exception as error:
            raise self._damaged(_first_line(error)) from error

    def _damaged(self, why: str) -> SelvedgeError:
        return SelvedgeError(f"index {self.uri} is damaged ({why}); delete it and {REMEDY}.")

    def _not_written(self, error: OSError | RuntimeError) -> SelvedgeError:
        number = error.errno if isinstance(error, OSError) else None
        remedy = remedy_of(OSError(number or errno_in(str(error)), ""))
        return SelvedgeError(f"index {self.uri} could not be written ({_first_line(error)}). {remedy}")

    def _opened(self, create: bool = False) -> "Table":
        if "_table" not in self.__dict__:
            self._table = self._open(create)
        return self._table

    def _open(self, create: bool) -> "Table":
        names = self._names()
        if self.name not in names and not create:
            self._refuse(names)
        if self.name not in names:
            about = {FORMAT_KEY: FORMAT, EMBEDDER_KEY: self.embedder, MODEL_KEY: self.model_uri}
            return self._database.create_table(
                self.name, schema=row_schema(self.width).with_metadata(about), exist_ok=True
            )
        with self._reading():
            table = self._database.open_table(self.name)
            about = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if about.get(FORMAT_KEY) != FORMAT:
            raise SelvedgeError(f"index {self.uri} has format {about.get(FORMAT_KEY)!r}; delete it and {REMEDY}.")
        if about.get(EMBEDDER_KEY) != self.embedder:  # by its name it is this judge's
            raise self._damaged("it does not name the judge that it was made with")
        return table

    def _refuse(self, names: Sequence[str]) -> None:
        others = [name for name in names if name.startswith(PREFIX)]
        if not others:
            raise SelvedgeError(f"no product is indexed in {self.root}; {REMEDY}.")
        metadata = self._database.open_table(others[-1]).schema.metadata or {}
        other = metadata.get(MODEL_KEY.encode(), b"another model").decode()
        raise SelvedgeError(
            f"the index in {self.root} was made for {other}, whose judge is not that of {self.model_uri}, "
            f"so their pictures cannot be compared; {REMEDY}."
        )


def open_index(root: str | Path | UPath, model: Any) -> ProductIndex:
    """The index of a `DiscoveryModel`'s judge."""
    return ProductIndex(root, model.judge.digest, model.judge.network.head.in_features, model.uri)


def _one_of(column: str, values: str | Sequence[str]) -> str:
    if column not in FILTERS:
        raise SelvedgeError(f"products cannot be filtered by {column!r}; filter by {', '.join(FILTERS)}.")
    options = [values] if isinstance(values, str) else list(values)
    return "(" + " OR ".join(_equals(column, value) for value in options) + ")"


def _equals(column: str, value: str) -> str:
    quoted = value.replace("'", "''")
    return f"`{column}` = '{quoted}'"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
