"""The Bedrock backdrop against a loopback endpoint that holds every request to botocore's own models."""

import base64
import io
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime

import numpy as np
import pytest
from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import png_bytes
from inference.ad_images.backdrops.bedrock import (
    INPAINT,
    MAX_SEED,
    NOVA_CANVAS,
    BedrockInpaint,
    NovaCanvas,
    model_lifecycle,
    request_body,
)
from inference.ad_images.compositing import compose
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.aws_front import CLOSED, DENIED, INVALID, MALFORMED, NO_SUCH, THROTTLED, AwsFront, invoke_model_answer
from tests.inference.ad_images.drawn_products import placed_on, scene_of

SIZE = (96, 128)


@pytest.fixture(scope="module")
def server() -> Iterator[AwsFront]:
    with AwsFront() as front:
        yield front


@pytest.fixture
def front(server: AwsFront) -> AwsFront:
    server.reset()
    return server


def decoded(encoded: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))))


def painted(request: dict) -> dict:
    """What a service that paints white areas blue, and little else, answers."""
    body = json.loads(request["body"])
    picture, mask = decoded(body["image"]).copy(), decoded(body["mask"])
    picture[mask == 255] = (20, 60, 200)
    picture[mask == 0] ^= 1  # every kept pixel changes a little
    answer = {"images": [base64.b64encode(png_bytes(picture)).decode()], "seeds": [7], "finish_reasons": [None]}
    return invoke_model_answer(answer)


def refused(backdrop, size=SIZE) -> tuple[RefusalCode, str]:
    with pytest.raises(AdRefused) as refusal:
        backdrop.paint([scene_of(size)], [placed_on(size)])
    return refusal.value.code, str(refusal.value)


def test_a_picture_is_painted_around_the_product(front):
    front.answer("InvokeModel", painted)
    placed, scene = placed_on(SIZE), scene_of(SIZE, seed=MAX_SEED + 3)
    backdrop = BedrockInpaint(front.client("bedrock-runtime"))
    backdrop.check(SIZE, "beach")
    (background,) = backdrop.paint([scene], [placed])
    assert (background[placed.alpha == 0] == (20, 60, 200)).all(), "white is painted"
    picture = compose(background, background, placed, scene, None)
    assert (picture.pixels[placed.kept] == placed.pixels[placed.kept][:, :3]).all()
    (asked,) = front.asked("InvokeModel")
    body = json.loads(asked["body"])
    assert asked["modelId"] == INPAINT
    assert body["grow_mask"] == 0 and body["output_format"] == "png" and body["seed"] == 2
    assert body["prompt"] == scene.caption and set(np.unique(decoded(body["mask"]))) == {0, 255}


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Filter reason: prompt", RefusalCode.TEXT_UNSAFE),
        ("Filter reason: input image", RefusalCode.PHOTO_UNSAFE),
        ("Filter reason: output image", RefusalCode.TEXT_UNSAFE),
    ],
)
def test_a_filtered_request_is_refused(front, reason, code):
    front.answer("InvokeModel", invoke_model_answer({"seeds": [], "finish_reasons": [reason], "images": []}))
    given, sentence = refused(BedrockInpaint(front.client("bedrock-runtime")))
    assert given is code and reason in sentence


@pytest.mark.parametrize("fault", [THROTTLED, CLOSED, MALFORMED])
def test_a_service_that_does_not_answer_is_worth_a_retry(front, fault):
    front.fault("InvokeModel", fault)
    with pytest.raises(ServiceUnavailable, match=INPAINT):
        BedrockInpaint(front.client("bedrock-runtime")).paint([scene_of(SIZE)], [placed_on(SIZE)])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"images": []},
        {"images": ["%"], "finish_reasons": [None]},
        {"images": [base64.b64encode(b"no picture").decode()]},
        {"images": [], "finish_reasons": ["Inference error"]},
    ],
)
def test_an_answer_without_a_picture(front, body):
    front.answer("InvokeModel", invoke_model_answer(body))
    with pytest.raises(ServiceUnavailable, match="without a picture"):
        BedrockInpaint(front.client("bedrock-runtime")).paint([scene_of(SIZE)], [placed_on(SIZE)])


@pytest.mark.parametrize("fault", [DENIED, NO_SUCH, INVALID])
def test_a_service_that_refuses(front, fault):
    front.fault("InvokeModel", fault)
    code, sentence = refused(BedrockInpaint(front.client("bedrock-runtime")))
    assert code is RefusalCode.BACKEND_MISSING and fault.code in sentence


def test_credentials_that_are_missing(monkeypatch):
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    client = boto3.Session().client("bedrock-runtime", region_name="us-east-1", endpoint_url="http://127.0.0.1:9")
    code, sentence = refused(BedrockInpaint(client))
    assert code is RefusalCode.BACKEND_MISSING and "needs AWS credentials" in sentence


def test_another_size_comes_back(front):
    other = np.zeros((64, 64, 3), np.uint8)
    front.answer("InvokeModel", invoke_model_answer({"images": [base64.b64encode(png_bytes(other)).decode()]}))
    code, sentence = refused(BedrockInpaint(front.client("bedrock-runtime")))
    assert code is RefusalCode.BAD_SIZE and "painted 64x64" in sentence


@pytest.mark.parametrize("size", [(63, 640), (4096, 4096), (64, 512)])
def test_a_size_that_it_cannot_paint(front, size):
    with pytest.raises(AdRefused, match=f"{size[0]}x{size[1]} is no such size") as refusal:
        BedrockInpaint(front.client("bedrock-runtime")).check(size, "beach")
    assert refusal.value.code is RefusalCode.BAD_SIZE and not front.asked()


@pytest.mark.parametrize("caption", ["", "a" * 10_001])
def test_a_caption_that_it_does_not_take(caption):
    with pytest.raises(AdRefused, match="1 to 10000") as refusal:
        request_body(caption, np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), bool), 1)
    assert refusal.value.code is RefusalCode.PROMPT_TOO_LONG


# -- Nova Canvas -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "params"), [("OUTPAINTING", "outPaintingParams"), ("INPAINTING", "inPaintingParams")])
def test_both_polarities_of_old_recipes_are_read(task, params):
    painted_left = np.zeros((4, 6), bool)
    painted_left[:, :3] = True
    white = painted_left if task == "OUTPAINTING" else ~painted_left
    mask = base64.b64encode(png_bytes(np.where(white, 255, 0).astype(np.uint8))).decode()
    body = {
        "taskType": task,
        params: {"text": "a beach", "image": "…", "maskImage": mask},
        "imageGenerationConfig": {"width": 6, "height": 4, "seed": 12},
    }
    read = NovaCanvas().read(body)
    assert (read.repaint == painted_left).all()
    assert (read.caption, read.seed, read.size) == ("a beach", 12, (6, 4))


@pytest.mark.parametrize("body", [{}, {"taskType": "TEXT_IMAGE"}, {"taskType": "INPAINTING"}])
def test_an_old_recipe_of_another_kind(body):
    with pytest.raises(SelvedgeError, match="no in- or outpainting request"):
        NovaCanvas().read(body)


def test_a_damaged_old_mask():
    body = {"taskType": "OUTPAINTING", "outPaintingParams": {"maskImage": "AAAA"}}
    with pytest.raises(SelvedgeError, match="mask is no picture"):
        NovaCanvas().read(body)


def test_nova_canvas_paints_nothing(front):
    for paint in (
        lambda: NovaCanvas().paint([scene_of(SIZE)], [placed_on(SIZE)]),
        lambda: NovaCanvas().check(SIZE, "beach"),
        lambda: BedrockInpaint(front.client("bedrock-runtime"), f"us.{NOVA_CANVAS}"),
    ):
        with pytest.raises(AdRefused, match="ended on 2026-09-30") as refusal:
            paint()
        assert refusal.value.code is RefusalCode.BACKEND_MISSING


# -- a model's end -----------------------------------------------------------------------------------------------------


def lifecycle(front: AwsFront, today: date, **fields) -> str | None:
    details = {"modelArn": "arn:aws:bedrock:us-east-1::foundation-model/m", "modelId": INPAINT}
    front.answer("GetFoundationModel", {"modelDetails": {**details, **({"modelLifecycle": fields} if fields else {})}})
    return model_lifecycle(front.client("bedrock"), f"us.{INPAINT}", today)


def test_a_model_that_ends_is_known_180_days_ahead(front):
    end = datetime(2027, 6, 30, tzinfo=UTC)
    assert lifecycle(front, date(2026, 12, 31), status="ACTIVE", endOfLifeTime=end) is None
    sentence = lifecycle(front, date(2027, 1, 1), status="ACTIVE", endOfLifeTime=end)
    assert sentence == f"{INPAINT} ends on 2027-06-30, in 180 days; choose another model before then."
    assert "ended on 2027-06-30" in str(lifecycle(front, date(2027, 6, 30), status="LEGACY", endOfLifeTime=end))
    assert lifecycle(front, date(2026, 1, 1), status="ACTIVE") is None and lifecycle(front, date(2026, 1, 1)) is None
    assert "no end yet" in str(lifecycle(front, date(2026, 1, 1), status="LEGACY"))
    assert {asked["modelIdentifier"] for asked in front.asked("GetFoundationModel")} == {INPAINT}


def test_a_model_that_nobody_knows(front):
    front.fault("GetFoundationModel", NO_SUCH)
    with pytest.raises(SelvedgeError, match="has ended is unknown, too"):
        model_lifecycle(front.client("bedrock"), INPAINT, date(2026, 1, 1))
    front.fault("GetFoundationModel", DENIED)
    with pytest.raises(SelvedgeError, match=r"grant bedrock:GetFoundationModel"):
        model_lifecycle(front.client("bedrock"), INPAINT, date(2026, 1, 1))
    front.fault("GetFoundationModel", CLOSED)
    with pytest.raises(ServiceUnavailable):
        model_lifecycle(front.client("bedrock"), INPAINT, date(2026, 1, 1))
