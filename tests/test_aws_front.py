"""The loopback front answers in AWS's shapes and fails as asked, so that a test against it says something."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.aws_front import (
    BROKEN,
    CLOSED,
    MALFORMED,
    THROTTLED,
    AwsFront,
    apply_guardrail_answer,
    converse_answer,
    guardrail_checks_answer,
    invoke_model_answer,
    slow,
    toxic_content_answer,
)

MESSAGES = [{"role": "user", "content": [{"text": "a shirt"}]}]


@pytest.fixture(scope="module")
def front() -> Iterator[AwsFront]:
    with AwsFront() as server:
        yield server


@pytest.fixture(scope="module")
def bedrock(front: AwsFront):
    return front.client("bedrock-runtime")


@pytest.fixture(autouse=True)
def _as_new(front: AwsFront) -> None:
    front.reset()


def test_every_named_operation_answers_as_set(front: AwsFront, bedrock) -> None:
    front.answer("Converse", converse_answer("on a beach"))
    front.answer("InvokeModel", invoke_model_answer({"images": ["aGk="]}))
    front.answer("InvokeGuardrailChecks", guardrail_checks_answer("JAILBREAK", 0.9))
    front.answer("ApplyGuardrail", apply_guardrail_answer("VIOLENCE"))
    front.answer("DetectToxicContent", lambda request: toxic_content_answer(request, INSULT=0.8))
    text = bedrock.converse(modelId="some.model-v1:0", messages=MESSAGES)["output"]["message"]["content"][0]["text"]
    assert text == "on a beach"
    body = json.dumps({"prompt": "x"}).encode()
    assert json.loads(bedrock.invoke_model(modelId="m", body=body)["body"].read()) == {"images": ["aGk="]}
    checks = {"promptAttack": {"categories": [{"category": "JAILBREAK"}]}}
    attack = bedrock.invoke_guardrail_checks(messages=MESSAGES, checks=checks)["results"]["promptAttack"]["results"]
    assert attack[0] == {"category": "JAILBREAK", "severityScore": 0.9}
    content = [{"image": {"format": "png", "source": {"bytes": b"abc"}}}]
    applied = bedrock.apply_guardrail(
        guardrailIdentifier="gr1", guardrailVersion="DRAFT", source="INPUT", content=content
    )
    assert applied["action"] == "GUARDRAIL_INTERVENED"
    assert front.asked("ApplyGuardrail")[0]["content"] == content
    assert front.asked("InvokeModel")[0]["body"] == body and front.asked("Converse")[0]["modelId"] == "some.model-v1:0"
    segments = [{"Text": "a"}, {"Text": "b"}]
    toxic = front.client("comprehend").detect_toxic_content(TextSegments=segments, LanguageCode="en")
    assert [round(one["Toxicity"], 3) for one in toxic["ResultList"]] == [0.8, 0.8]
    labels = front.client("rekognition").detect_moderation_labels(Image={"Bytes": b"\xff\xd8"}, MinConfidence=50)
    assert labels["ModerationLabels"] == [] and front.asked("DetectModerationLabels")[0]["Image"] == {
        "Bytes": b"\xff\xd8"
    }


def test_models_of_bedrock_itself_can_be_answered(front: AwsFront) -> None:
    ends = datetime(2026, 9, 30, tzinfo=UTC)
    lifecycle = {"status": "LEGACY", "endOfLifeTime": ends}
    details = {
        "modelArn": "arn:aws:bedrock:us-east-1::foundation-model/a.b",
        "modelId": "a.b",
        "modelLifecycle": lifecycle,
    }
    front.answer("GetFoundationModel", {"modelDetails": details})
    answer = front.client("bedrock").get_foundation_model(modelIdentifier="a.b")
    assert answer["modelDetails"]["modelLifecycle"]["endOfLifeTime"] == ends


def test_faults_come_in_order_and_then_the_answer(front: AwsFront, bedrock) -> None:
    def ask(client=bedrock):
        return client.converse(modelId="m", messages=MESSAGES)

    for fault, code in ((THROTTLED, "ThrottlingException"), (BROKEN, "InternalServerException")):
        front.fault("Converse", fault)
        with pytest.raises(ClientError) as raised:
            ask()
        assert raised.value.response["Error"]["Code"] == code
    front.fault("Converse", MALFORMED)
    assert "output" not in ask()  # botocore reads broken JSON as an answer with nothing in it
    front.fault("Converse", CLOSED)
    with pytest.raises(BotoCoreError):
        ask()
    front.fault("Converse", slow(0.4))
    with pytest.raises(BotoCoreError):
        ask(front.client("bedrock-runtime", read_timeout=0.1))
    assert ask()["stopReason"] == "end_turn"


def test_an_answer_outside_the_output_shape_cannot_be_set(front: AwsFront) -> None:
    with pytest.raises(AssertionError, match="ApplyGuardrail"):
        front.answer("ApplyGuardrail", {"action": "NONE"})


def test_other_services_go_to_moto() -> None:
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    try:
        host, port = moto.get_host_and_port()
        with AwsFront(moto_url=f"http://{host}:{port}") as front:
            table = front.client("dynamodb").create_table(
                TableName="front",
                KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
            assert table["TableDescription"]["TableName"] == "front"
            assert front.client("bedrock-runtime").converse(modelId="m", messages=MESSAGES)["stopReason"] == "end_turn"
    finally:
        moto.stop()
