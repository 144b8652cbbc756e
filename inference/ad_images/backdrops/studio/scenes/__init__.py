"""Scenes: what is seen at eye level, for products that stand.

Belongs here: one painter for each theme. Not here: scenes from above (surfaces/), shadows of the product (shadows.py).
"""

from inference.ad_images.backdrops.studio.canvas import Painter
from inference.ad_images.backdrops.studio.scenes.indoors import sweep

SCENES: dict[str, Painter] = dict.fromkeys(("studio", "living_room", "street", "beach", "forest", "kitchen", "snow", "desk", "bedroom", "gym"), sweep)
