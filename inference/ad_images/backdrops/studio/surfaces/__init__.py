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

SURFACES: dict[str, Painter] = {
    "studio": indoors.studio,
    "living_room": indoors.living_room,
    "street": outdoors.street,
    "beach": outdoors.beach,
    "forest": outdoors.forest,
    "kitchen": indoors.kitchen,
    "snow": outdoors.snow,
    "desk": indoors.desk,
    "bedroom": indoors.bedroom,
    "gym": indoors.gym,
}
