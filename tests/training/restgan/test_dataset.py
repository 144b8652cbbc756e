"""The frozen data set: pictures and words agree, parts never share a group, what is written is what is read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from catalog.images import standardise_images
from catalog.reading import read_catalogue
from catalog.splits import assign_splits
from catalog.tables import read_frame, write_table
from tests.photographs import photographs
from tests.training.restgan.shop import Shop, open_shop
from tests.training.restgan.synthetic import synthetic_bottoms
from training.restgan.dataset import (
    ARRAYS,
    GENDERS,
    PARTS,
    TYPES,
    Bottoms,
    build_bottoms,
    part_of_group,
    read_bottoms,
    write_bottoms,
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"), 240)


@pytest.fixture(scope="module")
def bottoms(shop: Shop) -> Bottoms:
    return build_bottoms(shop, 32)


def check(bottoms: Bottoms) -> None:
    """What holds of every data set."""
    count, longest = bottoms.words.shape
    assert bottoms.pictures.shape == (count, bottoms.size, bottoms.size, 3) and bottoms.pictures.dtype == np.uint8
    assert bottoms.labels.shape == (count, 3) and bottoms.labels.dtype == np.int64
    assert bottoms.words.dtype == bottoms.lengths.dtype == bottoms.colour_words.dtype == np.int64
    assert bottoms.colour_words.shape == (count, longest) and bottoms.mentioned.shape == (count, longest, 3)
    assert bottoms.mentioned.dtype == bool and bottoms.lengths.min() >= 1 and bottoms.lengths.max() == longest
    after = np.arange(longest) >= bottoms.lengths[:, None]
    assert (bottoms.words[after] == 0).all() and (bottoms.words[~after] > 0).all()
    assert (bottoms.colour_words[after] == -1).all()
    assert bottoms.words.max() < len(bottoms.vocabulary)
    assert bottoms.labels.max(axis=0)[1] < len(bottoms.colours)
    assert (bottoms.mentioned[:, 1:] >= bottoms.mentioned[:, :-1]).all()
    # Type and gender are always said where they are known, colour where it has a cluster, and said rightly.
    assert (bottoms.mentioned[:, -1] == (bottoms.labels >= 0)).all()
    for row in range(count):
        said = bottoms.colour_words[row][bottoms.colour_words[row] >= 0]
        assert said.tolist() == [bottoms.labels[row, 1]] * len(said) and len(said) <= 1
    groups = [set(bottoms.rows.loc[bottoms.rows["part"] == part, "group_id"]) for part in PARTS]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]


def test_the_data_set_of_a_shop_is_whole(bottoms: Bottoms) -> None:
    check(bottoms)
    assert len(bottoms) == 240
    for place, row in enumerate(bottoms.rows.itertuples()):
        assert TYPES[bottoms.labels[place, 0]] == row.type and GENDERS[bottoms.labels[place, 2]] == row.gender
        words = [bottoms.vocabulary.words[word] for word in bottoms.words[place, : bottoms.lengths[place]]]
        assert " ".join(words) == row.query  # every word of this shop is frequent
    assert not {"crest", "elston", "mossfield", "harrow"} & set(bottoms.vocabulary.words)
    assert {"striped", "slim", "cotton", "linen"} <= set(bottoms.vocabulary.words)


def test_a_query_of_the_rows_encodes_to_the_rows_own_words(bottoms: Bottoms) -> None:
    for place in range(0, 240, 7):
        query = bottoms.vocabulary.encode(bottoms.rows["query"][place], bottoms.colours)
        length = bottoms.lengths[place]
        assert (query.words == bottoms.words[place, :length]).all()
        assert (query.colour_words == bottoms.colour_words[place, :length]).all()
        assert (query.mentioned == bottoms.mentioned[place, :length]).all()
        assert (query.labels == bottoms.labels[place]).all()


def test_parts_are_stable_when_the_catalogue_grows(shop: Shop, bottoms: Bottoms) -> None:
    few = Shop(shop.products.head(200), shop.images, shop.splits)
    before = build_bottoms(few, 32).rows.set_index("product_id")["part"]
    after = bottoms.rows.set_index("product_id")["part"]
    assert (after[before.index] == before).all()


def test_parts_have_their_shares_of_groups() -> None:
    names = np.array([part_of_group(f"g{place}") for place in range(5000)])
    assert [(names == part).mean() for part in PARTS] == pytest.approx([0.4, 0.35, 0.25], abs=0.02)
    assert {part_of_group(f"g{place}", (0.0, 1.0, 0.0)) for place in range(50)} == {"judge"}
    assert {part_of_group(f"g{place}", (0.0, 0.0, 1.0)) for place in range(50)} == {"test"}


def test_nothing_of_the_held_out_rows_is_in_the_table_or_the_vocabulary(shop: Shop, bottoms: Bottoms) -> None:
    held_out = set(bottoms.rows.loc[bottoms.rows["part"] != "train", "product_id"])
    products = shop.products.copy()
    out = products["product_id"].isin(held_out)
    products.loc[out, "product_display_name"] = "Fennick Men Zebra Wine Pants"
    products.loc[out, "base_colour"] = "Wine"
    changed = build_bottoms(Shop(products, shop.images, shop.splits), 32)
    assert changed.colours.digest == bottoms.colours.digest
    assert changed.vocabulary == bottoms.vocabulary
    assert set(changed.labels[changed.rows["part"] != "train", 1]) == {-1}


def test_the_parts_make_up_the_whole(bottoms: Bottoms) -> None:
    parts = [bottoms.of(part) for part in PARTS]
    assert sum(len(part) for part in parts) == len(bottoms)
    assert len({part.digest for part in parts} | {bottoms.digest}) == 4
    assert all(set(part.rows["part"]) == {name} for part, name in zip(parts, PARTS, strict=True))
    assert (parts[1].pictures == bottoms.pictures[bottoms.rows["part"] == "judge"]).all()
    assert bottoms.take(np.arange(len(bottoms))).digest == bottoms.digest
    with pytest.raises(SelvedgeError, match="validation"):
        bottoms.of("validation")


def test_a_data_set_survives_its_folder(bottoms: Bottoms, tmp_path: Path) -> None:
    write_bottoms(bottoms, tmp_path / "bottoms")
    write_bottoms(bottoms, tmp_path / "bottoms")  # over itself
    again = read_bottoms(tmp_path / "bottoms")
    assert again.digest == bottoms.digest
    for name in ARRAYS:
        assert (getattr(again, name) == getattr(bottoms, name)).all()
    assert again.rows.equals(bottoms.rows.astype(again.rows.dtypes))
    assert again.vocabulary == bottoms.vocabulary and again.colours.digest == bottoms.colours.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bottoms"]


def test_the_digest_sees_every_part(bottoms: Bottoms) -> None:
    again = bottoms.take(np.arange(len(bottoms)))
    for name in ARRAYS:
        array = getattr(again, name).copy()
        array.flat[0] = not array.flat[0]
        changed = {other: array if other == name else getattr(again, other) for other in ARRAYS}
        assert replace(again, **changed).take(np.arange(len(again))).digest != bottoms.digest
    rows = again.rows.assign(query=again.rows["query"] + " x")
    assert replace(again, rows=rows).take(np.arange(len(again))).digest != bottoms.digest


def test_a_damaged_or_missing_data_set_is_named(bottoms: Bottoms, tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="do not exist"):
        read_bottoms(tmp_path / "none")
    for name in ("arrays.safetensors", "rows.parquet", "bottoms.json"):
        folder = tmp_path / name.split(".")[0]
        write_bottoms(bottoms, folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(SelvedgeError, match="damaged"):
            read_bottoms(folder)
    write_bottoms(bottoms, tmp_path / "other")
    about = json.loads((tmp_path / "other" / "bottoms.json").read_text())
    (tmp_path / "other" / "bottoms.json").write_text(json.dumps({**about, "digest": "0" * 64}))
    with pytest.raises(SelvedgeError, match="digest"):
        read_bottoms(tmp_path / "other")
    (tmp_path / "other" / "bottoms.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(SelvedgeError, match="format 99"):
        read_bottoms(tmp_path / "other")


def test_a_full_disk_leaves_the_old_data_set(bottoms: Bottoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bottoms(bottoms, tmp_path / "bottoms")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("training.restgan.dataset.pq.write_table", full)
    with pytest.raises(SelvedgeError, match="No space left"):
        write_bottoms(bottoms.of("test"), tmp_path / "bottoms")
    monkeypatch.undo()
    assert read_bottoms(tmp_path / "bottoms").digest == bottoms.digest
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bottoms"]


def test_a_shop_of_one_colour_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SelvedgeError, match="one colour only"):
        build_bottoms(open_shop(tmp_path, 60, shades={"Black": (13, 0, -1)}), 32, minimum_products=20)


def test_the_synthetic_bottoms_are_a_data_set_too(tmp_path: Path) -> None:
    bottoms = synthetic_bottoms()
    check(bottoms)
    assert {tuple(row) for row in bottoms.of("train").labels} == {tuple(row) for row in bottoms.labels}
    assert min(len(bottoms.of(part)) for part in PARTS) >= 10
    write_bottoms(bottoms, tmp_path / "bottoms")
    assert read_bottoms(tmp_path / "bottoms").digest == bottoms.digest == synthetic_bottoms().digest


def tables_of(folder: Path, out: Path) -> Shop:
    read = read_catalogue(folder, "d1")
    copies = standardise_images(read.products, out / "copies")
    tables = {"products": read.products, "images": copies, "splits": assign_splits(read.products)}
    for name, table in tables.items():
        write_table(table, out / f"{name}.parquet", name)
    return Shop(*(read_frame(out / f"{name}.parquet") for name in tables))


@pytest.mark.slow
def test_a_drawn_catalogue_becomes_a_data_set(tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "drawn", 1200, 11, size=96)
    bottoms = build_bottoms(tables_of(tmp_path / "drawn", tmp_path), 48)
    check(bottoms)
    assert (bottoms.pictures[:, 0] == 255).all()
    assert len(bottoms.colours) >= 8 and bottoms.colours.figures["nearest"] > 0.6
    assert (bottoms.labels[:, 0] >= 0).all() and (bottoms.labels[:, 2] >= 0).all()


@pytest.mark.photographs
@pytest.mark.slow
def test_photographed_bottoms_become_a_data_set(tmp_path: Path) -> None:
    bottoms = build_bottoms(tables_of(photographs("kaggle-bottoms-60x80"), tmp_path), 32)
    check(bottoms)
    assert len(bottoms) > 1300
    assert {"black", "blue", "grey", "white", "navy blue", "beige"} <= set(bottoms.colours.words)
    assert bottoms.colours.cluster("black") != bottoms.colours.cluster("white")
    heads = [query.split()[0] for query in bottoms.rows["query"]]
    assert np.isin(heads, ["men", "women", "boys", "girls", "unisex"]).mean() > 0.99
