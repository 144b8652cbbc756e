"""The name of a data set: one hash over what its four tables hold.

Belongs here: which tables, the hash, and the folder that is named by it. Not here: keeping a copy
(orchestration/assets/dataset.py), reading them for training (training/catalogue.py).
"""

import hashlib
import re
from collections.abc import Mapping

import pyarrow as pa
from upath import UPath

from catalog.standing import PLACES
from catalog.tables import content_sha256, read_table

DATASET_TABLES = ("products", "images", "splits", "qa_pairs")
NAME_DIGITS = 16  # of the hash, in the name of the folder


def dataset_sha256(tables: Mapping[str, pa.Table]) -> str:
    """Over the four tables, by name, in the order of `DATASET_TABLES`."""
    hashes = [content_sha256(_without_places(tables[name])) for name in DATASET_TABLES]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def hashed_dataset(folder: str) -> str:
    """The hash of a folder's tables, computed now.

    Raises:
        SelvedgeError: a table is missing or damaged.
    """
    return dataset_sha256({name: read_table(UPath(folder) / f"{name}.parquet", name) for name in DATASET_TABLES})


def folder_name(digest: str) -> str:
    """Of the folder that holds content of this hash."""
    return digest[:NAME_DIGITS]


def fits_name(digest: str, name: str) -> bool:
    """Whether content of this hash may stand in a folder of this name; one that is not named by a hash holds any."""
    return re.fullmatch(rf"[0-9a-f]{{{NAME_DIGITS}}}", name) is None or digest.startswith(name)


def _without_places(table: pa.Table) -> pa.Table:
    """Where files lie differs from home to home; what they hold does not."""
    plain = table.replace_schema_metadata(None)
    return plain.drop_columns([name for name in PLACES if name in plain.column_names])
