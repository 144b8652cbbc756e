"""A table's contract is declared once, by the room that makes its rows, and what is read is what was written."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from catalog.tables import as_table, declare_table, read_table, schema_of, write_table

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


SPLITS = pa.table(
    {
        "product_id": list(range(24)),
        "drop": ["first"] * 24,
        "group_id": [f"g{number // 2}" for number in range(24)],
        "split": ["train", "train", "validation", "test"] * 6,
    },
    schema=schema_of("splits"),
)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tables") / "splits.parquet"
    write_table(SPLITS, file, "splits")
    return file


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_flipped_bit_or_a_cut_is_refused_or_changes_no_row(stored: Path, data: st.DataObject) -> None:
    content = bytearray(stored.read_bytes())
    for bit in data.draw(st.lists(st.integers(0, len(content) * 8 - 1), min_size=1, max_size=3)):
        content[bit // 8] ^= 1 << bit % 8
    damaged = stored.with_name("damaged.parquet")
    damaged.write_bytes(content[: data.draw(st.sampled_from([len(content)] * 9 + [len(content) // 2]))])
    try:
        rows = read_table(damaged, "splits")
    except SelvedgeError as error:
        assert str(error).count("damaged.parquet") == 1
        return
    assert rows.to_pydict() == SPLITS.to_pydict()


def test_a_table_copied_over_another_is_refused(stored: Path) -> None:
    with pytest.raises(SelvedgeError, match=r"is a table of 'splits', not of 'images'; write it again"):
        read_table(stored, "images")


def test_a_folder_in_a_tables_place_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match=r"is a folder; remove it, then write it again"):
        read_table(tmp_path, "splits")


def test_a_table_without_a_stamp_opens_when_it_has_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "splits.parquet"
    pq.write_table(SPLITS, file)
    assert read_table(file, "splits").equals(SPLITS)
    pq.write_table(SPLITS.drop_columns(["split"]), file)
    with pytest.raises(SelvedgeError, match="lacks the column split"):
        read_table(file, "splits")


def test_half_a_stamp_is_none(tmp_path: Path, stored: Path) -> None:
    file = tmp_path / "splits.parquet"
    table = pq.read_table(stored)
    for key in (b"selvedge.schema", b"selvedge.content_sha256"):
        pq.write_table(table.replace_schema_metadata({key: table.schema.metadata[key]}), file)
        with pytest.raises(SelvedgeError, match="is damaged, or was changed"):
            read_table(file, "splits")


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), None])
def test_a_number_that_must_be_finite_is_never_published_otherwise(tmp_path: Path, wrong: float | None) -> None:
    declare_table("measures", COLUMNS, finite=("weight",))
    rows = pa.table({"product_id": [1, 2], "weight": [0.5, wrong]}, schema=COLUMNS)
    for given_rows in (rows, rows.to_pandas()):
        with pytest.raises(SelvedgeError, match=r"weight of row 2 is no finite number \(1 rows in all\)"):
            write_table(given_rows, tmp_path / "measures.parquet", "measures")
    assert not list(tmp_path.iterdir())


KINDS = {
    "texts": (pa.list_(pa.string()), [["a", None], None, []]),
    "lists": (pa.list_(pa.list_(pa.float32())), [[[0.5], None], None, []]),
    "mapping": (pa.map_(pa.string(), pa.string()), [[("a", "b"), ("c", None)], None, []]),
    "raw": (pa.binary(), [b"\x00\xff", None, b""]),
    "small": (pa.float32(), [0.5, None, float("nan")]),
    "year": (pa.int16(), [2011, None, -1]),
    "flag": (pa.bool_(), [True, None, False]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [3, 1, 0])
def test_every_kind_of_column_is_read_as_it_was_stamped(tmp_path: Path, kind: str, rows: int) -> None:
    of, values = KINDS[kind]
    schema = declare_table(f"only_{kind}", pa.schema([(kind, of)]))
    table = pa.table({kind: pa.array(values[:rows], of)}, schema=schema)
    write_table(table, tmp_path / "table.parquet", f"only_{kind}")
    assert read_table(tmp_path / "table.parquet", f"only_{kind}")[kind].to_pylist()[:2] == values[:rows][:2]
