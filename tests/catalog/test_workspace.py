"""A catalogue directory: whole or not there, standard copies that can be trusted, and reruns that write little."""

import hashlib
import io
import os
from pathlib import Path

import pytest
from PIL import Image

from catalog import workspace
from catalog.errors import SelvedgeError
from catalog.images import standardise_images
from catalog.reading import read_catalogue
from catalog.tables import read_table, schema_of
from catalog.workspace import TABLES, open_catalogue, read_into
from tests.catalog.shops import encoded, picture, shop, stamped_sha256


def test_a_directory_holds_everything_and_says_so(tmp_path: Path) -> None:
    built = shop(30)
    built.images["7.jpg"] = b"junk"
    summary = read_into(built.write(tmp_path / "shop"), "2024-05", tmp_path / "out")
    opened = open_catalogue(tmp_path / "out")
    assert {name: getattr(opened, name).num_rows for name in TABLES} == {
        name: reference["rows"] for name, reference in summary["tables"].items()
    }
    assert (opened.products.num_rows, opened.quarantine.num_rows) == (29, 1)
    assert opened.summary == summary
    assert opened.schema.choose_question_set(opened.products) in opened.schema.question_sets
    for row in opened.images.to_pylist():
        content = Path(row["uri"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["sha256"]
        assert Image.open(io.BytesIO(content)).size == (row["width"], row["height"])
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == sorted(
        [f"{name}.parquet" for name in TABLES]
        + ["attribute_schema.json", "catalogue.json", "images", "vqa_train.csv", "vqa_validation.csv"]
    )


def test_reading_again_gives_the_same_tables_and_rewrites_no_copy(tmp_path: Path) -> None:
    folder = shop(20).write(tmp_path / "shop")
    read_into(folder, "d1", tmp_path / "out")
    first = {name: stamped_sha256(tmp_path / "out" / f"{name}.parquet") for name in TABLES}
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "images").rglob("*.jpg")}
    read_into(folder, "d1", tmp_path / "out")
    assert {name: stamped_sha256(tmp_path / "out" / f"{name}.parquet") for name in TABLES} == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "images").rglob("*.jpg")} == copies


def test_a_reading_cut_short_leaves_the_catalogue_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = shop(20).write(tmp_path / "shop")
    more = shop(24).write(tmp_path / "more")

    def full(*_: object) -> None:
        raise SelvedgeError("the disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(workspace, "write_vqa_csv", full)
        with pytest.raises(SelvedgeError, match="disk is full"):
            read_into(folder, "d1", tmp_path / "out")
        with pytest.raises(SelvedgeError, match="no complete catalogue directory"):
            open_catalogue(tmp_path / "out")
    read_into(folder, "d1", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    with monkeypatch.context() as patched:
        patched.setattr(workspace, "write_vqa_csv", full)
        with pytest.raises(SelvedgeError, match="disk is full"):
            read_into(more, "d1", tmp_path / "out")
    assert open_catalogue(tmp_path / "out").products.num_rows == 20
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    read_into(more, "d1", tmp_path / "out")
    assert open_catalogue(tmp_path / "out").products.num_rows == 24


def test_an_image_that_changed_after_reading_is_refused(tmp_path: Path) -> None:
    folder = shop(3).write(tmp_path / "shop")
    products = read_catalogue(folder, "d1").products
    (folder / "images" / "2.jpg").write_bytes(encoded(picture(77)))
    with pytest.raises(SelvedgeError, match=r"2\.jpg is not the one that was read"):
        standardise_images(products, tmp_path / "copies")
    (folder / "images" / "2.jpg").unlink()
    with pytest.raises(SelvedgeError, match=r"2\.jpg is not the one that was read"):
        standardise_images(products, tmp_path / "copies")


def test_copies_are_shared_and_half_written_ones_replaced(tmp_path: Path) -> None:
    built = shop(3)
    built.images["2.jpg"] = built.images["1.jpg"]
    products = read_catalogue(built.write(tmp_path / "shop"), "d1").products
    images = standardise_images(products, tmp_path / "copies")
    assert images.schema == schema_of("images")
    uris = images.column("uri").to_pylist()
    assert uris[0] == uris[1] != uris[2]
    whole = Path(uris[0]).read_bytes()
    Path(uris[0]).write_bytes(whole[:100])
    standardise_images(products, tmp_path / "copies")
    assert Path(uris[0]).read_bytes() == whole


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="needs a place that cannot be written")
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    products = read_catalogue(shop(1).write(tmp_path / "shop"), "d1").products
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SelvedgeError, match="could not be written"):
        standardise_images(products, tmp_path / "file" / "copies")


@pytest.mark.parametrize("products", [1, 3])
def test_a_delivery_of_a_few_products_is_written_though_it_teaches_nothing(tmp_path: Path, products: int) -> None:
    summary = read_into(shop(products).write(tmp_path / "shop"), "d1", tmp_path / "out")
    opened = open_catalogue(tmp_path / "out")
    rows = (opened.products.num_rows, opened.images.num_rows, opened.splits.num_rows, opened.qa_pairs.num_rows)
    assert rows == (products, products, products, 0)
    assert len(summary["warnings"]) == 1 and f"of the {products} products" in summary["warnings"][0]


def test_the_quarantine_of_a_reading_that_left_nothing_is_written_and_harms_no_earlier_one(tmp_path: Path) -> None:
    bad = shop(2)
    bad.lines = [line.replace(b",Men", b"X,Men") for line in bad.lines]
    bad.write(tmp_path / "bad")
    with pytest.raises(SelvedgeError, match=r"bad_id 2.* is in .*out/quarantine\.parquet"):
        read_into(tmp_path / "bad", "d1", tmp_path / "out")
    assert read_table(tmp_path / "out" / "quarantine.parquet").column("reason").to_pylist() == ["bad_id"] * 2
    read_into(shop(8).write(tmp_path / "good"), "d1", tmp_path / "out")
    with pytest.raises(SelvedgeError, match=r"out\.quarantine\.parquet"):
        read_into(tmp_path / "bad", "d1", tmp_path / "out")
    assert open_catalogue(tmp_path / "out").products.num_rows == 8
