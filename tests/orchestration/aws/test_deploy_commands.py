"""`selvedge deploy train`, `status`, `champion`: from a file and an account to requests, and back to a sentence."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

from orchestration.cli.main import run
from orchestration.registry import registry
from orchestration.registry.interface import ModelVersionInfo
from tests.aws_front import AwsFront, Fault
from tests.orchestration.aws.test_sagemaker import ACCOUNT

DELIVERY = "s3://selvedge-data/training/shop"


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsFront]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    with AwsFront(moto_url=f"http://{host}:{port}") as front:
        for name, value in {
            "AWS_ENDPOINT_URL": front.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()  # one of an earlier test asks its server
        urlopen(Request(f"{front.url}/moto-api/reset", method="POST"))
        boto3.client("s3").create_bucket(Bucket="selvedge-data")
        yield front
    moto.stop()


@pytest.fixture
def account(tmp_path: Path) -> str:
    file = tmp_path / "aws.yaml"
    file.write_text(json.dumps(vars(ACCOUNT) | {"alarms": list(ACCOUNT.alarms)}))  # JSON is YAML
    return str(file)


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def test_a_training_is_asked_for_once_and_its_settings_are_where_it_reads_them(
    front: AwsFront, account: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "training.yaml"
    config.write_text("minimum_count: 7\n")
    command = ["deploy", "train", "restgan", "--config", str(config), "--delivery", DELIVERY, "--account", account]
    assert run([*command, "--json"]) == 0
    first = told(capsys)
    assert (first["attempt"], first["job"]) == (1, f"{first['candidate']}-1")
    key = f"training/settings/{first['candidate']}/training.yaml"
    sent = boto3.client("s3").get_object(Bucket="selvedge-data", Key=key)["Body"].read()
    (tmp_path / "sent.yaml").write_bytes(sent)
    assert run(["train", "restgan", "--config", str(tmp_path / "sent.yaml"), "--print-settings", "--json"]) == 0
    assert told(capsys)["minimum_count"] == 7
    (asked,) = front.asked("CreateTrainingJob")
    assert (
        asked["InputDataConfig"][1]["DataSource"]["S3DataSource"]["S3Uri"]
        == f"s3://selvedge-data/{key.rpartition('/')[0]}"
    )
    assert run(["deploy", "status", first["job"], "--account", account, "--json"]) == 0
    assert told(capsys)["state"] == "Completed"
    front.fault("CreateTrainingJob", Fault("ResourceInUse", 400))
    assert run([*command, "--json"]) == 0
    assert told(capsys)["job"] == first["job"]


def test_what_cannot_be_done_is_one_sentence(
    front: AwsFront, account: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "training.yaml"
    config.write_text("")
    base = ["deploy", "train", "restgan", "--config", str(config)]
    for arguments, says in (
        ([*base, "--delivery", "/data/shop", "--account", account], "delivery of a training job is an address"),
        ([*base, "--delivery", DELIVERY, "--account", str(tmp_path / "no.yaml")], "write one with the stack's outputs"),
        (["deploy", "status", "nothing", "--account", account], "has no training job nothing"),
        (["deploy", "champion", "nothing", "--account", account], "nothing"),
    ):
        assert run(arguments) == 1
        said = capsys.readouterr().err.strip()
        assert says in said and "\n" not in said
    front.fault("DescribeTrainingJob", Fault("ExpiredTokenException", 400))
    assert run([*base, "--delivery", DELIVERY, "--account", account]) == 1
    assert "renew the AWS credentials" in capsys.readouterr().err
    assert not front.asked("CreateTrainingJob")
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket="selvedge-data"), "nothing is half done"


def test_the_endpoint_follows_the_registry(
    front: AwsFront, account: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    standing: list[ModelVersionInfo | None] = [None]
    places = ["s3://selvedge-models/mlflow/1/m-3"]

    class Registry:
        """What MLflow would say."""

        def __init__(self, settings: object) -> None: ...

        def champion(self, family: str) -> ModelVersionInfo | None:
            return standing[0]

        def location(self, version: ModelVersionInfo) -> str:
            return places[0]

    monkeypatch.setattr(registry, "Registry", Registry)
    command = ["deploy", "champion", "restgan", "--account", account, "--instance", "ml.g4dn.xlarge", "--json"]
    assert run(command) == 1
    assert "has no champion yet" in capsys.readouterr().err
    made = datetime(2026, 11, 27, tzinfo=UTC)
    standing[0] = ModelVersionInfo("restgan", 3, "m-3", "restgan-20261127-0f1e2d", "ab" * 32, "r-3", made)
    assert run(command) == 0
    assert told(capsys)["moved"] == "created"
    (model,) = front.asked("CreateModel")
    source = model["PrimaryContainer"]["ModelDataSource"]["S3DataSource"]
    assert source == {
        "S3Uri": "s3://selvedge-models/mlflow/1/m-3/",
        "S3DataType": "S3Prefix",
        "CompressionType": "None",
    }
    standing[0] = replace(standing[0], version=4)
    places[0] = "/home/mlflow/1"
    assert run(command) == 1
    assert "set SELVEDGE_MLFLOW_ARTIFACTS" in capsys.readouterr().err
