"""Photographs: a library photograph as the background, with the lens and light of a drawn scene.

Belongs here: `Photographs`, crop, exposure and ledge of a photograph. Not here: the library (media/),
drawn scenes (studio/), shadows (shadows.py).

Nothing says where the ground of a photograph is, or whether it has one: clouds have none. What stands gets a drawn
ledge of stone in the photograph's own colours, with the photograph out of focus behind it and mirrored in it; what
lies, lies on the photograph.
"""

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from catalog.pixels import srgb_on_white
from inference.ad_images.backdrops.studio import fields, tone
from inference.ad_images.backdrops.studio.backdrop import SIDES
from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.lighting import pool
from inference.ad_images.backdrops.studio.materials import concrete
from inference.ad_images.backdrops.studio.stage import Stage
from inference.ad_images.linear_light import to_linear
from inference.ad_images.plan import Placed, Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import LibraryPhoto, Scene

DRAWING = 1  # goes up with every change that makes other pixels
FAR, NEAR = 0.012, 0.0025  # blur behind what stands and under what lies, share of the shorter side
EXPOSURE = (0.16, 0.42)  # mean linear light that a photograph is brought between
MOST_PIXELS = 100_000_000


class Photographs:
    """Photographs of the media library."""

    name = "photographs"
    version = hashlib.sha256(f"photographs {DRAWING} pillow {Image.__version__}".encode()).hexdigest()[:12]
    paints_shadows = False

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: a side that is no multiple of 64 from 256 to 2048 pixels. Any theme will do."""
        if any(side not in SIDES for side in size):
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"a photograph is cut to sides of 256 to 2048 pixels that are multiples of 64, "
                f"not to {size[0]}×{size[1]}.",
            )

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """A background for each plan; plans of one scene share it. See `Backdrop.paint`.

        Raises:
            AdRefused: a scene without a photograph, one whose file cannot be read, or is not the one that was chosen.
        """
        cut: dict[tuple[object, ...], np.ndarray] = {}
        pictures = []
        for scene, product in zip(scenes, placed, strict=True):
            self.check(scene.size, scene.theme)
            key = (scene, product.box[3])
            if key not in cut:
                cut[key] = _background(scene, product.box)
            pictures.append(cut[key].copy())
        return pictures


def _background(scene: Scene, clear: Box) -> np.ndarray:
    if scene.photo is None:
        lies = scene.view is Support.LIES
        missing = "photograph from above, as products that lie need," if lies else "photograph at eye level"
        remedy = "tag one 'from above', or draw it" if lies else "draw it instead"
        raise AdRefused(
            RefusalCode.NO_ASSET, f"theme '{scene.theme:.40}' has no {missing} in the media library; {remedy}."
        )
    canvas = StudioCanvas(scene, ("#808080",))
    rng = canvas.stream("photograph")
    photo = _opened(scene.photo, scene.size)
    if scene.view is Support.LIES:
        canvas.pixels = _exposed(fields.blurred(_cropped(photo, canvas.shape, rng), NEAR * canvas.unit))
    else:
        stage = Stage(canvas, scene, clear, over=0.06)
        rows = min(round((stage.horizon + 0.04) * canvas.height), canvas.height)
        seen = _exposed(fields.blurred(_cropped(photo, (rows, canvas.width), rng), FAR * canvas.unit))
        far = np.concatenate([seen, np.repeat(seen[-1:], canvas.height - rows, 0)])
        stage.compose(far, _ledge(stage, seen, rng) * pool(stage, 0.35)[..., None], 0.5, 0.075, 0.007)
    canvas.shade(tone.warmth(0.5 * scene.light.warmth))
    return canvas.finish()


def _exposed(light: np.ndarray) -> np.ndarray:
    """A photograph neither so dark nor so bright that the product is lost before it."""
    mean = float(light.mean()) + 1e-4
    return light * np.float32((np.clip(mean, *EXPOSURE) / mean) ** 0.8)


def _ledge(stage: Stage, seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(n, width, 3) smooth stone in the muted colour of what lies behind it, of a middle brightness."""
    mean = seen[len(seen) // 2 :].mean((0, 1))
    grey = float(mean @ np.array([0.2126, 0.7152, 0.0722]))
    muted = mean + 0.35 * (grey - mean)
    return concrete(stage.floor, rng, (muted * (0.33 / (grey + 0.02)) ** 0.75).astype(np.float32), 0.8)


def _opened(photo: LibraryPhoto, size: tuple[int, int]) -> Image.Image:
    """The photograph, upright, in sRGB, not much larger than needed."""
    try:
        content = photo.file.read_bytes()
    except OSError as error:
        raise AdRefused(
            RefusalCode.NO_ASSET,
            f"photograph {photo.name} of the media library cannot be read ({error.strerror}); restore it.",
        ) from error
    if hashlib.sha256(content).hexdigest() != photo.sha256:
        raise AdRefused(
            RefusalCode.NO_ASSET,
            f"photograph {photo.name} of the media library is another file than its index lists; index it again.",
        )
    try:
        image = Image.open(io.BytesIO(content))
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{image.width}×{image.height} pixels are too many")
        image.draft("RGB", (2 * size[0], 2 * size[1]))
        return srgb_on_white(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError) as error:
        raise AdRefused(
            RefusalCode.NO_ASSET,
            f"photograph {photo.name} of the media library is no picture ({error!s:.80}); replace it.",
        ) from error


def _cropped(image: Image.Image, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3) float32 linear light: a part of the photograph, from its middle."""
    height, width = shape
    scale = max(width / image.width, height / image.height) * float(rng.uniform(1.0, 1.2))
    wide, high = width / scale, height / scale
    left = (image.width - wide) * float(rng.uniform(0.25, 0.75))
    top = (image.height - high) * float(rng.uniform(0.35, 0.65))
    part = image.resize((width, height), Image.Resampling.LANCZOS, (left, top, left + wide, top + high))
    return to_linear(np.asarray(part))
