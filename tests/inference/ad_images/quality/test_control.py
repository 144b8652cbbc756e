"""The verdict: limits, order, questions; and the vision model's requests against botocore's service model."""

import json

import numpy as np
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.finding import Change, Strictness
from inference.ad_images.quality.bedrock_judge import BedrockJudge, read_answer
from inference.ad_images.quality.brand import Brand, Guideline, read_brand
from inference.ad_images.quality.control import UnreadableAnswer, judge
from tests.inference.ad_images.quality.pictures import SIDE, lying, picture

NO_SHADOW = np.zeros((SIDE, SIDE), np.float32)


class Asked:
    """A judge that remembers its questions."""

    def __init__(self, answers):
        self.answers, self.questions = answers, []

    def ask(self, question, shown):
        self.questions.append(question)
        return self.answers[question]


def test_a_finding_says_value_limit_unit_and_what_may_change():
    brand = Brand("b", (), (Guideline("contact_shadow", Strictness.STRICT, 10),))
    (finding,) = judge(picture(shadow=NO_SHADOW), brand)
    assert (finding.passed, finding.value, finding.limit, finding.unit) == (False, 0, 10, "% darker")
    assert finding.may_change[0] is Change.LIGHT
    assert finding.sentence == "the ground at the product is 0 % darker (at least 10 %)"


def test_a_limit_of_the_brand_decides():
    shown = picture()
    for limit, passed in ((40, False), (39, True)):
        (finding,) = judge(shown, Brand("b", (), (Guideline("frame_share", Strictness.STRICT, limit),)))
        assert finding.passed is passed


def test_what_does_not_apply_has_no_finding():
    names = {finding.guideline for finding in judge(picture(lying()), read_brand("lifestyle"))}
    assert names.isdisjoint({"horizon", "horizon_tilt", "palette", "unasked_person"})


def test_questions_come_last_one_each_and_not_of_a_picture_that_failed_already():
    brand = Brand(
        "b",
        (),
        (
            Guideline("hand", Strictness.STRICT, 1, question="Is there a hand?", pass_on=False),
            Guideline("contact_shadow", Strictness.STRICT, 10),
            Guideline("plant", Strictness.FLEXIBLE, 1, question="Is there a plant?"),
        ),
    )
    judge_of_two = Asked({"Is there a hand?": (False, "none"), "Is there a plant?": (False, "bare floor")})
    findings = judge(picture(), brand, judge_of_two)
    assert [(finding.guideline, finding.passed) for finding in findings] == [
        ("contact_shadow", True),
        ("hand", True),
        ("plant", False),
    ]
    assert findings[2].sentence == "Is there a plant? no: bare floor"
    assert len(judge_of_two.questions) == 2
    judge(picture(shadow=NO_SHADOW), brand, judge_of_two)
    assert len(judge_of_two.questions) == 2


def test_an_answer_that_nobody_can_read_fails_the_guideline():
    class Mumbling:
        def ask(self, question, shown):
            raise UnreadableAnswer("the model answered twice without a yes or no.")

    brand = Brand("b", (), (Guideline("hand", Strictness.STRICT, 1, question="Is there a hand?", pass_on=False),))
    (finding,) = judge(picture(), brand, Mumbling())
    assert not finding.passed
    assert "without a yes or no" in finding.sentence


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"answer": "yes", "evidence": "a  hand\\nat the left"}', (True, "a hand at the left")),
        ('```json\n{"answer": "No", "evidence": "none"}\n```', (False, "none")),
        ('{"answer": true}', (True, "")),
        ("yes", None),
        ('{"answer": "perhaps"}', None),
        ('{"answer": ["yes"]}', None),
        ('{"answer": "yes"', None),
        ("[1]", None),
        ("", None),
    ],
)
def test_an_answer_is_one_json_object_or_none(text, answer):
    assert read_answer(text) == answer


def client(*replies):
    """A real botocore client whose answers are stubbed: requests are validated against the service model."""
    import boto3
    from botocore.stub import ANY, Stubber

    runtime = boto3.client("bedrock-runtime", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    stub = Stubber(runtime)
    for reply in replies:
        if isinstance(reply, str) and reply.endswith("Exception"):
            stub.add_client_error("converse", reply)
        else:
            message = {"role": "assistant", "content": [{"text": reply}]}
            usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
            answer = {
                "output": {"message": message},
                "stopReason": "end_turn",
                "usage": usage,
                "metrics": {"latencyMs": 1},
            }
            asked = {"modelId": "m", "messages": ANY, "system": ANY, "inferenceConfig": ANY}
            stub.add_response("converse", answer, asked)
    stub.activate()
    return runtime, stub


def test_bedrock_is_asked_with_the_picture_and_once_more_after_prose():
    runtime, stub = client("I think so.", json.dumps({"answer": "yes", "evidence": "a hand"}))
    assert BedrockJudge(runtime, "m").ask("Is there a hand?", picture()) == (True, "a hand")
    stub.assert_no_pending_responses()
    image, question = BedrockJudge(runtime, "m").request("Is there a hand?", picture())["messages"][0]["content"]
    assert image["image"]["source"]["bytes"].startswith(b"\x89PNG")
    assert question == {"text": "Is there a hand?"}


@pytest.mark.parametrize(
    ("replies", "error", "sentence"),
    [
        (["maybe", "maybe"], UnreadableAnswer, "2 times without a yes or no"),
        (["ThrottlingException"], ServiceUnavailable, "not available"),
        (["AccessDeniedException"], SelvedgeError, "grant bedrock:Converse"),
    ],
)
def test_bedrocks_errors_are_sentences(replies, error, sentence):
    runtime, _ = client(*replies)
    with pytest.raises(error, match=sentence):
        BedrockJudge(runtime, "m").ask("Is there a hand?", picture())
