"""Training jobs and endpoints: every request held to botocore's model of SageMaker, sent to moto where it knows it, and
with faults. What moto lacks (StopTrainingJob, UpdateEndpoint's deployment, today's machines) is answered by the front.
"""

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.aws import endpoint, training_job
from orchestration.aws.account import Account, read_account
from orchestration.aws.endpoint import Served
from orchestration.aws.training_job import TrainingOrder
from orchestration.cli.terminal import LineReporter
from tests.aws_front import BROKEN, CLOSED, NOT_THE_SHAPE, THROTTLED, AwsFront, Fault, slow

ACCOUNT = Account(
    region="us-east-1",
    data_bucket="selvedge-data",
    models_bucket="selvedge-models",
    training_role="arn:aws:iam::123456789012:role/training",
    serving_role="arn:aws:iam::123456789012:role/serving",
    subnets="subnet-0a,subnet-0b",
    security_group="sg-0c",
    key="arn:aws:kms:us-east-1:123456789012:key/1f-2",
    training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/selvedge:gpu",
    serving_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/selvedge:cpu",
    alarms=("endpoint-errors",),
)
ORDER = TrainingOrder(
    "restgan", "restgan-20261127-0f1e2d", "s3://selvedge-data/training/shop", "s3://selvedge-data/training/settings/0f"
)
# moto's list of machines for endpoints ends before the g6e.
CHAMPION = Served("restgan", 3, "ab" * 32, "s3://selvedge-models/mlflow/1/models/m-3/artifacts", "ml.g4dn.xlarge", 2)
EXPIRED = Fault("ExpiredTokenException", 400)


@pytest.fixture(scope="module")
def _front() -> Iterator[AwsFront]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    with AwsFront(moto_url=f"http://{host}:{port}") as front:
        yield front
    moto.stop()


@pytest.fixture
def front(_front: AwsFront) -> AwsFront:
    _front.reset()
    urlopen(Request(f"{_front.url}/moto-api/reset", method="POST"))
    return _front


@pytest.fixture
def sagemaker(front: AwsFront) -> Any:
    return front.client("sagemaker")


def standing(front: AwsFront, **changes: Any) -> dict[str, Any]:
    """The endpoint as moto has it, without the capture of data that moto leaves half empty."""
    told = boto3.client(
        "sagemaker",
        region_name="us-east-1",
        endpoint_url=front.moto_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ).describe_endpoint(EndpointName="restgan")
    return {
        name: value for name, value in told.items() if name not in ("ResponseMetadata", "DataCaptureConfig")
    } | changes


def test_a_training_job_is_started_once_and_told(front: AwsFront, sagemaker: Any) -> None:
    assert training_job.start(sagemaker, ACCOUNT, ORDER) == f"{ORDER.candidate}-1"
    (asked,) = front.asked("CreateTrainingJob")
    assert asked["EnableManagedSpotTraining"] and asked["CheckpointConfig"] == {
        "S3Uri": f"s3://selvedge-models/checkpoints/{ORDER.candidate}",
        "LocalPath": "/opt/ml/checkpoints",
    }
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 86400, "MaxWaitTimeInSeconds": 129600}
    assert asked["AlgorithmSpecification"]["ContainerArguments"] == [training_job.command("restgan")]
    assert training_job.state(sagemaker, ORDER.job)["state"] == "Completed"
    front.fault("CreateTrainingJob", Fault("ResourceInUse", 400))
    assert training_job.start(sagemaker, ACCOUNT, ORDER) == ORDER.job


def test_the_container_runs_the_commands_that_a_person_types() -> None:
    from orchestration.cli.main import application

    def words(line: str) -> list[str]:
        return re.findall(r"selvedge ([a-z]+)", line)

    line = training_job.command("blip2-attributes")
    names = {command.name or command.callback.__name__ for command in application().registered_commands}
    names |= {group.name for group in application().registered_groups}
    assert words(line) == ["catalog", "train"] and set(words(line)) <= names
    assert "--out /opt/ml/checkpoints/candidate" in line and line.endswith("/opt/ml/model/")


def test_the_figures_are_those_that_training_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("orchestration.cli.terminal.time.monotonic", lambda: float(next(clock)))
    printed = io.StringIO()
    with redirect_stderr(printed):
        reporter = LineReporter()
        for step, values in (
            (10, {"train/loss": 1.25, "train/learning_rate": 3e-05}),
            (20, {"validation/accuracy": -0.5}),
        ):
            reporter.metrics(step, values)
            reporter.progress(step, 400, "LoRA")
            reporter.progress(step, 400, "LoRA")
    lines = [line for line in printed.getvalue().splitlines() if " of " in line]
    read: dict[str, list[str]] = {}
    for definition in training_job.metric_definitions():
        for line in lines:
            read.setdefault(definition["Name"], []).extend(re.findall(definition["Regex"], line))
    assert set(read["steps"]) == {"10", "20"}
    assert set(map(float, read["loss"])) == {1.25} and set(map(float, read["learning_rate"])) == {3e-05}
    assert set(map(float, read["accuracy"])) == {-0.5}


def test_the_next_attempt_goes_on_from_the_same_checkpoints(front: AwsFront, sagemaker: Any) -> None:
    assert training_job.next_attempt(sagemaker, ORDER.candidate) == 1
    training_job.start(sagemaker, ACCOUNT, ORDER)
    assert training_job.next_attempt(sagemaker, ORDER.candidate) == 1, "one that ended well is not made again"

    told = sagemaker.describe_training_job(TrainingJobName=ORDER.job)
    told.pop("ResponseMetadata")
    failed = {**told, "TrainingJobStatus": "Failed", "SecondaryStatus": "Failed", "FailureReason": "CapacityError"}

    def describe(asked: Any) -> dict[str, Any]:
        return failed if asked["TrainingJobName"].endswith("-1") else {**failed, "TrainingJobStatus": "InProgress"}

    front.answer("DescribeTrainingJob", describe)
    attempt = training_job.next_attempt(sagemaker, ORDER.candidate)
    assert attempt == 2
    again = training_job.request(ACCOUNT, replace(ORDER, attempt=attempt))
    assert again["CheckpointConfig"] == training_job.request(ACCOUNT, ORDER)["CheckpointConfig"]
    assert training_job.state(sagemaker, ORDER.job)["why"] == "CapacityError"


def test_stop(front: AwsFront, sagemaker: Any) -> None:
    front.answer("StopTrainingJob", {})
    training_job.stop(sagemaker, ORDER.job)
    assert front.asked("StopTrainingJob") == [{"TrainingJobName": ORDER.job}]


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        (THROTTLED, ServiceUnavailable, "not available"),
        (BROKEN, ServiceUnavailable, "not available"),
        (CLOSED, ServiceUnavailable, "cannot be reached"),
        (NOT_THE_SHAPE, ServiceUnavailable, "no answer"),
        (EXPIRED, SelvedgeError, "renew the AWS credentials"),
        (Fault("ResourceLimitExceeded", 400), SelvedgeError, "no quota for ml.g6e.xlarge"),
        (Fault("ValidationException", 400), SelvedgeError, "check the id"),
    ],
)
def test_what_goes_wrong_is_one_sentence(front: AwsFront, sagemaker: Any, fault: Fault, error: type, says: str) -> None:
    front.fault("CreateTrainingJob", fault)
    with pytest.raises(error, match=says):
        training_job.start(sagemaker, ACCOUNT, ORDER)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"delivery": "/data/shop"}, "delivery of a training job is an address"),
        ({"settings": "s3://b"}, "settings of a training job is an address"),
        ({"hours": 0}, "up to 672 hours"),
        ({"instance": "p5.48xlarge"}, "no machine of SageMaker"),
        ({"candidate": "a_b"}, "cannot name a job"),
    ],
)
def test_an_order_that_sagemaker_would_refuse(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(SelvedgeError, match=says):
        training_job.request(ACCOUNT, replace(ORDER, **changes))


def test_an_endpoint_follows_the_champion_and_goes_back(front: AwsFront, sagemaker: Any) -> None:
    front.answer("UpdateEndpoint", {"EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/restgan"})
    assert endpoint.move(sagemaker, front.client("cloudwatch"), ACCOUNT, CHAMPION, "restgan") == "created"
    front.answer("DescribeEndpoint", standing(front))
    assert endpoint.move(sagemaker, front.client("cloudwatch"), ACCOUNT, CHAMPION, "restgan") == "unchanged"
    assert endpoint.serves(sagemaker, "restgan")["serves"] == CHAMPION.name
    newer = replace(CHAMPION, version=4, digest="cd" * 32)
    assert endpoint.move(sagemaker, front.client("cloudwatch"), ACCOUNT, newer, "restgan") == "moving"
    (moved,) = front.asked("UpdateEndpoint")
    policy = moved["DeploymentConfig"]
    assert policy["AutoRollbackConfiguration"] == {
        "Alarms": [{"AlarmName": "selvedge-restgan-errors"}, {"AlarmName": "endpoint-errors"}]
    }
    (alarm,) = front.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert (alarm["AlarmName"], alarm["MetricName"]) == ("selvedge-restgan-errors", "Invocation5XXErrors")
    assert policy["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]["Type"] == "CANARY"

    front.answer("DescribeEndpoint", standing(front, EndpointConfigName=newer.name))
    models = len(front.asked("CreateModel"))
    assert endpoint.move(sagemaker, front.client("cloudwatch"), ACCOUNT, CHAMPION, "restgan") == "moving", (
        "rollback: model and configuration are there"
    )
    assert front.asked("UpdateEndpoint")[-1]["EndpointConfigName"] == CHAMPION.name
    assert len(front.asked("CreateModel")) == models + 1

    front.answer("DescribeEndpoint", standing(front, EndpointStatus="Updating"))
    with pytest.raises(SelvedgeError, match="is being changed"):
        endpoint.move(sagemaker, front.client("cloudwatch"), ACCOUNT, newer, "restgan")


def test_no_endpoint_is_moved_without_an_alarm_and_none_serves_from_a_disk(front: AwsFront, sagemaker: Any) -> None:
    endpoint.move(sagemaker, front.client("cloudwatch"), ACCOUNT, CHAMPION, "restgan")
    front.answer("DescribeEndpoint", standing(front))
    with pytest.raises(ServiceUnavailable, match="CloudWatch cannot be reached"):
        nobody = AwsFront().client("cloudwatch", read_timeout=0.2)
        endpoint.move(sagemaker, nobody, ACCOUNT, replace(CHAMPION, version=4), "restgan")
    assert not front.asked("UpdateEndpoint")
    with pytest.raises(SelvedgeError, match="reads it from a bucket"):
        endpoint.move(
            sagemaker, front.client("cloudwatch"), ACCOUNT, replace(CHAMPION, model_uri="/home/mlflow/1"), "restgan"
        )
    front.reset()
    with pytest.raises(SelvedgeError, match="there is no endpoint other"):
        endpoint.serves(sagemaker, "other")


def test_a_batch_transform(front: AwsFront, sagemaker: Any) -> None:
    where = ("s3://selvedge-data/transform/in/a", "s3://selvedge-data/transform/out/a")
    assert endpoint.transform(sagemaker, ACCOUNT, CHAMPION, "restgan-a", *where) == "restgan-a"
    assert front.asked("CreateTransformJob")[0]["ModelName"] == CHAMPION.name


def test_the_machines_of_today_fit_the_service_model() -> None:
    import botocore.session
    from botocore.validate import validate_parameters

    model = botocore.session.get_session().get_service_model("sagemaker")
    served = Served("restgan", 3, "ab" * 32, CHAMPION.model_uri)
    for operation, request in {
        "CreateTrainingJob": training_job.request(ACCOUNT, ORDER),
        "CreateModel": endpoint.model_request(ACCOUNT, served),
        "CreateEndpointConfig": endpoint.config_request(served),
        "UpdateEndpoint": endpoint.update_request(ACCOUNT, served, "restgan"),
        "CreateTransformJob": endpoint.transform_request(ACCOUNT, served, "a", "s3://b/in", "s3://b/out"),
    }.items():
        validate_parameters(request, model.operation_model(operation).input_shape)
    for shape, machine in (
        ("TrainingInstanceType", ORDER.instance),
        ("ProductionVariantInstanceType", served.instance),
    ):
        assert machine in model.shape_for(shape).enum


def test_a_mirrored_base_is_where_training_and_serving_look_for_it() -> None:
    import botocore.session
    from botocore.validate import validate_parameters

    model = botocore.session.get_session().get_service_model("sagemaker")
    weights = "s3://selvedge-models/mirror/blip2-flan-t5-xl"
    trained = training_job.request(ACCOUNT, replace(ORDER, weights=weights))
    channel = trained["InputDataConfig"][2]
    assert (channel["ChannelName"], trained["Environment"]["SELVEDGE_MODELS"]) == (
        "blip2-flan-t5-xl",
        "/opt/ml/input/data",
    )
    served = endpoint.model_request(ACCOUNT, replace(CHAMPION, weights=weights))
    container = served["PrimaryContainer"]
    (more,) = container["AdditionalModelDataSources"]
    assert (more["ChannelName"], more["S3DataSource"]["S3Uri"]) == ("blip2-flan-t5-xl", f"{weights}/")
    assert container["Environment"]["SELVEDGE_MODELS"] == "/opt/ml/additional-model-data-sources"
    for operation, request in (("CreateTrainingJob", trained), ("CreateModel", served)):
        validate_parameters(request, model.operation_model(operation).input_shape)
    for bad in ("models/blip2", "s3://b/mirror/.hidden", "s3://b/mirror/settings"):
        with pytest.raises(SelvedgeError, match="--weights"):
            training_job.request(ACCOUNT, replace(ORDER, weights=bad))


ROWS = [{"image": "aGk=", "questions": ["Colour"]}]


def test_an_endpoint_is_asked_as_the_pyfunc_is(front: AwsFront) -> None:
    runtime = front.client("sagemaker-runtime", read_timeout=0.4)
    front.answer(
        "InvokeEndpoint", {"Body": b'{"predictions": [{"answers": ["Red"]}]}', "ContentType": "application/json"}
    )
    assert endpoint.answers(runtime, "restgan", ROWS) == [{"answers": ["Red"]}]
    assert (
        front.asked("InvokeEndpoint")[0]["Body"]
        == b'{"dataframe_records": [{"image": "aGk=", "questions": ["Colour"]}]}'
    )
    for body in (b"[]", b'{"predictions": []}', b'{"error_code": "BAD_REQUEST"}', b"<html>"):
        front.answer("InvokeEndpoint", {"Body": body, "ContentType": "application/json"})
        with pytest.raises(ServiceUnavailable, match="no answer of the model"):
            endpoint.answers(runtime, "restgan", ROWS)
    with pytest.raises(SelvedgeError, match="send fewer rows"):
        endpoint.answers(runtime, "restgan", [{"image": "x" * (6 * 2**20)}])
    for fault, error in ((slow(1.0), ServiceUnavailable), (THROTTLED, ServiceUnavailable), (EXPIRED, SelvedgeError)):
        front.fault("InvokeEndpoint", fault)
        with pytest.raises(error):
            endpoint.answers(runtime, "restgan", ROWS)


def test_an_account_is_read_and_held_to_its_form(tmp_path: Path) -> None:
    file = tmp_path / "aws.yaml"
    lines = {name: value for name, value in vars(ACCOUNT).items() if name != "alarms"}
    file.write_text("".join(f"{name}: {value}\n" for name, value in lines.items()) + "alarms: [endpoint-errors]\n")
    assert read_account(file) == ACCOUNT
    text = file.read_text()
    for before, after, says in (
        ("data_bucket: selvedge-data", "data_bucket: Shop", "data_bucket cannot be 'Shop'"),
        ("region: us-east-1\n", "", "region is missing; it is us-east-1"),
        ("batch_role: ", "batch_role: shop", "batch_role cannot be 'shop'"),
        ("region:", "colour: red\nregion:", "'colour', which is none of"),
        ("[endpoint-errors]", "endpoint-errors", "alarms are a list"),
    ):
        file.write_text(text.replace(before, after))
        with pytest.raises(SelvedgeError, match=says):
            read_account(file)
