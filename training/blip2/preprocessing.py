"""From a picture to the numbers a vision encoder reads. The rule is data, so that training and serving cannot differ.

Belongs here: decoding, resizing, normalising, and the digest that keys cached features.
Not here: the standardised copies of a catalogue (catalog/images.py), augmentation (augmentation.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from catalog.errors import SelvedgeError
from catalog.files import json_sha256

FORMAT = 1
RESIZE_RULES = ("stretch", "pad")
Picture = Image.Image | np.ndarray


@dataclass(frozen=True)
class Preprocessing:
    """How pixels are prepared; travels in every model artefact.

    Attributes:
        size: side of the square the encoder reads, in pixels.
        mean, std: per channel, on values in [0, 1].
        resize: `stretch` ignores the aspect ratio (as BLIP-2 does), `pad` keeps it on a white square.
        format: number of this rule's meaning; code that does not know it refuses.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str = "stretch"
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise SelvedgeError(
                f"preprocessing: format {self.format} is not known to this version (it reads {FORMAT}); "
                "update selvedge."
            )
        if self.resize not in RESIZE_RULES:
            raise SelvedgeError(f"preprocessing: resize '{self.resize}' is unknown; use one of {list(RESIZE_RULES)}.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Preprocessing":
        """Raises SelvedgeError for a missing key or a format this code does not know."""
        try:
            red, green, blue = (float(v) for v in values["mean"])
            std_red, std_green, std_blue = (float(v) for v in values["std"])
            return cls(
                int(values["size"]),
                (red, green, blue),
                (std_red, std_green, std_blue),
                str(values["resize"]),
                int(values["format"]),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise SelvedgeError(
                f"preprocessing: {error} is missing or malformed in the artefact; export it again."
            ) from error

    def digest(self) -> str:
        """Hex sha256; equal digests mean equal pixels for equal files."""
        return json_sha256(self.to_dict())

    def square(self, picture: Picture) -> np.ndarray:
        """One picture as (size, size, 3) uint8 RGB, upright, transparency on white."""
        image = upright_rgb(picture)
        if self.resize == "pad":
            image = ImageOps.pad(image, (self.size, self.size), Image.Resampling.BICUBIC, color=(255, 255, 255))
        elif image.size != (self.size, self.size):
            image = image.resize((self.size, self.size), Image.Resampling.BICUBIC)
        return np.asarray(image)

    def normalised(self, squares: Sequence[np.ndarray] | np.ndarray) -> torch.Tensor:
        """(n, size, size, 3) uint8 squares as (n, 3, size, size) float32."""
        pixels = torch.from_numpy(np.stack(list(squares)))
        mean, std = torch.tensor(self.mean), torch.tensor(self.std)
        # One multiply-add on (x/255 - mean)/std; the layout is made contiguous because the stem's convolutions want it.
        return (pixels * (1.0 / (255.0 * std)) - mean / std).permute(0, 3, 1, 2).contiguous()

    def pixels(self, pictures: Iterable[Picture]) -> torch.Tensor:
        """Pictures (PIL images or HxWx3 uint8 arrays) as (n, 3, size, size) float32."""
        squares = [self.square(picture) for picture in pictures]
        if not squares:
            return torch.empty(0, 3, self.size, self.size)
        return self.normalised(squares)


def upright_rgb(picture: Picture) -> Image.Image:
    """RGB with the EXIF rotation applied and any transparency laid on white."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else ImageOps.exif_transpose(picture)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")
