"""An inbox in a bucket: the same rules as in a folder, within a bound of requests, against S3 on loopback."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import dagster as dg
import pytest
import s3fs
from moto.server import ThreadedMotoServer
from upath import UPath

from catalog.delivery import fingerprint
from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised
from orchestration.defs.catalog import bucket, drops, inbox
from orchestration.defs.catalog.arrivals import FINGERPRINT_TAG, arrivals, drop_states
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.runtime.settings import Settings
from tests.orchestration.defs.test_inbox import TABLE, asked, read, reason
from tests.ports import free_port

BUCKET = "shop-deliveries"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """One endpoint and one set of connections for all, as making them takes longest."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    variables = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        yield address
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@pytest.fixture
def settings(endpoint: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A home whose inbox is an empty prefix of its own."""
    return Settings(home=tmp_path, inbox=f"s3://{BUCKET}/{request.node.name}/")


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


@pytest.fixture
def look(settings: Settings, instance: dg.DagsterInstance):
    """One tick of the sensor, half a minute after the one before."""
    state = {"cursor": None, "now": 1000.0}

    def tick() -> dg.SensorResult:
        state["now"] += 30
        context = dg.build_sensor_context(instance=instance, resources={"settings": settings}, cursor=state["cursor"])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(inbox.time, "time", lambda: state["now"])
            result = inbox.inbox(context)
        state["cursor"] = result.cursor
        return result

    return tick


def deliver(settings: Settings, **objects: str) -> None:
    """Objects by their names, with __ for a slash and _ for a dot."""
    for name, content in objects.items():
        put(settings, name.replace("__", "/").replace("_", "."), content)


def put(settings: Settings, name: str, content: str | bytes) -> None:
    (settings.inbox / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def states(settings: Settings, instance: dg.DagsterInstance) -> dict[str, tuple[str, str]]:
    return {state.drop: (state.state, state.sentence) for state in drop_states(settings, instance)}


def test_a_drop_in_a_bucket_is_read_once_quiet_and_again_when_it_was_changed(settings, instance, look):
    assert "nothing new in s3://" in reason(look())
    deliver(settings, d1__styles_csv=TABLE)
    assert asked(look()) == []
    deliver(settings, d1__images__1_jpg="half")  # the copy goes on
    assert "1 being copied" in reason(look())
    first = look().run_requests[0]
    source = f"{settings.inbox}/d1"
    assert first.partition_key == "d1" and first.tags[FINGERPRINT_TAG] == fingerprint(source)
    assert states(settings, instance)["d1"][0] == "waiting"
    read(instance, "d1", fingerprint(source))
    assert "1 read" in reason(look()) and states(settings, instance)["d1"] == ("read", "")
    deliver(settings, d1__images__1_jpg="whol")  # as long as before
    assert asked(look()) == []
    assert states(settings, instance)["d1"][1].startswith("it changed; ")
    again = look().run_requests[0]
    assert again.partition_key == "d1" and again.run_key != first.run_key
    assert instance.get_dynamic_partitions(DROPS.name or "") == ["d1"]


def test_a_manifest_says_when_a_drop_is_whole(settings, look):
    sizes = {"styles.csv": len(TABLE), "images/1.jpg": 4}
    deliver(settings, shop__manifest_json=json.dumps({"files": sizes}), shop__styles_csv=TABLE)
    look()
    lacks = f"{settings.inbox}/shop lacks 1 of the 2 files of its manifest.json"
    assert lacks in reason(look())
    deliver(settings, shop__images__1_jpg="half")
    assert asked(look()) == ["shop"], "whole: nothing is waited for"


def test_what_is_no_drop_is_refused_with_its_address_and_the_remedy(settings, instance, look):
    put(settings, "My Drop (1)/styles.csv", TABLE)
    put(settings, "nested/fashion-dataset/styles.csv", TABLE)
    put(settings, "spelled/Styles.csv", TABLE)
    put(settings, "half/manifest.json", '{"files": {"sty')
    put(settings, "all.zip", "PK")
    put(settings, ".incoming/styles.csv", TABLE)
    put(settings, "there/styles.csv", TABLE)
    add_drop(instance, settings, "there", "s3://elsewhere/there")
    look()
    result = look()
    sentences = {name: sentence for name, (_, sentence) in states(settings, instance).items()}
    where = str(settings.inbox)
    assert asked(result) == [] and set(sentences) == {"My Drop (1)", "nested", "spelled", "half", "all.zip", "there"}
    assert f"`aws s3 mv --recursive '{where}/My Drop (1)' {where}/My-Drop-1`." in sentences["My Drop (1)"]
    assert "move what is in nested/fashion-dataset up into nested." in sentences["nested"]
    assert sentences["spelled"] == f"{where}/spelled holds Styles.csv where it needs styles.csv; rename that file."
    assert "manifest.json is no list of files" in sentences["half"]
    assert sentences["all.zip"].endswith(f"unpack it into {where}/all.")
    assert sentences["there"] == f"drop there was read from s3://elsewhere/there; give {where}/there another name."
    assert all(sentence in reason(result) for sentence in sentences.values())


def test_a_look_keeps_to_its_requests_and_takes_the_new_first_and_the_old_in_turn(
    settings, instance, look, monkeypatch, caplog
):
    monkeypatch.setattr(bucket, "REQUESTS", 4)
    caplog.set_level(logging.INFO, logger="werkzeug")

    def lists() -> int:
        number = sum("list-type=2" in record.getMessage() for record in caplog.records)
        caplog.clear()
        return number

    for number in range(5):
        put(settings, f"d{number}/styles.csv", TABLE)
    per_look, requests = [], []
    for _ in range(6):
        requests += asked(look())
        per_look.append(lists())
    assert max(per_look) <= 4 and sorted(requests) == [f"d{number}" for number in range(5)]
    put(settings, "new/styles.csv", TABLE)
    put(settings, "d3/styles.csv", TABLE + "2,y\n")
    requests = [asked(look()) for _ in range(5)]
    assert "new" in requests[1], "as fast as in a folder"
    assert "d3" in [name for names in requests for name in names], "when its turn came"
    lists()
    states(settings, instance)
    assert lists() == 0, "who asks for the state waits for no bucket"
    put(settings, "large/styles.csv", TABLE)
    put(settings, "large/other.csv", TABLE)
    monkeypatch.setattr(bucket, "PAGE", 0.25)  # the new drop's two objects take eight requests
    look()
    left = bucket.remembered(settings.dagster_home, settings.inbox).left
    assert left < -4
    listed = [arrival.name for arrival in arrivals(settings) if arrival.looked_at]
    assert listed == [] and "waiting for their turn" in reason(look())


def test_a_bucket_that_does_not_answer_or_is_not_there_is_one_sentence_and_forgets_nothing(
    settings, instance, look, monkeypatch
):
    deliver(settings, d1__styles_csv=TABLE)
    before = look().cursor
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    result = look()
    assert result.cursor == before and reason(result).startswith(f"the inbox {settings.inbox} could not be looked at: ")
    assert "check the network and AWS_ENDPOINT_URL" in reason(result) and "\n" not in reason(result)
    assert list(states(settings, instance)) == ["d1"]
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_misspelt_bucket_is_told(settings):
    with pytest.raises(SelvedgeError, match="there is no bucket no-such-one; check its name"):
        bucket.look(settings.dagster_home, UPath("s3://no-such-one/inbox"))


def test_the_run_reads_the_very_objects_that_the_look_saw(settings, instance, look, tmp_path):
    drawn = tmp_path / "drawn"
    draw_catalogue(drawn, 3, 3, size=64, workers=1)
    for file in drawn.rglob("*"):
        if file.is_file():
            put(settings, f"shop/{file.relative_to(drawn)}", file.read_bytes())
    look()
    (request,) = look().run_requests
    resources = {"settings": settings, "tables": Tables(root=str(settings.tables()))}
    dg.materialize([drops.read_drop], instance=instance, partition_key=request.partition_key, resources=resources)
    assert (materialised(instance, "catalog/products", "shop") or {})["rows"] == 3
    assert "1 read" in reason(look())


def test_an_inbox_is_a_folder_or_a_bucket(tmp_path):
    assert Settings(home=tmp_path).inbox_folder == tmp_path / "inbox"
    assert Settings(home=tmp_path, inbox=str(tmp_path / "in")).inbox_folder == tmp_path / "in"
    assert Settings(home=tmp_path, inbox="s3://b2b/in/").inbox_folder is None
    for wrong in ("ftp://shop/in", "s3://"):
        with pytest.raises(ValueError, match="it is a folder, or a bucket"):
            Settings(home=tmp_path, inbox=wrong)
