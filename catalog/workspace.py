"""A catalogue directory: everything the stages make of one catalogue, in one folder, without Dagster.

Belongs here: the order of the catalogue's steps. Not here: the steps, the files of a directory (directory.py).

`selvedge catalog read SRC --out DIR` writes it; training and inference by hand read it. A reading that fails or is
killed leaves the catalogue that was there before.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from catalog.directory import (
    PICTURES,
    SCHEMA_FILE,
    SUMMARY_FILE,
    TABLES,
    WRITTEN,
    exchanged,
    one_reading,
    read_json,
    read_summary,
    read_tables,
)
from catalog.errors import SelvedgeError
from catalog.files import publish_text
from catalog.images import standardise_images
from catalog.mapping import read_mapping
from catalog.pictures import Limits
from catalog.qa import make_qa_pairs, untaught, write_vqa_csv
from catalog.reading import CatalogueRead, NothingReadable, read_catalogue
from catalog.schema import AttributeSchema, load_schema
from catalog.source import is_local
from catalog.splits import assign_splits, leaks, split_summary
from catalog.tables import write_table
from catalog.workers import Progress

__all__ = ["SCHEMA_FILE", "SUMMARY_FILE", "TABLES", "Catalogue", "open_catalogue", "read_into"]


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
    mapping: Path | None = None,
) -> dict[str, Any]:
    """Reads a catalogue and writes all its tables, the CSV files and the standard copies into a folder.

    Args:
        source: a folder or `s3://` URI in the Kaggle layout.
        drop: the name of this delivery.
        out_dir: where to write; an earlier reading there is replaced when this one is whole.
        schema_file: an attribute schema; the shipped one by default.
        question_set: by default `details` where products have articleAttributes, else `columns`.
        limits: what an image or JSON may weigh.
        workers: processes; by default as many as pay off.
        progress: called with (done, total, what).
        mapping: a file that says which columns are what, for a source in another layout.

    Returns:
        the summary that is also written as `catalogue.json`: source, drop, reading (counts), warnings, splits, leaks,
        qa_pairs, tables {name: reference}.

    Raises:
        SelvedgeError: as the steps do; a leak between splits; a folder that holds or lies in what is read; or another
            reading writes there. What was there before stays.
    """
    out = UPath(out_dir)
    schema = load_schema(schema_file)
    _refuse_the_source(UPath(source), out)
    columns = read_mapping(mapping) if mapping is not None else None
    read = partial(read_catalogue, source, drop, limits=limits, workers=workers, progress=progress, schema=schema)
    about = {"source": str(source), "drop": drop}
    with one_reading(out):
        return _read_into(partial(read, mapping=columns), about, out, schema, question_set, limits, workers, progress)


def _read_into(
    reading: Callable[[], CatalogueRead],
    about: Mapping[str, str],
    out: UPath,
    schema: AttributeSchema,
    question_set: str | None,
    limits: Limits | None,
    workers: int | None,
    progress: Progress | None,
) -> dict[str, Any]:
    try:
        read = reading()
    except NothingReadable as nothing:
        raise SelvedgeError(f"{nothing} Every row with its reason is in {_left_over(nothing, out)}.") from nothing
    splits = assign_splits(read.products)
    leaking = leaks(splits, read.products)
    if leaking:
        raise SelvedgeError(
            f"{leaking[0].kind} {leaking[0].key} is in {' and '.join(leaking[0].splits)}; nothing was written."
        )
    questions = question_set or schema.choose_question_set(read.products)
    pairs = make_qa_pairs(read.products, splits, schema, questions, required=False)
    images = standardise_images(read.products, out / PICTURES, progress, limits=limits, workers=workers)
    tables = {
        "products": read.products,
        "quarantine": read.quarantine,
        "images": images,
        "splits": splits,
        "qa_pairs": pairs.table,
    }
    with exchanged(out) as part:
        written = {name: write_table(table, part / f"{name}.parquet", name) for name, table in tables.items()}
        references = {name: replace(written[name], uri=str(out / f"{name}.parquet")) for name in tables}
        write_vqa_csv(pairs.table, part)
        publish_text(json.dumps(pairs.schema.to_dict(), indent=2), part / SCHEMA_FILE)
        summary = {
            **about,
            "reading": read.counts,
            "warnings": [*read.counts["warnings"], *untaught(pairs, read.products.num_rows)],
            "splits": split_summary(splits),
            "leaks": len(leaking),
            "qa_pairs": pairs.summary(),
            "tables": {name: reference.as_metadata() for name, reference in references.items()},
        }
        publish_text(json.dumps(summary, indent=2), part / SUMMARY_FILE)
    return summary


def _left_over(nothing: NothingReadable, out: UPath) -> UPath:
    """Where the quarantine of a reading that left nothing was written: never into an earlier, whole catalogue."""
    earlier = (out / SUMMARY_FILE).exists()
    file = out.parent / f"{out.name}.quarantine.parquet" if earlier else out / "quarantine.parquet"
    write_table(nothing.read.quarantine, file, "quarantine")
    return file


def _refuse_the_source(source: UPath, out: UPath) -> None:
    """Raises SelvedgeError: the output folder is what is read, lies in it, would write over it, or is another catalogue
    as delivered."""
    if not is_local(out):
        return
    to = Path(out.path).expanduser().resolve()
    if is_local(source):
        of = Path(source.path).expanduser().resolve()
        if to == of or of in to.parents:
            raise SelvedgeError(f"--out {out} is in the catalogue that is read, {source}; give a folder outside it.")
        if to in of.parents and of.relative_to(to).parts[0] in WRITTEN:
            raise SelvedgeError(
                f"--out {out} would write over the catalogue that is read, {source}; give a new folder."
            )
    if (to / "styles.csv").exists():
        raise SelvedgeError(f"--out {out} is a catalogue as delivered (it holds styles.csv); give another folder.")


def open_catalogue(directory: str | Path | UPath) -> Catalogue:
    """The tables of a catalogue directory.

    Raises:
        SelvedgeError: there is none, or its reading was cut short.
    """
    folder = UPath(directory)
    summary = read_summary(folder)
    schema = AttributeSchema.from_dict(read_json(folder, SCHEMA_FILE), str(folder / SCHEMA_FILE))
    return Catalogue(**read_tables(folder, TABLES, summary), schema=schema, summary=summary)
