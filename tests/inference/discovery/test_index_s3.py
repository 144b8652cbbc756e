"""The index in a bucket: the same code against a real S3 endpoint on loopback."""

from urllib.request import Request, urlopen

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from catalog.errors import SelvedgeError
from inference.discovery.index import ProductIndex
from inference.discovery.products import embed_products
from tests.inference.discovery.shop import random_judge, shop_tables
from tests.ports import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture
def bucket(monkeypatch):
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {"AWS_ENDPOINT_URL": endpoint, **account}.items():
        monkeypatch.setenv(name, value)
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST"))  # moto remembers earlier servers of this process
    boto3.client("s3").create_bucket(Bucket="shop")
    yield "s3://shop/objects/discovery"
    server.stop()


def test_a_bucket_holds_an_index_like_a_folder(bucket, tmp_path):
    judge, (products, images) = random_judge(), shop_tables(tmp_path)
    stamps = {"model_uri": "models:/restgan/1", "model_digest": "d" * 64}
    rows = embed_products(products, images, judge, **stamps).rows

    def opened() -> ProductIndex:
        return ProductIndex(bucket, judge.digest, judge.network.head.in_features, "models:/restgan/1")

    with pytest.raises(SelvedgeError, match="no product is indexed in s3://shop"):
        opened().require()
    assert opened().update_drop("d1", rows) == opened().update_drop("d1", rows)
    found = opened().search(np.array(rows["vector"][3].as_py(), np.float32), k=3)
    assert found[0].product_id == rows["product_id"][3].as_py() and len(opened()) == len(products)
    opened().update_drop("d1", rows.slice(0, 2))
    assert opened().rows("d1")["product_id"].to_pylist() == rows["product_id"].to_pylist()[:2]
