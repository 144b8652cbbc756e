"""Recorded files are found where they stand now, and nothing else is taken for them."""

import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from catalog.standing import standing, with_files_here

COPY, DELIVERED = "objects/images/ab/ab12.jpg", "drawn/drawn-1/images/5.jpg"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for file in (COPY, DELIVERED):
        (tmp_path / "home" / file).parent.mkdir(parents=True)
        (tmp_path / "home" / file).write_bytes(b"picture")
    return tmp_path / "home"


def test_what_lies_in_a_moved_folder_is_found_there(home: Path) -> None:
    recorded = [str(home / COPY), str(home / DELIVERED), str(home / "drawn" / "drawn-1")]
    moved = home.rename(home.with_name("elsewhere"))
    assert standing(recorded, moved) == [str(moved / COPY), str(moved / DELIVERED), str(moved / "drawn" / "drawn-1")]
    assert standing(recorded[:1], moved / "objects") == [str(moved / COPY)]


def test_a_copied_folder_reads_its_own_files_and_the_first_one_goes_on_reading_its_own(home: Path) -> None:
    recorded = [str(home / COPY)]
    copy = Path(shutil.copytree(home, home.with_name("copy")))
    assert standing(recorded, copy) == [str(copy / COPY)]
    assert standing(recorded, home) == recorded


def test_what_never_lay_in_the_folder_stays_as_it_is(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "shop" / "images" / "5.jpg"
    addresses = [str(outside), "s3://bucket/objects/images/ab/ab12.jpg", "", "models/blip2-tiny", "/gone/ab/ab99.jpg"]
    assert standing(addresses, home) == addresses
    gone = f"/gone/{COPY.replace('ab12', 'cd34')}"  # the folder is there, the file is not
    assert standing([gone], home) == [gone]
    assert standing([f"/gone/{COPY}"], "s3://bucket") == [f"/gone/{COPY}"]


def test_a_table_of_a_folder_that_was_not_moved_is_the_same_table(home: Path) -> None:
    table = pa.table({"uri": [str(home / COPY), None], "image_uri": [str(home / DELIVERED)] * 2})
    assert with_files_here(table, home) is table
    moved = home.rename(home.with_name("elsewhere"))
    here = with_files_here(table, moved)
    assert here.schema == table.schema
    assert here["image_uri"].to_pylist() == [str(moved / DELIVERED)] * 2
