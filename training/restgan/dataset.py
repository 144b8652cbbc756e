"""The frozen data set: pictures of bottoms, the words that say them, and which attribute each word mentions.

Belongs here: putting pictures, words and colours together, the parts, the digest, writing and reading.
Not here: cropping (garments.py), the colour table (colours.py), titles and the vocabulary (titles.py, words.py).

Parts are by group, so that the same item in another colour never stands on two sides: `train` for the generator,
`judge` for the independent classifier that measures it, `test` for nobody. A group's part is a hash of its id alone and
therefore stays when the catalogue grows. Everything learnt from the data (colour table, vocabulary) is learnt from
`train`.
"""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from catalog.errors import SelvedgeError
from catalog.garments import MINIMUM_BOTTOMS, Cut, choose_bottoms, cut_garments
from catalog.tables import content_sha256
from training.folders import written_whole
from training.reporting import Reporter
from training.restgan.colours import THRESHOLD, ColourTable, build_colour_table
from training.restgan.titles import Titles, word_sequences
from training.restgan.words import (
    ATTRIBUTES,
    GENDERS,
    PAD,
    TYPES,
    Vocabulary,
    build_vocabulary,
    meaning,
)

__all__ = ["ATTRIBUTES", "GENDERS", "PARTS", "TYPES", "Bottoms", "build_bottoms", "read_bottoms", "write_bottoms"]

FORMAT = 1
PARTS = ("train", "judge", "test")
SHARES = (0.4, 0.35, 0.25)  # of groups: a generator without a judge that can be believed is not worth more pictures
ARRAYS = ("pictures", "labels", "words", "lengths", "colour_words", "mentioned")
LAB = ("lab_l", "lab_a", "lab_b")
ROWS = pa.schema(
    [("product_id", pa.int64())]
    + [(name, pa.string()) for name in ("group_id", "part", "type", "colour", "gender", "query")]
    + [(name, pa.float32()) for name in LAB]
)


@dataclass(frozen=True)
class Bottoms:
    """What a generator and its judges are trained and measured on.

    Attributes:
        pictures: (N, S, S, 3) uint8 RGB, the garment centred on white, all at one scale.
        labels: (N, 3) int64 type, colour cluster, gender (`ATTRIBUTES`); -1 where unknown.
        words: (N, L) int64 ids, PAD after the end, UNKNOWN for a word the vocabulary lacks.
        lengths: (N,) int64, 1..L.
        colour_words: (N, L) int64, the cluster of the colour named at this place, -1 for any other word.
        mentioned: (N, L, 3) bool, the attribute is said by the words up to and including this place.
        rows: product_id, group_id, part, type, colour (its name in the catalogue), gender, query (the words as text),
            lab_l, lab_a, lab_b (float32, the CIELAB median of the garment's pixels).
        vocabulary: words -> ids. colours: colour words -> clusters -> features.
        digest: sha256 over everything above.
    """

    pictures: np.ndarray
    labels: np.ndarray
    words: np.ndarray
    lengths: np.ndarray
    colour_words: np.ndarray
    mentioned: np.ndarray
    rows: pd.DataFrame
    vocabulary: Vocabulary
    colours: ColourTable
    digest: str

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> int:
        """The side of the pictures, in pixels."""
        return int(self.pictures.shape[1])

    def of(self, part: str) -> "Bottoms":
        """The rows of one part, same vocabulary and colours, with a digest of their own; perhaps none.

        Raises:
            SelvedgeError: no such part.
        """
        if part not in PARTS:
            raise SelvedgeError(f"part {part!r} of the bottoms does not exist; it is one of {', '.join(PARTS)}.")
        return self.take(np.flatnonzero(self.rows["part"].to_numpy() == part))

    def take(self, places: Sequence[int] | np.ndarray) -> "Bottoms":
        """The rows at `places`, in that order."""
        places = np.asarray(places, np.int64)
        arrays = {name: getattr(self, name)[places] for name in ARRAYS}
        rows = self.rows.iloc[places].reset_index(drop=True)
        return freeze(replace(self, **arrays, rows=rows))


@dataclass(frozen=True)
class Coloured:
    """The bottoms of a catalogue up to their colour table: what words are put to.

    Attributes:
        rows: of `choose_bottoms`. part: (N,) names of PARTS. cut: their pictures. titles: what they are called.
    """

    rows: pd.DataFrame
    part: np.ndarray
    cut: Cut
    titles: Titles
    colours: ColourTable


class ProductTables(Protocol):
    """The published tables of a catalogue, drops one below the other (`training.catalogue.CatalogueTables`)."""

    @property
    def products(self) -> pd.DataFrame: ...
    @property
    def images(self) -> pd.DataFrame: ...
    @property
    def splits(self) -> pd.DataFrame: ...


def build_bottoms(
    tables: ProductTables,
    size: int = 64,
    *,
    threshold: float = THRESHOLD,
    minimum_count: int = 5,
    minimum_products: int = MINIMUM_BOTTOMS,
    shares: Sequence[float] = SHARES,
    reporter: Reporter | None = None,
) -> Bottoms:
    """The bottoms of a catalogue as a data set.

    Args:
        size: side of the pictures, pixels.
        threshold: CIEDE2000 up to which two colour words share a cluster.
        minimum_count: sequences of the train part a word needs to be known.
        minimum_products: bottoms the catalogue must hold.
        shares: of groups in train, judge and test.

    Raises:
        SelvedgeError: no bottoms, too few, one colour only, or a picture that cannot be read.
    """
    coloured = colour_bottoms(
        tables, size, threshold=threshold, minimum_products=minimum_products, shares=shares, reporter=reporter
    )
    return say_bottoms(coloured, minimum_count)


def colour_bottoms(
    tables: ProductTables,
    size: int = 64,
    *,
    threshold: float = THRESHOLD,
    minimum_products: int = MINIMUM_BOTTOMS,
    shares: Sequence[float] = SHARES,
    reporter: Reporter | None = None,
) -> Coloured:
    """The first half of `build_bottoms`: pictures cut, colours clustered."""
    rows = choose_bottoms(tables.products, tables.images, tables.splits, minimum_products)
    cut = cut_garments(rows, size, reporter.progress if reporter else None)
    part = np.array([part_of_group(group, shares) for group in rows["group_id"]])
    learn = part == "train"
    titles = word_sequences(rows, learn)
    colours = build_colour_table([n for n, t in zip(titles.colours, learn, strict=True) if t], cut.colours[learn],
                                 threshold)  # fmt: skip
    return Coloured(rows, part, cut, titles, colours)


def say_bottoms(coloured: Coloured, minimum_count: int = 5) -> Bottoms:
    """The second half of `build_bottoms`: words put to the pictures."""
    garments, part, cut, titles, colours = (
        coloured.rows, coloured.part, coloured.cut, coloured.titles, coloured.colours
    )  # fmt: skip
    learnt = (words for words, name in zip(titles.sequences, part, strict=True) if name == "train")
    vocabulary = build_vocabulary(learnt, colours, minimum_count)
    count, longest = len(garments), max(len(sequence) for sequence in titles.sequences)
    words = np.full((count, longest), PAD, np.int64)
    clusters = np.full((count, longest), -1, np.int64)
    mentioned = np.zeros((count, longest, 3), bool)
    for row, sequence in enumerate(titles.sequences):
        length = len(sequence)
        words[row, :length] = [vocabulary.id_of(word) for word in sequence]
        clusters[row, :length], mentioned[row, :length], _ = meaning(sequence, colours)
        mentioned[row, length:] = mentioned[row, length - 1]
    labels = np.stack(
        [
            [TYPES.index(name) for name in garments["type"]],
            [colours.cluster(name) for name in titles.colours],
            [GENDERS.index(name) if name in GENDERS else -1 for name in garments["wearer"]],
        ],
        axis=1,
    ).astype(np.int64)
    rows = pd.DataFrame(
        {
            "product_id": garments["product_id"].to_numpy(),
            "group_id": garments["group_id"].to_numpy(),
            "part": part,
            "type": garments["type"].to_numpy(),
            "colour": list(titles.colours),
            "gender": garments["wearer"].to_numpy(),
            "query": [" ".join(sequence) for sequence in titles.sequences],
            **{name: cut.colours[:, axis].astype(np.float32) for axis, name in enumerate(LAB)},
        }
    )
    lengths = np.array([len(sequence) for sequence in titles.sequences], np.int64)
    unsealed = Bottoms(cut.pictures, labels, words, lengths, clusters, mentioned, rows, vocabulary, colours, "")
    return freeze(unsealed)


def part_of_group(group_id: str, shares: Sequence[float] = SHARES) -> str:
    """The part of a group: a hash of its id, so that nothing else in the catalogue can move it.

    It is the hash by which the catalogue's own splits are made, so the groups of its test split are in part test.
    """
    draw = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8]) / 2**64
    return PARTS[min(int(np.searchsorted(np.cumsum(shares), draw, side="right")), len(PARTS) - 1)]


def freeze(bottoms: Bottoms) -> Bottoms:
    """The same data with its digest."""
    return replace(bottoms, digest=_digest(bottoms))


def _digest(bottoms: Bottoms) -> str:
    whole = hashlib.sha256(json.dumps([FORMAT, bottoms.vocabulary.digest, bottoms.colours.digest]).encode())
    for name in ARRAYS:
        array = np.ascontiguousarray(getattr(bottoms, name))
        whole.update(f"{name} {array.dtype} {array.shape}\n".encode())
        whole.update(array.data)
    whole.update(content_sha256(_table(bottoms.rows)).encode())
    return whole.hexdigest()


def _table(rows: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(rows, schema=ROWS, preserve_index=False).replace_schema_metadata(None)


def write_bottoms(bottoms: Bottoms, folder: Path | str) -> None:
    """Write `arrays.safetensors`, `rows.parquet` and `bottoms.json` as one folder, whole or not at all.

    Raises:
        SelvedgeError: the disk is full or not writable; what was there before stays.
    """
    folder = Path(folder)
    about = {
        "format": FORMAT,
        "digest": bottoms.digest,
        "size": bottoms.size,
        "products": len(bottoms),
        "parts": {name: int((bottoms.rows["part"] == name).sum()) for name in PARTS},
        "vocabulary": bottoms.vocabulary.to_json(),
        "colours": bottoms.colours.to_json(),
    }
    with written_whole(folder, "bottoms") as part:
        arrays = {name: np.ascontiguousarray(getattr(bottoms, name)) for name in ARRAYS}
        (part / "arrays.safetensors").write_bytes(save(arrays))
        pq.write_table(_table(bottoms.rows), part / "rows.parquet", compression="zstd")
        (part / "bottoms.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def read_bottoms(folder: Path | str) -> Bottoms:
    """The data set that `write_bottoms` wrote, held to its digest.

    Raises:
        SelvedgeError: missing, damaged, or of another format.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / "bottoms.json").read_text(encoding="utf-8"))
        if about.get("format") != FORMAT:
            raise SelvedgeError(f"bottoms {folder} have format {about.get('format')!r}; build the data set again.")
        arrays = load((folder / "arrays.safetensors").read_bytes())
        rows = pq.read_table(io.BytesIO((folder / "rows.parquet").read_bytes())).select(ROWS.names).to_pandas()
        vocabulary, colours = Vocabulary.from_json(about["vocabulary"]), ColourTable.from_json(about["colours"])
        contents = {name: arrays[name] for name in ARRAYS}
        bottoms = freeze(Bottoms(**contents, rows=rows, vocabulary=vocabulary, colours=colours, digest=""))
    except FileNotFoundError as error:
        raise SelvedgeError(f"bottoms {folder} do not exist; build the data set first.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError, pa.ArrowInvalid) as error:
        raise SelvedgeError(f"bottoms {folder} are damaged ({error}); build the data set again.") from error
    if bottoms.digest != about.get("digest"):
        raise SelvedgeError(f"bottoms {folder} do not match their digest; build the data set again.")
    return bottoms
