"""The store: pictures with their recipes, rows, refusals, what a killed run left."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images import store as module
from inference.ad_images.ad_rows import SqlAdMetadata
from inference.ad_images.compositing import compose
from inference.ad_images.finding import Change, Finding, Strictness
from inference.ad_images.plan import Support
from inference.ad_images.provenance import VOCABULARY, Form, read_source_type
from inference.ad_images.recipes import read_recipe
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.result import AdResult, Attempt, Judged
from inference.ad_images.store import AdStore, recipe_key
from tests.inference.ad_images.drawn_products import block, brief_of, placed_on, scene_of

CONTEXT = {"brand": "b" * 64, "ranker": "untrained"}
SIZE = (256, 256)


class Painter:
    """A backdrop of one colour."""

    paints_shadows = True

    def __init__(self, name: str = "studio", version: str = "1") -> None:
        self.name, self.version = name, version

    def check(self, size, theme):
        pass

    def paint(self, scenes, placed):
        return [
            np.full((*each.alpha.shape, 3), scene.seed % 256, np.uint8)
            for scene, each in zip(scenes, placed, strict=True)
        ]


def result_of(colour: tuple[int, int, int] = (200, 40, 90), request_id: str = "r1") -> AdResult:
    """Three plans, of which the last two are shown."""
    cutout = block(30, 40, colour)
    brief = brief_of(Support.STANDS)
    brief = replace(brief, request=replace(brief.request, request_id=request_id))
    placed = placed_on(SIZE, cutout)
    finding = Finding("halo", True, Strictness.STRICT, 1.25, 3.0, "ΔE2000", "the rim is even", (Change.LIGHT,))
    judged = []
    for seed in (30, 90, 150):
        scene = scene_of(SIZE, seed)
        (background,) = Painter().paint([scene], [placed])
        picture = compose(background, background, placed, scene, None)
        judged.append(Judged(picture, (finding,), score=seed / 7, relaxed=("palette",)))
    attempts = [Attempt(judged[:1]), Attempt(judged, "another scene")]
    return AdResult(brief, cutout, "A red bag on paper.", attempts, (2, 1), asset="")


def key_of(result: AdResult) -> str:
    return recipe_key(result.brief.request, CONTEXT)


@pytest.fixture
def rows(tmp_path: Path) -> SqlAdMetadata:
    return SqlAdMetadata(f"sqlite:///{tmp_path / 'ads.db'}")


@pytest.fixture
def ads(tmp_path: Path, rows: SqlAdMetadata) -> AdStore:
    return AdStore(tmp_path / "ads", rows)


def files_in(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_pictures_are_stored_with_their_recipes(ads, tmp_path):
    result = result_of()
    row = ads.keep(result, key_of(result), Painter(), CONTEXT)
    assert [each.rank for each in row.pictures] == [1, 2] and row.theme == "studio_sweep"
    for each, judged in zip(row.pictures, result.pictures, strict=True):
        stored = np.asarray(Image.open(each.uri))
        assert (stored == judged.picture.pixels).all()
        recipe = read_recipe(each.recipe_uri)
        assert recipe.plan == judged.picture.placed.plan and recipe.scene == judged.picture.scene
        assert recipe.findings == tuple(judged.findings) and recipe.score == judged.score
        assert recipe.cutout.digest == result.cutout.digest and recipe.caption == result.caption
        assert recipe.changed == ("another scene",) and recipe.attempt == 1 and recipe.context == CONTEXT
        assert recipe.brief_with(b"photo") == result.brief
        recipe.require_same(stored, "1")
        assert b"photo" not in Path(each.recipe_uri).read_bytes().replace(b'"photo"', b"").replace(b"photo_sha", b"")
    assert set(files_in(tmp_path / "ads")) == {
        f"r1/{key_of(result)[:16]}/{name}" for name in ("1.png", "1.json", "2.png", "2.json")
    }


def test_what_is_stored_is_not_made_again(ads, tmp_path):
    result = result_of()
    key = key_of(result)
    assert ads.stored("r1", key) is None
    first = ads.keep(result, key, Painter(), CONTEXT)
    before = files_in(tmp_path / "ads")
    assert ads.stored("r1", key) == first == ads.keep(result, key, Painter(), CONTEXT)
    assert files_in(tmp_path / "ads") == before
    Path(first.pictures[1].uri).unlink()
    assert ads.stored("r1", key) is None, "somebody removed a file"
    assert ads.keep(result, key, Painter(), CONTEXT) == first and files_in(tmp_path / "ads") == before


def test_a_killed_run_is_finished_by_the_next(ads, tmp_path, monkeypatch):
    result = result_of()
    key = key_of(result)
    publish, written = module.publish_bytes, []

    def killed(content, uri, **options):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(uri)
        publish(content, uri, **options)

    monkeypatch.setattr(module, "publish_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        ads.keep(result, key, Painter(), CONTEXT)
    assert ads.stored("r1", key) is None
    monkeypatch.setattr(module, "publish_bytes", publish)
    row = ads.keep(result, key, Painter(), CONTEXT)
    assert ads.stored("r1", key) == row and len(files_in(tmp_path / "ads")) == 4


def test_the_key_follows_everything_that_decides():
    request = result_of().brief.request
    keys = [
        recipe_key(request, CONTEXT),
        recipe_key(replace(request, photo=b"another"), CONTEXT),
        recipe_key(replace(request, seed=6), CONTEXT),
        recipe_key(replace(request, prompt="in snow"), CONTEXT),
        recipe_key(request, {**CONTEXT, "brand": "c" * 64}),
    ]
    assert len(set(keys)) == len(keys) and keys[0] == recipe_key(request, dict(reversed(CONTEXT.items())))


def test_other_pictures_under_the_same_key_are_not_stored(ads, tmp_path):
    result = result_of()
    ads.keep(result, key_of(result), Painter(), CONTEXT)
    before = files_in(tmp_path / "ads")
    with pytest.raises(SelvedgeError, match="holds other pictures of r1"):
        ads.keep(result_of((10, 200, 90)), key_of(result), Painter(), CONTEXT)
    assert files_in(tmp_path / "ads") == before


def test_only_the_refusal_is_stored(ads, rows, tmp_path):
    request = result_of().brief.request
    refusal = AdRefused(RefusalCode.NO_PRODUCT, "the photograph shows no product; take another.")
    row = ads.refuse(request, "k" * 64, refusal)
    assert (row.status, row.code, row.sentence, row.pictures) == ("refused", "no_product", str(refusal), ())
    assert ads.stored("r1", "k" * 64) is None and not (tmp_path / "ads").exists()
    assert rows.of_request("r1") == [row]


def test_a_refusal_gives_way_and_pictures_do_not(ads, rows):
    result = result_of()
    key = key_of(result)
    refusal = AdRefused(RefusalCode.BACKEND_MISSING, "no weights; put them there.")
    ads.refuse(result.brief.request, key, refusal)
    row = ads.keep(result, key, Painter(), CONTEXT)
    assert ads.stored("r1", key) == row
    kept = ads.refuse(result.brief.request, key, refusal)
    assert kept == rows.find("r1", key) and kept.pictures[0].sha256 == row.pictures[0].sha256
    assert ads.stored("r1", key) == row


@pytest.mark.parametrize("request_id", ["", "../up", "a/b", "a" * 129, "naïve", "a\n"])
def test_a_request_id_that_cannot_name_a_folder(ads, tmp_path, request_id):
    result = result_of(request_id=request_id)
    for use in (lambda: ads.stored(request_id, "k"), lambda: ads.keep(result, "k", Painter(), CONTEXT)):
        with pytest.raises(AdRefused, match="cannot name a folder") as refusal:
            use()
        assert refusal.value.code is RefusalCode.BAD_REQUEST
    row = ads.refuse(result.brief.request, "k", refusal.value)
    assert row.request_id.startswith("bad-") and not (tmp_path / "ads").exists()


def test_a_folder_that_cannot_be_written(tmp_path, rows):
    (tmp_path / "file").write_text("in the way")
    result = result_of()
    with pytest.raises(SelvedgeError, match="could not be written"):
        AdStore(tmp_path / "file", rows).keep(result, "k" * 64, Painter(), CONTEXT)
    assert rows.of_request("r1") == []


# -- what a file says of itself ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize(
    ("backdrop", "term"),
    [
        ("studio", "composite"),
        ("photographs", "composite"),
        ("diffusers", "compositeWithTrainedAlgorithmicMedia"),
        ("bedrock", "compositeWithTrainedAlgorithmicMedia"),
    ],
)
def test_a_file_says_that_it_is_a_composite(tmp_path, rows, form, backdrop, term):
    result = result_of()
    row = AdStore(tmp_path / "ads", rows, form).keep(result, "k" * 64, Painter(backdrop, '1 <&"'), CONTEXT)
    content = Path(row.pictures[0].uri).read_bytes()
    assert row.pictures[0].uri.endswith(f".{form}") and Image.open(io.BytesIO(content)).format == form.upper()
    assert read_source_type(content) == VOCABULARY + term
    assert row.pictures[0].recipe_sha256.encode() in content


def test_a_file_that_says_nothing(tmp_path):
    bare = io.BytesIO()
    Image.new("RGB", (4, 4)).save(bare, "PNG")
    assert read_source_type(bare.getvalue()) is None
    with pytest.raises(SelvedgeError, match="cannot be read"):
        read_source_type(b"no picture")


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_database_that_is_none(tmp_path):
    (tmp_path / "ads.db").write_bytes(b"no database" * 100)
    with pytest.raises(SelvedgeError, match="cannot be used"):
        SqlAdMetadata(f"sqlite:///{tmp_path / 'ads.db'}")
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        SqlAdMetadata(f"sqlite:///{tmp_path / 'nowhere' / 'ads.db'}")


def test_two_processes_open_one_database(tmp_path):
    url = f"sqlite:///{tmp_path / 'ads.db'}"
    first, second = SqlAdMetadata(url), SqlAdMetadata(url)
    result = result_of()
    row = AdStore(tmp_path / "ads", first).keep(result, "k" * 64, Painter(), CONTEXT)
    assert AdStore(tmp_path / "ads", second).stored("r1", "k" * 64) == row and second.find("r1", "other") is None
    assert datetime.fromisoformat(row.created_at).tzinfo is not None


def test_a_damaged_row(tmp_path, rows):
    from sqlalchemy import create_engine, text

    AdStore(tmp_path / "ads", rows).keep(result_of(), "k" * 64, Painter(), CONTEXT)
    with create_engine(f"sqlite:///{tmp_path / 'ads.db'}").begin() as connection:
        connection.execute(text("UPDATE ad_requests SET row = '{'"))
    with pytest.raises(SelvedgeError, match="is damaged"):
        rows.find("r1", "k" * 64)


@pytest.mark.e2e
def test_postgresql_keeps_rows_as_sqlite_does(tmp_path, rows):
    from tests.labeling.review import postgres_for_tests

    if why := postgres_for_tests.missing():
        pytest.skip(why)
    (tmp_path / "server").mkdir()
    with postgres_for_tests.server(tmp_path / "server") as address:
        far = SqlAdMetadata(address)
        result = result_of()
        refusal = AdRefused(RefusalCode.NO_PRODUCT, "nothing of it\0 is seen – naïve.")
        for metadata in (far, rows):
            store = AdStore(tmp_path / "ads", metadata)
            store.refuse(result.brief.request, "k" * 64, refusal)
            assert metadata.find("r1", "k" * 64).sentence == str(refusal)
            store.keep(result, "k" * 64, Painter(), CONTEXT)
        assert SqlAdMetadata(address).find("r1", "k" * 64).says_the_same(rows.find("r1", "k" * 64))


# -- a bucket and DynamoDB ---------------------------------------------------------------------------------------------


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """moto's server on loopback with a bucket `shop`; yields its address."""
    from urllib.request import Request, urlopen

    import boto3
    import s3fs
    from moto.server import ThreadedMotoServer

    from tests.ports import free_port

    port = free_port()
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    account = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", **account}.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    urlopen(Request(f"http://127.0.0.1:{port}/moto-api/reset", method="POST"))
    boto3.client("s3").create_bucket(Bucket="shop")
    yield f"http://127.0.0.1:{port}"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.e2e
def test_a_bucket_and_dynamodb_hold_ads_like_a_folder_and_sqlite(aws, tmp_path, rows):
    from inference.ad_images.aws import make_client
    from inference.ad_images.dynamo_rows import DynamoAdMetadata, create_table

    client = make_client("dynamodb", "us-east-1")
    items = DynamoAdMetadata(client, "ads")
    result = result_of()
    key = key_of(result)
    remote, local = AdStore("s3://shop/ads", items), AdStore(tmp_path / "ads", rows)
    with pytest.raises(SelvedgeError, match="make it first"):
        remote.stored("r1", key)
    create_table(client, "ads")

    refusal = AdRefused(RefusalCode.BACKEND_MISSING, "no weights; put them there.")
    refused = [each.refuse(result.brief.request, key, refusal) for each in (remote, local)]
    assert refused[0].says_the_same(refused[1]) and items.of_request("r1") == [refused[0]]
    far, near = (each.keep(result, key, Painter(), CONTEXT) for each in (remote, local))
    row = items.find("r1", key)
    assert remote.stored("r1", key) == far and row == items.put(replace(row, created_at="later"))
    assert remote.refuse(result.brief.request, key, refusal) == row
    with pytest.raises(SelvedgeError, match="DynamoDB table ads holds other pictures of r1"):
        items.put(replace(row, pictures=row.pictures[:1]))

    assert [(each.sha256, each.recipe_sha256, each.score) for each in far.pictures] == [
        (each.sha256, each.recipe_sha256, each.score) for each in near.pictures
    ]
    assert read_recipe(far.pictures[0].recipe_uri) == read_recipe(near.pictures[0].recipe_uri)
    for number in range(3):
        remote.refuse(result.brief.request, f"{number}" * 64, refusal)
    assert len(items.of_request("r1")) == 4 and items.find("r1", "none") is None
    (stored,) = [json.loads(row.to_json()) for row in items.of_request("r1") if row.status == "stored"]
    assert stored["pictures"][0]["uri"].startswith("r1/") and far.pictures[0].uri.startswith("s3://shop/ads/r1/")
