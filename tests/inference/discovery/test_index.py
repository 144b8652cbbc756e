"""The index: a drop is replaced whole or not at all, and another model's vectors are never searched."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from inference.discovery.index import ProductIndex, open_index
from inference.discovery.products import embed_products, find_bottoms
from tests.inference.discovery.shop import changed_picture, random_judge, shop_tables, tiny_model

JUDGE = random_judge()


def embedded(products, images, judge=JUDGE, previous=None, uri="models:/restgan/1"):
    return embed_products(products, images, judge, model_uri=uri, model_digest="d" * 64, previous=previous)


def index_of(place, judge=JUDGE, uri="models:/restgan/1") -> ProductIndex:
    return ProductIndex(place, judge.digest, judge.network.head.in_features, uri)


def ids(index: ProductIndex, drop: str) -> list[int]:
    return index.rows(drop)["product_id"].to_pylist()


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return shop_tables(tmp_path_factory.mktemp("shop"))


def test_the_nearest_product_of_a_products_own_picture_is_that_product(tmp_path, shop):
    index, rows = index_of(tmp_path / "indices"), embedded(*shop).rows
    index.update_drop("d1", rows)
    vectors = np.stack(rows["vector"].to_pylist()).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for row, vector in enumerate(vectors):
        found = index.search(vector, k=12)
        distances = 1 - unit @ unit[row]
        assert [one.distance for one in found] == pytest.approx(np.sort(distances), abs=1e-5)
        assert found[0].product_id == rows["product_id"][row].as_py() and found[0].distance == pytest.approx(
            0, abs=1e-5
        )
    first = found[0]
    assert first.facts["type"] in ("pants", "jeans", "shorts") and first.facts["brand"] and first.drop == "d1"
    assert first.model_uri == "models:/restgan/1"


def test_the_nearest_are_put_in_the_order_that_is_asked_for(tmp_path, shop):
    index, rows = index_of(tmp_path / "indices"), embedded(*shop).rows
    index.update_drop("d1", rows)
    index.update_drop("d2", embedded(shop[0].assign(drop="d2"), shop[1].assign(drop="d2")).rows)
    vectors = np.stack(rows["vector"].to_pylist()).astype(np.float32)
    by_number = index.search(vectors[0], 5, order=lambda vectors, _ids: vectors[:, 0])
    first = np.argsort(-vectors[:, 0])[:5]
    assert [one.product_id for one in by_number] == [rows["product_id"][int(row)].as_py() for row in first]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert [one.distance for one in by_number] == pytest.approx(1 - unit[first] @ unit[0], abs=1e-5)


def test_a_filter_leaves_only_what_it_names(tmp_path, shop):
    index, rows = index_of(tmp_path / "indices"), embedded(*shop).rows
    index.update_drop("d1", rows)
    vector = np.array(rows["vector"][0].as_py(), np.float32)
    found = index.search(vector, 12, {"type": ["jeans", "shorts"], "gender": "Men"})
    wanted = [row for row in rows.to_pylist() if row["type"] in ("jeans", "shorts") and row["gender"] == "Men"]
    assert sorted(one.product_id for one in found) == sorted(row["product_id"] for row in wanted)
    assert index.search(vector, 12, {"brand": "O'Neill' OR 1=1 --"}) == []
    with pytest.raises(SelvedgeError, match="cannot be filtered by 'price'"):
        index.search(vector, 12, {"price": "1"})


def test_a_drop_is_replaced_and_the_others_stay(tmp_path, shop):
    products, images = shop
    index = index_of(tmp_path / "indices")
    index.update_drop("d1", embedded(products, images).rows)
    other = (products.assign(drop="it's d2"), images.assign(drop="it's d2"))
    index.update_drop("it's d2", embedded(*other).rows)
    again = index.update_drop("d1", embedded(products, images).rows)
    assert again == index.update_drop("d1", embedded(products, images).rows)
    assert ids(index, "d1") == sorted(products["product_id"]) and len(index) == 2 * len(products)
    kept = products.iloc[3:].reset_index(drop=True)
    index.update_drop("d1", embedded(kept, images).rows)
    assert ids(index, "d1") == sorted(kept["product_id"])
    assert ids(index, "it's d2") == sorted(products["product_id"])
    assert index.product("d1", int(products["product_id"].iloc[0])) is None
    assert index.drops() == ["d1", "it's d2"]
    # A product of both drops is found once.
    found = index.search(np.array(index.rows("d1")["vector"][0].as_py(), np.float32), k=50)
    assert len({one.product_id for one in found}) == len(found) == len(products)


def test_only_what_changed_is_computed_again(tmp_path, shop):
    products, images = shop
    index = index_of(tmp_path / "indices")
    first = embedded(products, images, previous=index.rows("d1"))
    assert (first.computed, first.kept) == (len(products), 0)
    index.update_drop("d1", first.rows)
    again = embedded(products, images, previous=index.rows("d1"), uri="models:/restgan/2")
    assert (again.computed, again.kept) == (0, len(products))
    assert again.rows["vector"].equals(first.rows["vector"])
    assert set(again.rows["model_uri"].to_pylist()) == {"models:/restgan/2"}
    changed = embedded(products, changed_picture(images, 0, 5), previous=index.rows("d1"))
    assert (changed.computed, changed.kept) == (1, len(products) - 1)


def test_a_drop_without_bottoms_is_empty_and_no_error(tmp_path, shop):
    products, images = shop
    shirts = products.assign(article_type="Shirts")
    assert find_bottoms(shirts, images).empty and find_bottoms(products, images.iloc[:0]).empty
    index = index_of(tmp_path / "indices")
    index.update_drop("d1", embedded(products, images).rows)
    none = embedded(shirts, images)
    assert (none.rows.num_rows, none.computed, none.kept) == (0, 0, 0)
    index.update_drop("d1", none.rows)
    assert len(index) == 0 and ids(index, "d1") == []


def test_one_bottom_is_enough_for_a_drop(shop):
    products, images = shop
    assert embedded(products.iloc[:1], images).rows.num_rows == 1


def test_another_judges_index_is_refused_in_one_sentence(tmp_path, shop):
    place = tmp_path / "indices"
    index_of(place).update_drop("d1", embedded(*shop).rows)
    model = tiny_model(tmp_path / "model", seed=2, judge_seed=1)
    stranger = open_index(place, model)
    with pytest.raises(
        SelvedgeError, match=r"made for models:/restgan/1, whose judge is not that of models:/restgan/2"
    ):
        stranger.search(model.after_each_word("women")[0].vector)
    # The first drop of the new judge begins a table of its own, and the old one is still there for a rollback.
    stranger.update_drop("d1", embedded(*shop, judge=model.judge, uri=model.uri).rows)
    assert stranger.search(model.after_each_word("women")[0].vector, 1)[0].model_uri == "models:/restgan/2"
    assert len(index_of(place)) == len(shop[0])


def test_a_table_under_another_judges_name_is_refused(tmp_path, shop):
    place = tmp_path / "indices"
    own, other = index_of(place), index_of(place, random_judge(1))
    own.update_drop("d1", embedded(*shop).rows)
    Path(own.uri).rename(other.uri)
    with pytest.raises(
        SelvedgeError, match=r"is damaged .it does not name the judge that it was made with.; delete it"
    ):
        other.require()


def test_no_index_and_a_damaged_one_are_said_plainly(tmp_path, shop):
    place = tmp_path / "indices"
    with pytest.raises(SelvedgeError, match=r"no product is indexed in .*; materialise inference/discovery_index"):
        index_of(place).require()
    assert not place.exists()  # asking makes nothing
    index = index_of(place)
    index.update_drop("d1", embedded(*shop).rows)
    for file in (Path(index.uri) / "_versions").iterdir():
        file.write_bytes(b"no manifest")
    with pytest.raises(SelvedgeError, match="is damaged"):
        index_of(place).require()


def test_a_changed_index_is_refused_or_gives_the_same_rows(tmp_path, shop):
    place = tmp_path / "indices"
    index, rows = index_of(place), embedded(*shop).rows
    index.update_drop("d1", rows)
    whole = index.rows("d1")
    files = [file for file in Path(index.uri).rglob("*") if file.is_file()]
    rng, refused = random.Random(1), 0
    for _ in range(24):
        file = rng.choice(files)
        kept = file.read_bytes()
        changed = bytearray(kept)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        file.write_bytes(changed)
        try:
            assert index_of(place).rows("d1") == whole
        except SelvedgeError as refusal:
            assert "damaged" in str(refusal) or "format" in str(refusal) or "indexed" in str(refusal)
            refused += 1
        file.write_bytes(kept)
    assert refused
    assert index_of(place).rows("d1") == whole


def test_rows_of_another_index_in_its_place_are_refused_and_an_older_one_opens(tmp_path, shop):
    products, images = shop
    index, other = index_of(tmp_path / "indices"), index_of(tmp_path / "others")
    index.update_drop("d1", embedded(products, images).rows)
    other.update_drop("d1", embedded(products.iloc[:7], images).rows)
    shutil.rmtree(index.uri)
    shutil.copytree(other.uri, index.uri)
    for ask in (lambda opened: opened.require(), lambda opened: opened.rows("d1"), lambda opened: opened.drops()):
        with pytest.raises(SelvedgeError, match=r"is damaged .its rows are not those that were written.; delete it"):
            ask(index_of(tmp_path / "indices"))
    shutil.rmtree(tmp_path / "indices" / f"{index.name}.stamps")  # as older versions left it
    older = index_of(tmp_path / "indices")
    assert len(older.rows("d1")) == 7
    older.update_drop("d1", embedded(products, images).rows)
    assert len(index_of(tmp_path / "indices").rows("d1")) == len(products)


def test_rows_of_another_drop_or_judge_are_refused(tmp_path, shop):
    rows = embedded(*shop).rows
    index = index_of(tmp_path / "indices")
    with pytest.raises(SelvedgeError, match="not those of drop 'd2'"):
        index.update_drop("d2", rows)
    with pytest.raises(SelvedgeError, match="for this judge"):
        index.update_drop("d1", rows.drop_columns(["brand"]))
    assert not (tmp_path / "indices").exists()


def test_a_missing_picture_stops_before_anything_is_written(tmp_path, shop):
    products, images = shop
    gone = images.copy()
    gone.loc[2, "uri"] = str(tmp_path / "gone.jpg")
    with pytest.raises(SelvedgeError, match=r"gone\.jpg is missing"):
        embedded(products, gone)


ENDLESS = """
import sys
from tests.inference.discovery.test_index import embedded, index_of
from tests.inference.discovery.shop import shop_tables
from pathlib import Path
shop = shop_tables(Path(sys.argv[1]))
whole, half = embedded(*shop).rows, embedded(shop[0].iloc[:6], shop[1]).rows
index = index_of(sys.argv[2])
while True:
    index.update_drop("d1", half)
    index.update_drop("d1", whole)
    print("round", flush=True)
"""


@pytest.mark.slow
def test_a_kill_leaves_the_old_drop_or_the_new_one(tmp_path, shop):
    place = tmp_path / "indices"
    index_of(place).update_drop("d1", embedded(*shop).rows)
    whole = sorted(shop[0]["product_id"])
    rng = random.Random(3)
    seen = set()
    for _ in range(4):
        command = [sys.executable, "-c", ENDLESS, str(tmp_path / "shop"), str(place)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        assert process.stdout is not None and process.stdout.readline() == "round\n"
        time.sleep(rng.uniform(0.0, 0.08))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = ids(index_of(place), "d1")
        assert left in (whole, whole[:6])
        seen.add(len(left))
        index_of(place).update_drop("d1", embedded(*shop).rows)
        assert ids(index_of(place), "d1") == whole
    assert seen <= {6, len(whole)}


def test_a_commit_that_fails_changes_nothing(tmp_path, shop, monkeypatch):
    from lancedb.merge import LanceMergeInsertBuilder

    index = index_of(tmp_path / "indices")
    index.update_drop("d1", embedded(*shop).rows)

    def full(self, rows):
        raise OSError("lance error: No space left on device\nat some line of Rust")

    monkeypatch.setattr(LanceMergeInsertBuilder, "execute", full)
    with pytest.raises(
        SelvedgeError, match=r"could not be written \(lance error: No space left on device\)\. Free some"
    ):
        index.update_drop("d1", embedded(shop[0].iloc[:2], shop[1]).rows)
    assert ids(index_of(tmp_path / "indices"), "d1") == sorted(shop[0]["product_id"])
