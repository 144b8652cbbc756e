"""The Bedrock segmenter: background removal by a hosted model (Stability's, through InvokeModel).

Belongs here: the request, the answer, the service's limits, its errors as sentences. Not here: what is made of the
mask (cut.py). Only the alpha of the answer is used: the product's pixels stay those of the photograph.
"""

import base64
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import png_bytes
from inference.ad_images.aws import ask
from inference.ad_images.refusal import AdRefused, RefusalCode

MODEL_ID = "stability.stable-image-remove-background-v1:0"
LEAST_SIDE, MOST_PIXELS = 64, 9_437_184  # of the service's input


class BedrockSegmenter:
    """Asks one model for one mask a request.

    Args:
        client: a `bedrock-runtime` client (`inference.ad_images.aws.make_client`).
        model_id: model or inference-profile id.
    """

    name = "bedrock"

    def __init__(self, client: Any, model_id: str = MODEL_ID) -> None:
        self._client = client
        self.version = model_id

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        """See `Segmenter`.

        Raises:
            AdRefused: photo_too_small or photo_too_large for the service, photo_unsafe (its filter), backend_missing
                (no access, no such model), cutout_uncertain (an answer that is no mask of this photograph).
            ServiceUnavailable: throttled, timed out, not reachable.
        """
        height, width = rgb.shape[:2]
        if min(height, width) < LEAST_SIDE or height * width > MOST_PIXELS:
            code = RefusalCode.PHOTO_TOO_SMALL if min(height, width) < LEAST_SIDE else RefusalCode.PHOTO_TOO_LARGE
            raise AdRefused(
                code,
                f"{self._where} takes photographs of {LEAST_SIDE} a side to {MOST_PIXELS:,} pixels, not {width} x "
                f"{height}; give another, or leave the segmenter out.",
            )
        return self._alpha(self._invoke(self.request(rgb)), (width, height))

    def request(self, rgb: np.ndarray) -> dict[str, Any]:
        """The InvokeModel request."""
        body = {"image": base64.b64encode(png_bytes(rgb)).decode(), "output_format": "png"}
        return {
            "modelId": self.version,
            "contentType": "application/json",
            "accept": "application/json",
            "body": json.dumps(body).encode(),
        }

    @property
    def _where(self) -> str:
        return f"Bedrock model {self.version}"

    def _invoke(self, request: dict[str, Any]) -> Mapping[str, Any]:
        try:
            content = ask(self._client, "InvokeModel", self._where, **request)["body"].read()
        except ServiceUnavailable:
            raise
        except SelvedgeError as error:
            raise AdRefused(RefusalCode.BACKEND_MISSING, str(error)) from error
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise self._no_mask("no JSON") from error
        if not isinstance(answer, dict):
            raise self._no_mask("no JSON object")
        return answer

    def _alpha(self, answer: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
        reasons = [reason for reason in answer.get("finish_reasons") or [] if reason]
        if reasons:
            raise AdRefused(
                RefusalCode.PHOTO_UNSAFE,
                f"{self._where} filtered the photograph ({reasons[0]}); give another photograph.",
            )
        try:
            image = Image.open(io.BytesIO(base64.b64decode(answer["images"][0])), formats=("PNG",))
            image.load()
        except (KeyError, IndexError, TypeError, ValueError, OSError, SyntaxError) as error:
            raise self._no_mask("no picture") from error
        if not image.has_transparency_data:
            raise self._no_mask("a picture without transparency")
        if image.size != size:
            raise self._no_mask(f"a picture of {image.width} x {image.height} for one of {size[0]} x {size[1]}")
        return np.asarray(image.convert("RGBA").getchannel("A"), np.float32) / 255

    def _no_mask(self, what: str) -> AdRefused:
        return AdRefused(
            RefusalCode.CUTOUT_UNCERTAIN,
            f"{self._where} answered with {what}; leave the segmenter out, or use another.",
        )
