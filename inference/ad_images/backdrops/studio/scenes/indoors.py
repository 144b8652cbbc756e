"""Scenes indoors."""

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.scene import Scene


def sweep(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Coloured paper that bends from wall to floor."""
    rows, _ = canvas.grid()
    horizon = scene.horizon or 0.6
    canvas.over(canvas.colour(0) * (0.85 + 0.15 * smoothstep(horizon - 0.1, horizon + 0.1, rows))[..., None])
    canvas.shade(canvas.tint)
