"""AWS guardrails: requests fit botocore's models, limits hold before a request, no broken answer lets a prompt pass."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.ad_images.guardrails.aws import (
    IMAGE_BYTES,
    SEGMENT_BYTES,
    BedrockChecksGuardrail,
    BedrockGuardrail,
    ComprehendGuardrail,
    RekognitionGuardrail,
    text_segments,
)
from inference.ad_images.guardrails.guardrail import Guardrails
from inference.ad_images.guardrails.language import is_english
from inference.ad_images.guardrails.local import LocalGuardrail
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.aws_front import (
    BROKEN,
    CLOSED,
    DENIED,
    MALFORMED,
    NOT_THE_SHAPE,
    THROTTLED,
    AwsFront,
    Fault,
    apply_guardrail_answer,
    guardrail_checks_answer,
    slow,
    toxic_content_answer,
)
from tests.inference.ad_images.prompts_for_tests import ordinary_prompts

PROMPT = "on a wooden table by the window"


def picture(width: int, height: int, kind: str = "JPEG", noise: bool = False) -> bytes:
    pixels = np.full((height, width, 3), 230, np.uint8)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = (30, 60, 120)
    if noise:
        pixels = np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


PHOTO = picture(64, 64)


@pytest.fixture(scope="module")
def front() -> Iterator[AwsFront]:
    with AwsFront() as server:
        yield server


@pytest.fixture(scope="module")
def adapters(front: AwsFront) -> dict[str, tuple[object, str]]:
    bedrock = front.client("bedrock-runtime", read_timeout=0.4)
    return {
        "comprehend": (ComprehendGuardrail(front.client("comprehend", read_timeout=0.4)), "DetectToxicContent"),
        "rekognition": (RekognitionGuardrail(front.client("rekognition", read_timeout=0.4)), "DetectModerationLabels"),
        "checks": (BedrockChecksGuardrail(bedrock), "InvokeGuardrailChecks"),
        "guardrail": (BedrockGuardrail(bedrock, "gr1abc"), "ApplyGuardrail"),
    }


@pytest.fixture(autouse=True)
def _as_new(front: AwsFront) -> None:
    front.reset()


def refusal(guardrail, prompt: str | None = PROMPT, photo: bytes = PHOTO) -> AdRefused:
    with pytest.raises(AdRefused) as raised:
        guardrail.check(prompt, photo)
    return raised.value


@pytest.mark.parametrize("name", ["comprehend", "rekognition", "checks", "guardrail"])
def test_a_harmless_answer_passes_and_a_missing_one_never_does(front: AwsFront, adapters, name: str) -> None:
    guardrail, operation = adapters[name]
    guardrail.check(PROMPT, PHOTO)
    assert front.asked(operation)
    for fault in (THROTTLED, BROKEN, CLOSED, MALFORMED, NOT_THE_SHAPE):
        front.fault(operation, fault)
        with pytest.raises(ServiceUnavailable):
            guardrail.check(PROMPT, PHOTO)
    front.fault(operation, DENIED)
    with pytest.raises(SelvedgeError, match=rf"AccessDeniedException\); grant \w+:{operation} ") as raised:
        guardrail.check(PROMPT, PHOTO)
    assert not isinstance(raised.value, ServiceUnavailable)


def test_a_slow_service_is_unavailable(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["checks"]
    front.fault(operation, slow(0.8))
    with pytest.raises(ServiceUnavailable, match="cannot be reached"):
        guardrail.check(PROMPT, PHOTO)


def test_comprehend_refuses_toxic_prompts_and_names_the_label(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["comprehend"]
    front.answer(operation, lambda request: toxic_content_answer(request, INSULT=0.9, PROFANITY=0.2))
    refused = refusal(guardrail)
    assert refused.code is RefusalCode.TEXT_UNSAFE and "insult 0.90" in str(refused)
    front.answer(operation, lambda request: toxic_content_answer(request, SEXUAL=0.4))
    guardrail.check(PROMPT, PHOTO)
    refused = refusal(ComprehendGuardrail(guardrail.client, limits={"SEXUAL": 0.3}))
    assert "sexual 0.40" in str(refused)


def test_comprehend_is_asked_in_english_and_in_its_segments_only(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["comprehend"]
    assert refusal(guardrail, "sur une plage de sable au coucher du soleil").code is RefusalCode.PROMPT_LANGUAGE
    assert refusal(guardrail, "на пляже вечером").code is RefusalCode.PROMPT_LANGUAGE
    assert refusal(guardrail, "the sea " * 1300).code is RefusalCode.PROMPT_TOO_LONG
    assert front.asked(operation) == []
    guardrail.check("the sea " * 500, PHOTO)
    segments = front.asked(operation)[0]["TextSegments"]
    assert len(segments) == 4 and all(len(one["Text"].encode()) <= SEGMENT_BYTES for one in segments)
    guardrail.check(None, PHOTO)
    assert len(front.asked(operation)) == 1


def test_fewer_results_than_segments_let_nothing_pass(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["comprehend"]
    front.answer(operation, {"ResultList": []})
    with pytest.raises(ServiceUnavailable, match="every part"):
        guardrail.check(PROMPT, PHOTO)
    front.answer("InvokeGuardrailChecks", {"results": {}, "usage": {}})
    with pytest.raises(ServiceUnavailable, match="every category"):
        adapters["checks"][0].check(PROMPT, PHOTO)


def test_ordinary_prompts_look_english() -> None:
    assert [prompt for prompt in ordinary_prompts() if not is_english(prompt)] == []


@given(st.text(min_size=1, max_size=3000))
def test_segments_hold_the_whole_text_within_the_limit(text: str) -> None:
    pieces = list(text_segments(text))
    assert all(len(piece.encode()) <= SEGMENT_BYTES for piece in pieces)
    assert "".join(pieces).split() == text.split()


def test_rekognition_refuses_by_label_or_parent(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["rekognition"]
    label = {"Name": "Weapon Violence", "ParentName": "Violence", "Confidence": 91.0, "TaxonomyLevel": 2}
    front.answer(operation, {"ModerationLabels": [label]})
    refused = refusal(guardrail)
    assert refused.code is RefusalCode.PHOTO_UNSAFE and "'Weapon Violence'" in str(refused) and "91 %" in str(refused)
    swim = {"Name": "Female Swimwear Or Underwear", "ParentName": "Swimwear or Underwear", "Confidence": 99.0}
    front.answer(operation, {"ModerationLabels": [swim]})
    guardrail.check(PROMPT, PHOTO)
    assert front.asked(operation)[0]["MinConfidence"] == 60.0


def test_a_photograph_over_the_services_limit_is_judged_by_a_copy(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["rekognition"]
    large = picture(1400, 1400, "PNG", noise=True)
    assert len(large) > IMAGE_BYTES
    for photo in (large, picture(64, 64, "GIF")):
        guardrail.check(None, photo)
        sent = front.asked(operation)[-1]["Image"]["Bytes"]
        assert len(sent) <= IMAGE_BYTES and sent.startswith(b"\xff\xd8\xff")
    guardrail.check(None, PHOTO)
    assert front.asked(operation)[-1]["Image"]["Bytes"] == PHOTO
    assert refusal(guardrail, None, b"no picture at all").code is RefusalCode.PHOTO_UNREADABLE


@pytest.mark.parametrize(
    ("name", "code", "refused"),
    [
        ("rekognition", "InvalidImageFormatException", RefusalCode.PHOTO_UNREADABLE),
        ("rekognition", "ImageTooLargeException", RefusalCode.PHOTO_TOO_LARGE),
        ("comprehend", "TextSizeLimitExceededException", RefusalCode.PROMPT_TOO_LONG),
        ("comprehend", "UnsupportedLanguageException", RefusalCode.PROMPT_LANGUAGE),
    ],
)
def test_what_a_service_says_of_the_input_is_the_callers_refusal(front, adapters, name, code, refused) -> None:
    guardrail, operation = adapters[name]
    front.fault(operation, Fault(code, 400))
    assert refusal(guardrail).code is refused


def test_bedrock_checks_tell_attacks_from_content(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["checks"]
    for category, code in (("JAILBREAK", RefusalCode.PROMPT_INSTRUCTS), ("HATE", RefusalCode.TEXT_UNSAFE)):
        front.answer(operation, guardrail_checks_answer(category, 0.8))
        assert refusal(guardrail).code is code
    front.answer(operation, guardrail_checks_answer("HATE", 0.3))
    guardrail.check(PROMPT, PHOTO)


def test_a_shops_guardrail_judges_prompt_and_photograph(front: AwsFront, adapters) -> None:
    guardrail, operation = adapters["guardrail"]
    guardrail.check(PROMPT, PHOTO)
    first, second = front.asked(operation)
    assert first["content"][0]["text"]["text"] == PROMPT and second["content"][0]["image"]["format"] == "jpeg"
    assert (first["guardrailIdentifier"], first["guardrailVersion"], first["source"]) == ("gr1abc", "DRAFT", "INPUT")
    front.answer(operation, apply_guardrail_answer("PROMPT_ATTACK"))
    assert refusal(guardrail).code is RefusalCode.PROMPT_INSTRUCTS
    front.answer(operation, apply_guardrail_answer("VIOLENCE", "HATE"))
    refused = refusal(guardrail)
    assert refused.code is RefusalCode.TEXT_UNSAFE and "violence, hate" in str(refused)
    assert refusal(guardrail, None).code is RefusalCode.PHOTO_UNSAFE


def test_a_combination_asks_no_service_once_a_word_list_refuses(front: AwsFront, adapters) -> None:
    both = Guardrails([LocalGuardrail(), adapters["checks"][0], adapters["rekognition"][0]])
    both.check(PROMPT, PHOTO)
    asked = len(front.asked())
    assert asked == 2 and both.name == "local+bedrock-checks+rekognition"
    assert refusal(both, "a fucking beach").code is RefusalCode.TEXT_UNSAFE
    assert len(front.asked()) == asked
    front.answer("InvokeGuardrailChecks", guardrail_checks_answer("HATE", 0.9))
    codes = [refused.code for refused in both.refusals("a woman on a beach", PHOTO)]
    assert codes == [RefusalCode.ASKS_FOR_PERSON, RefusalCode.TEXT_UNSAFE]
