"""Deliveries in other layouts: a feed, an export and a warehouse's table, by the mappings that ship as examples."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from catalog.delivery import content_objections, fingerprint
from catalog.errors import SelvedgeError
from catalog.mapping import read_mapping
from catalog.reading import CatalogueRead, NothingReadable, read_catalogue
from orchestration.cli.main import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MERCHANT, SHOPIFY, TABLE = (EXAMPLES / f"mapping-{name}.yaml" for name in ("merchant", "shopify", "parquet"))
FEED = (
    "id\ttitle\tdescription\tgender\tproduct_type\tcolor\timage_link\n"
    '501\tBlue "Slim" Jeans, long\tx\tmale\tJeans\tBlue\thttps://cdn.shop.example/pictures/1.jpg?v=3\n'
    "502\tRöcke\ty\twomen\tSkirts\tRed\tpictures/2.jpg\n"
    "503\tElsewhere\tz\twomen\tSkirts\tRed\thttps://other.example/2.jpg\n"
    "504\tOutside\tz\twomen\tSkirts\tRed\t../secret.jpg\n"
    "505\ttoo\tfew\n"
    "SKU6\tA name\tz\twomen\tSkirts\tRed\tpictures/3.jpg\n"
)
EXPORT = (
    "Handle,Title,Body (HTML),Vendor,Type,Option1 Value,Option2 Value,Variant SKU,Image Src\n"
    'jeans,Blue Jeans,"<p>One\nline, and another</p>",Shop,Jeans,Men,Blue,501,'
    "https://cdn.shopify.example/s/files/pictures/1.jpg\n"
    "jeans,,,,,,,,https://cdn.shopify.example/s/files/pictures/2.jpg\n"
    "skirt,Red Skirt,,Shop,Skirts,Women,Red,502,https://cdn.shopify.example/s/files/pictures/3.jpg\n"
)


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    """A folder with three pictures, and no table yet."""
    folder = tmp_path / "drop"
    (folder / "pictures").mkdir(parents=True)
    for number in (1, 2, 3):
        picture = Image.linear_gradient("L").rotate(90 * number).convert("RGB")
        picture.save(folder / "pictures" / f"{number}.jpg")
    return folder


def read(folder: Path, mapping: Path) -> CatalogueRead:
    return read_catalogue(folder, "drop", workers=1, mapping=read_mapping(mapping))


def products(table: CatalogueRead) -> list[tuple[object, ...]]:
    names = ("product_id", "line", "gender", "article_type", "base_colour", "product_display_name")
    return [tuple(row[name] for name in names) for row in table.products.to_pylist()]


def test_a_merchant_feed_is_read_and_every_other_row_is_kept_with_its_reason(delivery, tmp_path):
    (delivery / "feed.tsv").write_bytes(b"\xef\xbb\xbf" + FEED.encode())
    (tmp_path / "secret.jpg").write_bytes(b"x")
    table = read(delivery, MERCHANT)
    assert products(table) == [
        (501, 2, "Men", "Jeans", "Blue", 'Blue "Slim" Jeans, long'),
        (502, 3, "Women", "Skirts", "Red", "Röcke"),
    ]
    assert table.table == "feed.tsv" and table.counts["rows"] == 6
    rejected = {row["line"]: row for row in table.quarantine.to_pylist()}
    assert {line: row["reason"] for line, row in rejected.items()} == {
        4: "missing_image",
        5: "missing_image",
        6: "bad_row",
        7: "bad_id",
    }
    assert "is an address elsewhere; `strip`" in rejected[4]["detail"]
    delivered = FEED.encode().split(b"\n")
    assert all(row["raw"] == delivered[line - 1] for line, row in rejected.items()), "as delivered, all its columns"


def test_a_shopify_export_is_read_with_its_line_breaks_and_its_further_pictures_are_told(delivery):
    (delivery / "products_export_1.csv").write_text(EXPORT)
    table = read(delivery, SHOPIFY)
    assert [row[:2] for row in products(table)] == [(501, 2), (502, 5)]
    (further,) = table.quarantine.to_pylist()
    assert (further["line"], further["reason"]) == (4, "bad_id") and further["raw"].startswith(b"jeans,,,")


def test_a_parquet_table_is_read_whatever_its_types(delivery):
    columns = {
        "sku": [501, 502, 501],
        "department": ["Men", None, "Men"],
        "category": ["Apparel"] * 3,
        "kind": ["Jeans", "Skirts", "Jeans"],
        "colour": ["Blue", "Red", "Blue"],
        "year": [2024.0, None, 2024.0],
        "name": ["Blue\nJeans", "Skirt", "Again"],
        "picture": ["pictures/1.jpg", "./pictures/2.jpg", "pictures/1.jpg"],
    }
    pq.write_table(pa.table(columns), delivery / "part-0.parquet")
    table = read(delivery, TABLE)
    assert [row[0] for row in products(table)] == [501, 502] and table.products["year"].to_pylist() == [2024, None]
    (again,) = table.quarantine.to_pylist()
    assert again["reason"] == "duplicate_id" and json.loads(again["raw"])["name"] == "Again"


def test_pictures_may_lie_elsewhere_on_the_same_storage(delivery, tmp_path):
    shutil.move(delivery / "pictures", tmp_path / "pictures")
    (delivery / "feed.tsv").write_text(FEED)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MERCHANT.read_text() + f"pictures: {tmp_path}\n")
    assert [row[0] for row in products(read(delivery, mapping))] == [501, 502]
    mapping.write_text(MERCHANT.read_text() + "pictures: memory://shop\n")
    with pytest.raises(SelvedgeError, match="lie on another storage than the delivery"):
        read(delivery, mapping)


def test_a_catalogue_with_its_own_table_needs_no_mapping(delivery):
    (delivery / "feed.tsv").write_text(FEED)
    header = "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName"
    (delivery / "styles.csv").write_text(f"{header}\n1,Men,Apparel,Topwear,Shirts,Red,Fall,2011,Casual,Shirt\n")
    (delivery / "pictures").rename(delivery / "images")
    table = read(delivery, MERCHANT)
    assert table.table == "styles.csv" and [row[0] for row in products(table)] == [1]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (("id: id ", "id: sku "), r"feed.tsv has no column 'sku', which mapping .* names \(id, title"),
        (("image: image_link", "image: picture"), "has no column 'picture'"),
        (("  id: id ", "  idd: id "), "maps 'idd', which is no column; did you mean id\\?"),
        (("separator:", "seperator:"), "unknown name 'seperator'; did you mean separator\\?"),
        (('separator: "\\t"', 'separator: "ab"'), "separator is one character"),
        (('separator: "\\t"', 'separator: ","'), "has no column 'id'"),
        (("utf-8-sig", "utf-9"), "'utf-9' is no encoding"),
        (("utf-8-sig", "ascii"), "line 3 is not in ascii; set `encoding`"),
        (('"*.tsv"', '"*.csv"'), r"holds no table \*.csv, which mapping .* names \(feed.tsv\)"),
        (("productDisplayName: title", "usage: title"), "says no column for productDisplayName"),
        (("{value: Apparel}", "[Apparel]"), "masterCategory is a column's name, or"),
        (("columns:", "fields:"), "unknown name 'fields'"),
    ],
)
def test_a_mapping_that_does_not_fit_is_one_sentence(delivery, tmp_path, changed, sentence):
    (delivery / "feed.tsv").write_text(FEED)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(MERCHANT.read_text().replace(*changed))
    with pytest.raises(SelvedgeError, match=sentence) as raised:
        read(delivery, mapping)
    assert "\n" not in str(raised.value)


def test_two_tables_and_a_feed_without_rows_are_told(delivery):
    (delivery / "a.tsv").write_text(FEED.partition("\n")[0])
    with pytest.raises(SelvedgeError, match="has no rows"):
        read(delivery, MERCHANT)
    (delivery / "b.tsv").write_text(FEED)
    with pytest.raises(SelvedgeError, match=r"holds 2 tables \*.tsv"):
        read(delivery, MERCHANT)


def test_a_feed_of_no_picture_says_where_they_were_looked_for(delivery):
    (delivery / "feed.tsv").write_text(FEED.replace("pictures/", "photos/"))
    with pytest.raises(NothingReadable, match="pictures are named by column image_link"):
        read(delivery, MERCHANT)


def test_the_inbox_takes_a_mapped_drop_and_a_changed_mapping_makes_it_new(delivery, tmp_path):
    (delivery / "feed.tsv").write_text(FEED)
    mapping = tmp_path / "mapping.yaml"
    shutil.copyfile(MERCHANT, mapping)
    assert content_objections(delivery) and content_objections(delivery, "*.tsv") == ()
    assert content_objections(delivery, "*.parquet")
    first = fingerprint(str(delivery), mapping)
    mapping.write_text(mapping.read_text() + "# mended\n")
    assert fingerprint(str(delivery), mapping) != first
    (delivery / "styles.csv").touch()
    assert fingerprint(str(delivery), mapping) == fingerprint(str(delivery)), "its own table needs no mapping"


def test_a_feed_is_read_by_the_command(delivery, tmp_path, capsys):
    (delivery / "feed.tsv").write_text(FEED)
    arguments = ["catalog", "read", str(delivery), "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 1
    assert "styles.csv" in capsys.readouterr().err
    assert run([*arguments, "--mapping", str(MERCHANT)]) == 0
    assert json.loads(capsys.readouterr().out)["products"] == 2
