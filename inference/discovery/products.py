"""Products: which of a drop can be found, and the vector of each one's picture.

Belongs here: the rows of the index, not computing again what still holds. Not here: what is a bottom and how a garment
is cut (catalog/garments.py: the same code as in training), where the rows are kept (index.py).

A vector depends on the picture and the judge alone, so a product keeps its vector when a new candidate of the same
judge becomes champion.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.garments import BOTTOMS, choose_bottoms, cut_garments
from training.attribute_judge import AttributeJudge
from training.reporting import Reporter

FORMAT = 2  # of `input_hash`: what a vector depends on beside the judge
FACTS = ("name", "type", "article_type", "colour", "gender", "brand")
TEXTS = ("drop", *FACTS, "uri", "sha256", "model_uri", "model_digest", "input_hash")


@dataclass(frozen=True)
class Embedded:
    """The whole of one drop, ready for the index.

    Attributes:
        rows: columns of `row_schema`. computed, kept: rows embedded now, rows whose vector was taken over.
    """

    rows: pa.Table
    computed: int
    kept: int


def row_schema(width: int) -> pa.Schema:
    """Columns of the index; `vector` has `width` numbers."""
    return pa.schema(
        [("drop", pa.string()), ("product_id", pa.int64())]
        + [(name, pa.string()) for name in TEXTS[1:]]
        + [("vector", pa.list_(pa.float32(), width))]
    )


def find_bottoms(products: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """The bottoms of a drop as `choose_bottoms` gives them, perhaps none.

    Every product with a picture: what training leaves out, because its group is not clear, is for sale all the same.

    Args:
        products, images: published tables.
    """
    bottoms = products["article_type"].map(lambda name: BOTTOMS.get(name, (None, ""))[0]).notna()
    pictured = products["product_id"].isin(set(images["product_id"]))
    selected = products[bottoms & pictured]
    if selected.empty:
        return selected.assign(type="", wearer="", group_id="", uri="", sha256="")
    alone = selected[["product_id", "drop"]].assign(group_id=selected["product_id"].astype(str), split="")
    return choose_bottoms(selected, images, alone, minimum=1)


def embed_products(
    products: pd.DataFrame,
    images: pd.DataFrame,
    judge: AttributeJudge,
    *,
    model_uri: str,
    model_digest: str,
    previous: pa.Table | None = None,
    reporter: Reporter | None = None,
) -> Embedded:
    """Rows of every bottom of a drop, cut out as in training and seen by the judge.

    Args:
        products, images: published tables of one drop.
        previous: rows of the same judge's index; a vector is taken from there where nothing changed.

    Raises:
        SelvedgeError: a picture is missing, changed or does not decode.
    """
    bottoms = find_bottoms(products, images)
    hashes = [_input_hash(row, judge) for row in bottoms.to_dict("records")]
    vector_of = _vectors(previous)
    new = np.array([input_hash not in vector_of for input_hash in hashes], bool)
    if new.any():
        progress = reporter.progress if reporter else None
        cut = cut_garments(bottoms[new].reset_index(drop=True), judge.network.size, progress)
        fresh = seen_from_both_sides(judge, cut.pictures)
        vector_of |= dict(zip(np.array(hashes)[new], fresh, strict=True))
    width = judge.network.head.in_features
    vectors = np.stack([vector_of[input_hash] for input_hash in hashes]) if hashes else np.empty((0, width), np.float32)
    if not np.isfinite(vectors).all():
        raise SelvedgeError("the judge gives a vector that is not finite; train the judge again.")
    return Embedded(_rows(bottoms, hashes, vectors, model_uri, model_digest), int(new.sum()), int((~new).sum()))


def seen_from_both_sides(judge: AttributeJudge, pictures: np.ndarray) -> np.ndarray:
    """(N, d) float32 means of what the judge sees in pictures and in their mirror images.

    A garment is the same garment mirrored, and what the judge mistakes in one it often sees in the other.

    Args:
        pictures: (N, side, side, 3) uint8.
    """
    mirrored = np.ascontiguousarray(pictures[:, :, ::-1])
    vectors: np.ndarray = (judge.features(pictures) + judge.features(mirrored)) / 2
    return vectors


def _rows(bottoms: pd.DataFrame, hashes: list[str], vectors: np.ndarray, model_uri: str, model_digest: str) -> pa.Table:
    """`chosen` in the columns of `row_schema`."""
    schema = row_schema(vectors.shape[1])
    named = bottoms.rename(columns={"product_display_name": "name", "base_colour": "colour"})
    named = named.assign(model_uri=model_uri, model_digest=model_digest, input_hash=hashes)
    columns = {name: pa.array([_text(value) for value in named[name]], pa.string()) for name in TEXTS}
    columns["product_id"] = pa.array(named["product_id"].to_numpy(np.int64))
    columns["vector"] = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])
    return pa.table(columns).select(schema.names).cast(schema)


def _input_hash(row: dict[str, object], judge: AttributeJudge) -> str:
    # A drawn picture's mask lies beside the delivered file.
    content = [FORMAT, judge.digest, row["sha256"], row["image_uri"], row["article_type"]]
    return json_sha256(content, sort_keys=False)


def _vectors(rows: pa.Table | None) -> dict[str, np.ndarray]:
    if rows is None or not rows.num_rows:
        return {}
    column = rows["vector"].combine_chunks()
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(rows.num_rows, -1)
    return dict(zip(rows["input_hash"].to_pylist(), vectors, strict=True))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
