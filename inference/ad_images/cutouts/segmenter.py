"""Segmenters: whoever can say which pixels of a photograph are product.

Belongs here: the protocol, and weights in an ONNX file that a user provides. Not here: a hosted service (bedrock.py),
Selvedge's own means (border.py, contours.py). The champion of garment segmentation is one more `Segmenter`.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from inference.ad_images.refusal import AdRefused, RefusalCode


class Segmenter(Protocol):
    """Attributes: name and version, for recipes: a cut-out is made again only with the same."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        """Alpha of the product.

        Args:
            rgb: (height, width, 3) uint8 sRGB.

        Returns:
            (height, width) float32, 0 to 1.

        Raises:
            AdRefused: backend_missing. ServiceUnavailable: a service that did not answer.
        """


@dataclass(frozen=True)
class Normalisation:
    """What a network was trained on; the defaults are those of U²-Net.

    Attributes:
        side: pixels of its square input. mean, deviation: per channel, of values 0 to 1.
        by_brightest: values are divided by the photograph's brightest first.
    """

    side: int = 320
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    deviation: tuple[float, float, float] = (0.229, 0.224, 0.225)
    by_brightest: bool = True


class OnnxSegmenter:
    """A network of one image in, one mask out (its first output), in an ONNX file.

    Args:
        file: the weights. name: for recipes; the file's name if None.
    """

    def __init__(self, file: Path, normalisation: Normalisation | None = None, name: str | None = None) -> None:
        self.file = file
        self.normalisation = normalisation or Normalisation()
        self.name = name or file.stem

    @cached_property
    def version(self) -> str:
        """First digits of the weights' sha256.

        Raises:
            AdRefused: backend_missing, where there is no such file.
        """
        return hashlib.sha256(self._content()).hexdigest()[:16]

    def require(self) -> None:
        """Raises AdRefused: backend_missing, where there is no such file, or nothing that runs it."""
        _ = self._session

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        """See `Segmenter`; the network's output is stretched to 0 to 1, as U²-Net's own code does."""
        session = self._session
        answer = session.run(None, {session.get_inputs()[0].name: self._input(rgb)})[0]
        plane = np.asarray(answer, np.float32).reshape(answer.shape[-2:])
        low, high = float(plane.min()), float(plane.max())
        plane = (plane - low) / max(high - low, 1e-6)
        height, width = rgb.shape[:2]
        return np.clip(np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR)), 0, 1)

    def _input(self, rgb: np.ndarray) -> np.ndarray:
        """(1, 3, side, side) float32."""
        norm = self.normalisation
        small = Image.fromarray(rgb).resize((norm.side, norm.side), Image.Resampling.BILINEAR)
        values = np.asarray(small, np.float32) / 255
        if norm.by_brightest:
            values = values / max(float(values.max()), 1e-6)
        values = (values - np.asarray(norm.mean, np.float32)) / np.asarray(norm.deviation, np.float32)
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)

    @cached_property
    def _session(self) -> Any:
        content = self._content()
        try:
            import onnxruntime
        except ImportError as error:
            raise AdRefused(
                RefusalCode.BACKEND_MISSING,
                f"the segmenter {self.file} needs onnxruntime; run `pip install onnxruntime`, or leave it out.",
            ) from error
        try:
            return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises classes of its own, one for each kind of broken file
            raise AdRefused(
                RefusalCode.BACKEND_MISSING,
                f"{self.file} is no network that onnxruntime can read ({' '.join(str(error).split())[:160]}); give "
                "another file.",
            ) from error

    def _content(self) -> bytes:
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise AdRefused(
                RefusalCode.BACKEND_MISSING,
                f"the segmenter's weights {self.file} cannot be read ({error.strerror}); give an ONNX file's path.",
            ) from error
