"""The request API without an account: the kept template's state machine in moto's interpreter, behind it the front.

moto reads Amazon States Language and calls what a state names at the port in MOTO_PORT. That port is the front's: it
answers Comprehend, Rekognition, Bedrock and the function that makes ads in the shapes of botocore's service models,
with faults on demand, and passes S3, DynamoDB and Step Functions on to moto's server. So the very definition that CDK
synthesised is executed, and asks for what it would ask for.
"""

import base64
import hashlib
import io
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer
from PIL import Image

from inference.ad_images.guardrails.aws import IMAGE_BYTES, SEGMENT_BYTES, ComprehendGuardrail, RekognitionGuardrail
from infra.aws.function import ad_requests
from tests.aws_front import BROKEN, DENIED, THROTTLED, AwsFront, apply_guardrail_answer, toxic_content_answer

TEMPLATE = Path(ad_requests.__file__).parents[1] / "templates" / "Selvedge.template.json"
BUCKET, REQUESTS, ADS = "selvedge-data", "selvedge-requests", "selvedge-ads"
MAKER = "arn:aws:lambda:us-east-1:123456789012:function:maker"
SECONDS = 12.0  # an execution may take on a busy machine
PICTURES = [{"rank": 1, "uri": "s3://selvedge-data/objects/ads/a/1.png", "recipe_uri": "1.json"}]
STORED = {"status": "stored", "recipe_key": "0f1e", "code": "", "sentence": ""}

# Step Functions names Bedrock and its members as Java does, moto as boto3 does.
BEDROCK_OF_MOTO = {
    '"$.Action"': '"$.action"',
    "aws-sdk:bedrockruntime:": "aws-sdk:bedrock-runtime:",
    '"GuardrailIdentifier"': '"guardrailIdentifier"',
    '"GuardrailVersion"': '"guardrailVersion"',
    '"Source":"INPUT"': '"source":"INPUT"',
    '"Content":[{"Text":{"Text.$"': '"content":[{"text":{"text.$"',
}


class Api:
    """The function behind the API, and the services behind it."""

    def __init__(self, front: AwsFront) -> None:
        self.front = front
        self.rows = boto3.client("dynamodb")

    def put(self, request_id: str, body: Any, raw: str | None = None) -> tuple[int, dict[str, Any]]:
        return self._ask("PUT", request_id, json.dumps(body) if raw is None else raw)

    def get(self, request_id: str) -> tuple[int, dict[str, Any]]:
        return self._ask("GET", request_id, None)

    def ended(self, request_id: str) -> dict[str, Any]:
        """How a request ended."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            _, told = self.get(request_id)
            if told["state"] != "accepted":
                return told
            time.sleep(0.05)
        raise AssertionError(f"{request_id} did not end within {SECONDS} s")

    def _ask(self, method: str, request_id: str, body: str | None) -> tuple[int, dict[str, Any]]:
        event = {"httpMethod": method, "pathParameters": {"request_id": request_id}, "body": body}
        answer = ad_requests.handler(event, None)
        return answer["statusCode"], json.loads(answer["body"])


def definition(retry_seconds: int = 1) -> str:
    """The kept template's, with names in it and no long waits between retries."""
    resources = json.loads(TEMPLATE.read_text())["Resources"].values()
    (machine,) = (each for each in resources if each["Type"] == "AWS::StepFunctions::StateMachine")
    text: str = machine["Properties"]["DefinitionString"]
    named = {"Requests": REQUESTS, "Guardrail": "gr123456", "GuardrailVersion": "1", "MakeFunction": MAKER}
    assert named.keys() == machine["Properties"]["DefinitionSubstitutions"].keys()
    for name, value in named.items():
        text = text.replace(f"${{{name}}}", value)
    for of_aws, of_moto in BEDROCK_OF_MOTO.items():
        assert of_aws in text
        text = text.replace(of_aws, of_moto)
    return text.replace('"IntervalSeconds":2', f'"IntervalSeconds":{retry_seconds}').replace(
        '"BackoffRate":2', '"BackoffRate":1'
    )


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    yield f"http://{host}:{port}"
    moto.stop()


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[Api]:
    with AwsFront(moto_url=server) as front, pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": front.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "MOTO_PORT": front.url.rpartition(":")[2],
            "DATA_BUCKET": BUCKET,
            "REQUESTS_TABLE": REQUESTS,
            "ADS_TABLE": ADS,
        }.items():
            patch.setenv(name, value)
        urlopen(Request(f"{server}/moto-api/reset", method="POST"))
        config = json.dumps({"stepfunctions": {"execute_state_machine": True}}).encode()
        urlopen(Request(f"{server}/moto-api/config", data=config, method="POST"))
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        for table, keys in ((REQUESTS, ("request_id",)), (ADS, ("request_id", "recipe_key"))):
            boto3.client("dynamodb").create_table(
                TableName=table,
                KeySchema=[
                    {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
                BillingMode="PAY_PER_REQUEST",
            )
        machine = boto3.client("stepfunctions").create_state_machine(
            name="ads", definition=definition(), roleArn="arn:aws:iam::123456789012:role/machine"
        )
        patch.setenv("STATE_MACHINE", machine["stateMachineArn"])
        yield Api(front)


@pytest.fixture(autouse=True)
def _as_new(api: Api) -> None:
    api.front.reset()
    api.front.answer("DetectDominantLanguage", {"Languages": [{"LanguageCode": "en", "Score": 0.99}]})
    api.front.answer("Invoke", {"StatusCode": 200, "Payload": json.dumps(STORED).encode()})


def photo(colour: str = "red") -> str:
    content = io.BytesIO()
    Image.new("RGB", (80, 80), colour).save(content, "JPEG")
    return base64.b64encode(content.getvalue()).decode()


def test_a_request_becomes_pictures_and_is_asked_for_once(api: Api) -> None:
    row = {"request_id": {"S": "shirt"}, "recipe_key": {"S": "0f1e"}, "row": {"S": json.dumps({"pictures": PICTURES})}}
    api.rows.put_item(TableName=ADS, Item=row)
    body = {"photo": photo(), "prompt": "on a beach", "theme": "summer", "size": "512x512", "seed": 7}
    assert api.put("shirt", body) == (202, {"request_id": "shirt", "state": "accepted"})
    told = api.ended("shirt")
    assert (told["state"], told["pictures"]) == ("stored", PICTURES)
    assert api.put("shirt", body)[1]["pictures"] == PICTURES
    (invoked,) = api.front.asked("Invoke")
    given = json.loads(invoked["Payload"])
    assert given["order"] == {"theme": "summer", "size": "512x512", "seed": 7}
    kept = boto3.client("s3").get_object(Bucket=BUCKET, Key=given["photo"]["key"])["Body"].read()
    assert kept == base64.b64decode(body["photo"])
    (moderated,) = api.front.asked("DetectModerationLabels")
    assert moderated["Image"]["S3Object"] == {"Bucket": BUCKET, "Name": given["photo"]["key"]}
    (guarded,) = api.front.asked("ApplyGuardrail")
    assert guarded["guardrailIdentifier"] == "gr123456" and guarded["content"] == [{"text": {"text": "on a beach"}}]


def test_without_a_prompt_no_service_reads_one(api: Api) -> None:
    assert api.put("plain", {"photo": photo()})[0] == 202
    assert api.ended("plain")["state"] == "stored"
    assert not api.front.asked("DetectToxicContent") and len(api.front.asked("DetectModerationLabels")) == 1


LABEL = {"Name": "Explicit Nudity", "ParentName": "Explicit", "Confidence": 91.0, "TaxonomyLevel": 2}
HARMLESS_LABEL = {"Name": "Swimwear", "ParentName": "Swimwear or Underwear", "Confidence": 99.0, "TaxonomyLevel": 2}
REFUSALS: dict[str, tuple[str, Any, str]] = {
    "toxic": ("DetectToxicContent", lambda asked: toxic_content_answer(asked, INSULT=0.5), "text_unsafe"),
    "german": ("DetectDominantLanguage", {"Languages": [{"LanguageCode": "de", "Score": 0.9}]}, "prompt_language"),
    "guarded": ("ApplyGuardrail", apply_guardrail_answer("PROMPT_ATTACK"), "text_unsafe"),
    "label": (
        "DetectModerationLabels",
        {"ModerationLabels": [HARMLESS_LABEL, LABEL], "ModerationModelVersion": "7.0"},
        "photo_unsafe",
    ),
    "made": (
        "Invoke",
        {"StatusCode": 200, "Payload": b'{"status": "refused", "code": "no_product", "sentence": "Nothing there."}'},
        "no_product",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_told_with_its_code_and_sentence_and_makes_nothing(api: Api, case: str) -> None:
    operation, answer, code = REFUSALS[case]
    api.front.answer(operation, answer)
    assert api.put(f"refused-{case}", {"photo": photo(), "prompt": "on a beach"})[0] == 202
    told = api.ended(f"refused-{case}")
    assert (told["state"], told["code"]) == ("refused", code)
    assert told["sentence"].endswith(".") and "pictures" not in told
    assert len(api.front.asked("Invoke")) == (case == "made")


def test_a_harmless_label_refuses_nothing(api: Api) -> None:
    api.front.answer("DetectModerationLabels", {"ModerationLabels": [HARMLESS_LABEL], "ModerationModelVersion": "7.0"})
    api.put("swimwear", {"photo": photo()})
    assert api.ended("swimwear")["state"] == "stored"


@pytest.mark.parametrize(
    ("operation", "fault"),
    [
        ("DetectToxicContent", THROTTLED),
        ("DetectModerationLabels", BROKEN),
        ("ApplyGuardrail", THROTTLED),
        ("Invoke", BROKEN),
    ],
)
def test_a_service_that_fails_once_is_asked_again(api: Api, operation: str, fault: Any) -> None:
    name = f"again-{operation}"
    api.front.fault(operation, fault, times=1)
    api.put(name, {"photo": photo(), "prompt": "on a beach"})
    assert api.ended(name)["state"] == "stored"
    assert len(api.front.asked(operation)) >= 2


def test_a_guardrail_that_never_answers_allows_nothing_and_the_request_can_be_sent_again(api: Api) -> None:
    body = {"photo": photo("navy"), "prompt": "on a beach"}
    api.front.fault("DetectToxicContent", DENIED, times=40)
    api.put("denied", body)
    told = api.ended("denied")
    assert told["state"] == "failed" and told["sentence"].endswith("send the same request again.")
    assert not api.front.asked("Invoke")
    _as_new.__wrapped__(api)
    assert api.put("denied", body) == (202, {"request_id": "denied", "state": "accepted"})
    assert api.ended("denied")["state"] == "stored"


def test_a_photograph_that_is_gone_is_refused(api: Api) -> None:
    given = {"request_id": "gone", "photo": {"bucket": BUCKET, "key": "uploads/gone/0"}, "prompt": "", "order": {}}
    ad_requests._claimed("gone", "0" * 64)
    ad_requests._start("gone-1", given)
    assert api.ended("gone")["code"] == "photo_unreadable"


def test_the_same_id_with_another_body_is_refused_and_a_kill_between_item_and_start_loses_nothing(api: Api) -> None:
    body = {"photo": photo("green")}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    ad_requests._claimed("killed", digest)
    assert api.get("killed") == (200, {"request_id": "killed", "state": "accepted"})
    assert api.put("killed", {"photo": photo("blue")})[0] == 409
    assert api.put("killed", body)[0] == 202
    assert api.ended("killed")["state"] == "stored"


BAD: dict[str, tuple[str, str | None, Any, int]] = {
    "id": ("../38", None, {"photo": photo()}, 400),
    "json": ("bad", "{", None, 400),
    "list": ("bad", "[]", None, 400),
    "no photo": ("bad", None, {}, 400),
    "not base64": ("bad", None, {"photo": "%%"}, 400),
    "empty": ("bad", None, {"photo": ""}, 413),
    "large": ("bad", None, {"photo": base64.b64encode(bytes(4 * 2**20 + 1)).decode()}, 413),
    "member": ("bad", None, {"photo": photo(), "colour": "red"}, 400),
    "prompt": ("bad", None, {"photo": photo(), "prompt": "é" * 501}, 400),
    "size": ("bad", None, {"photo": photo(), "size": "9x9"}, 400),
    "seed": ("bad", None, {"photo": photo(), "seed": True}, 400),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_sentence_and_stores_nothing(api: Api, case: str) -> None:
    request_id, raw, body, status = BAD[case]
    got, told = api.put(request_id, body, raw)
    assert (got, told["sentence"].count("\n"), told["sentence"][-1]) == (status, 0, ".")
    assert api.get("bad")[0] == 404 and api.get("nobody")[1]["code"] == "unknown"


def test_services_that_are_away_are_told_and_not_raised(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_TABLE", "no-such-table")
    status, told = api.put("away", {"photo": photo()})
    assert (status, told["code"]) == (503, "unavailable")


def test_the_states_refuse_what_the_guardrails_of_the_code_refuse() -> None:
    limits: Mapping[str, Any] = yaml.safe_load((TEMPLATE.parents[1] / "limits.yaml").read_text())
    assert limits["most_toxic"] == ComprehendGuardrail(None).most_toxic
    assert limits["min_confidence"] == RekognitionGuardrail(None).min_confidence
    assert set(limits["unsafe_labels"]) == RekognitionGuardrail(None).refused
    assert ad_requests.MOST_PHOTO <= IMAGE_BYTES and ad_requests.TEXTS["prompt"] <= SEGMENT_BYTES
    text = definition()
    assert all(json.dumps(label) in text for label in limits["unsafe_labels"])
    assert f'"NumericGreaterThanEquals":{limits["most_toxic"]}' in text
