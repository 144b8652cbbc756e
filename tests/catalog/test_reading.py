"""Reading a catalogue: rows in = products + quarantine, each fault under its own reason."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from catalog.pictures import Limits
from catalog.quarantine import Reason
from catalog.reading import read_catalogue
from catalog.tables import schema_of
from tests.catalog.shops import Shop, encoded, picture, product_json, shop


def faults_found(catalogue: Path, **options: object) -> dict[int, str]:
    quarantine = read_catalogue(catalogue, "d1", **options).quarantine
    return dict(zip(quarantine.column("line").to_pylist(), quarantine.column("reason").to_pylist(), strict=True))


def test_every_fault_under_its_own_reason(tmp_path: Path) -> None:
    built = shop(12)
    del built.images["2.jpg"]
    built.images["3.jpg"] = b"not an image"
    built.images["4.jpg"] = built.images["4.jpg"][:900]
    built.images["5.jpg"] = encoded(picture(5, 300, 300))
    built.styles = {"6.json": b"{", "7.json": product_json(70), "8.json": product_json(8, brandName="Maker")}
    built.links = {f"{n}.jpg": "undefined" if n == 9 else "http://shop/x.jpg" for n in range(1, 13)}
    built.lines += [
        b"1,again,a,b,c,d,e,2011,f,g",
        b"../2,x,a,b,c,d,e,2011,f,g",
        b"two,x,a,b,c,d,e,2011,f,g",
        b"13,short",
    ]
    read = read_catalogue(built.write(tmp_path), "d1", limits=Limits(pixels=80_000))
    reasons = {row["line"]: row["reason"] for row in read.quarantine.to_pylist()}
    assert reasons == {
        3: "missing_image", 4: "undecodable_image", 5: "truncated_image", 6: "image_too_large", 7: "broken_json",
        8: "json_id_mismatch", 10: "missing_image", 14: "duplicate_id", 15: "path_like_id", 16: "bad_id", 17: "bad_row",
    }  # fmt: skip
    assert read.products.column("product_id").to_pylist() == [1, 8, 10, 11, 12]
    assert read.counts["rows"] == 16 == read.products.num_rows + read.quarantine.num_rows
    assert read.counts["quarantine"] == {
        reason: list(reasons.values()).count(reason) for reason in map(str, Reason) if reason in reasons.values()
    }
    raw = dict(zip(read.quarantine.column("line").to_pylist(), read.quarantine.column("raw").to_pylist(), strict=True))
    assert raw[17] == b"13,short"
    assert (read.products.schema, read.quarantine.schema) == (schema_of("products"), schema_of("quarantine"))


def test_drawn_faults_are_found_and_nothing_else(tmp_path: Path) -> None:
    drawn = draw_catalogue(tmp_path / "drawn", products=24, seed=5, faults=True, size=96)
    read = read_catalogue(drawn.path, "d1")
    reasons = [(row["line"], row["reason"]) for row in read.quarantine.to_pylist()]
    assert sorted(reasons) == sorted(drawn.planted_faults)
    assert read.products.num_rows + read.quarantine.num_rows == drawn.rows
    handled = [kind for _, kind in drawn.handled_faults]
    assert read.counts["recovered"] == handled.count("unquoted_comma") + handled.count("two_unquoted_commas")
    assert read.counts["not_utf8"] == handled.count("not_utf8")
    assert read.counts["turned"] == handled.count("exif_rotated")


ROWS = st.sampled_from(
    [
        "{id},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Name {id}",
        "{id},Men,Apparel,Topwear,Shirts,NA,,2011.0,,Name, with {id}, commas",
        '{id},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,"Quoted, {id}"',
        "../{id},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Name",
        "x{id},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Name",
        "{id},Men,Apparel",
        "   ",
        "",
    ]
)
IMAGES = st.sampled_from([encoded(picture(1)), encoded(picture(2))[:300], b"junk", None])
DETAILS = st.sampled_from([b"{", "own", product_json(-1), None, None])


@given(st.lists(st.tuples(st.integers(1, 6), ROWS, IMAGES, DETAILS), max_size=12))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_in_are_products_plus_quarantine(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    built = Shop().add(99)
    for product_id, line, image, details in rows:
        built.lines.append(line.format(id=product_id).encode())
        built.images[f"{product_id}.jpg"] = image or b""
        if details is not None:
            built.styles[f"{product_id}.json"] = product_json(product_id) if details == "own" else details
    read = read_catalogue(built.write(tmp_path_factory.mktemp("shop")), "d1", workers=1)
    lines = sum(bool(line.strip()) for line in built.lines)
    assert read.products.num_rows + read.quarantine.num_rows == lines
    in_either = read.products.column("line").to_pylist() + read.quarantine.column("line").to_pylist()
    assert len(set(in_either)) == lines
    assert len(set(read.products.column("product_id").to_pylist())) == read.products.num_rows


def test_ids_never_reach_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(encoded(picture(1)))
    built = shop(1)
    for written in ("../../secret", "..%2f..%2fsecret", str(tmp_path / "secret")):
        built.lines.append(f"{written},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Name".encode())
    read = read_catalogue(built.write(tmp_path / "shop"), "d1")
    assert read.quarantine.column("reason").to_pylist() == ["path_like_id"] * 3


def test_worker_processes_give_the_same_tables(tmp_path: Path) -> None:
    catalogue = shop(200)
    catalogue.images["50.jpg"] = b"junk"
    folder = catalogue.write(tmp_path)
    seen: list[tuple[int, int, str]] = []
    alone = read_catalogue(folder, "d1", workers=1)
    together = read_catalogue(folder, "d1", workers=2, progress=lambda *step: seen.append(step))
    assert alone.products.equals(together.products)
    assert alone.quarantine.equals(together.quarantine)
    assert seen[-1] == (200, 200, "reading")


def test_other_image_types_are_found_and_jpg_is_preferred(tmp_path: Path) -> None:
    built = shop(2)
    built.images = {"1.PNG": encoded(picture(1), "PNG"), "2.png": b"junk", "2.jpg": encoded(picture(2))}
    read = read_catalogue(built.write(tmp_path), "d1")
    assert [Path(uri).name for uri in read.products.column("image_uri").to_pylist()] == ["1.PNG", "2.jpg"]


def test_what_is_no_catalogue_is_said_in_one_sentence(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    no_images = shop(3)
    no_images.images = {}
    for source, said in (
        (tmp_path / "nowhere", "there is no catalogue at"),
        (empty, "styles.csv does not exist"),
        (no_images.write(tmp_path / "bare"), r"none of its 3 rows became a product \(missing_image 3\)"),
    ):
        with pytest.raises(SelvedgeError, match=said) as caught:
            read_catalogue(source, "d1")
        assert "\n" not in str(caught.value)
