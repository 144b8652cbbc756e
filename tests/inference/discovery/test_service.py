"""The service: one entry a word, sentences for what cannot be read, and no file but the index's own pictures."""

import base64
import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from starlette.testclient import TestClient
from upath import UPath

import inference.tables  # noqa: F401  declares the tables `attributes` and `descriptions`
from catalog.tables import schema_of, write_table
from inference.discovery import service
from inference.discovery.index import open_index
from inference.discovery.order import in_order
from inference.discovery.products import embed_products
from inference.discovery.service import Discovery, create_app
from inference.discovery.shelf import Shelf, folder_files
from tests.inference.discovery.shop import shop_tables, tiny_model


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Model, index and tables of a small shop."""
    folder = tmp_path_factory.mktemp("shop")
    model = tiny_model(folder / "artefact")
    products, images = shop_tables(folder / "drop")
    index = open_index(folder / "indices", model)
    rows = embed_products(products, images, model.judge, model_uri=model.uri, model_digest=model.digest).rows
    index.update_drop("d1", rows)
    return model, index, products, images


@pytest.fixture
def page(shop):
    return TestClient(create_app(Discovery(shop[0], shop[1])), base_url="http://127.0.0.1")


def test_there_is_one_entry_for_each_word_read(page, shop):
    told = page.get("/api/refine", params={"q": "women's blue lovely pants", "seed": 4}).json()
    assert (told["query"], told["seed"]) == ("women's blue lovely pants", 4)
    assert [(word["text"], word["known"]) for word in told["words"]] == [
        ("women", True), ("blue", True), ("lovely", False), ("pants", True)
    ]  # fmt: skip
    drawn = shop[0].after_each_word("women blue lovely pants", 4)
    lifted = {"q": "women's blue lovely pants", "seed": 4, "lifted": "gender,colour,type"}
    told = page.get("/api/refine", params=lifted).json()
    for word, step in zip(told["words"], drawn, strict=True):
        order = in_order(shop[0], None, step, ())
        kind, _, content = word["picture"].partition(",")
        assert kind == "data:image/png;base64"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), step.picture)
        nearest = [one.product_id for one in shop[1].search(step.vector, 12, order=order)]
        assert [one["product_id"] for one in word["products"]] == nearest
        assert word["products"][0]["picture"] == f"/products/d1/{nearest[0]}.jpg"


def test_thirty_two_at_once_get_the_answer_that_one_alone_gets(shop):
    app = create_app(Discovery(shop[0], shop[1]))
    queries = [{"q": f"{word} pants", "seed": seed} for word in ("women blue", "men") for seed in (1, 2)]

    def told(query):
        response = TestClient(app, base_url="http://127.0.0.1").get("/api/refine", params=query)
        return response.status_code, response.json()

    alone = [told(query) for query in queries]
    with ThreadPoolExecutor(32) as clients:
        together = list(clients.map(told, queries * 8))
    assert together == alone * 8 and {status for status, _ in alone} == {200}


def test_a_product_is_told_with_its_facts_and_its_picture(page, shop):
    one = shop[2].iloc[0]
    told = page.get(f"/api/product/d1/{one['product_id']}").json()
    assert told["name"] == one["product_display_name"] and told["colour"] == one["base_colour"]
    assert {"drop", "product_id", "type", "article_type", "gender", "brand"} <= told.keys()
    sent = page.get(told["picture"])
    assert sent.content == Path(shop[3]["uri"].iloc[0]).read_bytes()
    assert sent.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    "address",
    [
        "/products/d1/999.jpg",
        "/products/d9/1001.jpg",
        "/products/d1/99999999999999999999999.jpg",
        "/products/..%2f..%2f/1001.jpg",
        "/products/d1' OR '1'='1/1001.jpg",
        "/api/product/d1/999",
    ],
)
def test_what_the_index_does_not_hold_is_not_there(page, address):
    answer = page.get(address)
    assert answer.status_code == 404 and set(answer.json()) == {"error"}


@pytest.mark.parametrize("address", ["/products/d1/..%2f1001.jpg", "/products/d1/1001.png", "/etc/passwd", "/docs"])
def test_no_other_address_answers(page, address):
    assert page.get(address).status_code in (404, 422)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "the query is empty"),
        ("<script>alert(1)</script>", "holds markup"),
        ("黑色 裤子", "not Latin"),
        ("pants " * 500, "the query has 500 words"),
        ("lovely", "none of the words"),
    ],
)
def test_a_query_that_cannot_be_read_is_one_sentence(page, query, sentence):
    answer = page.get("/api/refine", params={"q": query})
    assert answer.status_code == 422 and sentence in answer.json()["error"]


@pytest.mark.parametrize("seed", ["-1", "x", str(2**31)])
def test_a_seed_out_of_range_is_refused(page, seed):
    answer = page.get("/api/refine", params={"q": "women", "seed": seed})
    assert answer.status_code == 422 and answer.json() == {"error": "seed is not a value this page asks for."}


def test_a_picture_that_changed_or_is_too_large_is_not_sent(shop, page, tmp_path, monkeypatch):
    uri, sha256 = shop[3]["uri"].iloc[0], shop[3]["sha256"].iloc[0]
    changed = tmp_path / "1.jpg"
    changed.write_bytes(b"another picture")
    with pytest.raises(service.SelvedgeError, match=r"1\.jpg changed since"):
        service.read_bounded(str(changed), sha256)
    with pytest.raises(service.SelvedgeError, match=r"gone\.jpg is missing"):
        service.read_bounded(str(tmp_path / "gone.jpg"), sha256)
    monkeypatch.setattr(service, "LARGEST_PICTURE", 10)
    with pytest.raises(service.SelvedgeError, match="changed since"):
        service.read_bounded(uri, sha256)
    answer = page.get(f"/products/d1/{shop[2]['product_id'].iloc[0]}.jpg")
    assert answer.status_code == 422 and "changed since" in answer.json()["error"]


@pytest.mark.parametrize("address", ["/", "/page.css", "/page.js", "/api/about", "/api/refine?q=", "/nothing"])
def test_every_answer_forbids_what_is_not_its_own(page, address):
    answer = page.get(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_asks_for_nothing_from_elsewhere(page):
    for address in ("/", "/page.css", "/page.js", "/parts.js", "/trace", "/trace.js"):
        assert "http" not in page.get(address).text and "innerHTML" not in page.get(address).text


def test_another_name_for_this_machine_is_refused(shop):
    stranger = TestClient(create_app(Discovery(shop[0], shop[1])), base_url="http://shop.example")
    assert stranger.get("/api/about").status_code == 400


def test_a_drop_indexed_while_the_page_runs_is_found(shop, page, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.discovery.index.FRESH_SECONDS", 0)
    model, index, products, images = shop
    watching = TestClient(create_app(Discovery(model, open_index(index.root, model))), base_url="http://127.0.0.1")
    before = watching.get("/api/about").json()["products"]
    rows = embed_products(
        products.assign(drop="d2"),
        images.assign(drop="d2"),
        model.judge,
        model_uri=model.uri,
        model_digest=model.digest,
    ).rows
    index.update_drop("d2", rows)
    assert watching.get("/api/about").json()["products"] == before + len(products)
    told = watching.get("/api/refine", params={"q": "women blue"}).json()["about"]
    assert (told["products"], told["drops"]) == (before + len(products), ["d1", "d2"])
    index.update_drop("d2", rows.slice(0, 0))


@pytest.fixture
def whole(shop, tmp_path):
    """The page with its shelf and a trace; one dress stands beside the bottoms."""
    model, index, products, images = shop
    dress = products.iloc[[0]].assign(
        product_id=77, article_type="Dresses", product_display_name="Corvanne Women Red Dress", base_colour="Red"
    )
    for name, rows in (("products", pd.concat([products, dress])), ("images", images)):
        missing = {column: None for column in schema_of(name).names if column not in rows}
        write_table(rows.assign(**missing), tmp_path / f"{name}.parquet", name)
    number, stamp = int(products["product_id"].iloc[0]), {"model_uri": "m", "model_digest": "d", "input_hash": "h"}
    answers = [
        {
            "drop": "d1",
            "product_id": number,
            "attribute": name,
            "value": value,
            "confidence": sure,
            "abstained": sure < 0.5,
        }
        for name, value, sure in (("pattern", "paisley", 0.75), ("fit", "slim", 0.25))
    ]
    write_table(pd.DataFrame([one | stamp for one in answers]), tmp_path / "attributes.parquet", "attributes")
    text = {"drop": "d1", "product_id": number, "text": "A striped pair.", "writer": "grammar", "checks": "{}"}
    text |= {"attempt": 1, "model_version": "m", "prompt_version": "p", "input_hash": "h"}
    write_table(pd.DataFrame([text]), tmp_path / "descriptions.parquet", "descriptions")
    hop = {"hop": "sentence", "value": "A striped pair.", "link": "javascript:x", "state": "checked", "note": ""}

    def trace(product, drop):
        return {
            "product_id": product,
            "drop": drop,
            "name": "Pair",
            "hops": [hop, hop | {"link": "http://127.0.0.1/x"}],
        }

    shelf = Shelf(folder_files("d1", UPath(tmp_path), UPath(tmp_path)))
    return TestClient(create_app(Discovery(model, index, shelf, trace)), base_url="http://127.0.0.1"), number


def test_a_page_over_a_folder_that_was_moved_shows_its_pictures(shop, tmp_path):
    model, _, products, images = shop
    folder = tmp_path / "home"
    (folder / "images").mkdir(parents=True)
    copies = [str(folder / "images" / Path(uri).name) for uri in images["uri"]]
    for old, new in zip(images["uri"], copies, strict=True):
        shutil.copy(old, new)
    images = images.assign(uri=copies)
    for name, rows in (("products", products), ("images", images)):
        missing = {column: None for column in schema_of(name).names if column not in rows}
        write_table(rows.assign(**missing), folder / f"{name}.parquet", name)
    rows = embed_products(products, images, model.judge, model_uri=model.uri, model_digest=model.digest).rows
    open_index(folder / "discovery", model).update_drop("d1", rows)
    moved, number = folder.rename(tmp_path / "moved"), int(products["product_id"].iloc[0])
    index, shelf = open_index(moved / "discovery", model), Shelf(folder_files("d1", UPath(moved), UPath(moved)))
    assert index.product("d1", number).uri == shelf.product("d1", number).uri == str(moved / "images" / f"{number}.png")
    page = TestClient(create_app(Discovery(model, index, shelf)), base_url="http://127.0.0.1")
    assert page.get(f"/products/d1/{number}.jpg").status_code == 200


def test_a_garment_that_is_not_drawn_is_told_and_found_by_its_name(whole):
    told = whole[0].get("/api/refine", params={"q": "red dress"}).json()
    assert told["reading"]["not_drawn"] == ["dress"] and told["reading"]["draws"] == "pants, jeans and shorts"
    assert [(one["product_id"], one["picture"]) for one in told["catalogue"]["products"]] == [(77, "")]
    refused = whole[0].get("/api/refine", params={"q": "dresses"})
    assert refused.status_code == 422 and refused.json()["catalogue"]["total"] == 1
    assert whole[0].get("/api/product/d1/77").json()["name"] == "Corvanne Women Red Dress"
    assert whole[0].get("/products/d1/77.jpg").status_code == 404
    told = whole[0].get("/api/refine", params={"q": "women not a red dress"}).json()
    assert 77 not in [one["product_id"] for one in told["catalogue"]["products"]]


def test_products_with_a_word_of_the_line_come_first_where_the_picture_cannot_tell(whole):
    page, number = whole

    def first(query, lifted="gender,colour,type"):
        words = page.get("/api/refine", params={"q": query, "lifted": lifted}).json()["words"]
        return [product["product_id"] for product in words[-1]["products"]]

    assert first("pants paisley")[0] == number, "the only product of which that pattern is published"
    assert sorted(first("pants paisley")) == sorted(first("pants")), "it is an order, no filter"
    assert first("pants slim") == first("pants zebra"), "what the model was not sure of is not said of the product"


def test_a_misspelt_word_hides_no_product_of_the_others(whole):
    def listed(query):
        return whole[0].get("/api/refine", params={"q": query}).json()["catalogue"]

    assert [product["product_id"] for product in listed("red dress trakc")["products"]] == [77]
    assert listed("red dress trakc") == listed("red dress")
    assert listed("trakc")["total"] == 0


def test_typing_errors_are_suggested_and_what_is_left_out_is_told(whole):
    reading = whole[0].get("/api/refine", params={"q": "womne blakc pants under $50, not striped"}).json()["reading"]
    assert reading["unknown"] == [
        {"word": "womne", "suggestion": "women"}, {"word": "blakc", "suggestion": "black"}
    ]  # fmt: skip
    assert [part["phrase"] for part in reading["left_out"]] == ["under $50", "not striped"]


def test_what_the_words_name_holds_until_it_is_lifted(whole, shop):
    told = whole[0].get("/api/refine", params={"q": "women blue pants"}).json()
    assert [one["column"] for one in told["filters"]] == ["type", "colour", "gender"]
    last = told["words"][-1]["products"]
    assert last and {(one["gender"], one["colour"], one["type"]) for one in last} <= {
        (gender, colour, "pants") for gender in ("Women", "Unisex") for colour in ("Blue", "Navy Blue")
    }
    assert {one["gender"] for one in told["words"][0]["products"]} <= {"Women", "Unisex"}
    freed = whole[0].get("/api/refine", params={"q": "women blue pants", "lifted": "gender,colour"}).json()
    assert len(freed["words"][-1]["products"]) > len(last)
    assert [one["lifted"] for one in freed["filters"]] == [False, True, True]


def test_a_product_is_told_with_its_published_words_and_its_trace(whole):
    page, number = whole
    told = page.get(f"/api/product/d1/{number}").json()
    assert told["description"] == "A striped pair." and told["traced"]
    assert [(one["name"], one["value"]) for one in told["attributes"]] == [("fit", ""), ("pattern", "paisley")]
    chain = page.get("/api/trace", params={"product": number}).json()
    assert chain["drop"] == "d1" and [hop["link"] for hop in chain["hops"]] == ["", "http://127.0.0.1/x"]
    assert page.get("/trace").status_code == 200
    listed = page.get("/api/refine", params={"q": "paisley"}).json()["catalogue"]
    assert [one["product_id"] for one in listed["products"]] == [number]  # by its attribute


def test_without_a_home_the_trace_says_where_to_look(page):
    answer = page.get("/api/trace", params={"product": 1001})
    assert answer.status_code == 422 and "run `selvedge trace 1001` there" in answer.json()["error"]
