"""Ground: a texture in colours, under the scene's light.

Belongs here: colour ramps, relief shading, the fall of light over a picture. Not here: textures (textures.py), shadows
thrown from outside (gobos.py), things that lie on the ground (placing.py).

All in linear light; lengths in shares of the canvas' shorter side, as on the canvas.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from inference.ad_images.backdrops.studio.canvas import StudioCanvas
from inference.ad_images.backdrops.studio.fields import resized
from inference.ad_images.backdrops.studio.surfaces.noise import SPAN, TILE
from inference.ad_images.backdrops.studio.surfaces.textures import VARIETIES, tile
from inference.ad_images.scene import Light

_TO_LMS = np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                    [0.0883024619, 0.2817188376, 0.6299787005]])  # fmt: skip
_TO_OKLAB = np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                      [0.0259040371, 0.7827717662, -0.8086757660]])  # fmt: skip
_FROM_OKLAB, _FROM_LMS = np.linalg.inv(_TO_OKLAB), np.linalg.inv(_TO_LMS)
RELIEF = 2.0  # of a material's own height: what looks right in linear light


@dataclass(frozen=True)
class Covering:
    """What a surface is made of.

    Attributes:
        material: a name of textures.MATERIALS.
        dark, light: how far its tones reach below and above its colour, in OKLab lightness.
        relief: strength of its relief; 1 is the material's own. turns: quarter turns that look right.
        level: place of its colour on the material's tones, 0 to 1.
        sky: red, green, blue that the sky puts back where the key light is missing, shares of full light.
    """

    material: str
    dark: float = 0.2
    light: float = 0.12
    relief: float = 1.0
    turns: tuple[int, ...] = (0, 1, 2, 3)
    level: float = 0.5
    sky: tuple[float, float, float] = (0.0, 0.0, 0.0)


YELLOW = np.deg2rad(82)  # hue in OKLab
COLOURFUL = 0.06  # chroma in OKLab
CLEAR_YELLOW = 0.66  # lightness in OKLab from which a yellow is seen as one


def oklab(light: np.ndarray) -> np.ndarray:
    """Linear light as OKLab; last axis 3. Source: Björn Ottosson, "A perceptual color space for image processing"."""
    return np.cbrt(np.maximum(light, 0) @ _TO_LMS.T) @ _TO_OKLAB.T


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """OKLab as linear light, 0 to 1, float32."""
    light = (lab @ _FROM_OKLAB.T) ** 3 @ _FROM_LMS.T
    return np.clip(light, 0, 1).astype(np.float32)


def shifted(colour: np.ndarray, lightness: float, chroma: float = 1.0) -> np.ndarray:
    """(3,) float32: a colour, so much lighter or darker (OKLab), its chroma multiplied."""
    lab = oklab(np.asarray(colour))
    return from_oklab(np.array([np.clip(lab[0] + lightness, 0.02, 0.995), lab[1] * chroma, lab[2] * chroma]))


def unmuddied(colour: np.ndarray) -> np.ndarray:
    """(3,) float32: a colour for a whole surface, lighter where it is a dark yellow or brown.

    Dark blues, greens and reds stay what they are in any light; dark yellow is seen as mud, so amber becomes ochre.
    """
    lightness, across, down = oklab(np.asarray(colour))
    chroma = float(np.hypot(across, down))
    yellow = max(0.0, np.cos(np.arctan2(down, across) - YELLOW)) ** 4 * min(1.0, chroma / COLOURFUL)
    return shifted(colour, max(0.0, CLEAR_YELLOW - float(lightness)) * float(yellow))


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """(3,) float32: a mixture in OKLab; share 0 is the first."""
    return from_oklab((1 - share) * oklab(np.asarray(first)) + share * oklab(np.asarray(second)))


def blended(canvas: StudioCanvas, natural: np.ndarray, number: int, share: float) -> np.ndarray:
    """A material's natural colour with a share of the palette's, more of it where the palette is a brand's."""
    return between(natural, canvas.colour(number), max(share, 0.65) if canvas.branded else share)


def ramp(colour: np.ndarray, covering: Covering) -> np.ndarray:
    """(256, 3) float32: the tones of a covering of this colour, from dark to light."""
    lab = oklab(np.asarray(colour))
    levels = np.linspace(0, 1, 256)
    step = np.where(
        levels < covering.level,
        (levels / covering.level - 1) * covering.dark,
        (levels - covering.level) / (1 - covering.level) * covering.light,
    )
    chroma = np.clip(1 - 1.1 * step, 0.3, 1.25)
    return from_oklab(np.stack([np.clip(lab[0] + step, 0.02, 0.995), lab[1] * chroma, lab[2] * chroma], 1))


def towards(light: Light) -> tuple[float, float, float]:
    """Unit vector to the light: right, down, up from the surface."""
    azimuth, elevation = np.deg2rad(light.azimuth), np.deg2rad(light.elevation)
    flat = np.cos(elevation)
    return float(np.cos(azimuth) * flat), float(-np.sin(azimuth) * flat), float(np.sin(elevation))


def relief_shade(rise_x: np.ndarray, rise_y: np.ndarray, light: Light, strength: float = 1.0) -> np.ndarray:
    """Factor on a surface's light, 1 where it is flat: Lambert's law, softened by the sky's share.

    Args:
        rise_x, rise_y: slope along right and down, height per length.
    """
    right, down, above = towards(light)
    direct = strength * (1.2 - 0.7 * light.softness) / max(above, 0.42)
    lit = 1 - rise_x * np.float32(direct * right) - rise_y * np.float32(direct * down)
    return np.clip(lit, 0.22, 1.8)


def laid(
    canvas: StudioCanvas,
    covering: Covering,
    colour: np.ndarray,
    name: str = "ground",
    shape: tuple[int, int] | None = None,
) -> np.ndarray:
    """(height, width, 3) float32 linear light: the covering over the whole picture, lit.

    Args:
        name: of its random stream. shape: (height, width) of a part, for what covers no more.
    """
    rng = canvas.stream(name)
    wanted = int(np.clip(max(canvas.shape), canvas.unit * SPAN, canvas.unit * 2.2))
    side = min(wanted, TILE)
    texture = tile(covering.material, int(rng.integers(VARIETIES)), side)
    turn = int(rng.choice(covering.turns))
    corner = [int(share * side) for share in rng.random(2)]
    shape = shape or canvas.shape
    drawn = tuple(-(-length * side // wanted) for length in shape)
    height, width = drawn if turn % 2 == 0 else drawn[::-1]
    rows, columns = (np.arange(height) + corner[0]) % side, (np.arange(width) + corner[1]) % side
    tone, rise_x, rise_y = (
        np.rot90(field.take(rows, 0).take(columns, 1), turn) for field in (texture.tone, texture.rise_x, texture.rise_y)
    )
    for _ in range(turn):
        rise_x, rise_y = rise_y, -rise_x
    shade = relief_shade(rise_x, rise_y, canvas.light, RELIEF * covering.relief * texture.steepest / 127)
    light = ramp(colour, covering).take(tone, 0)
    dim(light, shade, covering.sky)
    return resized(light, shape, Image.Resampling.BICUBIC)


def dim(pixels: np.ndarray, factor: np.ndarray, sky: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> None:
    """Multiplies (height, width, 3) light by (height, width), in place; `sky` gives back so much of what is lost."""
    for channel, share in enumerate(sky):
        pixels[..., channel] *= factor + share * np.maximum(1 - factor, 0) if share else factor


def cover(canvas: StudioCanvas, covering: Covering, colour: np.ndarray) -> None:
    """Fills the canvas with a covering."""
    key = ("ground", covering, np.asarray(colour).tobytes())
    canvas.pixels[...] = canvas.reuse(key, lambda: laid(canvas, covering, colour))


def light_up(canvas: StudioCanvas, exposure: float = 1.0) -> None:
    """The key light's tint and its fall over all that is painted: brighter towards the light."""
    rows, columns = canvas.grid()
    right, down, _ = towards(Light(canvas.light.azimuth, 0.0))
    x = (columns - 0.5) * np.float32(canvas.width / canvas.unit * 1.2 * right)
    y = (rows - 0.5) * np.float32(canvas.height / canvas.unit * 1.2 * down)
    depth = np.float32(0.34 * (1 - 0.4 * canvas.light.softness))
    fall = np.float32(exposure) * (1 + depth * np.tanh(x + y))
    for channel in range(3):
        canvas.pixels[..., channel] *= fall * canvas.tint[channel]
