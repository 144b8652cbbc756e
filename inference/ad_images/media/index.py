"""The media index: vectors of a library's pictures, so that words find them.

Belongs here: the lancedb table, bringing it up to date in one commit, searching. Not here: reading the library
(library.py), making vectors (embedding.py), choosing among what is near (retrieval.py).

Vectors of two embedders say nothing about each other, so each has a table of its own, named by its digest. Rows whose
picture and words are as they were keep their vectors, so that an update costs what is new; killed at any moment it
leaves the old rows or the new ones.
"""

import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
from PIL import Image
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.pictures import Limits, standard_copy
from catalog.stores import stored_bytes
from inference.ad_images.media.embedding import Embedder, TokenEmbedder
from inference.ad_images.media.library import Asset, AssetKind, Library

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import Table

FORMAT = "1"
PREFIX = "media-"
KEPT_VERSIONS = timedelta(days=1)  # of a table: a reader that began before an update may still finish
TEXTS = ("name", "kind", "licence", "sha256", "title", "author", "root")
LISTS = ("tags", "themes")
REMEDY = "delete it and materialise inference/media_index"


@dataclass(frozen=True)
class IndexUpdate:
    """What an update did: counts of pictures whose vectors were made, kept and taken out."""

    embedded: int
    kept: int
    removed: int


@dataclass(frozen=True)
class Near:
    """A picture near to some words. closeness: cosine, -1 to 1. root: address of its library."""

    asset: Asset
    root: str
    closeness: float


class MediaIndex:
    """The pictures of one library for one embedder, in a folder or a bucket.

    Args:
        root: folder or `s3://` address of the index.
    """

    def __init__(self, root: str | Path | UPath, embedder: Embedder | None = None) -> None:
        self.root = UPath(root)
        self.embedder = embedder or TokenEmbedder()
        self.name = f"{PREFIX}{self.embedder.digest[:16]}"

    @property
    def uri(self) -> str:
        """Where the table is."""
        return f"{self.root}/{self.name}.lance"

    def update(self, library: Library, progress: Callable[[int, int], None] | None = None) -> IndexUpdate:
        """Make the library's pictures all that the index holds, in one commit.

        Args:
            progress: called with (done, total).

        Raises:
            SelvedgeError: a picture changed since the library was read, or the place cannot be written.
        """
        before = {row["name"]: row for row in self._rows()} if self.name in self._names() else {}
        rows, embedded = [], 0
        for number, asset in enumerate(library.assets, 1):
            row = _row(asset, library.root)
            old = before.get(asset.name)
            if old is not None and all(old[key] == row[key] for key in ("sha256", "title", *LISTS)):
                row["vector"] = old["vector"]
            else:
                row["vector"] = self.embedder.asset(asset, _picture(library.root, asset)).tolist()
                embedded += 1
            rows.append(row)
            if progress is not None:
                progress(number, len(library.assets))
        table = pa.Table.from_pylist(rows, schema=self._schema)
        try:
            stored = self._opened(create=True)
            merge = stored.merge_insert("name").when_matched_update_all().when_not_matched_insert_all()
            merge.when_not_matched_by_source_delete().execute(table)
            stored.optimize(cleanup_older_than=KEPT_VERSIONS)
        except (OSError, RuntimeError) as error:
            raise SelvedgeError(
                f"index {self.uri} could not be written ({_first_line(error)}); check the place."
            ) from error
        removed = len(set(before) - {row["name"] for row in rows})
        return IndexUpdate(embedded, len(rows) - embedded, removed)

    def search(self, words: str, k: int = 5, kinds: Sequence[AssetKind] = ()) -> list[Near]:
        """The k pictures nearest to words, nearest first; [] where the words say nothing.

        Args:
            kinds: of pictures; all where empty.

        Raises:
            SelvedgeError: there is no index, or it is damaged.
        """
        vector = self.embedder.text(words)
        if not np.any(vector):
            return []
        with self._reading():
            query = cast(Any, self._opened().search(vector)).distance_type("cosine")
            if kinds:
                query = query.where(" OR ".join(f"kind = '{kind}'" for kind in kinds), prefilter=True)
            rows = query.limit(k).to_list()
        near = [Near(_asset(row), row["root"], 1.0 - float(row["_distance"])) for row in rows]
        return sorted(near, key=lambda each: (-each.closeness, each.asset.name))

    def asset(self, name: str) -> tuple[Asset, str] | None:
        """A picture by its name, with the address of its library; None where there is none."""
        row = next((row for row in self._rows() if row["name"] == name), None)
        return (_asset(row), row["root"]) if row else None

    @property
    def content(self) -> str:
        """Hex sha256 of all that a search can find: pictures and what is said of each, wherever the library lies.

        Raises:
            SelvedgeError: there is no index, or it is damaged.
        """
        names = (*(name for name in TEXTS if name != "root"), *LISTS)
        rows = sorted([row[name] if name in TEXTS else list(row[name]) for name in names] for row in self._rows())
        return json_sha256([self.embedder.digest, rows])

    def __len__(self) -> int:
        with self._reading():
            return int(self._opened().count_rows())

    # -- the table ----------------------------------------------------------------------------------------------------

    @property
    def _schema(self) -> pa.Schema:
        fields = [pa.field(name, pa.string()) for name in TEXTS]
        fields += [pa.field(name, pa.list_(pa.string())) for name in LISTS]
        fields += [pa.field(name, pa.int32()) for name in ("width", "height")]
        return pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), self.embedder.width))])

    def _rows(self) -> list[dict[str, Any]]:
        with self._reading():
            rows = self._opened().search().limit(None).to_list()
        return cast(list[dict[str, Any]], rows)

    @cached_property
    def _database(self) -> "DBConnection":
        import lancedb

        endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        options = {"allow_http": "true"} if endpoint.startswith("http://") else None
        return lancedb.connect(str(self.root), read_consistency_interval=timedelta(seconds=2), storage_options=options)

    def _names(self) -> list[str]:
        try:
            if self.root.protocol in ("", "file", "local") and not self.root.exists():
                return []  # connecting would make the folder
            return list(self._database.list_tables(limit=10_000).tables)
        except (OSError, RuntimeError) as error:
            raise SelvedgeError(f"index {self.uri} cannot be read ({_first_line(error)}).") from error

    def _opened(self, create: bool = False) -> "Table":
        if "_table" not in self.__dict__:
            self._table = self._open(create)
        return self._table

    def _open(self, create: bool) -> "Table":
        if self.name in self._names():
            table = self._database.open_table(self.name)
            if (table.schema.metadata or {}).get(b"selvedge.format") != FORMAT.encode():
                raise SelvedgeError(f"index {self.uri} has another format; {REMEDY}.")
            return table
        if not create:
            raise SelvedgeError(f"library pictures are not indexed in {self.root}; materialise inference/media_index.")
        about = {"selvedge.format": FORMAT, "selvedge.embedder": self.embedder.digest}
        return self._database.create_table(self.name, schema=self._schema.with_metadata(about), exist_ok=True)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What damaged files make Lance raise has no common class, and is one sentence."""
        try:
            yield
        except SelvedgeError:
            raise
        except Exception as error:
            raise SelvedgeError(f"index {self.uri} is damaged ({_first_line(error)}); {REMEDY}.") from error


def _row(asset: Asset, root: UPath) -> dict[str, Any]:
    texts = {name: str(getattr(asset, name)) for name in TEXTS if name != "root"}
    lists = {name: list(getattr(asset, name)) for name in LISTS}
    return {**texts, **lists, "root": str(root), "width": asset.width, "height": asset.height}


def _asset(row: Mapping[str, Any]) -> Asset:
    return Asset(
        row["name"],
        AssetKind(row["kind"]),
        row["licence"],
        row["sha256"],
        int(row["width"]),
        int(row["height"]),
        tuple(row["tags"]),
        tuple(row["themes"]),
        row["title"],
        row["author"],
    )


def _picture(root: UPath, asset: Asset) -> Image.Image:
    copy = standard_copy(stored_bytes(root / asset.name), Limits())
    if copy.source_sha256 != asset.sha256:
        raise SelvedgeError(f"{asset.name} of library {root} changed while it was indexed; run again.")
    return Image.open(io.BytesIO(copy.content))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
