"""The Bedrock backdrop: backgrounds by Stability's Stable Image Inpaint, and when a hosted model ends.

Belongs here: request bodies and their limits, answers, reading old Nova Canvas recipes, a model's lifecycle. Not here:
clients and errors (aws.py), pasting the product (compositing.py).

`grow_mask` is sent as 0: left out, the service grows the mask by 5 pixels into the product.
"""

import base64
import binascii
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import png_bytes
from inference.ad_images.aws import ask
from inference.ad_images.compositing import Polarity, from_backend, pasted, require_unmoved, to_backend
from inference.ad_images.plan import Placed
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import Scene

INPAINT = "stability.stable-image-inpaint-v1:0"
NOVA_CANVAS = "amazon.nova-canvas-v1:0"
NOVA_ENDED = date(2026, 9, 30)
WARN_DAYS = 180

# Stability's limits for this service.
MIN_SIDE = 64
MAX_PIXELS = 9_437_184
MAX_ASPECT = 2.5
MAX_PROMPT = 10_000
MAX_SEED = 4_294_967_294
MAX_BODY = 25 * 1024 * 1024  # bytes of an InvokeModel request

CANVAS_GREY = 128
POLARITY = Polarity.PAINT_WHITE
FILTERED = {
    "Filter reason: prompt": (RefusalCode.TEXT_UNSAFE, "the caption"),
    "Filter reason: input image": (RefusalCode.PHOTO_UNSAFE, "the photograph"),
    "Filter reason: output image": (RefusalCode.TEXT_UNSAFE, "what it painted of the caption"),
}


class BedrockInpaint:
    """A backdrop over one hosted inpainting model.

    Args:
        client: a `bedrock-runtime` client (aws.make_client).
        model_id: model or inference-profile id, such as "us." before the model's.
    """

    name = "bedrock"
    paints_shadows = True

    def __init__(self, client: Any, model_id: str = INPAINT) -> None:
        if NOVA_CANVAS in model_id:
            raise nova_ended()
        self._client = client
        self.version = model_id

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: BAD_SIZE. Any theme is painted: it is words of the caption."""
        width, height = size
        if min(size) < MIN_SIDE or width * height > MAX_PIXELS or max(size) > MAX_ASPECT * min(size):
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"{self.version} paints sides from {MIN_SIDE} px, at most {MAX_PIXELS:,} px in all and at most "
                f"{MAX_ASPECT:g} times as long as wide; {width}x{height} is no such size.",
            )

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """A background for each plan, one request each.

        Raises:
            AdRefused: a size or a caption over the limits, a filtered request, a picture of another size or one in
                which the product moved; credentials or a model that is not there.
            ServiceUnavailable: throttled, timed out, not reachable.
        """
        return [self._painted(scene, each) for scene, each in zip(scenes, placed, strict=True)]

    def _painted(self, scene: Scene, placed: Placed) -> np.ndarray:
        self.check(scene.size, scene.theme)
        canvas = _canvas(placed)
        answer = self._invoke(request_body(scene.caption, canvas, placed.repaint, scene.seed))
        background = picture_of(answer, self.version)
        if background.shape != canvas.shape:
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"{self.version} was asked for {scene.size[0]}x{scene.size[1]} px and painted "
                f"{background.shape[1]}x{background.shape[0]}; ask for another size.",
            )
        require_unmoved(canvas, background, placed)
        return background

    def _invoke(self, body: bytes) -> Any:
        where = f"Bedrock model {self.version}"
        request = {"modelId": self.version, "body": body, "contentType": "application/json"}
        try:
            answer = ask(self._client, "InvokeModel", where, accept="application/json", **request)
            return json.loads(answer["body"].read())
        except ValueError as error:
            raise ServiceUnavailable(f"{where} answered what is no JSON; run again.") from error
        except ServiceUnavailable:
            raise
        except SelvedgeError as error:
            raise AdRefused(RefusalCode.BACKEND_MISSING, str(error)) from error


def _canvas(placed: Placed) -> np.ndarray:
    """The product on grey: the service takes no transparent pixels."""
    return pasted(np.full((*placed.alpha.shape, 3), CANVAS_GREY, np.uint8), placed)


def request_body(caption: str, canvas: np.ndarray, repaint: np.ndarray, seed: int) -> bytes:
    """The body of an InvokeModel request to Stable Image Inpaint.

    Args:
        canvas: (height, width, 3) uint8. repaint: (height, width) bool, True is what may be painted.
        seed: any whole number; brought into the service's range.

    Raises:
        AdRefused: PROMPT_TOO_LONG, or BAD_SIZE where the request would be larger than the service takes.

    Source: AWS, Bedrock user guide, Stability AI Image Services.
    """
    if not caption or len(caption) > MAX_PROMPT:
        raise AdRefused(
            RefusalCode.PROMPT_TOO_LONG,
            f"the caption has {len(caption)} characters; {INPAINT} takes 1 to {MAX_PROMPT}.",
        )
    body = json.dumps(
        {
            "prompt": caption,
            "image": base64.b64encode(png_bytes(canvas)).decode(),
            "mask": base64.b64encode(png_bytes(to_backend(repaint, POLARITY))).decode(),
            "grow_mask": 0,
            "seed": seed % (MAX_SEED + 1),
            "output_format": "png",
        }
    ).encode()
    if len(body) > MAX_BODY:
        raise AdRefused(
            RefusalCode.BAD_SIZE,
            f"the request would have {len(body):,} bytes and {INPAINT} takes {MAX_BODY:,}; ask for a smaller size.",
        )
    return body


def picture_of(answer: Any, model_id: str) -> np.ndarray:
    """The picture of an answer, (height, width, 3) uint8.

    Raises:
        AdRefused: the service filtered the request. ServiceUnavailable: an answer without a picture.
    """
    reasons = answer.get("finish_reasons") if isinstance(answer, dict) else None
    reason = reasons[0] if isinstance(reasons, list) and reasons else None
    if reason in FILTERED:
        code, what = FILTERED[reason]
        raise AdRefused(code, f"{model_id} painted nothing ({reason}); it refuses {what}: change it, or the backdrop.")
    try:
        if reason is not None:
            raise ValueError(str(reason))
        picture = Image.open(io.BytesIO(base64.b64decode(answer["images"][0], validate=True)))
        return np.asarray(picture.convert("RGB"))
    except (KeyError, IndexError, TypeError, ValueError, binascii.Error, OSError) as error:
        raise ServiceUnavailable(f"{model_id} answered without a picture ({error}); run again.") from error


@dataclass(frozen=True)
class OldRequest:
    """What an old recipe asked of Nova Canvas, in the terms of this house.

    Attributes:
        repaint: (height, width) bool, True is what it was to paint; None where the recipe masked by words.
        size: (width, height); None where the recipe did not say.
    """

    caption: str
    repaint: np.ndarray | None
    seed: int
    size: tuple[int, int] | None


class NovaCanvas:
    """Reads the requests of old recipes. It paints nothing: the model ended on 2026-09-30."""

    name = "nova-canvas"
    version = NOVA_CANVAS
    paints_shadows = True

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: BACKEND_MISSING, always."""
        raise nova_ended()

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """Raises AdRefused: BACKEND_MISSING, always."""
        raise nova_ended()

    def read(self, body: Mapping[str, Any]) -> OldRequest:
        """The body of an old InvokeModel request.

        Outpainting painted what its mask showed white, inpainting what it showed black; both come back as ours.

        Raises:
            SelvedgeError: no request of these two kinds, or a damaged mask.
        """
        task = body.get("taskType")
        polarity = {"OUTPAINTING": Polarity.PAINT_WHITE, "INPAINTING": Polarity.PAINT_BLACK}.get(str(task))
        params = body.get({"OUTPAINTING": "outPaintingParams", "INPAINTING": "inPaintingParams"}.get(str(task), ""))
        if polarity is None or not isinstance(params, Mapping):
            raise SelvedgeError(f"the recipe holds no in- or outpainting request of Nova Canvas (taskType {task!r}).")
        config = body.get("imageGenerationConfig") or {}
        size = (config["width"], config["height"]) if {"width", "height"} <= config.keys() else None
        mask = params.get("maskImage")
        repaint = None if mask is None else from_backend(_grey(mask), polarity)
        return OldRequest(str(params.get("text", "")), repaint, int(config.get("seed", 0)), size)


def _grey(encoded: str) -> np.ndarray:
    try:
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))).convert("L"))
    except (ValueError, OSError) as error:
        raise SelvedgeError(f"the recipe's mask is no picture ({error}); the recipe is damaged.") from error


def nova_ended() -> AdRefused:
    """Why Nova Canvas paints nothing."""
    return AdRefused(
        RefusalCode.BACKEND_MISSING,
        f"{NOVA_CANVAS} ended on {NOVA_ENDED.isoformat()}; use the studio, diffusers or {INPAINT}.",
    )


def model_lifecycle(client: Any, model_id: str, today: date) -> str | None:
    """What a person has to know of a hosted model's end; None while it is far.

    Args:
        client: a `bedrock` client. model_id: a model's id, or an inference profile's with its region before it.

    Returns:
        A sentence once the model is legacy, within 180 days of its end, or past it.

    Raises:
        SelvedgeError: it is unknown here, or may not be asked for.
        ServiceUnavailable: the service did not answer.
    """
    plain = model_id if model_id.count(".") < 2 else model_id.split(".", 1)[1]
    try:
        details = (
            ask(client, "GetFoundationModel", f"Bedrock model {plain}", modelIdentifier=plain).get("modelDetails") or {}
        )
    except ServiceUnavailable:
        raise
    except SelvedgeError as error:
        raise SelvedgeError(f"{error} A model that has ended is unknown, too.") from error
    lifecycle = details.get("modelLifecycle") or {}
    end = lifecycle.get("endOfLifeTime")
    last = None if end is None else end.date()
    if last is not None and last <= today:
        return f"{plain} ended on {last.isoformat()}; choose another model."
    if last is not None and last - today <= timedelta(days=WARN_DAYS):
        return f"{plain} ends on {last.isoformat()}, in {(last - today).days} days; choose another model before then."
    if lifecycle.get("status") == "LEGACY":
        return f"{plain} is legacy" + (f" and ends on {last.isoformat()}" if last else "; AWS has set no end yet") + "."
    return None
