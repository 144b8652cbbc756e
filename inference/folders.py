"""The folder of `selvedge infer`: its tables, and the vocabulary that its attributes were asked in.

Belongs here: names of the files, reading what an earlier run left. Not here: making the tables (attributes.py,
descriptions/), publishing them in the graph.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from catalog.tables import publish_bytes, read_table

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.schema import AttributeSchema

ATTRIBUTES_FILE, DESCRIPTIONS_FILE = "attributes.parquet", "descriptions.parquet"
JOURNAL_FILE = "descriptions.journal"
SCHEMA_FILE = "attribute_schema.json"  # what the attributes were asked with; descriptions are checked against it


def previous_table(file: Path) -> "pa.Table | None":
    """The table as an earlier run left it, of the contract that its file is named by; None where there was none.

    Raises:
        SelvedgeError: it is damaged, or another table.
    """
    return read_table(file, file.stem).replace_schema_metadata(None) if file.exists() else None


def write_schema(schema: "AttributeSchema", folder: Path) -> None:
    publish_bytes(json.dumps(schema.to_dict(), indent=1).encode(), folder / SCHEMA_FILE)


def read_schema(folder: Path) -> "AttributeSchema":
    """Raises: SelvedgeError: it is missing or damaged."""
    from catalog.schema import AttributeSchema

    file = folder / SCHEMA_FILE
    try:
        return AttributeSchema.from_dict(json.loads(file.read_text()), str(file))
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"{file} is missing or not JSON; run `selvedge infer attributes` again.") from error
