"""The files of a catalogue directory: their names, exchanging them as one, and reading its tables.

Belongs here: holding each table to what `catalogue.json` says of it, and finding the pictures of a directory that was
renamed or copied. Not here: making the tables (workspace.py).

A reading is exchanged in one step. Its files are written into a folder inside, which takes the name `.next` when all
are whole: from then on the new catalogue is the one that is read. The files are then moved up one by one, and whoever
comes after a kill reads past the move and completes it with the next reading.
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import whole_folder
from catalog.places import LOCAL_PROTOCOLS, locked_folder, not_written
from catalog.standing import with_files_here
from catalog.stores import stored_bytes
from catalog.tables import Reference, read_table

SUMMARY_FILE = "catalogue.json"
SCHEMA_FILE = "attribute_schema.json"
PICTURES = "images"
TABLES = ("products", "quarantine", "images", "splits", "qa_pairs")
NEXT = ".next"
FILES = (*(f"{name}.parquet" for name in TABLES), "vqa_train.csv", "vqa_validation.csv", SCHEMA_FILE, SUMMARY_FILE)
WRITTEN = frozenset({NEXT, PICTURES, *FILES})
"""What a reading writes into a catalogue directory."""


def file_of(folder: UPath, name: str) -> UPath:
    """Where a file of a catalogue directory is read from."""
    following = folder / NEXT / name
    return following if folder.protocol in LOCAL_PROTOCOLS and following.exists() else folder / name


@contextmanager
def exchanged(folder: UPath) -> Iterator[UPath]:
    """A folder to write a reading's files into; they take the place of those in `folder` together, when all went well.

    In a bucket they are written where they belong, and `catalogue.json`, written last, says what they must be.

    Raises:
        SelvedgeError: the disk is full or not writable; what was there before stays.
    """
    if folder.protocol not in LOCAL_PROTOCOLS:
        yield folder
        return
    root = Path(folder.path)
    try:
        with whole_folder(root / NEXT) as part:
            yield UPath(part)
        _move_up(root)
    except OSError as error:
        raise not_written(root, error) from error


@contextmanager
def one_reading(folder: UPath) -> Iterator[None]:
    """The directory for one reading at a time; what a killed one left is completed or removed.

    Raises:
        SelvedgeError: another reading writes into it, it cannot be made, or something else stands where a reading
            writes; nothing of that is touched.
    """
    if folder.protocol not in LOCAL_PROTOCOLS:
        yield
        return
    root = Path(folder.path)
    with locked_folder(root):
        _refuse_others(root)
        _move_up(root)
        yield


def _refuse_others(root: Path) -> None:
    """Raises SelvedgeError: a folder stands in a file's place, or what is named `.next` is none of ours."""
    folder = next((root / name for name in FILES if (root / name).is_dir()), None)
    if folder is not None:
        raise SelvedgeError(f"{folder} is a folder, and a catalogue directory has a file there; choose another --out.")
    following = root / NEXT
    if following.is_dir() and any(following.iterdir()) and not (following / SUMMARY_FILE).is_file():
        raise SelvedgeError(f"{following} was not left by a reading; move it away, or choose another --out.")


def _move_up(root: Path) -> None:
    following = root / NEXT
    if following.is_dir():
        for file in sorted(following.iterdir(), key=lambda file: file.name == SUMMARY_FILE):
            file.replace(root / file.name)
        shutil.rmtree(following)


def read_summary(folder: UPath) -> dict[str, Any]:
    """`catalogue.json`, what a reading says of itself.

    Raises:
        SelvedgeError: there is none, or it is not JSON.
    """
    content: dict[str, Any] = read_json(folder, SUMMARY_FILE)
    return content


def read_json(folder: UPath, name: str) -> Any:
    """A JSON file of a catalogue directory.

    Raises:
        SelvedgeError: it is missing or damaged.
    """
    file = file_of(folder, name)
    again = f"run `selvedge catalog read SRC --out {folder}`"
    try:
        content = json.loads(stored_bytes(file))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SelvedgeError(f"{folder} is no complete catalogue directory; {again} first.") from error
    except OSError as error:
        raise SelvedgeError(f"{file} cannot be read ({error.strerror or error}); {again} again.") from error
    except ValueError as error:
        raise SelvedgeError(f"{file} is not JSON ({error}); read the catalogue again.") from error
    if not isinstance(content, dict):
        raise SelvedgeError(f"{file} is damaged (it holds no mapping); read the catalogue again.")
    return content


def read_tables(folder: UPath, names: Iterable[str], summary: dict[str, Any]) -> dict[str, pa.Table]:
    """Tables of a catalogue directory, held to what `catalogue.json` says of each, pictures where the directory stands.

    Raises:
        SelvedgeError: a table is missing, damaged, or not the one that was written with `catalogue.json`.
    """
    written = summary.get("tables")
    tables = {}
    for name in names:
        file = file_of(folder, f"{name}.parquet")
        reference = written.get(name) if isinstance(written, dict) else None
        sha256 = reference.get("sha256") if isinstance(reference, dict) else None
        if sha256 is None:  # by a version that kept no hashes here; the table's own stamp still holds
            tables[name] = read_table(file, name)
            continue
        try:
            tables[name] = read_table(Reference(str(file), sha256, -1, name))
        except SelvedgeError as error:
            raise SelvedgeError(
                f"catalogue directory {folder}: {error} Or read the catalogue again, "
                f"by `selvedge catalog read SRC --out {folder}`."
            ) from error
    if PICTURES in tables:
        tables[PICTURES] = with_files_here(tables[PICTURES], folder)
    return tables
