"""Training jobs of SageMaker: the same `selvedge train` as on a GPU box, on spot machines, resumed from checkpoints.

Belongs here: the request, which lines of the log are figures, how a job stands. Not here: the training, the client
(inference/ad_images/aws.py), the account (account.py).

The container runs two commands that a person would type: it reads the delivery, and trains into the folder that
SageMaker copies to S3 while it runs and back before it begins anew. A spot machine that is taken away sends SIGTERM, at
which the training writes its checkpoint; the next machine runs the same two commands, and the training goes on where it
was. What is trained is copied into the folder that SageMaker keeps at the end.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Any

from catalog.errors import SelvedgeError
from inference.ad_images.aws import RequestRefused, ask
from orchestration.aws.account import Account

SAGEMAKER = "SageMaker"
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
INPUT, CHECKPOINTS, KEPT = "/opt/ml/input/data", "/opt/ml/checkpoints", "/opt/ml/model"
DELIVERY, SETTINGS, SETTINGS_FILE = "delivery", "settings", "training.yaml"
ADDRESS = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+"
NUMBER = r"([-+]?[0-9][-+.0-9e]*)"
FIGURES = ("loss", "accuracy", "learning_rate")
MOST_METRICS = 40
LEAST_PENDING_SECONDS = 7200
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
ENDED = ("Completed", "Failed", "Stopped")


@dataclass(frozen=True)
class TrainingOrder:
    """What is to be trained.

    Attributes:
        candidate: names the work: its checkpoints lie under it, so another attempt at the same goes on from them.
        attempt: 1 is the first; with the candidate it names the job. delivery: s3:// address of the catalogue's
        delivery. settings: s3:// address of the folder of the YAML file. hours: of training at most. spot: on machines
        that may be taken away, for a part of the price. weights: s3:// address of a mirrored base (mirror.py), whose
        last part is its name under the models folder; "" where
            the one that ships with Selvedge will do.
        figures: what the log shows and SageMaker plots, as the last part of their names.
    """

    family: str
    candidate: str
    delivery: str
    settings: str
    attempt: int = 1
    instance: str = "ml.g6e.xlarge"
    disk_gib: int = 100
    hours: float = 24.0
    spot: bool = True
    figures: tuple[str, ...] = FIGURES
    weights: str = ""

    @property
    def job(self) -> str:
        return f"{self.candidate}-{self.attempt}"


def command(family: str) -> str:
    """What the container's shell runs; the same two commands as on a machine with a GPU."""
    read = ("selvedge", "catalog", "read", f"{INPUT}/{DELIVERY}", "--out", "/tmp/catalog")
    train = (
        *("selvedge", "train", family, "--config", f"{INPUT}/{SETTINGS}/{SETTINGS_FILE}"),
        *("--catalog", "/tmp/catalog", "--out", f"{CHECKPOINTS}/candidate"),
    )
    return f"set -e; {shlex.join(read)}; {shlex.join(train)}; cp -R {CHECKPOINTS}/candidate/. {KEPT}/"


def metric_definitions(figures: tuple[str, ...] = FIGURES) -> list[dict[str, str]]:
    """Regular expressions for the lines that `selvedge train` prints where there is no terminal (cli/terminal.py):
    `ReStGAN: 120 of 400  3 min left  loss 0.123  accuracy 0.5`."""
    progress = [{"Name": "steps", "Regex": ": ([0-9]+) of [0-9]+"}]
    return progress + [{"Name": name, "Regex": f"(?:^|  ){re.escape(name)} {NUMBER}"} for name in figures]


def request(account: Account, order: TrainingOrder) -> dict[str, Any]:
    """The CreateTrainingJob request.

    Raises:
        SelvedgeError: a name, an address or a number that SageMaker would refuse.
    """
    _check(order)
    seconds = int(order.hours * 3600)
    stopping: dict[str, int] = {"MaxRuntimeInSeconds": seconds}
    if order.spot:
        stopping["MaxWaitTimeInSeconds"] = seconds + max(seconds // 2, LEAST_PENDING_SECONDS)
    return {
        "TrainingJobName": order.job,
        "RoleArn": account.training_role,
        "AlgorithmSpecification": {
            "TrainingImage": account.training_image,
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh", "-c"],
            "ContainerArguments": [command(order.family)],
            "MetricDefinitions": metric_definitions(order.figures),
        },
        "InputDataConfig": [
            _channel(DELIVERY, order.delivery),
            _channel(SETTINGS, order.settings),
            *([_channel(base_name(order.weights), order.weights)] if order.weights else []),
        ],
        "OutputDataConfig": {
            "S3OutputPath": f"s3://{account.models_bucket}/candidates",
            "KmsKeyId": account.key,
        },
        "ResourceConfig": {
            "InstanceType": order.instance,
            "InstanceCount": 1,
            "VolumeSizeInGB": order.disk_gib,
        },
        "CheckpointConfig": {
            "S3Uri": f"s3://{account.models_bucket}/checkpoints/{order.candidate}",
            "LocalPath": CHECKPOINTS,
        },
        "EnableManagedSpotTraining": order.spot,
        "StoppingCondition": stopping,
        "VpcConfig": account.network,
        "EnableInterContainerTrafficEncryption": True,
        "RetryStrategy": {"MaximumRetryAttempts": 3},
        "Environment": QUIET | ({"SELVEDGE_MODELS": INPUT} if order.weights else {}),
        "Tags": [
            {"Key": "selvedge:family", "Value": order.family},
            {"Key": "selvedge:candidate", "Value": order.candidate},
        ],
    }


def base_name(weights: str) -> str:
    """The folder of a base under the models folder, from its address.

    Raises:
        SelvedgeError: it is no address of a bucket, or its last part is no name of a folder.
    """
    name = weights.rstrip("/").rpartition("/")[2]
    if not re.fullmatch(ADDRESS, weights) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise SelvedgeError(f"--weights is an address like s3://BUCKET/mirror/blip2-flan-t5-xl, not {weights!r:.80}.")
    if name in (DELIVERY, SETTINGS):
        raise SelvedgeError(f"--weights {weights:.80} ends with {name}, which names no base; mirror it under its name.")
    return name


def start(client: Any, account: Account, order: TrainingOrder) -> str:
    """Start the job; its name. One that was started before under this name is not started again.

    Raises:
        SelvedgeError: as `request`; SageMaker refuses it. ServiceUnavailable: it does not answer.
    """
    try:
        ask(client, "CreateTrainingJob", SAGEMAKER, **request(account, order))
    except RequestRefused as refused:
        if refused.code == "ResourceInUse":
            return order.job
        if refused.code == "ResourceLimitExceeded":
            raise SelvedgeError(
                f"{SAGEMAKER} has no quota for {order.instance} ({'spot' if order.spot else 'on demand'}) in "
                f"{account.region}; ask AWS for one, or name another --instance."
            ) from refused
        raise
    return order.job


def next_attempt(client: Any, candidate: str) -> int:
    """The number of the next attempt at a candidate; the last one's while it still runs or when it succeeded."""
    attempt = 1
    while True:
        try:
            standing = state(client, f"{candidate}-{attempt}")
        except RequestRefused as refused:
            if refused.code != "ValidationException" and "NotFound" not in refused.code:
                raise
            return attempt
        if standing["state"] not in ("Failed", "Stopped"):
            return attempt
        attempt += 1


def state(client: Any, job: str) -> dict[str, Any]:
    """How a job stands: state, what it does, its figures, seconds used and paid, where the result is, why it failed.

    Raises:
        RequestRefused: there is none of this name. ServiceUnavailable: SageMaker does not answer.
    """
    described = ask(client, "DescribeTrainingJob", SAGEMAKER, TrainingJobName=job)
    used, paid = described.get("TrainingTimeInSeconds"), described.get("BillableTimeInSeconds")
    return {
        "job": job,
        "state": described["TrainingJobStatus"],
        "doing": described.get("SecondaryStatus", ""),
        "figures": {each["MetricName"]: float(each["Value"]) for each in described.get("FinalMetricDataList", [])},
        "seconds_used": used,
        "seconds_paid": paid,
        "spot_saved": None if not used or paid is None else round(1 - paid / used, 3),
        "result": (described.get("ModelArtifacts") or {}).get("S3ModelArtifacts"),
        "why": described.get("FailureReason", ""),
    }


def stop(client: Any, job: str) -> None:
    """Ask a job to stop; it writes its checkpoint within 120 s, and the next attempt goes on from it."""
    ask(client, "StopTrainingJob", SAGEMAKER, TrainingJobName=job)


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _check(order: TrainingOrder) -> None:
    if not NAME.fullmatch(order.job):
        raise SelvedgeError(f"{order.job!r:.80} cannot name a job; it has up to 63 letters, digits and single dashes.")
    for what, uri in (("delivery", order.delivery), ("settings", order.settings)):
        if not re.fullmatch(ADDRESS, uri):
            raise SelvedgeError(f"the {what} of a training job is an address like s3://BUCKET/FOLDER, not {uri!r:.80}.")
    if not 0 < order.hours <= 24 * 28:
        raise SelvedgeError(f"a training job runs for up to 672 hours, not {order.hours:g}; change --hours.")
    if not order.instance.startswith("ml."):
        raise SelvedgeError(f"{order.instance!r:.40} is no machine of SageMaker; ml.g6e.xlarge is one.")
    if len(order.figures) >= MOST_METRICS:
        raise SelvedgeError(f"{len(order.figures)} figures; SageMaker plots at most {MOST_METRICS - 1}.")
