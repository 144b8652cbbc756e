"""Drawn people as photographs, for the tests of what happens to a person who wears the product."""

import io
from functools import cache

import numpy as np
from PIL import Image

from training.person_detector import figures

WHOLE = (8.6, 0.0, -1.6)
"""Heads shown in the height, x of the body, y of the upper edge in heads: from head to feet, with room around."""
TO_THE_THIGH = (5.0, 0.0, -1.5)
BELOW_THE_WAIST = (6.0, 0.0, 1.5)


@cache
def photo_of_a_person(view: tuple[float, float, float], number: int = 0, side: int = 256) -> bytes:
    """A PNG of somebody before white."""
    rng = np.random.default_rng([3, number])
    image = Image.new("RGB", (2 * side, 2 * side), "white")
    figures._draw_person(image, figures._figure(rng), rng, view)
    sink = io.BytesIO()
    image.resize((side, side), Image.Resampling.BOX).save(sink, "PNG")
    return sink.getvalue()
