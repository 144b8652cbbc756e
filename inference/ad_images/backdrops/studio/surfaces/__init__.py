"""Surfaces: scenes seen from above, for products that lie.

Belongs here: one painter for each theme. Not here: scenes with a horizon (scenes/), shadows of the product (shadows.py).
"""

from inference.ad_images.backdrops.studio.canvas import Box, Painter, StudioCanvas
from inference.ad_images.scene import Scene


def paper(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A sheet of coloured paper in soft light."""
    canvas.over(canvas.colour(0) * (1 + 0.02 * canvas.noise("paper", 300, 0.8))[..., None])
    canvas.shade(canvas.tint)


SURFACES: dict[str, Painter] = dict.fromkeys(("studio", "living_room", "street", "beach", "forest", "kitchen", "snow", "desk", "bedroom", "gym"), paper)
