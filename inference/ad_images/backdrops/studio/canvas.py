"""Canvas: what a painter of a drawn scene paints on, with everything that scenes of both views share.

Belongs here: `StudioCanvas`, the type of painters. Not here: a scene (scenes/, surfaces/), noise and blur (fields.py),
tone (tone.py).

All painting is in linear light. Lengths are shares of the shorter side (`unit` pixels), so that a scene looks alike at
every size. Random draws come from `stream(name)`, one generator for each thing, so that leaving one thing out moves no
other.
"""

import hashlib
from collections.abc import Callable, Hashable, MutableMapping
from typing import Any, TypeVar

import numpy as np
import skia
from PIL import Image

from inference.ad_images.backdrops.studio import fields, tone
from inference.ad_images.linear_light import of_hex
from inference.ad_images.scene import Scene

T = TypeVar("T")
Box = tuple[int, int, int, int]

SHEET_CHROMA, PANEL_CHROMA = 18.0, 28.0  # CIELAB; more, over so much of a picture, is seen before the product


class StudioCanvas:
    """One background in the making.

    Attributes:
        width, height: pixels. unit: the shorter side, pixels.
        pixels: (height, width, 3) float32 linear light; a painter fills it.
        light: of the scene. tint: (3,) float32, colour of the key light.
        palette: (n, 3) float32 linear light: the scene's, or the one of the theme's that the seed takes.
        branded: the palette is the scene's own; finish() then draws all colours towards it.
        vignette, glow, grain: of the lens and film; a painter may change them.
    """

    def __init__(
        self, scene: Scene, palette: tuple[str, ...], shared: MutableMapping[Hashable, Any] | None = None
    ) -> None:
        self.width, self.height = scene.size
        self.unit = min(scene.size)
        self.shape = (self.height, self.width)
        self.pixels = np.zeros((self.height, self.width, 3), np.float32)
        self.light = scene.light
        self.tint = tone.warmth(scene.light.warmth)
        self.branded = bool(scene.palette)
        self.palette = np.stack([of_hex(colour) for colour in scene.palette or palette])
        self.vignette, self.glow, self.grain = 0.16, 0.25, tone.GRAIN
        self._pull = scene.palette_pull
        self._key = (
            scene.theme, scene.view, scene.size, scene.seed, scene.light, scene.horizon, scene.palette, self._pull
        )  # fmt: skip
        self._name = f"{scene.theme}/{scene.view}/{scene.seed}"
        self._shared = {} if shared is None else shared
        self._finished: np.ndarray | None = None

    def stream(self, name: str) -> np.random.Generator:
        """A generator of its own for one thing of this scene; the same name gives the same draws."""
        digest = hashlib.sha256(f"{self._name}/{name}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "big"))

    def reuse(self, name: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once for all plans that show this very scene. Not to be written to.

        Args:
            name: of the thing, with whatever it depends on beyond the scene (a base line, a box).
        """
        key = (self._key, name)
        if key not in self._shared:
            self._shared[key] = make()
        return self._shared[key]

    def colour(self, number: int) -> np.ndarray:
        """(3,) float32: a colour of the palette, counted round."""
        return self.palette[number % len(self.palette)]

    def sheet(self, colour: np.ndarray) -> np.ndarray:
        """(3,) float32: a colour for a flat sheet that fills the picture, calm enough not to outshine the product.

        A brand's palette is its own wish, and is taken as it is.
        """
        return colour if self.branded else tone.calmed(colour, SHEET_CHROMA)

    def panel(self, colour: np.ndarray) -> np.ndarray:
        """(3,) float32: the same for what covers a part of it: an arch behind the product, a second sheet."""
        return colour if self.branded else tone.calmed(colour, PANEL_CHROMA)

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows (height, 1) and columns (1, width), float32, in shares of the height and width, at pixel centres."""
        rows = (np.arange(self.height, dtype=np.float32)[:, None] + 0.5) / self.height
        columns = (np.arange(self.width, dtype=np.float32)[None, :] + 0.5) / self.width
        return rows, columns

    def noise(self, name: str, cells: float, falloff: float = 1.6, stretch: float = 1.0) -> np.ndarray:
        """(height, width) float32, mean about 0, deviation about 1.

        Args:
            cells: noise pixels along the shorter side; 6 gives large soft forms, 400 fine ones.
            stretch: how much longer than high the forms are.
        """
        down, across = cells * self.height / self.unit, cells * self.width / self.unit / stretch
        return fields.window(self.stream(name), self.shape, (down, across), falloff)

    def blurred(self, field: np.ndarray, amount: float) -> np.ndarray:
        """A field blurred by a Gaussian of `amount` of the shorter side."""
        return fields.blurred(field, amount * self.unit)

    def mask(self, draw: Callable[[skia.Canvas], None], blur: float = 0.0) -> np.ndarray:
        """(height, width) float32, 0 to 1: what `draw` covers with white.

        Args:
            draw: gets a canvas in shares of the shorter side: (0, 0) is the left upper corner, 1 is `unit` pixels.
            blur: share of the shorter side; a blurred mask is drawn small.
        """
        return self.layer(draw, blur)[..., 3]

    def layer(self, draw: Callable[[skia.Canvas], None], blur: float = 0.0) -> np.ndarray:
        """(height, width, 4) float32 linear light premultiplied by alpha: what `draw` paints. See mask()."""
        step = int(np.clip(blur * self.unit / 1.5, 1, self.unit // 24))
        shape = (-(-self.height // step), -(-self.width // step))
        pixels = drawn(shape, self.unit / step, draw)
        if blur:
            pixels = fields.blurred_here(pixels, blur * self.unit / step, blur * self.unit / step)
        if step == 1:
            return pixels
        return np.maximum(fields.resized(pixels, self.shape, Image.Resampling.BICUBIC), 0)

    def over(self, colour: np.ndarray, mask: np.ndarray | float = 1.0) -> None:
        """Paints a colour ((3,) or (height, width, 3) linear light) where the mask says so."""
        amount = np.asarray(mask, np.float32)
        self.pixels += (colour - self.pixels) * (amount[..., None] if amount.ndim else amount)

    def lay(self, layer: np.ndarray) -> None:
        """Puts a premultiplied layer over what is painted."""
        self.pixels *= 1 - layer[..., 3:]
        self.pixels += layer[..., :3]

    def shade(self, factor: np.ndarray) -> None:
        """Multiplies light by (height, width) or (3,)."""
        self.pixels *= factor[..., None] if factor.ndim == 2 else factor

    def whole(self, name: Hashable, paint: Callable[[], None]) -> None:
        """Paints a picture that depends on the scene and `name` alone: once for all plans that show it."""

        def finished() -> np.ndarray:
            paint()
            return self._developed()

        self._finished = self.reuse(name, finished)

    def finish(self) -> np.ndarray:
        """(height, width, 3) uint8: lens, film and palette applied to what is painted."""
        return self._developed() if self._finished is None else self._finished.copy()

    def _developed(self) -> np.ndarray:
        light = tone.glow(self.pixels, self.glow) if self.glow else self.pixels
        top, left = (int(value) for value in self.stream("grain").integers(0, 512, 2))
        film = tone.vignette(self.shape, self.vignette) * tone.grain(self.shape, (top, left), self.grain)
        pixels = tone.print_of(light * film[..., None])
        return tone.towards(pixels, self.palette, self._pull) if self.branded else pixels


def drawn(shape: tuple[int, int], scale: float, draw: Callable[[skia.Canvas], None]) -> np.ndarray:
    """(height, width, 4) float32 linear light premultiplied by alpha: what `draw` paints, `scale` pixels its unit."""
    pixels = np.zeros((*shape, 4), np.float16)
    info = skia.ImageInfo.Make(
        shape[1], shape[0], skia.kRGBA_F16_ColorType, skia.kPremul_AlphaType, skia.ColorSpace.MakeSRGBLinear()
    )
    canvas = skia.Surface.MakeRasterDirect(info, pixels).getCanvas()
    canvas.scale(scale, scale)
    draw(canvas)
    return pixels.astype(np.float32)


def ink(colour: np.ndarray | float = 1.0, alpha: float = 1.0) -> skia.Paint:
    """A smooth-edged paint of a linear-light colour, for layer() and mask()."""
    red, green, blue = (float(value) for value in np.broadcast_to(colour, 3))
    paint = skia.Paint(AntiAlias=True)
    paint.setColor4f(skia.Color4f(red, green, blue, alpha), skia.ColorSpace.MakeSRGBLinear())
    return paint


Painter = Callable[[StudioCanvas, Scene, Box], None]
