"""A mirror of weights: the pinned bytes or nothing, on disk and in a bucket, and no licence that a shop may not use."""

import json
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from catalog.errors import SelvedgeError
from orchestration.aws.mirror import PIN_FILE, mirror, pin, pull, read_pins, stated_licence, verify
from orchestration.cli.main import run

CARD = "---\nlicense: {licence}\n---\n# A model\n"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    (folder / "text_encoder").mkdir(parents=True)
    (folder / "README.md").write_text(CARD.format(licence="apache-2.0"))
    (folder / "model.safetensors").write_bytes(b"first")
    (folder / "text_encoder" / "model.safetensors").write_bytes(b"second")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "lock").write_text("")
    return folder


def test_what_is_pulled_is_what_was_pinned(weights: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "mirror")
    pins = pin(weights, "shop/model", "a1b2")
    assert mirror(weights, place, pins) == 3 and mirror(weights, place, pins) == 0
    assert pull(place, tmp_path / "out", pins.digest[:12]) == pins == read_pins(place)
    assert (tmp_path / "out" / "text_encoder" / "model.safetensors").read_bytes() == b"second"
    assert verify(str(tmp_path / "out"))[1] == [] and not (tmp_path / "out" / ".cache").exists()
    (weights / "model.safetensors").write_bytes(b"other")
    with pytest.raises(SelvedgeError, match="and not what is to be mirrored"):
        mirror(weights, place, pin(weights, "shop/model", "a1b2"))


def test_a_changed_byte_is_not_pulled_and_what_was_there_stays(weights: Path, tmp_path: Path) -> None:
    place, out = tmp_path / "mirror", tmp_path / "out"
    pins = pin(weights, "shop/model", "a1b2")
    mirror(weights, str(place), pins)
    pull(str(place), out, pins.digest)
    (place / "model.safetensors").write_bytes(b"First")
    with pytest.raises(SelvedgeError, match="is not what was pinned; mirror"):
        pull(str(place), out, pins.digest)
    assert (out / "model.safetensors").read_bytes() == b"first" and len(list(tmp_path.iterdir())) == 3
    (place / "text_encoder" / "model.safetensors").unlink()
    assert verify(str(place))[1] == [
        "model.safetensors is not what was pinned.",
        "text_encoder/model.safetensors is missing.",
    ]
    with pytest.raises(SelvedgeError, match="with the digest"):
        pull(str(place), out, "0" * 64)
    with pytest.raises(SelvedgeError, match="give at least 12 digits"):
        pull(str(place), out, "abc")


@pytest.mark.parametrize(
    ("model", "card", "says"),
    [
        ("shop/model", CARD.format(licence="cc-by-nc-4.0"), "under cc-by-nc-4.0, which is not among"),
        ("shop/model", "# A model\n", "states no licence"),
        ("shop/model", "---\nlicense: other\nlicense_name: openrail++\n---\n", ""),
        ("black-forest-labs/FLUX.1-Fill-dev", CARD.format(licence="apache-2.0"), "may not be used in a shop"),
        ("briaai/RMBG-2.0", CARD.format(licence="mit"), "may not be used in a shop"),
    ],
)
def test_a_licence_that_is_not_allowed_is_refused(weights: Path, model: str, card: str, says: str) -> None:
    (weights / "README.md").write_text(card)
    if not says:
        assert pin(weights, model, "1").licence == stated_licence(weights) == "openrail++"
        return
    with pytest.raises(SelvedgeError, match=says):
        pin(weights, model, "1")


def test_a_pickle_an_empty_folder_and_damaged_pins_are_refused(weights: Path, tmp_path: Path) -> None:
    place = tmp_path / "mirror"
    pins = pin(weights, "shop/model", "1")
    mirror(weights, str(place), pins)
    for change in ({"files": {"../out": "0" * 64}}, {"digest": "0"}, {"files": None}, {"format": 9}):
        text = json.loads((place / PIN_FILE).read_text()) | change
        (place / PIN_FILE).write_text(json.dumps(text))
        with pytest.raises(SelvedgeError, match=r"is damaged|another version"):
            read_pins(str(place))
    (weights / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(SelvedgeError, match="may be a pickle"):
        pin(weights, "shop/model", "1")
    for folder, says in ((tmp_path / "none", "is no folder"), (tmp_path, "may be a pickle")):
        with pytest.raises(SelvedgeError, match=says):
            pin(folder, "shop/model", "1")
    with pytest.raises(SelvedgeError, match=r"holds no selvedge-pins\.json"):
        read_pins(str(weights))


def test_the_commands_on_a_bucket(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        s3fs.S3FileSystem.clear_instance_cache()  # one of an earlier test asks its server
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"))
        boto3.client("s3").create_bucket(Bucket="weights")
        place, out = "s3://weights/shop/model", tmp_path / "out"
        named = ["--model", "shop/model", "--revision", "a1"]
        assert run(["models", "mirror", str(weights), place, *named, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["copied"], told["files"], told["licence"]) == (3, 3, "apache-2.0")
        assert run(["models", "pull", place, "--out", str(out), "--digest", told["digest"]]) == 0
        assert (out / "model.safetensors").read_bytes() == b"first"
        boto3.client("s3").put_object(Bucket="weights", Key="shop/model/model.safetensors", Body=b"fir")
        assert run(["models", "verify", place]) == 1
        assert run(["models", "verify", "s3://weights/nothing"]) == 1
    finally:
        server.stop()
    said = capsys.readouterr().err
    assert "1 of 3 files are not what was pinned" in said and "s3://weights/nothing holds no selvedge-pins.json" in said
