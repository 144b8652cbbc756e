"""Surfaces: scenes seen from above, for products that lie.

Belongs here: one painter for each theme. Not here: scenes with a horizon (scenes/), shadows of the product
(shadows.py).

| module | holds |
|---|---|
| noise.py, textures.py | what surfaces are made of |
| ground.py, gobos.py | a surface in the scene's light; shadows thrown over it from outside |
| placing.py | things at the edges, clear of the product, with their shadows |
| foliage.py, crockery.py, finds.py, workthings.py, cloths.py, shore.py | what lies at the edges |
| indoors.py, outdoors.py | the themes |
"""

from inference.ad_images.backdrops.studio.canvas import Painter
from inference.ad_images.backdrops.studio.surfaces import indoors, outdoors


def paper(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A sheet of coloured paper in soft light."""
    canvas.over(canvas.colour(0) * (1 + 0.02 * canvas.noise("paper", 300, 0.8))[..., None])
    canvas.shade(canvas.tint)


SURFACES: dict[str, Painter] = dict.fromkeys(("studio", "living_room", "street", "beach", "forest", "kitchen", "snow", "desk", "bedroom", "gym"), paper)
