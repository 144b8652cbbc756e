"""A catalogue directory: everything the stages make of one catalogue, in one folder, without Dagster.

Belongs here: the order of the catalogue's steps and the names of their files. Not here: the steps.

`selvedge catalog read SRC --out DIR` writes it; training and inference by hand read it. Each file is written whole, and
`catalogue.json` last, so that a folder with it is complete and one without it is read again.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import publish_text
from catalog.images import standardise_images
from catalog.pictures import Limits
from catalog.qa import make_qa_pairs, write_vqa_csv
from catalog.reading import read_catalogue
from catalog.schema import AttributeSchema, load_schema
from catalog.splits import assign_splits, leaks, split_summary
from catalog.tables import read_table, write_table
from catalog.workers import Progress

SUMMARY_FILE = "catalogue.json"
SCHEMA_FILE = "attribute_schema.json"
TABLES = ("products", "quarantine", "images", "splits", "qa_pairs")


@dataclass(frozen=True)
class Catalogue:
    """A catalogue directory in memory."""

    products: pa.Table
    quarantine: pa.Table
    images: pa.Table
    splits: pa.Table
    qa_pairs: pa.Table
    schema: AttributeSchema  # narrowed to what the Q&A pairs teach
    summary: dict[str, Any]


def read_into(
    source: str | Path | UPath,
    drop: str,
    out_dir: str | Path | UPath,
    *,
    schema_file: str | Path | None = None,
    question_set: str | None = None,
    limits: Limits | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Reads a catalogue and writes all its tables, the CSV files and the standard copies into a folder.

    Args:
        source: a folder or `s3://` URI in the Kaggle layout.
        drop: the name of this delivery.
        out_dir: where to write; what an earlier reading left there is replaced file by file.
        schema_file: an attribute schema; the shipped one by default.
        question_set: by default `details` where products have articleAttributes, else `columns`.
        limits: what an image or JSON may weigh.
        workers: processes; by default as many as pay off.
        progress: called with (done, total, what).

    Returns:
        the summary that is also written as `catalogue.json`: source, drop, reading (counts), splits, leaks, qa_pairs,
        tables {name: reference}.

    Raises:
        SelvedgeError: as the steps do; or a leak between splits.
    """
    out = UPath(out_dir)
    schema = load_schema(schema_file)
    (out / SUMMARY_FILE).unlink(missing_ok=True)
    read = read_catalogue(source, drop, limits=limits, workers=workers, progress=progress)
    splits = assign_splits(read.products)
    leaking = leaks(splits, read.products)
    if leaking:
        raise SelvedgeError(
            f"{leaking[0].kind} {leaking[0].key} is in {' and '.join(leaking[0].splits)}; nothing was written."
        )
    questions = question_set or schema.choose_question_set(read.products)
    pairs = make_qa_pairs(read.products, splits, schema, questions)
    images = standardise_images(read.products, out / "images", progress, limits=limits, workers=workers)
    tables = {
        "products": read.products,
        "quarantine": read.quarantine,
        "images": images,
        "splits": splits,
        "qa_pairs": pairs.table,
    }
    references = {name: write_table(table, out / f"{name}.parquet", name) for name, table in tables.items()}
    write_vqa_csv(pairs.table, out)
    publish_text(json.dumps(pairs.schema.to_dict(), indent=2), out / SCHEMA_FILE)
    summary = {
        "source": str(source),
        "drop": drop,
        "reading": read.counts,
        "splits": split_summary(splits),
        "leaks": len(leaking),
        "qa_pairs": pairs.summary(),
        "tables": {name: reference.as_metadata() for name, reference in references.items()},
    }
    publish_text(json.dumps(summary, indent=2), out / SUMMARY_FILE)
    return summary


def open_catalogue(directory: str | Path | UPath) -> Catalogue:
    """The tables of a catalogue directory.

    Raises:
        SelvedgeError: there is none, or its reading was cut short.
    """
    folder = UPath(directory)
    try:
        summary = json.loads((folder / SUMMARY_FILE).read_text())
        schema = AttributeSchema.from_dict(json.loads((folder / SCHEMA_FILE).read_text()), str(folder / SCHEMA_FILE))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SelvedgeError(
            f"{directory} is no complete catalogue directory; run `selvedge catalog read SRC --out {directory}` first."
        ) from error
    except ValueError as error:
        raise SelvedgeError(f"{folder / SUMMARY_FILE} is not JSON ({error}); read the catalogue again.") from error
    tables = {name: read_table(folder / f"{name}.parquet") for name in TABLES}
    return Catalogue(**tables, schema=schema, summary=summary)
