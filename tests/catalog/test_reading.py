"""Reading a catalogue: rows in = products + quarantine, each fault under its own reason."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from catalog.pictures import Limits
from catalog.quarantine import Reason
from catalog.reading import NothingReadable, read_catalogue
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


def test_categories_are_spelled_as_the_vocabulary_spells_them_and_others_are_counted(tmp_path: Path) -> None:
    rows = {
        "Ladies,tshirts,NAVY  blue": ("Women", "Tshirts", "Navy Blue"),
        "male,T-Shirt,gray": ("Men", "Tshirts", "Grey"),
        "MEN,T Shirts,Off-White": ("Men", "Tshirts", "Off White"),
        "Men's,track_pants,off white": ("Men", "Track Pants", "Off White"),
        "female,DRESS,none": ("Women", "Dresses", None),
        "NULL,Dress Shirts,Puce": (None, "Dress Shirts", "Puce"),
        "Kids,n/a,-": ("Kids", None, None),
    }
    built = shop(len(rows))
    for number, cells in enumerate(rows, 1):
        gender, article, colour = cells.split(",")
        built.lines[number - 1] = (
            f"{number},{gender},apparel,Top wear,{article},{colour},autumn,2011,CASUAL,Make Item{number}".encode()
        )
    read = read_catalogue(built.write(tmp_path), "d1", workers=1)
    columns = ("gender", "article_type", "base_colour")
    assert [tuple(row[name] for name in columns) for row in read.products.to_pylist()] == list(rows.values())
    for name, value in (
        ("master_category", "Apparel"),
        ("sub_category", "Topwear"),
        ("season", "Fall"),
        ("usage", "Casual"),
    ):
        assert set(read.products.column(name).to_pylist()) == {value}
    assert read.counts["unmapped"] == {
        "Gender": {"Kids": 1}, "Article Type": {"Dress Shirts": 1}, "Colour": {"Puce": 1},
    }  # fmt: skip
    assert read.counts["missing"] == {
        "articleType": {"n/a": 1},
        "baseColour": {"none": 1, "-": 1},
        "gender": {"NULL": 1},
    }


def test_a_placeholder_stands_for_no_product_and_a_shared_photograph_is_told(tmp_path: Path) -> None:
    grey_box = encoded(picture(999))
    built = shop(12)
    for number in (2, 5, 9):
        built.images[f"{number}.jpg"] = grey_box
    built.images["4.jpg"] = built.images["3.jpg"]  # two items on one photograph
    built.images["7.jpg"] = encoded(Image.new("RGB", (60, 80), "white"))
    built.images["8.jpg"] = encoded(Image.new("RGB", (1, 1)), "PNG")
    for number in (10, 11, 12):  # one item three times
        built.images[f"{number}.jpg"] = built.images["10.jpg"]
        built.lines[number - 1] = (
            f"{number},Men,Apparel,Topwear,Shirts,Blue,Fall,2011,Casual,Oak {('Red', 'Tan')[number % 2]} Shirt".encode()
        )
    read = read_catalogue(built.write(tmp_path), "d1", workers=1)
    reasons = {row["line"] - 1: (row["reason"], row["detail"]) for row in read.quarantine.to_pylist()}
    assert {number: reason for number, (reason, _) in reasons.items()} == {
        2: "placeholder_image", 5: "placeholder_image", 9: "placeholder_image", 7: "blank_image", 8: "blank_image",
    }  # fmt: skip
    assert "3 products of 3 names (2, 5, 9)" in reasons[2][1]
    assert read.counts["warnings"] == [
        "1 picture file shared by products of two names (first: 3, 4); look whether it shows them all."
    ]


def test_one_bad_link_or_locked_file_goes_to_quarantine_alone(tmp_path: Path) -> None:
    built = shop(6)
    built.styles = {"4.json": product_json(4)}
    folder = built.write(tmp_path)
    for name, target in (("1.jpg", "1.jpg"), ("2.jpg", "nowhere")):
        (folder / "images" / name).unlink()
        (folder / "images" / name).symlink_to(target)
    (folder / "images" / "3.jpg").rename(folder / "images" / os.fsdecode(b"3.heic\xe9"))
    (folder / "styles" / "4.json").unlink()
    (folder / "styles" / "4.json").symlink_to("4.json")
    (folder / "images" / "5.jpg").unlink()
    (folder / "images" / "5.jpg").mkdir()
    read = read_catalogue(folder, "d1", workers=1)
    assert read.products.column("product_id").to_pylist() == [4, 6]
    details = read.quarantine.column("detail").to_pylist()
    assert details[:2] == [
        "images/1.jpg is a link that leads to no file",
        "images/2.jpg is a link that leads to no file",
    ]
    assert details[2].startswith("images/3.heic\ufffd is not of a kind that is read (jpg, ")
    assert details[3] == "no file images/5.jpg; images/5.jpg is a folder"


@pytest.mark.parametrize("suffix", ["gif", "bmp", "tif", "TIFF", "jfif", "avif", "webp", "png", "jpeg"])
def test_pictures_of_every_kind_that_decodes_are_found(tmp_path: Path, suffix: str) -> None:
    built = shop(1)
    built.images = {f"1.{suffix}": built.images["1.jpg"]}
    assert read_catalogue(built.write(tmp_path), "d1", workers=1).products.num_rows == 1


def test_folders_and_files_in_another_case_or_one_deeper_are_read(tmp_path: Path) -> None:
    one = shop(2).write(tmp_path / "one")
    (one / "images").rename(one / "Images")
    (one / "styles.csv").rename(one / "Styles.CSV")
    two = shop(2).write(tmp_path / "two")
    (two / "images").rename(two / "inner")
    (two / "images").mkdir()
    (two / "inner").rename(two / "images" / "images")
    three = shop(2)
    three.lines[0] = three.lines[0].replace(b"1,", b"0001,", 1)
    three.images["0001.jpg"] = three.images.pop("1.jpg")
    for folder in (one, two, three.write(tmp_path / "three")):
        assert read_catalogue(folder, "d1", workers=1).products.column("product_id").to_pylist() == [1, 2]


def test_where_nothing_is_left_the_sentence_says_what_lies_there(tmp_path: Path) -> None:
    for name, change, said in (
        (
            "views",
            lambda images: [file.rename(images / f"{file.stem}_1.jpg") for file in [*images.iterdir()]],
            "2 files such as 1_1.jpg",
        ),
        (
            "other",
            lambda images: images.rename(images.parent / "pictures"),
            "there is no folder images/, but pictures/",
        ),
        (
            "deep",
            lambda images: [
                (images / "1").mkdir(),
                *(file.rename(images / "1" / file.name) for file in images.glob("*.jpg")),
            ],
            "1 folders such as 1",
        ),
    ):
        folder = shop(2).write(tmp_path / name)
        change(folder / "images")
        with pytest.raises(NothingReadable, match=said) as caught:
            read_catalogue(folder, "d1", workers=1)
        assert caught.value.read.quarantine.num_rows == 2 and "line 2: no file images/1.jpg" in str(
            caught.value
        ).replace("pictures", "images")
    ids = shop(2)
    ids.lines = [line.replace(b",Men", b"X,Men") for line in ids.lines]
    with pytest.raises(NothingReadable, match=r"\(bad_id 2\); line 2: product id '1X' is not a whole number"):
        read_catalogue(ids.write(tmp_path / "ids"), "d1", workers=1)
    shop(2).write(tmp_path / "nested" / "fashion-dataset")
    with pytest.raises(SelvedgeError, match=r"give the folder .*nested/fashion-dataset, which holds one"):
        read_catalogue(tmp_path / "nested", "d1")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "drop.zip").write_bytes(b"PK")
    for source, said in (
        (tmp_path / "packed", "unpack drop.zip first"),
        (tmp_path / "packed" / "drop.zip", "is a file"),
    ):
        with pytest.raises(SelvedgeError, match=said):
            read_catalogue(source, "d1")


def test_rows_that_were_guessed_are_told(tmp_path: Path) -> None:
    built = shop(3)
    built.lines[0] = built.lines[0].rpartition(b",")[0] + ",Рубашка Гавань".encode("cp1251")
    built.lines[1] = built.lines[1].replace(b"2,", b"2.0,", 1)
    built.styles = {"3.json": b'{"data": {"id": 3, "brandName": "Caf\xe9"}}'}
    warnings = read_catalogue(built.write(tmp_path), "d1", workers=1).counts["warnings"]
    assert [sentence.partition(",")[0] for sentence in warnings] == [
        "1 row of styles.csv not in UTF-8", "1 id of styles.csv in another form", "1 file of styles/ not in UTF-8",
    ]  # fmt: skip
