"""Cut-out: the one form in which a product without its background passes from stage to stage.

Belongs here: the type, its digest and its checks. Not here: making one (cutouts/), placing it (composition.py).

Colours are premultiplied by alpha, so that nothing of an old background can come back when it is resampled or pasted.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Cutout:
    """A product without its background.

    Attributes:
        pixels: (height, width, 4) uint8, sRGB premultiplied by alpha; cropped to alpha > 0.
        source_sha256: of the photograph's bytes.
        method: how it was cut out, and what judged it ("border", "garment-segmenter", …).
        confidence: agreement (IoU) of two independent methods, 0 to 1.
        person: a person is part of it (policy `keep`).

    Raises:
        ValueError: another shape or type, or a colour brighter than its alpha.
    """

    pixels: np.ndarray
    source_sha256: str
    method: str
    confidence: float
    person: bool = False

    def __post_init__(self) -> None:
        pixels = self.pixels
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 4 or 0 in pixels.shape:
            raise ValueError(f"a cut-out is (height, width, 4) uint8, not {pixels.shape} {pixels.dtype}")
        if (pixels[..., :3] > pixels[..., 3:]).any():
            raise ValueError("the colours of a cut-out are premultiplied by alpha; one is brighter than its alpha")

    @cached_property
    def digest(self) -> str:
        """sha256 over shape and pixels: two cut-outs of the same digest place alike."""
        head = f"{self.pixels.shape[1]}x{self.pixels.shape[0]}:".encode()
        return hashlib.sha256(head + np.ascontiguousarray(self.pixels).tobytes()).hexdigest()

    @property
    def alpha(self) -> np.ndarray:
        """(height, width) uint8."""
        return self.pixels[..., 3]
