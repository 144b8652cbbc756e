"""The shelf: every product of the catalogue in words, those that no picture is drawn of as well.

Belongs here: plain text search over names, types, colours and attributes, what is published of one product, noticing
a newer drop. Not here: pictures and vectors (index.py), what a line asks for (reading.py), addresses (service.py).

A shelf looks at its files before it answers, at most once in `FRESH_SECONDS`, and reads again only those that changed:
a drop that is published while the page is open stands on it at the next request. A file is taken for changed by its
modification time and size; each is replaced whole, so that it is read old or new.
"""

import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import pandas as pd
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.garments import BOTTOMS
from catalog.standing import with_files_here
from catalog.tables import read_table
from training.restgan.words import plain_words

FRESH_SECONDS = 2.0  # as the index
SAID = ("product_display_name", "article_type", "sub_category", "master_category", "base_colour", "gender", "brand",
        "usage", "season")  # fmt: skip
FACTS = {"name": "product_display_name", "article_type": "article_type", "colour": "base_colour", "gender": "gender",
         "brand": "brand"}  # fmt: skip
_TSHIRT = re.compile(r"\bt[\s-]?shirt", re.IGNORECASE)


@dataclass(frozen=True)
class DropFiles:
    """Where the tables of a drop are.

    Attributes:
        attributes, descriptions: what inference published of it; perhaps not there.
        root: the home or catalogue directory, which may have been moved since the tables named its pictures.
    """

    drop: str
    root: UPath
    products: UPath
    images: UPath
    attributes: UPath
    descriptions: UPath


@dataclass(frozen=True)
class Listed:
    """A product on the shelf. facts: `FACTS`, "" where it is not said. uri, sha256: of its picture, or ""."""

    drop: str
    product_id: int
    facts: Mapping[str, str]
    uri: str
    sha256: str


@dataclass(frozen=True)
class PublishedAttribute:
    """What was published of one product. value: "" where the model abstained. confidence: 0 to 1, of its likeliest."""

    name: str
    value: str
    confidence: float


@dataclass(frozen=True)
class ShelvedProduct:
    """What stands about a product. description: "" where none is published; attributes: by name."""

    description: str = ""
    attributes: tuple[PublishedAttribute, ...] = ()


@dataclass(frozen=True)
class _Drop:
    listed: Mapping[int, Listed]
    published: Mapping[int, ShelvedProduct]
    words: Mapping[str, frozenset[int]]  # which products have a word
    nouns: frozenset[str]


@dataclass
class _Kept:
    stamp: tuple[Any, ...]
    drop: _Drop


@dataclass
class Shelf:
    """The products of some drops.

    Args:
        files: the drops as they are now, newest last; asked again before an answer.
    """

    files: Callable[[], Sequence[DropFiles]]
    _kept: dict[str, _Kept] = field(default_factory=dict)
    _looked: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def search(self, words: Sequence[str], without: Collection[str] = (), k: int = 12) -> tuple[list[Listed], int]:
        """The first k products that have all of the words, and how many there are.

        Args:
            words, without: as `stems` gives them; products with a word of `without` are left out. A word that stands in
                no product at all, as one misspelt, is left out too, where another one does.

        Raises:
            SelvedgeError: a table is damaged.
        """
        matches: dict[int, Listed] = {}
        drops = self._drops()
        in_use = [word for word in words if any(word in drop.words for drop in drops)]
        for drop in reversed(drops):  # a product of several drops stands as in the newest
            having = [drop.words.get(word, frozenset()) for word in in_use]
            ids = frozenset.intersection(*having) if having else frozenset()
            ids -= frozenset().union(*(drop.words.get(word, frozenset()) for word in without))
            matches |= {number: drop.listed[number] for number in sorted(ids) if number not in matches}
        return list(matches.values())[:k], len(matches)

    def having(self, word: str) -> frozenset[int]:
        """Ids of the products in whose name, description or attributes a stem stands."""
        return frozenset().union(*(drop.words.get(word, frozenset()) for drop in self._drops()))

    def nouns(self) -> frozenset[str]:
        """Stems of what the catalogue's products are called that no picture is drawn of: "dress", "shirt"."""
        return frozenset().union(*(drop.nouns for drop in self._drops()))

    def product(self, drop: str, product_id: int) -> Listed | None:
        """A product of a drop; None where there is none."""
        self._drops()
        kept = self._kept.get(drop)
        return kept.drop.listed.get(product_id) if kept else None

    def newest_drop(self, product_id: int) -> str:
        """The last drop that has a product; "" where none has."""
        self._drops()
        having = [name for name, kept in self._kept.items() if product_id in kept.drop.listed]
        return having[-1] if having else ""

    def published(self, drop: str, product_id: int) -> ShelvedProduct:
        """What inference published of a product; empty where it did not yet."""
        self._drops()
        kept = self._kept.get(drop)
        return kept.drop.published.get(product_id, ShelvedProduct()) if kept else ShelvedProduct()

    def __len__(self) -> int:
        return len({number for drop in self._drops() for number in drop.listed})

    def _drops(self) -> list[_Drop]:
        with self._lock:
            if time.monotonic() - self._looked >= FRESH_SECONDS:
                files = self.files()
                for entry in files:
                    stamp = tuple(
                        stamp_of(file) for file in (entry.products, entry.images, entry.attributes, entry.descriptions)
                    )
                    if entry.drop not in self._kept or self._kept[entry.drop].stamp != stamp:
                        self._kept[entry.drop] = _Kept(stamp, _read(entry))
                self._kept = {file.drop: self._kept[file.drop] for file in files}
                self._looked = time.monotonic()
            return [kept.drop for kept in self._kept.values()]


def stems(text: str) -> list[str]:
    """Words as they are compared: lower case, a plural as its singular, "T-shirt" as one word."""
    return [_singular(word) for word in plain_words(_TSHIRT.sub("tshirt", text))]


def home_files(tables: UPath) -> Callable[[], list[DropFiles]]:
    """The drops that the graph published below `tables`, the oldest first."""

    def listing() -> list[DropFiles]:
        try:
            folder = tables / "catalog" / "products"
            files = [path for path in folder.iterdir() if path.suffix == ".parquet"] if folder.exists() else []
        except OSError as error:
            raise SelvedgeError(f"the tables below {tables} cannot be listed ({error}).") from error
        return [
            DropFiles(
                path.stem,
                tables.parent,
                *(tables / stage / name / path.name for stage, name in
                  (("catalog", "products"), ("catalog", "images"), ("inference", "attributes"),
                   ("inference", "descriptions"))),
            )
            for path in sorted(files, key=lambda path: path.name)
        ]  # fmt: skip

    return listing


def folder_files(drop: str, catalog: UPath, inferred: UPath) -> Callable[[], list[DropFiles]]:
    """A catalogue directory, and the folder of `selvedge infer` about it."""
    named = [catalog / f"{name}.parquet" for name in ("products", "images")]
    named += [inferred / f"{name}.parquet" for name in ("attributes", "descriptions")]
    return lambda: [DropFiles(drop, catalog, *named)]


def _read(files: DropFiles) -> _Drop:
    products = read_table(files.products).to_pandas()
    pictures = pd.DataFrame()
    if files.images.exists():
        pictures = with_files_here(read_table(files.images), files.root).to_pandas()
    picture = dict(zip(pictures["product_id"], zip(pictures["uri"], pictures["sha256"], strict=True), strict=True)) \
        if len(pictures) else {}  # fmt: skip
    published = _read_published(files)
    listed: dict[int, Listed] = {}
    words: dict[str, set[int]] = {}
    for row in products.to_dict("records"):
        number = int(row["product_id"])
        facts = {name: _text(row[column]) for name, column in FACTS.items()}
        listed[number] = Listed(files.drop, number, facts, *picture.get(number, ("", "")))
        texts_said = [_text(row[column]) for column in SAID]
        texts_said += [str(value) for _, value in _pairs(row["attributes"])]
        texts_said += [attribute.value for attribute in published.get(number, ShelvedProduct()).attributes]
        for word in {stem for text in texts_said for stem in stems(text)}:
            words.setdefault(word, set()).add(number)
    types = {_text(name) for name in products["article_type"].unique()}
    nouns = {stems(name)[-1] for name in types if BOTTOMS.get(name, (None, ""))[0] is None and stems(name)}
    return _Drop(listed, published, {word: frozenset(ids) for word, ids in words.items()}, frozenset(nouns))


def _read_published(files: DropFiles) -> dict[int, ShelvedProduct]:
    texts: dict[int, str] = {}
    attributes: dict[int, list[PublishedAttribute]] = {}
    if files.descriptions.exists():
        table = read_table(files.descriptions).to_pandas()
        texts = {int(number): _text(text) for number, text in zip(table["product_id"], table["text"], strict=True)}
    if files.attributes.exists():
        table = read_table(files.attributes).to_pandas()
        columns = (table[name] for name in ("product_id", "attribute", "value", "confidence", "abstained"))
        for number, name, value, confidence, abstained in zip(*columns, strict=True):
            attribute = PublishedAttribute(str(name), "" if abstained else _text(value), float(confidence))
            attributes.setdefault(int(number), []).append(attribute)
    return {
        number: ShelvedProduct(
            texts.get(number, ""), tuple(sorted(attributes.get(number, ()), key=lambda attribute: attribute.name))
        )
        for number in texts.keys() | attributes.keys()
    }


def stamp_of(path: UPath) -> tuple[Any, ...]:
    """What changes when a file is replaced; () where there is none. Raises SelvedgeError: it cannot be looked at."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise SelvedgeError(f"table {path} cannot be looked at ({error}).") from error
    return (getattr(status, "st_mtime_ns", None) or status.st_mtime, status.st_size)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")) else word


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    return list(value) if value is not None else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
