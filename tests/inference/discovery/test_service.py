"""The service: one entry a word, sentences for what cannot be read, and no file but the index's own pictures."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inference.discovery import service
from inference.discovery.index import open_index
from inference.discovery.products import embed_products
from inference.discovery.service import create_app
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
    return TestClient(create_app(shop[0], shop[1]), base_url="http://127.0.0.1")


def test_there_is_one_entry_for_each_word_read(page, shop):
    told = page.get("/api/refine", params={"q": "women's blue lovely pants", "seed": 4}).json()
    assert (told["query"], told["seed"]) == ("women's blue lovely pants", 4)
    assert [(word["text"], word["known"]) for word in told["words"]] == [
        ("women", True), ("blue", True), ("lovely", False), ("pants", True)
    ]  # fmt: skip
    drawn = shop[0].after_each_word("women blue lovely pants", 4)
    for word, step in zip(told["words"], drawn, strict=True):
        kind, _, content = word["picture"].partition(",")
        assert kind == "data:image/png;base64"
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))), step.picture)
        nearest = [one.product_id for one in shop[1].search(step.vector, 12)]
        assert [one["product_id"] for one in word["products"]] == nearest
        assert word["products"][0]["picture"] == f"/products/d1/{nearest[0]}.jpg"


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
    for address in ("/", "/page.css", "/page.js"):
        assert "http" not in page.get(address).text and "innerHTML" not in page.get(address).text


def test_another_name_for_this_machine_is_refused(shop):
    stranger = TestClient(create_app(shop[0], shop[1]), base_url="http://shop.example")
    assert stranger.get("/api/about").status_code == 400


def test_a_drop_indexed_while_the_page_runs_is_found(shop, page, tmp_path, monkeypatch):
    monkeypatch.setattr("inference.discovery.index.FRESH_SECONDS", 0)
    model, index, products, images = shop
    watching = TestClient(create_app(model, open_index(index.root, model)), base_url="http://127.0.0.1")
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
    index.update_drop("d2", rows.slice(0, 0))
