"""The same catalogue in a bucket: the same tables, by the same code, against a real S3 endpoint on loopback."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer
from upath import UPath

from benchmarks.operations.flaky_front import FlakyFront, Rates
from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.images import standardise_images
from catalog.reading import read_catalogue
from catalog.workspace import open_catalogue, read_into
from tests.catalog.shops import product_json, shop
from tests.ports import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket named `shop`; yields the endpoint's address."""
    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{port}"
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    forget_connections()
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST"))  # moto remembers earlier servers of this process
    boto3.client("s3").create_bucket(Bucket="shop")
    yield endpoint
    server.stop()
    forget_connections()


def forget_connections() -> None:
    """fsspec keeps file systems by their arguments, and ours have none: the endpoint comes from the environment."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()


def upload(folder: Path, prefix: str) -> str:
    client = boto3.client("s3")
    for file in folder.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), "shop", f"{prefix}/{file.relative_to(folder)}")
    return f"s3://shop/{prefix}"


def test_a_bucket_reads_like_a_folder(bucket: str, tmp_path: Path) -> None:
    built = shop(100)
    built.images["7.jpg"] = b"junk"
    del built.images["8.jpg"]
    built.links = {"9.jpg": "undefined"}
    built.styles = {"10.json": product_json(10, brandName="Maker"), "11.json": b"{"}
    folder = built.write(tmp_path / "shop")
    here, there = read_catalogue(folder, "d1"), read_catalogue(upload(folder, "drop"), "d1", workers=2)
    assert there.quarantine.column("reason").to_pylist() == here.quarantine.column("reason").to_pylist()
    assert there.products.drop_columns("image_uri").equals(here.products.drop_columns("image_uri"))
    assert there.products.column("image_uri").to_pylist()[0] == "s3://shop/drop/images/1.jpg"
    copies = standardise_images(there.products, UPath("s3://shop/copies"), workers=2)
    local = standardise_images(here.products, tmp_path / "copies")
    assert copies.column("sha256").to_pylist() == local.column("sha256").to_pylist()
    assert (
        UPath(copies.column("uri").to_pylist()[0]).read_bytes() == Path(local.column("uri").to_pylist()[0]).read_bytes()
    )


def test_a_store_that_fails_is_read_like_one_that_does_not(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shop(12).write(tmp_path / "shop")
    source = upload(folder, "drop")
    here = read_catalogue(folder, "d1")
    with FlakyFront(bucket, Rates(refused=0.05, silent=0.0, truncated=0.3)).running() as front:
        monkeypatch.setenv("AWS_ENDPOINT_URL", front.url)
        forget_connections()
        there = read_catalogue(source, "d1", workers=1)
        copies = standardise_images(there.products, UPath("s3://shop/copies"), workers=1)
    assert {"refused", "cut", "shortened"} <= set(front.faults), front.faults
    assert front.repeated == sum(front.faults.values())
    assert there.products.drop_columns("image_uri").equals(here.products.drop_columns("image_uri"))
    local = standardise_images(here.products, tmp_path / "copies")
    assert copies.column("sha256").to_pylist() == local.column("sha256").to_pylist()


def test_what_was_delivered_since_the_last_look_is_seen(bucket: str, tmp_path: Path) -> None:
    built = shop(3)
    del built.images["2.jpg"]
    source = upload(built.write(tmp_path / "first"), "drop")
    assert read_catalogue(source, "d1").counts["quarantine"] == {"missing_image": 1}
    upload(shop(4).write(tmp_path / "second"), "drop")
    assert read_catalogue(source, "d1").counts["products"] == 4


def test_a_catalogue_directory_may_lie_in_a_bucket(bucket: str, tmp_path: Path) -> None:
    source = upload(shop(25).write(tmp_path / "shop"), "drop")
    summary = read_into(source, "d1", "s3://shop/read")
    opened = open_catalogue("s3://shop/read")
    assert opened.summary == summary
    assert opened.images.num_rows == 25


def test_what_is_wrong_with_a_bucket_is_one_sentence(bucket: str) -> None:
    with pytest.raises(SelvedgeError, match=r"styles\.csv does not exist"):
        read_catalogue("s3://shop/nothing", "d1")
    with pytest.raises(SelvedgeError) as caught:
        read_catalogue("s3://no-such-bucket/drop", "d1")
    assert "no-such-bucket" in str(caught.value)


def test_an_endpoint_that_is_down_is_worth_a_retry(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")  # or half a minute of waits
    forget_connections()
    with pytest.raises(ServiceUnavailable, match="did not answer"):
        read_catalogue("s3://shop/drop", "d1")
