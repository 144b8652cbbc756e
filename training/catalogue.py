"""The catalogue as training wants it: pairs joined with pictures, and the schema narrowed to what is taught.

Belongs here: joining the published tables. Not here: making them (catalog/), tokenising (examples.py).
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from upath import UPath

from catalog.datasets import fits_name, hashed_dataset
from catalog.directory import read_summary, read_tables
from catalog.errors import SelvedgeError
from catalog.qa import make_qa_pairs
from catalog.schema import COARSE, AttributeSchema, load_schema
from catalog.splits import TRAIN, VALIDATION
from catalog.standing import with_files_here
from catalog.tables import frame_of, read_table

TABLES = ("products", "images", "splits", "qa_pairs")
HOME_ABOVE = 3  # folders between a home and its frozen data sets


@dataclass(frozen=True)
class CatalogueTables:
    """What a candidate is trained on.

    Attributes:
        products, images, splits, qa_pairs: the published tables of those names, drops one below the other.
        schema: narrowed to what `qa_pairs` of train and validation teach. question_set: its only set.
    """

    products: pd.DataFrame
    images: pd.DataFrame
    splits: pd.DataFrame
    qa_pairs: pd.DataFrame
    schema: AttributeSchema
    question_set: str

    def pairs(self) -> pd.DataFrame:
        """`qa_pairs` with the column image_sha256."""
        return join_images(self.qa_pairs, self.images)

    def items(self, split: str) -> list[tuple[str, str]]:
        """(sha256, uri) of every picture of a split, each once."""
        products = self.splits.loc[self.splits["split"] == split, "product_id"]
        rows = self.images[self.images["product_id"].isin(products)].drop_duplicates("sha256")
        return list(zip(rows["sha256"], rows["uri"], strict=True))

    def with_coarse_columns(self) -> "CatalogueTables":
        """The same catalogue with questions about its coarse columns (master category, gender) beside its own."""
        pairs = make_qa_pairs(self.products, self.splits, load_schema(), COARSE).table.to_pandas()
        pairs = pairs[~pairs["attribute"].isin(self.schema.attributes)]
        if pairs.empty:
            return self
        coarse = gather_tables(self.products, self.images, self.splits, pairs, question_set=COARSE).schema
        attributes = {**self.schema.attributes, **coarse.attributes}
        own = self.schema.question_set(self.question_set)
        asked = {self.question_set: replace(own, attributes=tuple(attributes))}
        schema = AttributeSchema(self.schema.article_types, attributes, asked)
        return replace(self, qa_pairs=pd.concat([self.qa_pairs, pairs], ignore_index=True), schema=schema)


def gather_tables(
    products: pd.DataFrame,
    images: pd.DataFrame,
    splits: pd.DataFrame,
    qa_pairs: pd.DataFrame,
    schema: AttributeSchema | None = None,
    question_set: str | None = None,
) -> CatalogueTables:
    """Tables with the schema narrowed to the values, types and attributes that pairs of train and validation hold.

    Raises:
        SelvedgeError: no pairs, or pairs about attributes the schema does not know.
    """
    schema = schema or load_schema()
    if qa_pairs.empty:
        raise SelvedgeError(
            "table qa_pairs is empty: no answer that the attribute schema asks about is given by enough products; "
            "read a larger catalogue, or mend the schema."
        )
    question_set = question_set or schema.choose_question_set(products)
    types = products.drop_duplicates("product_id").set_index("product_id")["article_type"]
    seen: dict[str, dict[str, list[str]]] = defaultdict(dict)
    taught = qa_pairs[qa_pairs["split"].isin([TRAIN, VALIDATION])]
    typed = taught.assign(article_type=taught["product_id"].map(types))
    for (attribute, value), group in typed.groupby(["attribute", "value"])["article_type"]:
        seen[str(attribute)][str(value)] = sorted(str(name) for name in group.dropna().unique())
    asked = schema.question_set(question_set).attributes
    strange = sorted(set(qa_pairs["attribute"]) - set(asked))
    if strange:
        raise SelvedgeError(
            f"table qa_pairs asks about '{strange[0]}', which question set '{question_set}' does not; "
            "make the pairs again."
        )
    return CatalogueTables(products, images, splits, qa_pairs, schema.narrowed(seen, question_set), question_set)


def read_catalogue_folder(folder: Path, question_set: str | None = None) -> CatalogueTables:
    """The tables of a folder written by `selvedge catalog read SRC --out DIR`.

    Args:
        question_set: in place of the one that it was read with.

    Raises:
        SelvedgeError: it is no complete catalogue directory, or a table is damaged.
    """
    root = UPath(folder)
    summary = read_summary(root)
    question_set = question_set or str(summary["qa_pairs"]["question_set"])
    products, images, splits, pairs = map(frame_of, read_tables(root, TABLES, summary).values())
    return gather_tables(products, images, splits, pairs, question_set=question_set)


def read_dataset(folder: str, question_set: str) -> CatalogueTables:
    """The tables of a data set that was frozen, each held to its stamp and all to the hash that names the folder.

    Args:
        folder: <home>/tables/training/datasets/<name>; the home may have been moved since.

    Raises:
        SelvedgeError: a table is missing, damaged, or of another data set.
    """
    root = UPath(folder)
    if not fits_name(hashed_dataset(folder), root.name):
        raise SelvedgeError(
            f"data set {root} does not hold the rows that it is named by; restore the folder, or delete it and "
            "materialise what prepares the training again."
        )
    tables = [read_table(root / f"{name}.parquet", name) for name in TABLES]
    if len(root.parents) > HOME_ABOVE:
        tables = [with_files_here(table, root.parents[HOME_ABOVE]) for table in tables]
    products, images, splits, pairs = map(frame_of, tables)
    return gather_tables(products, images, splits, pairs, question_set=question_set)


def join_images(pairs: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Pairs with image_sha256 of the standard copy.

    Raises:
        SelvedgeError: a product of the pairs has no picture.
    """
    hashes = images.drop_duplicates("product_id", keep="last").set_index("product_id")["sha256"]
    joined = pairs.assign(image_sha256=pairs["product_id"].map(hashes))
    absent = joined["image_sha256"].isna()
    if absent.any():
        product = joined.loc[absent, "product_id"].iloc[0]
        raise SelvedgeError(f"table images has no row for product {product}; standardise the images again.")
    return joined
