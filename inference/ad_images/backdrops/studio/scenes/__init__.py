"""Scenes: what is seen at eye level, for products that stand.

Belongs here: one painter for each theme. Not here: scenes from above (surfaces/), shadows of the product (shadows.py).
"""

from inference.ad_images.backdrops.studio.canvas import Painter
from inference.ad_images.backdrops.studio.scenes import outdoors, paper, rooms, streets, tables

SCENES: dict[str, Painter] = {
    "studio": paper.sweep,
    "living_room": rooms.living_room,
    "street": streets.street,
    "beach": outdoors.beach,
    "forest": streets.forest,
    "kitchen": tables.kitchen,
    "snow": outdoors.snow,
    "desk": tables.desk,
    "bedroom": rooms.bedroom,
    "gym": rooms.gym,
}
