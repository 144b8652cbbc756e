"""What the template tells Selvedge's containers is what Selvedge takes: settings, health address, handler, accounts.

The CDK app cannot import Selvedge, so names stand in both; these tests hold them together.
"""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import infra.aws
from inference.ad_images.dynamo_rows import KEYS
from infra.aws.function import ad_requests
from infra.proxy.pages import HEALTH
from orchestration.aws.account import _FORMS
from orchestration.families.settings import load_settings
from orchestration.runtime.settings import Settings

TEMPLATE = Path(infra.aws.__file__).parent / "templates" / "Selvedge.template.json"
CONTENT: dict[str, Any] = json.loads(TEMPLATE.read_text(encoding="utf-8"))


def of(kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in CONTENT["Resources"].values() if each["Type"] == kind]


def written(value: Any) -> str:
    """A value with something in the place of what is known once it is deployed."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return str(value["Fn::Join"][0]).join(map(written, value["Fn::Join"][1]))
    return "us-east-1" if value == {"Ref": "AWS::Region"} else "made-there"


def taken(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_the_platform_takes_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    ((container,),) = [each["ContainerDefinitions"] for each in of("AWS::ECS::TaskDefinition")]
    environment = {each["Name"]: written(each["Value"]) for each in container["Environment"]}
    secrets = {each["Name"]: "x" * 64 for each in container["Secrets"]}
    settings = taken(monkeypatch, environment | secrets)
    assert (str(settings.home), settings.storage, settings.label_studio) == ("/data", "s3://made-there", "off")
    assert settings.mlflow_artifact_root == "s3://made-there/mlflow"
    assert settings.ledger_uri.startswith("postgresql+psycopg://selvedge@made-there:5432/selvedge")
    assert "sslmode=require" in settings.ledger_uri
    assert f"http://127.0.0.1:{settings.dagster_port}{HEALTH}" in container["HealthCheck"]["Command"][-1]


def test_the_functions_take_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    maker, function = sorted(of("AWS::Lambda::Function"), key=lambda each: each.get("Handler", ""))
    module, _, name = maker["ImageConfig"]["Command"][0].rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))
    settings = taken(monkeypatch, {name: written(value) for name, value in maker["Environment"]["Variables"].items()})
    assert settings.ad_rows_uri == "dynamodb:made-there" and settings.ad_guardrails == "local"
    source = Path(ad_requests.__file__).read_text(encoding="utf-8")
    asked = set(re.findall(r'os\.environ\["(\w+)"\]', source))
    assert asked == set(function["Environment"]["Variables"])
    assert function["Handler"] == f"{ad_requests.__name__.rpartition('.')[2]}.handler"


def test_tables_have_the_keys_that_the_code_reads() -> None:
    keys = sorted([each["AttributeName"] for each in table["KeySchema"]] for table in of("AWS::DynamoDB::Table"))
    assert keys == [["request_id"], list(KEYS)]


def test_the_outputs_are_what_an_account_is_asked_for() -> None:
    named = {example.rpartition(" ")[2] for _, example in _FORMS.values() if "output" in example} | {"BatchRole"}
    assert named <= set(CONTENT["Outputs"])


IAM_OF = {  # where an operation and the action that allows it have different names
    "s3:listObjectsV2": "s3:ListBucket",
    "bedrockruntime:applyGuardrail": "bedrock:ApplyGuardrail",
    "lambda:invoke": "lambda:InvokeFunction",
}
OF_EVERY_ROLE = {"kms:Decrypt", "kms:GenerateDataKey"}  # what is encrypted with the stack's key
OF_LOGS_AND_TRACES = ("logs:", "xray:")


def allowed(role: str) -> set[str]:
    """The actions of a role of the template, less those for keys, logs and traces."""
    policies = [policy for policy in of("AWS::IAM::Policy") if any(role in each["Ref"] for each in policy["Roles"])]
    statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    actions = {
        action
        for each in statements
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    return {action for action in actions - OF_EVERY_ROLE if not action.startswith(OF_LOGS_AND_TRACES)}


def test_the_state_machine_may_do_what_its_states_ask_for_and_no_more() -> None:
    (machine,) = of("AWS::StepFunctions::StateMachine")
    resources = set(re.findall(r'"Resource":"arn:aws:states:::(?:aws-sdk:)?(\w+:\w+)"', machine["DefinitionString"]))
    asked = {
        IAM_OF.get(each, f"{each.partition(':')[0]}:{each.partition(':')[2][:1].upper()}{each.partition(':')[2][1:]}")
        for each in resources
    }
    assert allowed("MachineRole") == asked | {"s3:GetObject"}, "Rekognition reads the photograph as whoever asks it"


def test_the_api_function_may_do_what_its_code_asks_for_and_no_more() -> None:
    source = Path(ad_requests.__file__).read_text(encoding="utf-8")
    calls = re.findall(r'_client\("(\w+)"\)\s*\.(\w+)\(', source)
    asked = {f"{service}:{''.join(part.title() for part in call.split('_'))}" for service, call in calls}
    assert allowed("FunctionRole") == {each.replace("stepfunctions:", "states:") for each in asked}
