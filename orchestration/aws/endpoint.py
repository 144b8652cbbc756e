"""Endpoints of SageMaker: the champion behind an address, changed blue to green, and over files in one batch.

Belongs here: names, requests, moving an endpoint to a champion, asking it. Not here: which version is champion
(registry/), the model's code (the logged pyfunc, inference/*_entry.py).

Model and configuration are named after the version and its digest and never changed, so an endpoint that is moved back
to an earlier champion finds both as they were. Moving is one call that can be repeated: it makes what is missing, and
does nothing where the endpoint serves the champion already. New machines take a tenth of the traffic first; where an
alarm rings meanwhile, SageMaker goes back by itself. A rollback in the registry is followed by the same call.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.aws import RequestRefused, ask
from orchestration.aws.account import Account
from orchestration.aws.training_job import SAGEMAKER, base_name

CANARY_PERCENT, BAKE_SECONDS, KEPT_SECONDS, MOST_SECONDS = 10, 600, 600, 7200
BASES = "/opt/ml/additional-model-data-sources"  # a folder a channel
VARIANT, ERRORS_A_MINUTE = "champion", 5
HELD = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
MOST_PAYLOAD = 6 * 2**20  # bytes of a request that an endpoint takes


@dataclass(frozen=True)
class Served:
    """A version that is to be served.

    Attributes:
        version: of the registry. digest: of the artefact, hex. model_uri: s3:// address of the logged pyfunc's folder.
        instance, machines: what serves it.
        weights: s3:// address of a mirrored base; "" where the one that ships with Selvedge will do.
    """

    family: str
    version: int
    digest: str
    model_uri: str
    instance: str = "ml.g6e.xlarge"
    machines: int = 1
    weights: str = ""

    @property
    def name(self) -> str:
        """Of its model and its configuration."""
        return f"{self.family}-v{self.version}-{self.digest[:12]}"


def move(client: Any, watch: Any, account: Account, served: Served, endpoint: str) -> str:
    """Let an endpoint serve a version: `created`, `moving` or `unchanged`.

    Args:
        client, watch: of `sagemaker` and of `cloudwatch`, which gets the alarm that brings a bad version back.

    Raises:
        SelvedgeError: the endpoint is being changed, or SageMaker refuses. ServiceUnavailable: it does not answer.
    """
    _check(served, endpoint)
    standing = _endpoint(client, endpoint)
    if standing is not None and standing["EndpointStatus"] in HELD:
        raise SelvedgeError(
            f"the endpoint {endpoint} is being changed ({standing['EndpointStatus']}); run again when it is in service."
        )
    if (
        standing is not None
        and standing["EndpointConfigName"] == served.name
        and standing["EndpointStatus"] != "Failed"
    ):
        return "unchanged"
    _made(client, "CreateModel", **model_request(account, served))
    _made(client, "CreateEndpointConfig", **config_request(served))
    if standing is None:
        ask(client, "CreateEndpoint", SAGEMAKER, EndpointName=endpoint, EndpointConfigName=served.name)
        return "created"
    ask(watch, "PutMetricAlarm", "CloudWatch", **alarm_request(endpoint))
    ask(client, "UpdateEndpoint", SAGEMAKER, **update_request(account, served, endpoint))
    return "moving"


def model_request(account: Account, served: Served) -> dict[str, Any]:
    """CreateModel: Selvedge's image around the logged pyfunc, as MLflow keeps it in its bucket."""
    source = {"S3Uri": served.model_uri.rstrip("/") + "/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    container: dict[str, Any] = {
        "Image": account.serving_image,
        "ModelDataSource": {"S3DataSource": source},
        "Environment": {"HF_HUB_OFFLINE": "1", "MLFLOW_DISABLE_TELEMETRY": "true"},
    }
    if served.weights:
        base = {**source, "S3Uri": served.weights.rstrip("/") + "/"}
        container["AdditionalModelDataSources"] = [{"ChannelName": base_name(served.weights), "S3DataSource": base}]
        container["Environment"]["SELVEDGE_MODELS"] = BASES
    return {
        "ModelName": served.name,
        "ExecutionRoleArn": account.serving_role,
        "EnableNetworkIsolation": True,
        "PrimaryContainer": container,
        "Tags": [
            {"Key": "selvedge:family", "Value": served.family},
            {"Key": "selvedge:digest", "Value": served.digest},
        ],
    }


def config_request(served: Served) -> dict[str, Any]:
    """CreateEndpointConfig. Machines with disks of their own take no key for them; those encrypt by themselves."""
    variant = {
        "VariantName": VARIANT,
        "ModelName": served.name,
        "InstanceType": served.instance,
        "InitialInstanceCount": served.machines,
        "ContainerStartupHealthCheckTimeoutInSeconds": 900,
    }
    return {"EndpointConfigName": served.name, "ProductionVariants": [variant]}


def update_request(account: Account, served: Served, endpoint: str) -> dict[str, Any]:
    """UpdateEndpoint: a canary, and back by itself where the endpoint's alarm or one of the account's rings."""
    canary = {"Type": "CAPACITY_PERCENT", "Value": CANARY_PERCENT}
    routing = {"Type": "CANARY", "CanarySize": canary, "WaitIntervalInSeconds": BAKE_SECONDS}
    if served.machines == 1:
        routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": BAKE_SECONDS}  # a tenth of one machine is none
    return {
        "EndpointName": endpoint,
        "EndpointConfigName": served.name,
        "DeploymentConfig": {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": KEPT_SECONDS,
                "MaximumExecutionTimeoutInSeconds": MOST_SECONDS,
            },
            "AutoRollbackConfiguration": {
                "Alarms": [{"AlarmName": name} for name in (alarm_name(endpoint), *account.alarms)]
            },
        },
    }


def alarm_name(endpoint: str) -> str:
    return f"selvedge-{endpoint}-errors"


def alarm_request(endpoint: str) -> dict[str, Any]:
    """PutMetricAlarm: the endpoint's own errors, counted over a minute."""
    return {
        "AlarmName": alarm_name(endpoint),
        "AlarmDescription": f"Selvedge: the endpoint {endpoint} answers with errors",
        "Namespace": "AWS/SageMaker",
        "MetricName": "Invocation5XXErrors",
        "Dimensions": [{"Name": "EndpointName", "Value": endpoint}, {"Name": "VariantName", "Value": VARIANT}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": ERRORS_A_MINUTE,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }


def serves(client: Any, endpoint: str) -> dict[str, Any]:
    """What an endpoint serves: its state, and the version's name.

    Raises:
        SelvedgeError: there is no such endpoint. ServiceUnavailable: SageMaker does not answer.
    """
    standing = _endpoint(client, endpoint)
    if standing is None:
        raise SelvedgeError(f"there is no endpoint {endpoint}; `selvedge deploy champion` makes it.")
    return {
        "endpoint": endpoint,
        "state": standing["EndpointStatus"],
        "serves": standing["EndpointConfigName"],
        "why": standing.get("FailureReason", ""),
    }


def answers(client: Any, endpoint: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The model's answer rows to request rows, as the logged pyfunc takes and gives them.

    Args:
        client: of `sagemaker-runtime`.

    Raises:
        SelvedgeError: the request is too large, or is refused. ServiceUnavailable: no answer in time, or none that is
        one.
    """
    body = json.dumps({"dataframe_records": list(rows)}).encode()
    if len(body) > MOST_PAYLOAD:
        raise SelvedgeError(
            f"the request has {len(body):,} bytes; an endpoint takes {MOST_PAYLOAD:,}: send fewer rows."
        )
    what = f"endpoint {endpoint}"
    answer = ask(
        client,
        "InvokeEndpoint",
        what,
        EndpointName=endpoint,
        ContentType="application/json",
        Accept="application/json",
        Body=body,
    )
    try:
        predicted = json.loads(answer["Body"].read())["predictions"]
        if not isinstance(predicted, list) or len(predicted) != len(rows):
            raise ValueError(f"{len(predicted)} answers to {len(rows)} rows")
    except (ValueError, KeyError, TypeError) as error:
        raise ServiceUnavailable(f"{what} gave no answer of the model ({error}); look at its log.") from error
    return [dict(row) for row in predicted]


def transform_request(account: Account, served: Served, job: str, source: str, out: str) -> dict[str, Any]:
    """CreateTransformJob: every line of the JSON-lines files under `source`, answered in files under `out`."""
    return {
        "TransformJobName": job,
        "ModelName": served.name,
        "BatchStrategy": "SingleRecord",
        "MaxPayloadInMB": 6,
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": "application/json",
            "SplitType": "Line",
        },
        "TransformOutput": {
            "S3OutputPath": out,
            "Accept": "application/json",
            "AssembleWith": "Line",
            "KmsKeyId": account.key,
        },
        "TransformResources": {
            "InstanceType": served.instance,
            "InstanceCount": served.machines,
        },
        "ModelClientConfig": {"InvocationsTimeoutInSeconds": 600, "InvocationsMaxRetries": 3},
    }


def transform(client: Any, account: Account, served: Served, job: str, source: str, out: str) -> str:
    """Start a batch transform with a version; makes its model where it is missing. Raises as `move`."""
    _check(served, job)
    _made(client, "CreateModel", **model_request(account, served))
    _made(client, "CreateTransformJob", **transform_request(account, served, job, source, out))
    return job


def _made(client: Any, operation: str, **request: Any) -> None:
    """Make a thing whose name says what it is; one that is there already is that thing."""
    try:
        ask(client, operation, SAGEMAKER, **request)
    except RequestRefused as refused:
        # SageMaker says "Cannot create already existing …" as a ValidationException.
        exists = "exist" in str(refused.__cause__).lower()
        if refused.code != "ResourceInUse" and not (refused.code == "ValidationException" and exists):
            raise


def _endpoint(client: Any, name: str) -> dict[str, Any] | None:
    try:
        return ask(client, "DescribeEndpoint", SAGEMAKER, EndpointName=name)
    except RequestRefused as refused:
        if refused.code == "ValidationException" and "could not find" in str(refused.__cause__).lower():
            return None
        raise


def _check(served: Served, name: str) -> None:
    for each in (served.name, name):
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", each):
            raise SelvedgeError(f"{each!r:.80} cannot be a name in SageMaker; letters, digits and dashes, at most 63.")
    if not served.model_uri.startswith("s3://"):
        raise SelvedgeError(
            f"the model of {served.family} is at {served.model_uri}; an endpoint reads it from a bucket: set "
            "SELVEDGE_MLFLOW_ARTIFACTS to one before it is registered."
        )
