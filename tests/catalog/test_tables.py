"""A table's contract is declared once, by the room that makes its rows."""

import pyarrow as pa
import pytest

from catalog.tables import as_table, declare_table, schema_of

COLUMNS = pa.schema([("product_id", pa.int64()), ("weight", pa.float64())])


def test_a_declared_table_is_held_to_its_columns() -> None:
    assert declare_table("weights", COLUMNS) is COLUMNS
    rows = pa.table({"weight": [0.5], "product_id": [7]})
    assert as_table(rows, "weights").schema == schema_of("weights") == COLUMNS


def test_a_name_stands_for_one_table() -> None:
    declare_table("lengths", COLUMNS)
    declare_table("lengths", pa.schema(COLUMNS))  # the same module read twice
    with pytest.raises(ValueError, match="'lengths' is declared already, with other columns"):
        declare_table("lengths", COLUMNS.append(pa.field("length", pa.float64())))
    with pytest.raises(ValueError, match="'products' is declared already"):
        declare_table("products", COLUMNS)


def test_a_table_that_nobody_declared_names_the_remedy() -> None:
    with pytest.raises(
        LookupError, match=r"'widths' is not declared \(.*products.*\); import the module that declares it"
    ):
        as_table(pa.table({}), "widths")
