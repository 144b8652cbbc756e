"""The account: what a deployed stack put out, as a YAML file that commands are given.

Belongs here: reading that file and holding it to its form. Not here: credentials, which come from the environment as
AWS tools take them and are written nowhere.
"""

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.yaml_files import read_yaml

_ROLE = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+"
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
_IMAGE = r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})"
MOST_ALARMS = 9
_FORMS = {
    "region": (r"[a-z]{2}(-[a-z]+)+-\d", "us-east-1"),
    "data_bucket": (_BUCKET, "the stack's output DataBucket"),
    "models_bucket": (_BUCKET, "the stack's output ModelsBucket"),
    "training_role": (_ROLE, "the stack's output TrainingRole"),
    "serving_role": (_ROLE, "the stack's output ServingRole"),
    "subnets": (r"subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*", "the stack's output Subnets"),
    "security_group": (r"sg-[0-9a-f]+", "the stack's output SecurityGroup"),
    "key": (r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+", "the stack's output KeyArn"),
    "training_image": (_IMAGE, "the GPU image in ECR, with its tag or digest"),
    "serving_image": (_IMAGE, "the CPU or GPU image in ECR, with its tag or digest"),
}


@dataclass(frozen=True)
class Account:
    """Where jobs run and what they may use; each as the stack put it out.

    Attributes:
        subnets: ids with commas. key: of KMS. alarms: names of further CloudWatch alarms that roll an endpoint back.
        batch_role: for batches on Bedrock; "" where none are asked for.
    """

    region: str
    data_bucket: str
    models_bucket: str
    training_role: str
    serving_role: str
    subnets: str
    security_group: str
    key: str
    training_image: str
    serving_image: str
    alarms: tuple[str, ...] = ()
    batch_role: str = ""

    @property
    def network(self) -> dict[str, list[str]]:
        """A request's VpcConfig."""
        return {"SecurityGroupIds": [self.security_group], "Subnets": self.subnets.split(",")}


def read_account(file: Path) -> Account:
    """The account of a file.

    Raises:
        SelvedgeError: it cannot be read, lacks a name, has one too many, or a value is not of its form.
    """
    values: dict[str, Any] = read_yaml(file, "account", "write one with the stack's outputs, as docs/aws.md shows")
    names = [field.name for field in fields(Account)]
    odd = next((name for name in values if name not in names), None)
    if odd is not None:
        raise SelvedgeError(f"account {file} has {odd!r:.60}, which is none of {', '.join(names)}; remove it.")
    for name, (form, example) in _FORMS.items():
        if not isinstance(values.get(name), str) or not re.fullmatch(form, values[name]):
            shown = "is missing" if name not in values else f"cannot be {values[name]!r:.80}"
            raise SelvedgeError(f"account {file}: {name} {shown}; it is {example}.")
    batch_role = values.pop("batch_role", None) or ""
    if batch_role and not re.fullmatch(_ROLE, str(batch_role)):
        raise SelvedgeError(
            f"account {file}: batch_role cannot be {batch_role!r:.80}; it is the stack's output BatchRole."
        )
    alarms = values.pop("alarms", [])
    if not isinstance(alarms, list) or not all(isinstance(alarm, str) and 0 < len(alarm) < 256 for alarm in alarms):
        raise SelvedgeError(f"account {file}: alarms are a list of names of CloudWatch alarms.")
    if len(alarms) > MOST_ALARMS:
        raise SelvedgeError(f"account {file}: {len(alarms)} alarms; SageMaker watches {MOST_ALARMS} beside our own.")
    return Account(**values, alarms=tuple(alarms), batch_role=batch_role)
