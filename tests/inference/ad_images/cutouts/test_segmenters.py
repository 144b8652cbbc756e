"""Segmenters of others: weights in a file, and a hosted model whose requests botocore's own description validates."""

import base64
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from PIL import Image

from catalog.errors import ServiceUnavailable
from inference.ad_images.cutouts.bedrock import MODEL_ID, BedrockSegmenter
from inference.ad_images.cutouts.segmenter import OnnxSegmenter
from inference.ad_images.refusal import AdRefused, RefusalCode

PHOTO = np.full((80, 100, 3), 200, np.uint8)


def picture(size: tuple[int, int] = (100, 80), mode: str = "RGBA") -> str:
    image = Image.new(mode, size, (10, 20, 30, 0)[: len(mode)])
    image.paste((10, 20, 30, 255)[: len(mode)], (20, 10, 60, 70))
    sink = io.BytesIO()
    image.save(sink, "PNG")
    return base64.b64encode(sink.getvalue()).decode()


def answered(answer: Any) -> tuple[BedrockSegmenter, Stubber]:
    client = boto3.client("bedrock-runtime", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    stub = Stubber(client)
    stub.add_response(
        "invoke_model",
        {"body": StreamingBody(io.BytesIO(content), len(content)), "contentType": "application/json"},
        {"modelId": MODEL_ID, "contentType": "application/json", "accept": "application/json", "body": ANY},
    )
    stub.activate()
    return BedrockSegmenter(client), stub


def test_bedrock_is_asked_for_a_mask_and_only_its_alpha_is_used() -> None:
    segmenter, stub = answered({"images": [picture()], "seeds": [1], "finish_reasons": [None]})
    mask = segmenter.mask(PHOTO)
    assert mask.shape == (80, 100) and mask[30, 40] == 1 and mask[0, 0] == 0
    stub.assert_no_pending_responses()
    body = json.loads(segmenter.request(PHOTO)["body"])
    assert Image.open(io.BytesIO(base64.b64decode(body["image"]))).size == (100, 80)
    assert body["output_format"] == "png"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"images": [picture()], "finish_reasons": ["Filter reason: output image"]}, RefusalCode.PHOTO_UNSAFE),
        ({"images": [picture((50, 40))], "finish_reasons": [None]}, RefusalCode.CUTOUT_UNCERTAIN),
        ({"images": [picture(mode="RGB")]}, RefusalCode.CUTOUT_UNCERTAIN),
        ({"images": []}, RefusalCode.CUTOUT_UNCERTAIN),
        ({"images": ["bm90IGEgcGljdHVyZQ=="]}, RefusalCode.CUTOUT_UNCERTAIN),
        (b"<html>", RefusalCode.CUTOUT_UNCERTAIN),
        ([], RefusalCode.CUTOUT_UNCERTAIN),
    ],
)
def test_an_answer_of_bedrock_that_is_no_mask_is_refused(answer: Any, code: RefusalCode) -> None:
    with pytest.raises(AdRefused) as caught:
        answered(answer)[0].mask(PHOTO)
    assert caught.value.code is code


def test_errors_of_bedrock_are_sentences() -> None:
    client = boto3.client("bedrock-runtime", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as stub:
        stub.add_client_error("invoke_model", "ThrottlingException")
        stub.add_client_error("invoke_model", "AccessDeniedException")
        with pytest.raises(ServiceUnavailable, match="run again later"):
            BedrockSegmenter(client).mask(PHOTO)
        with pytest.raises(AdRefused, match="grant bedrock:InvokeModel") as caught:
            BedrockSegmenter(client).mask(PHOTO)
    assert caught.value.code is RefusalCode.BACKEND_MISSING


def test_bedrock_is_not_asked_beyond_its_limits() -> None:
    for shape, code in (((40, 100, 3), RefusalCode.PHOTO_TOO_SMALL), ((4000, 3000, 3), RefusalCode.PHOTO_TOO_LARGE)):
        with pytest.raises(AdRefused) as caught:
            BedrockSegmenter(None).mask(np.zeros(shape, np.uint8))
        assert caught.value.code is code


def test_weights_or_a_package_that_are_missing_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AdRefused, match=r"none\.onnx cannot be read") as caught:
        OnnxSegmenter(tmp_path / "none.onnx").mask(PHOTO)
    assert caught.value.code is RefusalCode.BACKEND_MISSING
    (tmp_path / "some.onnx").write_bytes(b"weights")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AdRefused, match="needs onnxruntime") as caught:
        OnnxSegmenter(tmp_path / "some.onnx").mask(PHOTO)
    assert caught.value.code is RefusalCode.BACKEND_MISSING
    assert len(OnnxSegmenter(tmp_path / "some.onnx").version) == 16


def test_a_network_sees_what_it_was_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for onnxruntime: its session answers with the red channel it was given."""
    asked: list[np.ndarray] = []

    class Session:
        def __init__(self, content: bytes, providers: list[str]) -> None:
            assert content == b"weights" and providers == ["CPUExecutionProvider"]

        def get_inputs(self) -> list[Any]:
            return [SimpleNamespace(name="input.1")]

        def run(self, names: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            asked.append(feed["input.1"])
            return [feed["input.1"][:, :1]]

    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace(InferenceSession=Session))
    (tmp_path / "u2netp.onnx").write_bytes(b"weights")
    photo = PHOTO.copy()
    photo[20:60, 30:70] = (100, 0, 0)
    mask = OnnxSegmenter(tmp_path / "u2netp.onnx").mask(photo)
    assert asked[0].shape == (1, 3, 320, 320) and asked[0].dtype == np.float32
    assert abs(asked[0][0, 0, 0, 0] - (1 - 0.485) / 0.229) < 0.02
    assert mask.shape == (80, 100) and mask[0, 0] > 0.95 and mask[40, 50] < 0.05
