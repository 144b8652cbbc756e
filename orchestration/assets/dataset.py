"""The data set of a candidate: the catalogue's tables as they stood when training was prepared, kept together.

Belongs here: freezing them, under the name of their content. Not here: making them, the name (catalog/), reading them
(training/catalogue.py).

A drop that arrives while a candidate trains changes the splits and may make a rare value common: without this copy a
killed training would resume on other questions than it began with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.published import Tables, materialised

if TYPE_CHECKING:
    import pyarrow as pa
    from upath import UPath


@dataclass(frozen=True)
class Dataset:
    """A frozen data set; `folder` holds the four tables."""

    folder: "UPath"
    sha256: str
    drops: tuple[str, ...]
    question_set: str


def freeze_dataset(instance: dg.DagsterInstance, tables: Tables) -> Dataset:
    """Copy the tables that training reads into a folder named by their content; the same content is kept once.

    Raises:
        SelvedgeError: a table is missing, or the questions are older than the splits.
    """
    about = _questions(instance)
    current = {**delivered_tables(instance, tables), "qa_pairs": tables.read(instance, "catalog/qa_pairs")}
    return keep_dataset(tables, current, list(about["drops"]), about["question_set"])


def delivered_tables(instance: dg.DagsterInstance, tables: Tables) -> "dict[str, pa.Table]":
    """products, images and splits as a data set that is frozen now would hold them; nothing is written.

    Raises:
        SelvedgeError: a table is missing, or the questions are older than the splits.
    """
    from catalog.splits import assigned_deliveries

    drops, splits = list(_questions(instance)["drops"]), tables.read(instance, "catalog/splits")
    return {
        "products": assigned_deliveries(tables.read_all(instance, "catalog/products", drops), splits),
        "images": assigned_deliveries(tables.read_all(instance, "catalog/images", drops), splits),
        "splits": splits,
    }


def _questions(instance: dg.DagsterInstance) -> dict[str, Any]:
    about = materialised(instance, "catalog/qa_pairs")
    if about is None:
        raise SelvedgeError("catalog/qa_pairs was never materialised; read a drop first.")
    return about


def made_of(instance: dg.DagsterInstance, tables: Tables, drops: Sequence[str]) -> dict[str, str]:
    """What a data set of these drops comes from: the content hashes of their products and images."""
    names = ("catalog/products", "catalog/images")
    references = {name: tables.references(instance, name, drops) for name in names}
    return {f"{name}/{drop}": references[name][drop].sha256 for drop in drops for name in names}


def keep_dataset(tables: Tables, current: "Mapping[str, pa.Table]", drops: Sequence[str], question_set: str) -> Dataset:
    """Write the four tables into the folder that their content names, unless they are there."""
    from catalog.datasets import dataset_sha256, folder_name
    from catalog.tables import write_table

    sha256 = dataset_sha256(current)
    folder = tables.path(f"training/datasets/{folder_name(sha256)}").with_suffix("")
    for name, table in current.items():
        if not (folder / f"{name}.parquet").exists():
            write_table(table, folder / f"{name}.parquet", name)
    return Dataset(folder, sha256, tuple(drops), question_set)
